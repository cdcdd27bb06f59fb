/*
 * The body of a request, read at any offset while curl sends it. Plain and
 * base64 pieces are computed from the offset; escaped ones keep a cursor that
 * goes on where the last read ended and starts over when curl rewinds.
 */
#include <provider/request_internal.h>

#include <base/b64.h>
#include <base/hash.h>

#include <errno.h>
#include <stdlib.h>

enum {
	B64_GROUPS = 1024, /* of 3 bytes encoded in one go */
	READ_SIZE = 16 * 1024
};

/* --- sources --- */

/* A header, perhaps another, then what follows the message's own. */
static int read_message(const struct postern_request *r, const struct piece *p,
    uint64_t offset, char *out, size_t len)
{
	size_t head = 0;

	if (offset < p->bytes.len) {
		head = p->bytes.len - (size_t)offset;
		if (head > len)
			head = len;
		memcpy(out, p->bytes.ptr + offset, head);
	}
	if (head == len)
		return 0;
	offset += head + message_header(r->message).len - p->bytes.len;
	return message_read_all(r->message, offset, out + head, len - head);
}

static int source_read(const struct postern_request *r, const struct piece *p,
    uint64_t offset, char *out, size_t len)
{
	switch (p->source) {
	case PIECE_TEXT:
		memcpy(
		    out, buf_span(&r->text).ptr + p->text_offset + offset, len);
		return 0;
	case PIECE_BYTES:
		memcpy(out, p->bytes.ptr + offset, len);
		return 0;
	case PIECE_PART:
		return mime_view_read(r->mime, p->part, offset, out, len);
	case PIECE_CONTENT: /* no bytes */
	case PIECE_MESSAGE:
		break;
	}
	return read_message(r, p, offset, out, len);
}

static size_t at_most(uint64_t available, size_t len)
{
	return available < len ? (size_t)available : len;
}

/* --- base64 --- */

/* The characters of whole groups from group on; at most B64_GROUPS. */
static ptrdiff_t encode_groups(const struct postern_request *r,
    const struct piece *p, uint64_t group, size_t count, char *out)
{
	char raw[3 * B64_GROUPS];
	size_t len = at_most(p->source_size - 3 * group, 3 * count);
	int rc = source_read(r, p, 3 * group, raw, len);

	if (rc < 0)
		return rc;
	return (ptrdiff_t)b64_encode(raw, len, out);
}

static ptrdiff_t read_base64(const struct postern_request *r,
    const struct piece *p, uint64_t offset, char *out, size_t len)
{
	uint64_t group = offset / 4;
	size_t skip = (size_t)(offset % 4);
	char quad[4];
	ptrdiff_t n;

	if (skip == 0 && len >= 4) {
		size_t count = len / 4 < B64_GROUPS ? len / 4 : B64_GROUPS;
		return encode_groups(r, p, group, count, out);
	}
	n = encode_groups(r, p, group, 1, quad);
	if (n < 0)
		return n;
	if (len > 4 - skip)
		len = 4 - skip;
	memcpy(out, quad + skip, len);
	return (ptrdiff_t)len;
}

/* --- JSON --- */

static void rewind_cursor(struct body_cursor *c, size_t piece)
{
	c->piece = piece;
	c->is_valid = true;
	c->offset = c->source = 0;
	c->used = c->filled = 0;
	c->is_foreign = false;
	c->unit_used = c->unit_len = 0;
}

/* Move what is left to the front of the window and fill it up. */
static int refill(const struct postern_request *r, const struct piece *p,
    struct body_cursor *c)
{
	size_t left = c->filled - c->used, len;
	int rc;

	memmove(c->window, c->window + c->used, left);
	c->source += c->used;
	c->used = 0;
	len = at_most(p->source_size - c->source - left, BODY_WINDOW - left);
	rc = source_read(r, p, c->source + left, c->window + left, len);
	c->filled = rc < 0 ? left : left + len;
	return rc;
}

/* The next escaped character into c->unit; length 0 at the end. */
static int next_unit(const struct postern_request *r, const struct piece *p,
    struct body_cursor *c)
{
	size_t used = 0;

