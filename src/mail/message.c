/*
 * One message in memory: header block and body, each the memory of the buffer
 * it came in. Nothing is copied when it is made and nothing changes later, so
 * threads read it without a lock.
 */
#include <mail/message.h>

#include <base/hash.h>

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	CRC_KNOWN = 1 /* in the upper half of crc */
};

struct message {
	atomic_uint refs;
	/* A cache, so not const with the rest: value, and CRC_KNOWN << 32
	 * once computed. The same value whoever fills it. */
	_Atomic uint64_t *crc, crc_cache;
	struct buf header, body;
};

static void take(struct buf *to, struct buf *from)
{
	*to = *from;
	buf_init(from, to->max);
}

struct message *message_new(
    struct buf *header, struct buf *body, size_t body_offset)
{
	struct message *m = calloc(1, sizeof(*m));

	assert(body_offset <= buf_len(body));
	if (!m)
		return NULL;
	atomic_init(&m->refs, 1);
	atomic_init(&m->crc_cache, 0);
	m->crc = &m->crc_cache;
	take(&m->header, header);
	take(&m->body, body);
	m->body.start += body_offset;
	return m;
}

struct message *message_ref(struct message *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void message_unref(struct message *m)
{
	if (!m)
		return;
	if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1)
		return;
	buf_finish(&m->header);
	buf_finish(&m->body);
	free(m);
}

uint64_t message_size(const struct message *m)
{
	return (uint64_t)buf_len(&m->header) + buf_len(&m->body);
}

struct span message_header(const struct message *m)
{
	return buf_span(&m->header);
}

struct span message_body(const struct message *m)
{
	return buf_span(&m->body);
}

/* Copy what s has at offset; how much. */
static size_t copy_from(struct span s, uint64_t offset, char *out, size_t len)
{
	struct span rest;

	if (offset >= s.len)
		return 0;
	rest = span_first(span_from(s, (size_t)offset), len);
	memcpy(out, rest.ptr, rest.len);
	return rest.len;
}

ssize_t message_read(
    const struct message *m, uint64_t offset, void *out, size_t len)
{
	struct span header = message_header(m);
	char *to = out;
	size_t n = copy_from(header, offset, to, len);

	offset = offset > header.len ? offset - header.len : 0;
	n += copy_from(message_body(m), offset, to + n, len - n);
	return (ssize_t)n;
}

uint32_t message_crc(const struct message *m)
{
	uint64_t known = atomic_load_explicit(m->crc, memory_order_relaxed);
	struct span part;
	uint32_t crc;

	if (known >> 32 == CRC_KNOWN)
		return (uint32_t)known;
	part = message_header(m);
	crc = hash_crc32c(0, part.ptr, part.len);
	part = message_body(m);
	crc = hash_crc32c(crc, part.ptr, part.len);
	atomic_store_explicit(
	    m->crc, (uint64_t)CRC_KNOWN << 32 | crc, memory_order_relaxed);
	return crc;
}
