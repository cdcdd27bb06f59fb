/*
 * A view is everything a provider could want of a message, copied out of
 * GMime's tree, which is gone when mime_view_new returns: text, and where the
 * parts lie. The message itself is parsed where it lies; mime_guard bounds
 * the work beforehand.
 */
#include <mail/mime.h>

#include <base/arena.h>
#include <base/buf.h>
#include <mail/charset.h>
#include <mail/header.h>
#include <mail/mime_filename.h>
#include <mail/mime_guard.h>
#include <mail/mime_inline.h>
#include <mail/mime_stream.h>

#include <gmime/gmime.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	DEPTH_MAX = 100,
	PARTS_MAX = 1000,
	PARTS_FIRST = 8, /* room for */
	/* Of the texts and of the HTML. A byte becomes three at most. */
	BODY_MAX = 4 * MIME_TEXT_MAX,
	ARENA_MAX = 32 * 1024 * 1024 /* addresses, names, the subject */
};

struct mime_view {
	struct mime_fields fields;
	struct arena arena;
	struct mime_part *parts;
	struct mime_place *places; /* of the same */
	size_t part_cap;
	struct buf text, html;
	uint64_t counted; /* of those two, in message_memory */
	struct mime_reader reader;
};

/* State of the walk through one tree; the first error sticks. */
struct walk {
	struct mime_view *view;
	struct err *e;
	bool has_text, has_html;
	bool is_related[PARTS_MAX]; /* the part may be shown inline */
	int rc;
};

static void drop_log(
    const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer ctx)
{
	(void)domain;
	(void)level;
	(void)text;
	(void)ctx;
}

/* Of a leak checker, where there is one. */
extern void leaks_ignore(void) __asm__("__lsan_disable") __attribute__((weak));
extern void leaks_mind(void) __asm__("__lsan_enable") __attribute__((weak));

/*
 * A message within the message goes as a file: it is not taken apart. GMime
 * loses the few bytes that said otherwise.
 */
