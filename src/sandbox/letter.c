/* See letter.h. */
#include <sandbox/letter.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <base/clock.h>

enum {
	RECIPIENTS_MAX = 4 * 1024 * 1024
};

struct letter *letter_new(
    const char *provider, enum letter_kind kind, struct span raw)
{
	struct letter *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	list_init(&l->node);
	l->provider = provider;
	l->kind = kind;
	l->received_ms = clock_wall_ms();
	id_format(id_make(), l->id);
	buf_init(&l->recipients, RECIPIENTS_MAX);
	buf_init(&l->raw, raw.len + 1);
	if (buf_add_span(&l->raw, raw) != 0) {
		letter_free(l);
		return NULL;
	}
	return l;
}

void letter_free(struct letter *l)
{
	if (!l)
		return;
	buf_finish(&l->recipients);
	buf_finish(&l->raw);
	free(l->sender);
	free(l->from);
	free(l->subject);
	free(l);
}

int letter_add_recipient(struct letter *l, struct span address)
{
	int rc = buf_add_span(&l->recipients, address);

	return rc ? rc : buf_add_str(&l->recipients, "\n");
}

int letter_set_sender(struct letter *l, struct span address)
{
	free(l->sender);
	l->sender = span_dup(address);
	return l->sender ? 0 : -ENOMEM;
}

uint64_t letter_bytes(const struct letter *l)
{
	return sizeof(*l) + buf_len(&l->raw) + buf_len(&l->recipients);
}
