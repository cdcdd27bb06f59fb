/*
 * A GMimeStream over message_read, so that GMime parses a message in memory
 * and one in a file alike and notes where each part lies; and GMime's decoders
 * over a stretch of it. A decoder starts at the start of its part and is fed
 * in steps of the same size, so what it gives does not depend on who asks for
 * how much: what was measured is what is sent.
 */
#include <mail/mime_stream.h>

#include <gmime/gmime.h>

#include <errno.h>
#include <string.h>

struct message_stream {
	GMimeStream parent;
	const struct message *message;
	int rc; /* of the first read that failed */
};

enum {
	/*
	 * Encoded bytes in a row that may stand for nothing, such as blank
	 * lines: what one read of a decoder goes through at most.
	 */
	NOTHING_MAX = 64 * 1024
};

static GType stream_type;

static struct message_stream *of(GMimeStream *stream)
{
	return (struct message_stream *)stream;
}

static int64_t end_of(const struct message_stream *s)
{
	return s->parent.bound_end >= 0 ? s->parent.bound_end
					: (int64_t)message_size(s->message);
}

static ssize_t stream_read(GMimeStream *stream, char *out, size_t len)
{
	struct message_stream *s = of(stream);
	int64_t left = end_of(s) - stream->position;
	ssize_t n;

	if (left <= 0)
		return 0;
	if (len > (size_t)left)
		len = (size_t)left;
	n = message_read(s->message, (uint64_t)stream->position, out, len);
	if (n > 0)
		stream->position += n;
	else if (s->rc == 0)
		s->rc = n < 0 ? (int)n : -EIO;
	return n > 0 ? n : -1;
}

static ssize_t stream_write(GMimeStream *stream, const char *data, size_t len)
{
	(void)stream;
	(void)data;
	(void)len;
	return -1;
}

static int stream_nothing(GMimeStream *stream)
{
	(void)stream;
	return 0;
}

static gboolean stream_eos(GMimeStream *stream)
{
	return stream->position >= end_of(of(stream));
}

static int stream_reset(GMimeStream *stream)
{
	stream->position = stream->bound_start;
	return 0;
}

static gint64 stream_seek(
    GMimeStream *stream, gint64 offset, GMimeSeekWhence whence)
{
	if (whence == GMIME_STREAM_SEEK_CUR)
		offset += stream->position;
	else if (whence == GMIME_STREAM_SEEK_END)
		offset += end_of(of(stream));
	if (offset < stream->bound_start || offset > end_of(of(stream)))
		return -1;
	stream->position = offset;
	return offset;
}

static gint64 stream_tell(GMimeStream *stream)
{
	return stream->position;
}

static gint64 stream_length(GMimeStream *stream)
{
	return end_of(of(stream)) - stream->bound_start;
}

static GMimeStream *make(const struct message *m, gint64 start, gint64 end)
{
	GMimeStream *stream = g_object_new(stream_type, NULL);

	of(stream)->message = m;
	g_mime_stream_construct(stream, start, end);
	return stream;
}

static GMimeStream *stream_part(GMimeStream *stream, gint64 start, gint64 end)
{
	return make(of(stream)->message, start, end);
}

static void init_class(gpointer class, gpointer unused)
{
	GMimeStreamClass *c = class;

	(void)unused;
	c->read = stream_read;
	c->write = stream_write;
	c->flush = stream_nothing;
	c->close = stream_nothing;
	c->eos = stream_eos;
	c->reset = stream_reset;
	c->seek = stream_seek;
	c->tell = stream_tell;
	c->length = stream_length;
	c->substream = stream_part;
}

void mime_stream_library_init(void)
{
	stream_type = g_type_register_static_simple(GMIME_TYPE_STREAM,
	    "PosternMessageStream", sizeof(GMimeStreamClass), init_class,
	    sizeof(struct message_stream), NULL, 0);
}

struct _GMimeStream *mime_stream_new(const struct message *m)
{
	return make(m, 0, -1);
}

int mime_stream_error(const struct _GMimeStream *stream)
{
	return ((const struct message_stream *)stream)->rc;
}

/* --- decoded bytes --- */

/*
 * Before a last boundary without a line end GMime 3.2 takes only the LF of the
 * CRLF that belongs to it. Nowhere else in a message is a CR alone.
 */
static bool ends_in_cr(const struct message *m, const struct mime_place *place)
{
	char last = '\0';

	return place->length > 0 &&
	       message_read_all(
		   m, place->offset + place->length - 1, &last, 1) == 0 &&
	       last == '\r';
}

