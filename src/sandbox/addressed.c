/* See addressed.h. */
#include <sandbox/addressed.h>

#include <mail/header.h>
#include <sandbox/addr.h>

static bool take_list(struct letter *l, struct span rest, size_t *count)
{
	struct span address;

	while (rest.ptr) {
		if (!addr_parse(addr_next(&rest), &address))
			continue;
		if (letter_add_recipient(l, address) != 0)
			return false;
		(*count)++;
	}
	return true;
}

bool addressed_take(struct letter *l, size_t *out_count)
{
	struct span message = buf_span(&l->raw);
	struct span block = span_first(message, header_length(message));
	struct message_field field;

	*out_count = 0;
	while (header_next(&block, &field)) {
		if (!span_ieq(field.name, SPAN("To")) &&
		    !span_ieq(field.name, SPAN("Cc")) &&
		    !span_ieq(field.name, SPAN("Bcc")))
			continue;
		if (!take_list(l, field.value, out_count))
			return false;
	}
	return true;
}
