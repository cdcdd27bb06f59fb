/*
 * A walk through GMime's trees: that of the message, and for each message
 * within it, which mime keeps whole, one more.
 */
#include <mail/mime_leaves.h>

#include <mail/mime_guard.h>

#include <gmime/gmime.h>

#include <errno.h>

enum {
	/* What is deeper stays as it is. */
	DEPTH_MAX = 100,
	MESSAGES_MAX = 8, /* within each other: each is read once more */
	LINE_BYTES = 256  /* of a boundary, which has 70 (RFC 2046 5.1.1) */
};

struct walk {
	const struct message *message;
	int (*found)(void *ctx, const struct mime_leaf *leaf);
	void *ctx;
	unsigned depth, messages;
	int rc;
};

/* The message that an object is part of. */
struct frame {
	uint64_t offset;      /* where it begins */
	bool is_whole;        /* the object is all there is of it */
	const char *boundary; /* else: before the object */
};

static void visit_message(struct walk *w, uint64_t offset, uint64_t end);

static bool is_type(GMimeObject *o, const char *type, const char *subtype)
{
	return g_mime_content_type_is_type(
	    g_mime_object_get_content_type(o), type, subtype);
}

static bool is_message(GMimeObject *o)
{
	return is_type(o, "message", "rfc822") ||
	       is_type(o, "message", "global") || is_type(o, "message", "news");
}

static enum mime_leaf_encoding encoding_of(const struct mime_place *place)
{
	switch ((GMimeContentEncoding)place->encoding) {
	case GMIME_CONTENT_ENCODING_BASE64:
		return MIME_LEAF_BASE64;
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
		return MIME_LEAF_QUOTED;
	case GMIME_CONTENT_ENCODING_UUENCODE:
		return MIME_LEAF_OTHER;
	case GMIME_CONTENT_ENCODING_DEFAULT:
	case GMIME_CONTENT_ENCODING_7BIT:
	case GMIME_CONTENT_ENCODING_8BIT:
	case GMIME_CONTENT_ENCODING_BINARY:
		break;
	}
	return MIME_LEAF_PLAIN;
}

/* The header of a part: from its first field, if any, to the empty line. */
static uint64_t begin_of_header(
    GMimeObject *o, const struct mime_place *place, const struct frame *in)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(o);
	uint64_t empty_line = place->offset >= 2 ? place->offset - 2 : 0;
	gint64 first = -1;

	if (in->is_whole)
		return in->offset;
	if (g_mime_header_list_get_count(list) > 0)
		first = g_mime_header_get_offset(
		    g_mime_header_list_get_header_at(list, 0));
	return first >= 0 ? (uint64_t)first : empty_line;
}

/* What is before the header of a part ends in the line of its boundary. */
static bool is_behind(struct walk *w, const char *boundary, uint64_t header)
{
	char before[LINE_BYTES];
	size_t len = header < LINE_BYTES ? (size_t)header : LINE_BYTES;
	struct span line, name;
	ptrdiff_t lf;

	w->rc = message_read_all(w->message, header - len, before, len);
	line = span_make(before, len);
	if (w->rc < 0 || !boundary || !span_iends_with(line, SPAN("\r\n")))
		return false;
	line.len -= 2;
	lf = span_rindex(line, '\n');
	if (lf < 0)
		return false;
	line = span_from(line, (size_t)lf + 1);
	name = span_from(line, 2);
	return span_starts_with(line, SPAN("--")) &&
	       span_starts_with(name, span_of(boundary)) &&
	       span_trim(span_from(name, strlen(boundary))).len == 0;
}

static void visit_leaf(struct walk *w, GMimeObject *o, const struct frame *in)
{
	struct mime_leaf leaf = { .place = mime_place_of(o),
		.is_text = is_type(o, "text", "*"),
		.is_whole = in->is_whole };

	leaf.encoding = encoding_of(&leaf.place);
	leaf.header = begin_of_header(o, &leaf.place, in);
	if (leaf.place.length == 0)
		return;
	if (!is_type(o, "message", "*")) {
		if (in->is_whole || is_behind(w, in->boundary, leaf.header))
			w->rc = w->found(w->ctx, &leaf);
	} else if (is_message(o) && leaf.encoding == MIME_LEAF_PLAIN) {
		visit_message(w, leaf.place.offset,
		    leaf.place.offset + leaf.place.length);
	}
}

static void visit(struct walk *w, GMimeObject *o, const struct frame *in)
{
	const struct frame within = {
		.boundary =
		    g_mime_object_get_content_type_parameter(o, "boundary")
	};
	int count;

	if (!GMIME_IS_MULTIPART(o)) {
		visit_leaf(w, o, in);
		return;
	}
	if (is_type(o, "multipart", "signed") || w->depth == DEPTH_MAX)
		return;
	w->depth++;
	count = g_mime_multipart_get_count(GMIME_MULTIPART(o));
	for (int i = is_type(o, "multipart", "encrypted"); i < count; i++) {
		if (w->rc == 0)
			visit(w,
			    g_mime_multipart_get_part(GMIME_MULTIPART(o), i),
			    &within);
	}
	w->depth--;
}

static bool has_field(GMimeMessage *message, const char *name)
{
	return g_mime_object_get_header(GMIME_OBJECT(message), name) != NULL;
}

static void visit_parsed(
    struct walk *w, GMimeMessage *message, const struct frame *frame)
{
	GMimeObject *part = g_mime_message_get_mime_part(message);

	if (part && !has_field(message, "DKIM-Signature") &&
	    !has_field(message, "ARC-Message-Signature"))
		visit(w, part, frame);
}

static void visit_message(struct walk *w, uint64_t offset, uint64_t end)
{
	const struct frame frame = { .offset = offset, .is_whole = true };
	GMimeStream *whole, *stream;
	GMimeParser *parser;
	GMimeMessage *message;

	if (w->messages == MESSAGES_MAX)
		return;
	w->messages++;
	whole = mime_stream_new(w->message);
	stream = g_mime_stream_substream(whole, (gint64)offset, (gint64)end);
	parser = g_mime_parser_new_with_stream(stream);
	message = g_mime_parser_construct_message(parser, NULL);
	if (mime_stream_error(stream) < 0)
		w->rc = mime_stream_error(stream);
	else if (message)
		visit_parsed(w, message, &frame);
	if (message)
		g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
	g_object_unref(whole);
	w->messages--;
}

int mime_leaves_each(const struct message *m,
    int (*found)(void *ctx, const struct mime_leaf *leaf), void *ctx)
{
	struct walk w = { .message = m, .found = found, .ctx = ctx };
	int rc = mime_guard_check(m);

	if (rc < 0)
		return rc;
	visit_message(&w, 0, message_size(m));
	return w.rc;
}