static void keep_messages_whole(void)
{
	static const char *const types[] = { "rfc822", "rfc2822", "global",
		"news", "partial" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		g_mime_object_register_type(
		    "message", types[i], GMIME_TYPE_PART);
}

void mime_library_init(void)
{
	static bool is_done;

	if (is_done)
		return;
	is_done = true;
	/* GLib's own warnings about odd messages are no event of ours. */
	(void)g_log_set_default_handler(drop_log, NULL);
	if (leaks_ignore)
		leaks_ignore();
	g_mime_init();
	if (leaks_mind)
		leaks_mind();
	mime_stream_library_init();
	keep_messages_whole();
}

/* --- text --- */

static void fail(struct walk *w, int rc)
{
	if (w->rc == 0)
		w->rc = err_errno(w->e, rc, "the message could not be parsed");
}

static void refuse(struct walk *w, const char *reason)
{
	if (w->rc == 0)
		w->rc = err_set(w->e, -EINVAL, "%s", reason);
}

/* Encoded words can hold line breaks; a field of one line cannot. */
static char *blank_controls(char *text)
{
	for (char *c = text; c && *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	}
	return text;
}

static int decode_words(char *raw, struct buf *out)
{
	char *text = NULL;
	int rc = -ENOMEM;

	if (span_is_ascii(span_of(raw)) && !strstr(raw, "=?"))
		return buf_add_str(out, blank_controls(raw));
	text = g_mime_utils_header_decode_text(NULL, raw);
	if (text)
		rc = charset_clean_utf8(span_of(blank_controls(text)), out);
	g_free(text);
	return rc;
}

int mime_decode_text(struct span value, struct buf *out)
{
	struct buf flat;
	char *raw = NULL;
	int rc;

	buf_init(&flat, value.len + 1);
	rc = header_unfold(value, &flat);
	if (rc == 0) {
		raw = buf_take_cstr(&flat);
		rc = raw ? decode_words(raw, out) : -ENOMEM;
	}
	free(raw);
	buf_finish(&flat);
	return rc;
}

/* A valid copy of a header text GMime decoded; empty for NULL. */
static struct span keep_text(struct walk *w, const char *text)
{
	struct buf clean;
	char *kept = NULL;
	int rc;

	if (!text)
		return SPAN("");
	buf_init(&clean, ARENA_MAX);
	rc = charset_clean_utf8(span_of(text), &clean);
	if (rc == 0)
		kept = arena_str(&w->view->arena, buf_span(&clean));
	if (!kept)
		fail(w, rc < 0 ? rc : -ENOMEM);
	buf_finish(&clean);
	return kept ? span_of(blank_controls(kept)) : SPAN("");
}

/* --- addresses --- */

static void keep_mailbox(
    struct walk *w, InternetAddress *address, struct mime_address *out)
{
	InternetAddressMailbox *mailbox = INTERNET_ADDRESS_MAILBOX(address);

	out->name = keep_text(w, internet_address_get_name(address));
	out->address = keep_text(w, internet_address_mailbox_get_addr(mailbox));
}

/*
 * Mailboxes of a list, those of groups in the place of their group; counted
 * only when out is NULL. Groups do not nest (RFC 5322 3.4).
 */
static size_t flatten(struct walk *w, InternetAddressList *list, bool is_group,
    struct mime_address *out)
{
	int length = list ? internet_address_list_length(list) : 0;
	size_t n = 0;

	for (int i = 0; i < length; i++) {
		InternetAddress *a = internet_address_list_get_address(list, i);
		struct mime_address *to = out ? out + n : NULL;
		if (INTERNET_ADDRESS_IS_MAILBOX(a)) {
			if (to)
				keep_mailbox(w, a, to);
			n++;
		} else if (!is_group) {
			n += flatten(w,
			    internet_address_group_get_members(
				INTERNET_ADDRESS_GROUP(a)),
			    true, to);
		}
	}
	return n;
}

static void keep_addresses(struct walk *w, GMimeMessage *m,
    GMimeAddressType type, struct mime_addresses *out)
{
	InternetAddressList *list = g_mime_message_get_addresses(m, type);
	size_t count = flatten(w, list, false, NULL);
	struct mime_address *items;

	if (count == 0)
		return;
	items = arena_alloc(&w->view->arena, count * sizeof(*items));
	if (!items) {
		fail(w, -ENOMEM);
		return;
	}
	out->count = flatten(w, list, false, items);
	out->items = items;
}

/* --- leaves --- */

/* Where the bytes of a leaf lie; a place of length 0 when it has none. */
static struct mime_place place_of(GMimeObject *leaf)
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
	return place;
}

static int decode(struct walk *w, const struct mime_place *place, uint64_t size,
    struct buf *out)
{
	int rc = buf_reserve(out, (size_t)size + 1);

	if (rc == 0)
		rc = mime_reader_read(
		    &w->view->reader, place, 0, buf_tail(out), (size_t)size);
	if (rc == 0)
		buf_commit(out, (size_t)size);
	return rc;
}

/* Append the text of a leaf, as UTF-8. */
static void keep_body(struct walk *w, GMimeObject *leaf, struct buf *out)
{
	const char *charset =
	    g_mime_object_get_content_type_parameter(leaf, "charset");
	struct mime_place place = place_of(leaf);
	struct buf raw;
	uint64_t size;
	int rc = mime_reader_measure(&w->view->reader, &place, &size);

	buf_init(&raw, MIME_TEXT_MAX + 1);
	if (rc == 0)
		rc = decode(w, &place, size, &raw);
	if (rc == 0)
		rc = charset_to_utf8(buf_span(&raw), span_of(charset), out);
	if (rc < 0)
		fail(w, rc);
	buf_finish(&raw);
}

