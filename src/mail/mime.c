/*
 * A view is everything a provider could want of a message, copied out of
 * GMime's tree, which is gone when mime_view_new returns. The message itself
 * is parsed where it lies; mime_guard bounds the work beforehand.
 */
#include <mail/mime.h>

#include <base/arena.h>
#include <base/buf.h>
#include <base/map.h>
#include <mail/charset.h>
#include <mail/header.h>
#include <mail/mime_filename.h>
#include <mail/mime_guard.h>

#include <gmime/gmime.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	DEPTH_MAX = 100,
	PARTS_MAX = 1000,
	TEXT_ROOM = 64 * 1024,       /* beside four bytes for each */
	ARENA_MAX = 32 * 1024 * 1024 /* addresses, names, the subject */
};

struct mime_view {
	struct mime_fields fields;
	struct arena arena;
	struct mime_part *parts;           /* PARTS_MAX of them, or NULL */
	struct buf *bodies[PARTS_MAX + 2]; /* decoded bytes of each leaf */
	size_t body_count;
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

void mime_library_init(void)
{
	/* GLib's own warnings about odd messages are no event of ours. */
	(void)g_log_set_default_handler(drop_log, NULL);
	g_mime_init();
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

static struct buf *new_body(struct walk *w, size_t max)
{
	struct mime_view *v = w->view;
	struct buf *b = calloc(1, sizeof(*b));

	if (!b) {
		fail(w, -ENOMEM);
		return NULL;
	}
	buf_init(b, max);
	v->bodies[v->body_count++] = b;
	return b;
}

/* The bytes of a leaf that is a message, lines ending in CRLF. */
static void write_message(GMimeMessage *m, GMimeStream *stream)
{
	GMimeFormatOptions *options = g_mime_format_options_new();

	g_mime_format_options_set_newline_format(
	    options, GMIME_NEWLINE_FORMAT_DOS);
	(void)g_mime_object_write_to_stream(GMIME_OBJECT(m), options, stream);
	g_mime_format_options_free(options);
}

static GMimeStream *content_of(GMimeObject *leaf)
{
	GMimeStream *stream = g_mime_stream_mem_new();

	if (GMIME_IS_MESSAGE_PART(leaf)) {
		GMimeMessage *inner =
		    g_mime_message_part_get_message(GMIME_MESSAGE_PART(leaf));
		if (inner)
			write_message(inner, stream);
	} else if (GMIME_IS_PART(leaf)) {
		GMimeDataWrapper *content =
		    g_mime_part_get_content(GMIME_PART(leaf));
		if (content)
			(void)g_mime_data_wrapper_write_to_stream(
			    content, stream);
	}
	return stream;
}

/* The decoded bytes of a leaf, as UTF-8 when it is text in a charset. */
static struct span keep_body(struct walk *w, GMimeObject *leaf, bool is_text)
{
	const char *charset =
	    g_mime_object_get_content_type_parameter(leaf, "charset");
	GMimeStream *stream = content_of(leaf);
	GByteArray *array =
	    g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
	struct span bytes = span_make(array->data, array->len);
	struct buf *b = new_body(w, 4 * bytes.len + TEXT_ROOM);
	int rc = 0;

	if (b && bytes.len > 0)
		rc = is_text ? charset_to_utf8(bytes, span_of(charset), b)
			     : buf_add_span(b, bytes);
	if (rc < 0)
		fail(w, rc);
	g_object_unref(stream);
	return b ? buf_span(b) : SPAN("");
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

static void keep_part(
    struct walk *w, GMimeObject *o, struct span type, bool may_inline)
{
	struct mime_view *v = w->view;
	struct mime_part *part = &v->parts[v->fields.part_count];
	const char *charset =
	    g_mime_object_get_content_type_parameter(o, "charset");
	bool is_text = charset && span_starts_with(type, SPAN("text/"));

	part->type = type;
	part->filename = keep_filename(w, o, type);
	part->content_id = keep_text(w, g_mime_object_get_content_id(o));
	part->bytes = keep_body(w, o, is_text);
	w->is_related[v->fields.part_count++] = may_inline;
}

static void visit_leaf(struct walk *w, GMimeObject *o, bool in_related)
{
	const char *disposition = g_mime_object_get_disposition(o);
	struct span how = span_of(disposition ? disposition : "");
	bool is_attached = span_ieq(how, SPAN("attachment"));
	struct mime_fields *f = &w->view->fields;
	struct span type = keep_type(w, o);

	if (!is_attached && !w->has_text && span_eq(type, SPAN("text/plain"))) {
		f->text = keep_body(w, o, true);
		w->has_text = true;
	} else if (!is_attached && !w->has_html &&
		   span_eq(type, SPAN("text/html"))) {
		f->html = keep_body(w, o, true);
		w->has_html = true;
	} else if (f->part_count == PARTS_MAX) {
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

/* --- inline parts --- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool ends_url(char c)
{
	return c == '\0' || strchr("\"'<> \t\r\n)", c);
}

/* The id of a cid: URL up to its end in html, percent-decoded. */
static struct span cut_content_id(struct span *html, char out[256])
{
	size_t n = 0, len = 0;

	while (n < html->len && len < 255 && !ends_url(html->ptr[n])) {
		int high = -1, low = -1;
		char c = html->ptr[n++];
		if (c == '%' && n + 2 <= html->len) {
			high = hex_value(html->ptr[n]);
			low = hex_value(html->ptr[n + 1]);
		}
		if (high >= 0 && low >= 0) {
			c = (char)(high * 16 + low);
			n += 2;
		}
		out[len++] = c;
	}
	*html = span_from(*html, n);
	return span_make(out, len);
}

static void mark_referenced(struct walk *w, const struct map *by_id)
{
	struct span html = w->view->fields.html;
	char id[256];

	while (html.len > 4) {
		const char *colon = memchr(html.ptr + 3, ':', html.len - 3);
		struct mime_part *part;
		if (!colon)
			return;
		if (!span_ieq(span_make(colon - 3, 3), SPAN("cid"))) {
			html = span_from(html, (size_t)(colon - html.ptr) - 2);
			continue;
		}
		html = span_from(html, (size_t)(colon - html.ptr) + 1);
		part = map_get(by_id, cut_content_id(&html, id));
		if (part)
			part->is_inline = true;
	}
}

/* A part is inline when its place allows it and the html refers to it. */
static void find_inline(struct walk *w)
{
	struct mime_view *v = w->view;
	struct map *by_id = map_new();
	int rc = by_id ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < v->fields.part_count; i++) {
		struct mime_part *part = &v->parts[i];
		if (!w->is_related[i] || part->content_id.len == 0)
			continue;
		rc = map_put(by_id, part->content_id, part);
		if (rc == -EEXIST)
			rc = 0;
	}
	if (rc == 0)
		mark_referenced(w, by_id);
	else
		fail(w, rc);
	map_free(by_id);
}

/* --- the whole --- */

/* A stream over memory that stays ours; nothing writes to it. */
static GMimeStream *borrow(struct span bytes)
{
	GByteArray *array;
	GMimeStream *stream;
	guint8 *data;

	memcpy(&data, &bytes.ptr, sizeof(data));
	array = g_byte_array_new_take(data, bytes.len);
	stream = g_mime_stream_mem_new_with_byte_array(array);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	return stream;
}

static void give_back(GMimeStream *stream)
{
	GByteArray *array =
	    g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));

	g_object_unref(stream);
	(void)g_byte_array_free(array, FALSE);
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
	f->text = f->html = SPAN("");
	visit(w, g_mime_message_get_mime_part(m), false, 0);
	f->parts = w->view->parts;
	if (w->rc == 0 && f->html.len > 0)
		find_inline(w);
}

static void parse(struct walk *w, struct span header, struct span body)
{
	GMimeStream *head = borrow(header), *tail = borrow(body);
	GMimeStream *all = g_mime_stream_cat_new();
	GMimeParser *parser;
	GMimeMessage *m;

	(void)g_mime_stream_cat_add_source(GMIME_STREAM_CAT(all), head);
	(void)g_mime_stream_cat_add_source(GMIME_STREAM_CAT(all), tail);
	parser = g_mime_parser_new_with_stream(all);
	m = g_mime_parser_construct_message(parser, NULL);
	if (m) {
		extract(w, m);
		g_object_unref(m);
	} else {
		refuse(w, "the message is no MIME");
	}
	g_object_unref(parser);
	g_object_unref(all);
	give_back(head);
	give_back(tail);
}

static int fill(struct mime_view *v, const struct message *m, struct err *e)
{
	struct walk w = { .view = v, .e = e };
	struct span body;
	int rc = message_borrow_body(m, &body);

	if (rc < 0) {
		fail(&w, rc);
		return w.rc;
	}
	v->parts = arena_alloc(&v->arena, PARTS_MAX * sizeof(*v->parts));
	if (!v->parts)
		fail(&w, -ENOMEM);
	else if (mime_guard_check(message_header(m), body) < 0)
		refuse(&w, "the message has too many parts or a broken "
			   "address field");
	else
		parse(&w, message_header(m), body);
	message_return_body(m, body);
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
	if (fill(v, m, e) < 0) {
		mime_view_free(v);
		return NULL;
	}
	return v;
}

void mime_view_free(struct mime_view *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->body_count; i++) {
		buf_finish(v->bodies[i]);
		free(v->bodies[i]);
	}
	arena_finish(&v->arena);
	free(v);
}

const struct mime_fields *mime_view_fields(const struct mime_view *v)
{
	return &v->fields;
}
