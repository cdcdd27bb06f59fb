/*
 * One message: header block and body, each the memory of the buffer it came
 * in, or a body elsewhere. Nothing is copied when it is made and nothing
 * changes later, so threads read it without a lock.
 */
#include <mail/message.h>

#include <base/hash.h>

#include <assert.h>
#include <errno.h>
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
	struct message_source *source; /* instead of body; may be NULL */
	uint64_t held;
	unsigned traits;
};

static _Atomic uint64_t memory;

uint64_t message_memory(void)
{
	return atomic_load_explicit(&memory, memory_order_relaxed);
}

void message_memory_change(uint64_t from, uint64_t to)
{
	/* Also downwards: what wraps here wraps back. */
	atomic_fetch_add_explicit(&memory, to - from, memory_order_relaxed);
}

static void take(struct buf *to, struct buf *from)
{
	*to = *from;
	buf_init(from, to->max);
}

static struct message *make(struct buf *header)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	atomic_init(&m->refs, 1);
	atomic_init(&m->crc_cache, 0);
	m->crc = &m->crc_cache;
	take(&m->header, header);
	return m;
}

static void account(struct message *m)
{
	m->held = m->header.cap + m->body.cap;
	message_memory_change(0, m->held);
}

struct message *message_new(
    struct buf *header, struct buf *body, size_t body_offset)
{
	struct message *m = make(header);

	assert(body_offset <= buf_len(body));
	if (!m)
		return NULL;
	take(&m->body, body);
	m->body.start += body_offset;
	account(m);
	return m;
}

struct message *message_new_from(struct buf *header, struct message_source *s)
{
	struct message *m = make(header);

	if (!m)
		return NULL;
	m->source = s;
	account(m);
	return m;
}

struct message_source *message_source(const struct message *m)
{
	return m->source;
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
	message_memory_change(m->held, 0);
	buf_finish(&m->header);
	buf_finish(&m->body);
	if (m->source)
		m->source->ops->release(m->source);
	free(m);
}

uint64_t message_size(const struct message *m)
{
	return buf_len(&m->header) +
	       (m->source ? m->source->size : buf_len(&m->body));
}

void message_set_traits(struct message *m, unsigned traits)
{
	m->traits = traits;
}

unsigned message_traits(const struct message *m)
{
	return m->traits;
}

uint64_t message_held(const struct message *m)
{
	return m->held;
}

struct span message_header(const struct message *m)
{
	return buf_span(&m->header);
}

struct span message_body(const struct message *m)
{
	struct span none = { .ptr = NULL };

	return m->source ? none : buf_span(&m->body);
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

	if (n == len || (n > 0 && m->source))
		return (ssize_t)n;
	offset = offset > header.len ? offset - header.len : 0;
	if (m->source)
		return m->source->ops->read(m->source, offset, to, len);
	n += copy_from(buf_span(&m->body), offset, to + n, len - n);
	return (ssize_t)n;
}

int message_read_all(
    const struct message *m, uint64_t offset, void *out, size_t len)
{
	char *to = out;

	while (len > 0) {
		ssize_t n = message_read(m, offset, to, len);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		offset += (uint64_t)n;
		to += n;
		len -= (size_t)n;
	}
	return 0;
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
	part = buf_span(&m->body);
	crc = m->source ? hash_crc32c_join(crc, m->source->crc, m->source->size)
			: hash_crc32c(crc, part.ptr, part.len);
	atomic_store_explicit(
	    m->crc, (uint64_t)CRC_KNOWN << 32 | crc, memory_order_relaxed);
	return crc;
}