static bool is_token(const char *s)
{
	size_t len = 0;

	for (; s && s[len]; len++) {
		unsigned char c = (unsigned char)s[len];
		if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?=", c))
			return false;
	}
	return len > 0 && len < 128;
}

/* "image/png", lower case; a type that is none becomes the general one. */
static struct span keep_type(struct walk *w, GMimeObject *o)
{
	GMimeContentType *ct = g_mime_object_get_content_type(o);
	const char *type = ct ? g_mime_content_type_get_media_type(ct) : NULL;
	const char *subtype =
	    ct ? g_mime_content_type_get_media_subtype(ct) : NULL;
	char *text;

	if (!is_token(type) || !is_token(subtype))
		return SPAN("application/octet-stream");
	text = arena_printf(&w->view->arena, "%s/%s", type, subtype);
	if (!text) {
		fail(w, -ENOMEM);
		return SPAN("application/octet-stream");
	}
	for (char *c = text; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	return span_of(text);
}

static struct span keep_filename(
    struct walk *w, GMimeObject *o, struct span type)
{
	const char *name = NULL;
	struct span kept;

	if (GMIME_IS_PART(o))
		name = g_mime_part_get_filename(GMIME_PART(o));
	if (!name)
		name = g_mime_object_get_content_disposition_parameter(
		    o, "filename");
	kept = mime_filename(&w->view->arena, keep_text(w, name), type);
	if (!kept.ptr)
		fail(w, -ENOMEM);
	return kept;
}

static int grow_parts(struct mime_view *v)
{
	size_t cap = v->part_cap ? 2 * v->part_cap : PARTS_FIRST;
	struct mime_part *parts;
	struct mime_place *places;

	if (v->fields.part_count < v->part_cap)
		return 0;
	parts = realloc(v->parts, cap * sizeof(*parts));
	if (!parts)
		return -ENOMEM;
	v->parts = parts;
	places = realloc(v->places, cap * sizeof(*places));
	if (!places)
		return -ENOMEM;
	v->places = places;
	v->part_cap = cap;
	return 0;
}

static void keep_part(
    struct walk *w, GMimeObject *o, struct span type, bool may_inline)
{
	struct mime_view *v = w->view;
	struct mime_place place = place_of(o);
	struct mime_part part = { .type = type };
	size_t i = v->fields.part_count;
	int rc = grow_parts(v);

	if (rc == 0)
		rc = mime_reader_measure(&v->reader, &place, &part.size);
	if (rc < 0) {
		fail(w, rc);
		return;
	}
	part.filename = keep_filename(w, o, type);
	part.content_id = keep_text(w, g_mime_object_get_content_id(o));
	v->parts[i] = part;
	v->places[i] = place;
	w->is_related[i] = may_inline;
	v->fields.part_count++;
}

static bool is_body(const struct walk *w, GMimeObject *o, bool is_attached,
    struct span type, const char *wanted)
{
	(void)w;
	return !is_attached && span_eq(type, span_of(wanted)) &&
	       place_of(o).length <= MIME_TEXT_MAX;
}

static void visit_leaf(struct walk *w, GMimeObject *o, bool in_related)
{
	const char *disposition = g_mime_object_get_disposition(o);
	struct span how = span_of(disposition ? disposition : "");
	bool is_attached = span_ieq(how, SPAN("attachment"));
	struct span type = keep_type(w, o);

	if (!w->has_text && is_body(w, o, is_attached, type, "text/plain")) {
		keep_body(w, o, &w->view->text);
		w->has_text = true;
	} else if (!w->has_html &&
		   is_body(w, o, is_attached, type, "text/html")) {
		keep_body(w, o, &w->view->html);
		w->has_html = true;
	} else if (w->view->fields.part_count == PARTS_MAX) {
		refuse(w, "the message has more than 1000 parts");
	} else {
		keep_part(
		    w, o, type, in_related || span_ieq(how, SPAN("inline")));
	}
}

static void visit(
    struct walk *w, GMimeObject *o, bool in_related, unsigned depth)
{
	bool is_related;
	int count;

