/* See elsewhere.h. */
#include "elsewhere.h"

#include <support/unit.h>

#include <base/list.h>
#include <mail/header.h>

#include <errno.h>

enum {
	STEP = 997 /* of one read */
};

static ssize_t read_elsewhere(
    struct message_source *s, uint64_t offset, void *out, size_t len)
{
	struct elsewhere *e = container_of(s, struct elsewhere, source);
	struct span rest = span_from(e->body, (size_t)offset);

	if (e->fails_from > 0 && offset + len > e->fails_from)
		return -EIO;
	rest = span_first(rest, len < STEP ? len : STEP);
	memcpy(out, rest.ptr, rest.len);
	return (ssize_t)rest.len;
}

static void release_elsewhere(struct message_source *s)
{
	(void)s;
}

static const struct message_source_ops ops = { .read = read_elsewhere,
	.release = release_elsewhere };

struct message *elsewhere_message(struct elsewhere *e, struct span raw)
{
	size_t length = header_length(raw);
	struct buf header;

	buf_init(&header, length);
	ck_assert_int_eq(buf_add(&header, raw.ptr, length), 0);
	e->body = span_from(raw, length);
	e->source.ops = &ops;
	e->source.size = e->body.len;
	return message_new_from(&header, &e->source);
}
