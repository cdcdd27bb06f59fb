/*
 * What a module sees of a message: arrays of pointers into it. Only folded
 * header values are copied.
 */
#include <provider/view_internal.h>

#include <mail/header.h>

#include <errno.h>
#include <stddef.h>

/* Modules go through arrays of these by the size they were built with. */
_Static_assert(
    POSTERN_PROVIDER_ABI == 2 &&
	sizeof(struct postern_part) == offsetof(struct postern_part, method) +
					   sizeof(struct postern_str) &&
	sizeof(struct postern_address) == 2 * sizeof(struct postern_str) &&
	sizeof(struct postern_header) == 2 * sizeof(struct postern_str),
    "an element of an array grew: so must POSTERN_PROVIDER_ABI");

static struct postern_str to_str(struct span s)
{
	return (struct postern_str){ s.ptr ? s.ptr : "", s.len };
}

static struct postern_str *copy_recipients(
    struct arena *a, const struct provider_input *input)
{
	struct postern_str *out =
	    arena_alloc(a, (input->recipient_count + 1) * sizeof(*out));

	for (size_t i = 0; out && i < input->recipient_count; i++)
		out[i] = to_str(input->recipients[i]);
	return out;
}

static int unfold(struct arena *a, struct span value, struct postern_str *out)
{
	struct buf flat;
	struct span copy;
	int rc;

	value = span_trim(value);
	*out = to_str(value);
	if (span_index(value, '\n') < 0)
		return 0;
	buf_init(&flat, value.len + 1);
	rc = header_unfold(value, &flat);
	if (rc == 0) {
		copy = arena_span(a, span_trim(buf_span(&flat)));
		*out = to_str(copy);
		rc = copy.ptr ? 0 : -ENOMEM;
	}
	buf_finish(&flat);
	return rc;
}

static bool is_shown(const struct message_field *f)
{
	return f->name.len > 0 && !span_ieq(f->name, SPAN("Bcc")) &&
	       !span_ieq(f->name, SPAN("Resent-Bcc"));
}

static int fill_headers(
    struct arena *a, struct span block, struct postern_mail *out)
{
	struct span rest = block;
	struct message_field field;
	struct postern_header *headers;
	size_t count = 0;

	while (header_next(&rest, &field))
		count += is_shown(&field);
	headers = arena_alloc(a, (count + 1) * sizeof(*headers));
	if (!headers)
		return -ENOMEM;
	out->headers = headers;
	for (rest = block; header_next(&rest, &field);) {
		int rc;
		if (!is_shown(&field))
			continue;
		headers->name = to_str(field.name);
		rc = unfold(a, field.value, &headers->value);
		if (rc < 0)
			return rc;
		headers++;
	}
	out->header_count = count;
	return 0;
}

static int fill_addresses(struct arena *a, const struct mime_addresses *from,
    const struct postern_address **out, size_t *out_count)
{
	struct postern_address *list =
	    arena_alloc(a, (from->count + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < from->count; i++) {
		list[i].name = to_str(from->items[i].name);
		list[i].address = to_str(from->items[i].address);
	}
	*out = list;
	*out_count = from->count;
	return 0;
}

static enum postern_part_kind kind_of(enum mime_kind kind)
{
	switch (kind) {
	case MIME_CALENDAR:
		return POSTERN_PART_CALENDAR;
	case MIME_ALTERNATIVE:
		return POSTERN_PART_ALTERNATIVE;
	case MIME_FILE:
		break;
	}
	return POSTERN_PART_FILE;
}

static int fill_parts(struct arena *a, const struct mime_fields *from,
    struct postern_content *out)
{
	struct postern_part *parts =
	    arena_alloc(a, (from->part_count + 1) * sizeof(*parts));

	if (!parts)
		return -ENOMEM;
	for (size_t i = 0; i < from->part_count; i++) {
		const struct mime_part *p = &from->parts[i];
		parts[i] = (struct postern_part){ .type = to_str(p->type),
			.filename = to_str(p->filename),
			.content_id = to_str(p->content_id),
			.is_inline = p->is_inline,
			.size = p->size,
			.kind = kind_of(p->kind),
			.disposition = to_str(p->disposition),
			.charset = to_str(p->charset),
			.method = to_str(p->method) };
	}
	out->parts = parts;
	out->part_count = from->part_count;
	return 0;
}

static int fill_content(struct arena *a, const struct mime_fields *from,
    struct postern_content *out)
{
	int rc = fill_addresses(a, &from->from, &out->from, &out->from_count);

	if (rc == 0)
		rc = fill_addresses(a, &from->to, &out->to, &out->to_count);
	if (rc == 0)
		rc = fill_addresses(a, &from->cc, &out->cc, &out->cc_count);
	if (rc == 0)
		rc = fill_addresses(
		    a, &from->reply_to, &out->reply_to, &out->reply_to_count);
	if (rc == 0)
		rc = fill_parts(a, from, out);
	out->sender.name = out->sender.address = to_str(SPAN(""));
	if (from->sender.count > 0) {
		out->sender.name = to_str(from->sender.items[0].name);
		out->sender.address = to_str(from->sender.items[0].address);
	}
	out->subject = to_str(from->subject);
	out->text = to_str(from->text);
	out->html = to_str(from->html);
	return rc;
}

int view_fill(struct arena *a, const struct provider_input *input,
    struct span header, const struct mime_fields *content,
    struct postern_mail *out)
{
	struct postern_content *shown = NULL;
	int rc;

	*out = (struct postern_mail){
		.size = sizeof(*out),
		.id = input->id,
		.attempt_key = input->attempt_key,
		.now = input->now,
		.sender = to_str(input->sender),
		.recipients = copy_recipients(a, input),
		.recipient_count = input->recipient_count,
	};
	if (!out->recipients)
		return -ENOMEM;
	rc = fill_headers(a, header, out);
	if (rc == 0)
		rc = view_controls(
		    a, message_header(input->message), &out->controls);
	if (rc < 0 || !content)
		return rc;
	shown = arena_alloc(a, sizeof(*shown));
	if (!shown)
		return -ENOMEM;
	out->content = shown;
	return fill_content(a, content, shown);
}