struct mime_place mime_place_of(struct _GMimeObject *leaf)
{
	GMimeDataWrapper *content = NULL;
	struct mime_place place = { .length = 0 };
	GMimeStream *stream;

	if (GMIME_IS_PART(leaf))
		content = g_mime_part_get_content(GMIME_PART(leaf));
	if (!content)
		return place;
	stream = g_mime_data_wrapper_get_stream(content);
	place.offset = (uint64_t)stream->bound_start;
	place.length = (uint64_t)g_mime_stream_length(stream);
	place.encoding = (int)g_mime_data_wrapper_get_encoding(content);
	if (ends_in_cr(of(stream)->message, &place))
		place.length--;
	return place;
}

static bool is_encoded(const struct mime_place *place)
{
	return place->encoding == GMIME_CONTENT_ENCODING_BASE64 ||
	       place->encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE ||
	       place->encoding == GMIME_CONTENT_ENCODING_UUENCODE;
}

static GMimeStream *decode(
    const struct message *m, const struct mime_place *place)
{
	GMimeStream *raw = make(
	    m, (gint64)place->offset, (gint64)(place->offset + place->length));
	GMimeStream *decoded = g_mime_stream_filter_new(raw);
	GMimeFilter *filter = g_mime_filter_basic_new(
	    (GMimeContentEncoding)place->encoding, FALSE);

	(void)g_mime_stream_filter_add(GMIME_STREAM_FILTER(decoded), filter);
	g_object_unref(filter);
	g_object_unref(raw);
	return decoded;
}

/*
 * How many bytes, 0 at the end, or a negative errno. A step that gives nothing
 * is not the end yet: what was read may be blank lines.
 */
static ssize_t decode_more(GMimeStream *decoder, char *out, size_t len)
{
	GMimeStream *raw = GMIME_STREAM_FILTER(decoder)->source;
	int64_t from = raw->position;

	do {
		ssize_t n = g_mime_stream_read(decoder, out, len);
		if (mime_stream_error(raw) < 0)
			return mime_stream_error(raw);
		if (n > 0)
			return n;
		if (g_mime_stream_eos(decoder))
			return 0;
	} while (raw->position - from < NOTHING_MAX);
	return -EBADMSG;
}

void mime_reader_finish(struct mime_reader *r)
{
	if (r->decoder)
		g_object_unref(r->decoder);
	r->decoder = NULL;
}

static void start(struct mime_reader *r, const struct mime_place *place)
{
	mime_reader_finish(r);
	r->decoder = decode(r->message, place);
	r->place = place->offset;
	r->start = 0;
	r->filled = 0;
}

/* The next window, behind the last bytes of the one before. */
static int refill(struct mime_reader *r)
{
	size_t kept = r->filled < MIME_KEPT ? r->filled : MIME_KEPT;
	ssize_t n;

	memmove(r->window, r->window + r->filled - kept, kept);
	r->start += r->filled - kept;
	r->filled = kept;
	n = decode_more(r->decoder, r->window + kept, MIME_WINDOW);
	if (n <= 0)
		return n < 0 ? (int)n : -EIO;
	r->filled += (size_t)n;
	return 0;
}

static int read_decoded(struct mime_reader *r, const struct mime_place *place,
    uint64_t offset, char *out, size_t len)
{
	if (!r->decoder || r->place != place->offset || offset < r->start)
		start(r, place);
	while (len > 0) {
		if (offset >= r->start + r->filled) {
			int rc = refill(r);
			if (rc < 0)
				return rc;
			continue;
		}
		size_t at = (size_t)(offset - r->start), n = r->filled - at;
		if (n > len)
			n = len;
		memcpy(out, r->window + at, n);
		out += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int mime_reader_read(struct mime_reader *r, const struct mime_place *place,
    uint64_t offset, void *out, size_t len)
{
	if (is_encoded(place))
		return read_decoded(r, place, offset, out, len);
	return message_read_all(r->message, place->offset + offset, out, len);
}

int mime_reader_measure(
    struct mime_reader *r, const struct mime_place *place, uint64_t *size)
{
	ssize_t n;

	*size = is_encoded(place) ? 0 : place->length;
	if (!is_encoded(place))
		return 0;
	start(r, place);
	while ((n = decode_more(r->decoder, r->window, MIME_WINDOW)) > 0)
		*size += (uint64_t)n;
	mime_reader_finish(r);
	return (int)n;
}