	c->unit_used = c->unit_len = 0;
	for (;;) {
		bool is_last = c->source + c->filled == p->source_size;
		struct span in =
		    span_make(c->window + c->used, c->filled - c->used);
		int rc;
		if (in.len > 0)
			used = json_escape_unit(
			    in, is_last, c->unit, &c->unit_len);
		/* One byte became U+FFFD. */
		c->is_foreign |= used == 1 && c->unit_len == 3;
		if (used > 0 || is_last)
			break;
		rc = refill(r, p, c);
		if (rc < 0)
			return rc;
	}
	c->used += used;
	return 0;
}

/* What needs no escape, as far as it is in the window. */
static size_t take_plain(struct body_cursor *c, char *out, size_t len)
{
	struct span in =
	    span_make(c->window + c->used, at_most(c->filled - c->used, len));
	size_t run = json_plain_run(in);

	if (out)
		memcpy(out, in.ptr, run);
	c->used += run;
	return run;
}

/* Give out up to len bytes; fewer only at the end of the piece. */
static ptrdiff_t read_units(const struct postern_request *r,
    const struct piece *p, struct body_cursor *c, char *out, size_t len)
{
	size_t got = 0;

	while (got < len) {
		size_t n = at_most(c->unit_len - c->unit_used, len - got);
		int rc;

		if (n == 0) {
			n = take_plain(c, out ? out + got : NULL, len - got);
			got += n;
			if (n > 0)
				continue;
			rc = next_unit(r, p, c);
			if (rc < 0)
				return rc;
			if (c->unit_len == 0)
				break;
			continue;
		}
		if (out)
			memcpy(out + got, c->unit + c->unit_used, n);
		c->unit_used += n;
		got += n;
	}
	c->offset += got;
	return (ptrdiff_t)got;
}

static ptrdiff_t read_json(struct postern_request *r, size_t index,
    uint64_t offset, char *out, size_t len)
{
	const struct piece *p = &r->pieces[index];
	struct body_cursor *c = &r->cursor;

	if (!c->is_valid || c->piece != index || c->offset > offset)
		rewind_cursor(c, index);
	while (c->offset < offset) {
		ptrdiff_t n = read_units(
		    r, p, c, NULL, at_most(offset - c->offset, READ_SIZE));
		if (n <= 0)
			return n < 0 ? n : -EIO;
	}
	return read_units(r, p, c, out, len);
}

/* --- pieces --- */

static int measure_json(const struct postern_request *r, struct piece *p)
{
	struct body_cursor *c = malloc(sizeof(*c));
	ptrdiff_t n;

	if (!c)
		return -ENOMEM;
	rewind_cursor(c, 0);
	do {
		n = read_units(r, p, c, NULL, READ_SIZE);
	} while (n > 0);
	p->size = c->offset;
	/* Texts were made UTF-8; a message is what its author wrote. */
	if (n == 0 && c->is_foreign && p->source == PIECE_MESSAGE)
		n = -EILSEQ;
	free(c);
	return (int)n;
}

static int measure(const struct postern_request *r, struct piece *p)
{
	switch (p->encoding) {
	case POSTERN_AS_IS:
		p->size = p->source_size;
		return 0;
	case POSTERN_BASE64:
		p->size = (p->source_size + 2) / 3 * 4;
		return 0;
	case POSTERN_JSON_STRING:
		return measure_json(r, p);
	}
	return -EINVAL;
}

static int add_piece(struct postern_request *r, const struct piece *piece)
{
	struct piece *p;

	if (!r->pieces || r->piece_count == r->piece_cap) {
		size_t cap = r->piece_cap ? 2 * r->piece_cap : 8;
		p = realloc(r->pieces, cap * sizeof(*p));
		if (!p)
			return -ENOMEM;
		r->pieces = p;
		r->piece_cap = cap;
	}
	p = &r->pieces[r->piece_count++];
	*p = *piece;
	p->start = r->body_size;
	r->body_size += p->size;
	return 0;
}

int body_add_reference(struct postern_request *r, const struct piece *piece)
{
	struct piece p = *piece;
	int rc = measure(r, &p);

	if (rc < 0 || p.size == 0)
		return rc;
	return add_piece(r, &p);
}