	if (w->rc < 0 || !o)
		return;
	if (depth > DEPTH_MAX) {
		refuse(w, "the parts of the message are nested too deep");
		return;
	}
	if (!GMIME_IS_MULTIPART(o)) {
		visit_leaf(w, o, in_related);
		return;
	}
	is_related = g_mime_content_type_is_type(
	    g_mime_object_get_content_type(o), "multipart", "related");
	count = g_mime_multipart_get_count(GMIME_MULTIPART(o));
	for (int i = 0; i < count; i++)
		visit(w, g_mime_multipart_get_part(GMIME_MULTIPART(o), i),
		    in_related || is_related, depth + 1);
}

/* --- the whole --- */

static void find_inline(struct walk *w)
{
	struct mime_view *v = w->view;
	int rc = mime_inline_mark(
	    v->fields.html, v->parts, w->is_related, v->fields.part_count);

	if (rc < 0)
		fail(w, rc);
}

static void extract(struct walk *w, GMimeMessage *m)
{
	struct mime_fields *f = &w->view->fields;

	keep_addresses(w, m, GMIME_ADDRESS_TYPE_FROM, &f->from);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_TO, &f->to);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_CC, &f->cc);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_REPLY_TO, &f->reply_to);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_SENDER, &f->sender);
	f->subject = keep_text(w, g_mime_message_get_subject(m));
	visit(w, g_mime_message_get_mime_part(m), false, 0);
	f->text = buf_span(&w->view->text);
	f->html = buf_span(&w->view->html);
	f->parts = w->view->parts;
	if (w->rc == 0 && f->html.len > 0)
		find_inline(w);
}

static void parse(struct walk *w, const struct message *message)
{
	GMimeStream *stream = mime_stream_new(message);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);

	if (mime_stream_error(stream) < 0)
		fail(w, mime_stream_error(stream));
	else if (m)
		extract(w, m);
	else
		refuse(w, "the message is no MIME");
	if (m)
		g_object_unref(m);
	g_object_unref(parser);
	g_object_unref(stream);
}

static int fill(struct mime_view *v, const struct message *m, struct err *e)
{
	struct walk w = { .view = v, .e = e };
	int rc = mime_guard_check(m);

	if (rc == -E2BIG)
		refuse(&w, "the message has too many parts or a broken "
			   "address field");
	else if (rc < 0)
		fail(&w, rc);
	else
		parse(&w, m);
	return w.rc;
}

struct mime_view *mime_view_new(const struct message *m, struct err *e)
{
	struct mime_view *v = calloc(1, sizeof(*v));

	if (!v) {
		(void)err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	arena_init(&v->arena, ARENA_MAX);
	buf_init(&v->text, BODY_MAX);
	buf_init(&v->html, BODY_MAX);
	v->reader.message = m;
	if (fill(v, m, e) < 0) {
		mime_view_free(v);
		return NULL;
	}
	v->counted = v->text.cap + v->html.cap;
	message_memory_change(0, v->counted);
	return v;
}

void mime_view_free(struct mime_view *v)
{
	if (!v)
		return;
	message_memory_change(v->counted, 0);
	mime_reader_finish(&v->reader);
	buf_finish(&v->text);
	buf_finish(&v->html);
	free(v->parts);
	free(v->places);
	arena_finish(&v->arena);
	free(v);
}

const struct mime_fields *mime_view_fields(const struct mime_view *v)
{
	return &v->fields;
}

int mime_view_read(
    struct mime_view *v, size_t i, uint64_t offset, void *out, size_t len)
{
	return mime_reader_read(&v->reader, &v->places[i], offset, out, len);
}

uint64_t mime_view_held(const struct mime_view *v)
{
	return sizeof(*v) + v->counted + v->arena.used +
	       v->part_cap * (sizeof(*v->parts) + sizeof(*v->places));
}
