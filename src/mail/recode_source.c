/*
 * Reading on is cheap; going back by more than a little within a leaf encodes
 * it from its start again, as a request that is sent a second time does. Who
 * reads holds a lock, so that threads may share the message as any other.
 */
#include <mail/recode_source.h>

#include <mail/transfer.h>

#include <base/list.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PIECES_FIRST = 8 /* room for */
};

_Static_assert(
    RECODE_IN % TRANSFER_BASE64_IN == 0 && TRANSFER_QUOTED_GROWTH == 6,
    "pieces are whole lines of base64, and fit into the window");

struct recode_source *recode_source_new(struct message *m)
{
	struct recode_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		return NULL;
	}
	s->original = message_ref(m);
	s->reader.message = m;
	return s;
}

void recode_source_free(struct recode_source *s)
{
	if (!s)
		return;
	mime_reader_finish(&s->reader);
	(void)pthread_mutex_destroy(&s->lock);
	message_unref(s->original);
	free(s->pieces);
	free(s);
}

static int add(struct recode_source *s, const struct recode_piece *piece)
{
	if (piece->size == 0)
		return 0;
	if (s->count == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : PIECES_FIRST;
		struct recode_piece *grown =
		    realloc(s->pieces, cap * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->pieces = grown;
		s->cap = cap;
	}
	s->pieces[s->count] = *piece;
	s->pieces[s->count++].start = s->size;
	s->size += piece->size;
	s->cursor.piece = NULL; /* they may have moved */
	return 0;
}

int recode_source_add_raw(
    struct recode_source *s, uint64_t offset, uint64_t length)
{
	return add(s, &(struct recode_piece){ .kind = RECODE_RAW,
			  .size = length,
			  .place = { .offset = offset, .length = length } });
}

int recode_source_add_text(struct recode_source *s, const char *text)
{
	return add(
	    s, &(struct recode_piece){
		   .kind = RECODE_TEXT, .size = strlen(text), .text = text });
}

/* --- leaves --- */

static void begin(struct recode_cursor *c, const struct recode_piece *piece)
{
	c->piece = piece;
	c->used = c->start = 0;
	c->column = c->filled = 0;
}

/* The next window, behind the last bytes of the one before. */
static int refill(struct recode_source *s)
{
	struct recode_cursor *c = &s->cursor;
	const struct recode_piece *p = c->piece;
	size_t kept = c->filled < RECODE_KEPT ? c->filled : RECODE_KEPT;
	uint64_t left = p->decoded - c->used;
	size_t len = left < RECODE_IN ? (size_t)left : RECODE_IN;
	char in[RECODE_IN];
	int rc = mime_reader_read(&s->reader, &p->place, c->used, in, len);

	if (rc < 0 || len == 0)
		return rc < 0 ? rc : -EIO;
	memmove(c->window, c->window + c->filled - kept, kept);
	c->start += c->filled - kept;
	c->filled = kept;
	if (p->kind == RECODE_BASE64) {
		c->filled +=
		    transfer_base64(span_make(in, len), c->window + kept);
		c->used += len;
	} else {
		c->used += transfer_quoted(span_make(in, len), len == left,
		    &c->column, c->window, &c->filled);
	}
	return 0;
}

static ssize_t read_leaf(struct recode_source *s, const struct recode_piece *p,
    uint64_t at, char *out, size_t len)
{
	struct recode_cursor *c = &s->cursor;

	if (c->piece != p || at < c->start)
		begin(c, p);
	while (at >= c->start + c->filled) {
		int rc = refill(s);
		if (rc < 0)
			return rc;
	}
	struct span rest = span_first(
	    span_from(span_make(c->window, c->filled), (size_t)(at - c->start)),
	    len);

	memcpy(out, rest.ptr, rest.len);
	return (ssize_t)rest.len;
}

int recode_source_measure(struct recode_source *s,
    const struct mime_place *place, uint64_t decoded, uint64_t most,
    uint64_t *size)
{
	struct recode_piece p = {
		.kind = RECODE_QUOTED, .place = *place, .decoded = decoded
	};
	struct recode_cursor *c = &s->cursor;
	int rc = 0;

	begin(c, &p);
	while (rc == 0 && c->used < decoded && c->start + c->filled <= most)
		rc = refill(s);
	*size = c->start + c->filled;
	c->piece = NULL;
	return rc;
}

int recode_source_add_leaf(struct recode_source *s, enum recode_kind kind,
    const struct mime_place *place, uint64_t decoded, uint64_t size)
{
	return add(s, &(struct recode_piece){ .kind = kind,
			  .size = size,
			  .place = *place,
			  .decoded = decoded });
}

/* --- all of it --- */

/* The piece with that byte, which exists. */
static const struct recode_piece *find(
    const struct recode_source *s, uint64_t offset)
{
	size_t low = 0, high = s->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (s->pieces[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return &s->pieces[low];
}

static ssize_t read_piece(struct recode_source *s, const struct recode_piece *p,
    uint64_t at, char *out, size_t len)
{
	if (len > p->size - at)
		len = (size_t)(p->size - at);
	switch (p->kind) {
	case RECODE_RAW:
		return message_read(
		    s->original, p->place.offset + at, out, len);
	case RECODE_TEXT:
		memcpy(out, p->text + at, len);
		return (ssize_t)len;
	case RECODE_QUOTED:
	case RECODE_BASE64:
		break;
	}
	return read_leaf(s, p, at, out, len);
}

ssize_t recode_source_read(
    struct recode_source *s, uint64_t offset, void *out, size_t len)
{
	const struct recode_piece *p;
	ssize_t n;

	if (offset >= s->size || len == 0)
		return 0;
	(void)pthread_mutex_lock(&s->lock);
	p = find(s, offset);
	n = read_piece(s, p, offset - p->start, out, len);
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static ssize_t body_read(
    struct message_source *source, uint64_t offset, void *out, size_t len)
{
	struct recode_source *s =
	    container_of(source, struct recode_source, source);

	return recode_source_read(s, s->header + offset, out, len);
}

static void body_release(struct message_source *source)
{
	recode_source_free(container_of(source, struct recode_source, source));
}

static const struct message_source_ops body_ops = { .read = body_read,
	.release = body_release };

struct message *recode_source_give(struct recode_source *s, struct buf *header)
{
	struct message *m;

	s->source.ops = &body_ops;
	s->source.size = s->size - s->header;
	m = message_new_from(header, &s->source);
	if (m)
		message_set_traits(m, message_traits(s->original));
	return m;
}
