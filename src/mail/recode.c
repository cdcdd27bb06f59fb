/*
 * The message is cut at the header fields and the bodies that change, and put
 * together again of what lies between. Where the header of a leaf or its
 * encoding could be read in two ways, the leaf is left alone.
 */
#include <mail/recode.h>

#include <mail/canonical.h>
#include <mail/header.h>
#include <mail/mime_leaves.h>
#include <mail/recode_source.h>
#include <mail/transfer.h>

#include <errno.h>

enum {
	HEADER_MAX = 4 * 1024 * 1024
};

struct recode {
	struct message *message;
	unsigned avoid;
	struct recode_source *source;
	uint64_t copied; /* of the message so far */
	bool is_changed;
};

static int copy_to(struct recode *r, uint64_t offset)
{
	int rc =
	    recode_source_add_raw(r->source, r->copied, offset - r->copied);

	r->copied = offset;
	return rc;
}

/* --- what the header of a leaf says --- */

static bool is_encoding(const struct message_field *f)
{
	return span_ieq(f->name, SPAN("Content-Transfer-Encoding"));
}

/* Without comments and parameters, which it should not have. */
static struct span word_of(struct span value)
{
	size_t len = 0;

	value = span_trim(value);
	while (len < value.len && !strchr("; \t\r\n(", value.ptr[len]))
		len++;
	return span_first(value, len);
}

/* Also what is known to stand there by mistake: names of charsets. */
static bool is_plain(struct span word)
{
	static const char *const names[] = { "", "7bit", "8bit", "binary",
		"utf-8", "utf8", "us-ascii", "ascii" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_ieq(word, span_of(names[i])))
			return true;
	}
	return span_istarts_with(word, SPAN("iso-8859-")) ||
	       span_istarts_with(word, SPAN("windows-125"));
}

/* Another name may mean something to the reader, who must be left with it. */
static enum mime_leaf_encoding encoding_named(struct span word)
{
	if (span_ieq(word, SPAN("quoted-printable")))
		return MIME_LEAF_QUOTED;
	if (span_ieq(word, SPAN("base64")))
		return MIME_LEAF_BASE64;
	return is_plain(word) ? MIME_LEAF_PLAIN : MIME_LEAF_OTHER;
}

/*
 * Whether every reader finds the same encoding, of the same bytes: no line
 * that is no field, one Content-Type, the empty line where the body begins.
 */
static bool is_clear(struct span header, enum mime_leaf_encoding encoding)
{
	struct span rest = header;
	struct message_field f;
	size_t encodings = 0, types = 0;

	while (header_next(&rest, &f)) {
		if (f.name.len == 0)
			return false;
		types += span_ieq(f.name, SPAN("Content-Type"));
		if (!is_encoding(&f))
			continue;
		encodings++;
		if (encoding_named(word_of(f.value)) != encoding)
			return false;
	}
	if (encoding == MIME_LEAF_OTHER || types > 1)
		return false;
	return span_eq(rest, SPAN("\r\n")) &&
	       (encoding == MIME_LEAF_PLAIN || encodings > 0);
}

/* --- changing it --- */

static int add_encoding(
    struct recode *r, enum recode_kind kind, bool needs_version)
{
	int rc = 0;

	if (needs_version)
		rc = recode_source_add_text(r->source, "MIME-Version: 1.0\r\n");
	if (rc == 0)
		rc = recode_source_add_text(r->source,
		    kind == RECODE_QUOTED
			? "Content-Transfer-Encoding: quoted-printable\r\n"
			: "Content-Transfer-Encoding: base64\r\n");
	return rc;
}

/* One field instead of all there are, in the place of the first. */
static int change_header(struct recode *r, const struct mime_leaf *leaf,
    struct span header, enum recode_kind kind)
{
	struct message_field f;
	bool is_said = false;
	bool needs_version =
	    leaf->is_whole && !header_find(header, SPAN("MIME-Version"), &f);
	struct span rest = header;
	int rc = 0;

	while (rc == 0 && header_next(&rest, &f)) {
		uint64_t at =
		    leaf->header + (uint64_t)(f.whole.ptr - header.ptr);
		if (!is_encoding(&f))
			continue;
		rc = copy_to(r, at);
		if (rc == 0 && !is_said)
			rc = add_encoding(r, kind, needs_version);
		is_said = true;
		r->copied = at + f.whole.len;
	}
	if (rc == 0 && !is_said)
		rc = copy_to(r, leaf->place.offset - rest.len);
	if (rc == 0 && !is_said)
		rc = add_encoding(r, kind, needs_version);
	return rc;
}

/* What a leaf becomes. */
struct form {
	enum recode_kind kind;
	uint64_t decoded, size; /* before and after */
};

/* Text stays readable, unless it would grow much more than by a third. */
static int choose(
    struct recode *r, const struct mime_leaf *leaf, struct form *out)
{
	uint64_t as_base64 = transfer_base64_size(out->decoded), most, size;
	int rc;