int body_note_text(struct postern_request *r, size_t offset)
{
	size_t len = buf_len(&r->text) - offset;
	struct piece *last =
	    r->piece_count > 0 ? &r->pieces[r->piece_count - 1] : NULL;

	if (len == 0)
		return 0;
	if (!last || last->source != PIECE_TEXT)
		return add_piece(r, &(struct piece){ .source = PIECE_TEXT,
					.encoding = POSTERN_AS_IS,
					.text_offset = offset,
					.source_size = len,
					.size = len });
	last->source_size += len;
	last->size += len;
	r->body_size += len;
	return 0;
}

int body_add_text(struct postern_request *r, struct span text)
{
	size_t offset = buf_len(&r->text);
	int rc = buf_add_span(&r->text, text);

	return rc < 0 ? rc : body_note_text(r, offset);
}

static bool holds(const struct piece *p, uint64_t offset)
{
	return offset >= p->start && offset - p->start < p->size;
}

/* The piece with that byte of the body, which exists. */
static size_t find_piece(struct postern_request *r, uint64_t offset)
{
	size_t low = 0, high = r->piece_count;

	for (size_t i = r->last_piece; i < r->last_piece + 2; i++) {
		if (i < r->piece_count && holds(&r->pieces[i], offset))
			return i;
	}
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (r->pieces[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static ptrdiff_t read_piece(struct postern_request *r, size_t index,
    uint64_t offset, char *out, size_t len)
{
	const struct piece *p = &r->pieces[index];
	int rc;

	len = at_most(p->size - offset, len);
	switch (p->encoding) {
	case POSTERN_AS_IS:
		rc = source_read(r, p, offset, out, len);
		return rc < 0 ? rc : (ptrdiff_t)len;
	case POSTERN_BASE64:
		return read_base64(r, p, offset, out, len);
	case POSTERN_JSON_STRING:
		return read_json(r, index, offset, out, len);
	}
	return -EINVAL;
}

ptrdiff_t body_read(
    struct postern_request *r, uint64_t offset, char *out, size_t len)
{
	size_t got = 0;

	while (got < len && offset < r->body_size) {
		size_t index = find_piece(r, offset);
		ptrdiff_t n = read_piece(r, index,
		    offset - r->pieces[index].start, out + got, len - got);
		if (n <= 0)
			return n < 0 ? n : -EIO;
		r->last_piece = index;
		offset += (uint64_t)n;
		got += (size_t)n;
	}
	return (ptrdiff_t)got;
}

/* Read the whole body once, piece by piece. 0 or a negative errno. */
static int each_chunk(struct postern_request *r,
    void (*add)(void *ctx, const char *data, size_t len), void *ctx)
{
	char *chunk = malloc(READ_SIZE);
	uint64_t offset = 0;
	ptrdiff_t n = chunk ? 1 : -ENOMEM;

	while (n > 0) {
		n = body_read(r, offset, chunk, READ_SIZE);
		if (n > 0)
			add(ctx, chunk, (size_t)n);
		offset += n > 0 ? (uint64_t)n : 0;
	}
	free(chunk);
	return (int)n;
}

static void add_to_digest(void *ctx, const char *data, size_t len)
{
	hash_sha256_add(ctx, data, len);
}

int body_sha256(struct postern_request *r, char out[65])
{
	struct hash_sha256 *h = hash_sha256_new();
	uint8_t digest[HASH_SHA256_SIZE];

	if (!h)
		return -ENOMEM;
	int rc = each_chunk(r, add_to_digest, h);
	hash_sha256_end(h, digest);
	if (rc == 0)
		hex_encode(digest, sizeof(digest), out);
	return rc;
}

static void add_to_code(void *ctx, const char *data, size_t len)
{
	hash_hmac_add(ctx, data, len);
}

int body_hmac_sha256(struct postern_request *r, struct span key,
    struct span prefix, uint8_t out[32])
{
	struct hash_hmac *h = hash_hmac_new(key);

	if (!h)
		return -ENOMEM;
	hash_hmac_add(h, prefix.ptr, prefix.len);
	int rc = each_chunk(r, add_to_code, h);
	hash_hmac_end(h, out);
	return rc;
}
