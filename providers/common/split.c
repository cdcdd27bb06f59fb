/*
 * Recipients are sorted once and looked up by bisection, so that a thousand
 * of them against a header of a thousand costs little.
 */
#include <common/split.h>

#include <common/str.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct slot {
	struct postern_str address;
	size_t index; /* in mail->recipients */
	bool is_taken;
};

static int compare(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return str_icmp(x->address, y->address);
}

/* Move the header addresses that are still free recipients to *out. */
static size_t take(struct slot *slots, size_t count,
    const struct postern_address *header, size_t header_count,
    struct postern_address *out)
{
	size_t taken = 0;

	for (size_t i = 0; i < header_count; i++) {
		struct slot key = { .address = header[i].address };
		struct slot *slot =
		    bsearch(&key, slots, count, sizeof(*slots), compare);
		if (!slot || slot->is_taken)
			continue;
		slot->is_taken = true;
		out[taken].name = header[i].name;
		out[taken++].address = slot->address;
	}
	return taken;
}

static size_t take_rest(const struct slot *slots, size_t count,
    const struct postern_mail *mail, bool *is_free, struct postern_address *out)
{
	size_t taken = 0;

	for (size_t i = 0; i < count; i++)
		is_free[slots[i].index] = !slots[i].is_taken;
	for (size_t i = 0; i < count; i++) {
		if (!is_free[i])
			continue;
		out[taken].name = STR("");
		out[taken++].address = mail->recipients[i];
	}
	return taken;
}

int split_recipients(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r,
    struct split *out)
{
	const struct postern_content *content = mail->content;
	size_t n = mail->recipient_count;
	struct slot *slots = host->alloc(r, (n + 1) * sizeof(*slots));
	struct postern_address *list = host->alloc(r, (n + 1) * sizeof(*list));
	bool *is_free = host->alloc(r, n + 1);

	if (!slots || !list || !is_free)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		slots[i].address = mail->recipients[i];
		slots[i].index = i;
	}
	qsort(slots, n, sizeof(*slots), compare);
	out->to = list;
	out->to_count = take(slots, n, content->to, content->to_count, list);
	list += out->to_count;
	out->cc = list;
	out->cc_count = take(slots, n, content->cc, content->cc_count, list);
	list += out->cc_count;
	out->bcc = list;
	out->bcc_count = take_rest(slots, n, mail, is_free, list);
	return 0;
}