	out->kind = RECODE_BASE64;
	out->size = as_base64;
	if (leaf->encoding == MIME_LEAF_BASE64 ||
	    (leaf->encoding == MIME_LEAF_PLAIN && !leaf->is_text))
		return 0;
	most = leaf->encoding == MIME_LEAF_QUOTED ? UINT64_MAX
						  : as_base64 + as_base64 / 2;
	rc = recode_source_measure(
	    r->source, &leaf->place, out->decoded, most, &size);
	if (size > most)
		return rc;
	out->kind = RECODE_QUOTED;
	out->size = size;
	return rc;
}

static int change_leaf(
    struct recode *r, const struct mime_leaf *leaf, struct span header)
{
	const struct mime_place *place = &leaf->place;
	struct form form = { .decoded = 0 };
	int rc = mime_reader_measure(&r->source->reader, place, &form.decoded);

	if (rc == -EBADMSG)
		return 0; /* too much of it stands for nothing */
	if (rc == 0)
		rc = choose(r, leaf, &form);
	if (rc == 0 && leaf->encoding == MIME_LEAF_PLAIN)
		rc = change_header(r, leaf, header, form.kind);
	if (rc == 0)
		rc = copy_to(r, place->offset);
	if (rc == 0 && leaf->header == 0)
		r->source->header = r->source->size;
	if (rc == 0)
		rc = recode_source_add_leaf(
		    r->source, form.kind, place, form.decoded, form.size);
	r->copied = place->offset + place->length;
	r->is_changed = true;
	return rc;
}

/* The header of the message ends where its first part can begin. */
static bool is_in_place(const struct recode *r, const struct mime_leaf *leaf)
{
	uint64_t end = message_header(r->message).len;

	if (leaf->header == 0)
		return leaf->place.offset == end;
	return leaf->header >= end && leaf->header >= r->copied &&
	       leaf->place.offset > leaf->header &&
	       leaf->place.offset - leaf->header <= HEADER_MAX;
}

static int on_leaf(void *ctx, const struct mime_leaf *leaf)
{
	struct recode *r = ctx;
	size_t len = (size_t)(leaf->place.offset - leaf->header);
	struct buf header;
	int rc = octets_find(
	    r->message, leaf->place.offset, leaf->place.length, r->avoid);

	if (rc <= 0 || !is_in_place(r, leaf))
		return rc < 0 ? rc : 0;
	buf_init(&header, len);
	rc = buf_reserve(&header, len);
	if (rc == 0)
		rc = message_read_all(
		    r->message, leaf->header, buf_tail(&header), len);
	if (rc == 0) {
		buf_commit(&header, len);
		if (is_clear(buf_span(&header), leaf->encoding))
			rc = canonical_check(r->message, leaf);
		if (rc > 0)
			rc = change_leaf(r, leaf, buf_span(&header));
	}
	buf_finish(&header);
	return rc;
}

/* --- the whole --- */

static int read_header(struct recode_source *s, struct buf *out)
{
	size_t len = (size_t)s->header;
	int rc = buf_reserve(out, len);

	while (rc == 0 && buf_len(out) < len) {
		ssize_t n = recode_source_read(
		    s, buf_len(out), buf_tail(out), len - buf_len(out));
		if (n <= 0)
			rc = n < 0 ? (int)n : -EIO;
		else
			buf_commit(out, (size_t)n);
	}
	return rc;
}

static int finish(struct recode *r, struct message **out)
{
	struct recode_source *s = r->source;
	struct buf header;
	int rc = copy_to(r, message_size(r->message));

	buf_init(&header, (size_t)s->header);
	if (rc == 0)
		rc = read_header(s, &header);
	if (rc == 0) {
		*out = recode_source_give(s, &header);
		rc = *out ? 0 : -ENOMEM;
	}
	if (rc == 0)
		r->source = NULL;
	buf_finish(&header);
	return rc;
}

static int change(struct message *m, unsigned avoid, struct message **out)
{
	struct recode r = {
		.message = m, .avoid = avoid, .source = recode_source_new(m)
	};
	int rc = -ENOMEM;

	if (r.source) {
		r.source->header = message_header(m).len;
		rc = mime_leaves_each(m, on_leaf, &r);
	}
	if (rc == -E2BIG)
		rc = 0; /* nobody should take it apart: it stays as it is */
	else if (rc == 0 && r.is_changed)
		rc = finish(&r, out);
	recode_source_free(r.source);
	return rc;
}

int recode_message(struct message *m, unsigned avoid, struct message **out)
{
	uint64_t header = message_header(m).len;
	int found = octets_find(m, header, message_size(m) - header, avoid);
	int rc = found;

	*out = NULL;
	if (found > 0)
		rc = change(m, avoid, out);
	if (rc == 0 && !*out)
		*out = message_ref(m);
	return rc < 0 ? rc : found;
}
