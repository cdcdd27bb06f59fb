/*
 * A view is everything a provider could want of a message, copied out of
 * GMime's tree, which is gone when mime_parse returns: text, and where the
 * parts lie. The message itself is parsed where it lies; mime_guard bounds
 * the work beforehand.
 */
#include <base/buf.h>
#include <mail/charset.h>
#include <mail/header.h>
#include <mail/mime.h>
#include <mail/mime_filename.h>
#include <mail/mime_guard.h>
#include <mail/mime_inline.h>
#include <mail/mime_view.h>
#include <mail/mime_words.h>

#include <gmime/gmime.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	DEPTH_MAX = 100
};

/* Of the texts so far, or of the HTML. */
struct shown {
	uint64_t bytes; /* in the message */
	size_t group;   /* of the last one */
};

/* State of the walk through one tree; the first error sticks. */
struct walk {
	struct mime_view *view;
	struct err *e;
	size_t leaves, groups;
	struct shown text, html;
	bool is_related[MIME_PARTS_MAX]; /* the part may be shown inline */
	int rc;
};

/* Which forms of the text a multipart/alternative has had so far. */
struct forms {
	bool has_text, has_html;
	struct mime_choice choice;
};

/* Where an entity stands. */
struct stand {
	bool in_related;
	struct forms *forms; /* directly in multipart/alternative, or NULL */
	const struct mime_choice *choice; /* of the innermost, or NULL */
	size_t group;                     /* number of the outermost, or 0 */
	unsigned depth;
};

/* A leaf, as far as it matters where it goes. */
struct leaf {
	GMimeObject *object;
	struct stand stand;
	struct mime_place place;
	struct span type, disposition;
	const char *name; /* or NULL */
	bool is_attached;
};

/* --- text --- */

/* Nothing when rc is 0. */
static void fail(struct walk *w, int rc)
{
	if (rc < 0 && w->rc == 0)
		w->rc = err_errno(w->e, rc, "the message could not be parsed");
}

static void refuse(struct walk *w, const char *reason)
{
	if (w->rc == 0)
		w->rc = err_set(w->e, -EINVAL, "%s", reason);
}

static void fail_part(struct walk *w, int rc)
{
	if (rc == -EBADMSG)
		refuse(w, "a part of the message has too many blank lines in "
			  "its encoding");
	else
		fail(w, rc);
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
	struct buf flat, joined;
	char *raw = NULL;
	int rc;

	buf_init(&flat, value.len + 1);
	buf_init(&joined, value.len + 1);
	rc = header_unfold(value, &flat);
	if (rc == 0)
		rc = mime_words_join(buf_span(&flat), &joined);
	if (rc >= 0) {
		raw = buf_take_cstr(rc > 0 ? &joined : &flat);
		rc = raw ? decode_words(raw, out) : -ENOMEM;
	}
	free(raw);
	buf_finish(&joined);
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
	buf_init(&clean, MIME_ARENA_MAX);
	rc = charset_clean_utf8(span_of(text), &clean);
	if (rc == 0)
		kept = arena_str(&w->view->arena, buf_span(&clean));
	if (!kept)
		fail(w, rc < 0 ? rc : -ENOMEM);
	buf_finish(&clean);
	return kept ? span_of(blank_controls(kept)) : SPAN("");
}

/* --- addresses --- */

/* The domain in ASCII, as the envelope and providers have it (RFC 5890). */
static void keep_mailbox(
    struct walk *w, InternetAddress *address, struct mime_address *out)
{
	InternetAddressMailbox *mailbox = INTERNET_ADDRESS_MAILBOX(address);

	out->name = keep_text(w, internet_address_get_name(address));
	out->address =
	    keep_text(w, internet_address_mailbox_get_idn_addr(mailbox));
}

static bool is_mailbox(InternetAddress *address)
{
	return INTERNET_ADDRESS_IS_MAILBOX(address) &&
	       mime_view_is_address(internet_address_mailbox_get_addr(
		   INTERNET_ADDRESS_MAILBOX(address)));
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
		if (is_mailbox(a)) {
			if (to)
				keep_mailbox(w, a, to);
			n++;
		} else if (!is_group && INTERNET_ADDRESS_IS_GROUP(a)) {
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
static int add_text(struct walk *w, const struct leaf *leaf, struct buf *out)
{
	const char *charset =
	    g_mime_object_get_content_type_parameter(leaf->object, "charset");
	struct buf raw;
	uint64_t size;
	int rc = mime_reader_measure(&w->view->reader, &leaf->place, &size);

	buf_init(&raw, MIME_TEXT_MAX + 1);
	if (rc == 0)
		rc = decode(w, &leaf->place, size, &raw);
	if (rc == 0)
		rc = charset_to_utf8(buf_span(&raw), span_of(charset), out);
	buf_finish(&raw);
	return rc;
}

static void keep_body(struct walk *w, const struct leaf *leaf, bool is_html)
{
	struct mime_bodies *b = &w->view->bodies;
	struct buf *out = is_html ? &b->html : &b->text;
	int rc = mime_bodies_part(b, is_html);
	size_t before = buf_len(out);

	if (rc == 0)
		rc = add_text(w, leaf, out);
	if (rc == 0)
		rc = mime_bodies_note(b, is_html, leaf->stand.choice, before);
	if (rc < 0)
		fail_part(w, rc);
}

/* "image/png", lower case; a type that is none becomes the general one. */
static struct span keep_type(struct walk *w, GMimeObject *o)
{
	GMimeContentType *ct = g_mime_object_get_content_type(o);
	const char *type = ct ? g_mime_content_type_get_media_type(ct) : NULL;
	const char *subtype =
	    ct ? g_mime_content_type_get_media_subtype(ct) : NULL;
	char *text;

	if (!mime_view_is_token(type) || !mime_view_is_token(subtype))
		return SPAN("application/octet-stream");
	text = arena_printf(&w->view->arena, "%s/%s", type, subtype);
	if (!text)
		fail(w, -ENOMEM);
	return mime_view_lower(text);
}

static struct span keep_disposition(struct walk *w, GMimeObject *o)
{
	const char *how = g_mime_object_get_disposition(o);
	char *text;

	if (!mime_view_is_token(how))
		return SPAN("");
	text = arena_str(&w->view->arena, span_of(how));
	if (!text)
		fail(w, -ENOMEM);
	return mime_view_lower(text);
}

static const char *name_of(GMimeObject *o)
{
	const char *name = NULL;

	if (GMIME_IS_PART(o))
		name = g_mime_part_get_filename(GMIME_PART(o));
	if (!name)
		name = g_mime_object_get_content_disposition_parameter(
		    o, "filename");
	return name;
}

static struct span keep_filename(struct walk *w, const struct leaf *leaf)
{
	struct span kept = mime_filename(
	    &w->view->arena, keep_text(w, leaf->name), leaf->type);

	if (!kept.ptr)
		fail(w, -ENOMEM);
	return kept;
}

static struct span keep_parameter(
    struct walk *w, GMimeObject *o, const char *name)
{
	return keep_text(w, g_mime_object_get_content_type_parameter(o, name));
}

/* As mime_scan says it of the whole message. */
static enum mime_kind kind_of(
    const struct leaf *leaf, const struct mime_part *part)
{
	if (span_eq(leaf->type, SPAN("text/calendar")))
		return !leaf->is_attached || part->method.len > 0
			   ? MIME_CALENDAR
			   : MIME_FILE;
	return leaf->stand.forms && !leaf->is_attached &&
		       span_starts_with(leaf->type, SPAN("text/")) &&
		       !span_eq(leaf->type, SPAN("text/plain")) &&
		       !span_eq(leaf->type, SPAN("text/html"))
		   ? MIME_ALTERNATIVE
		   : MIME_FILE;
}

static void describe(
    struct walk *w, const struct leaf *leaf, struct mime_part *part)
{
	GMimeObject *o = leaf->object;

	part->type = leaf->type;
	part->disposition = leaf->disposition;
	part->filename = keep_filename(w, leaf);
	part->content_id = keep_text(w, g_mime_object_get_content_id(o));
	part->charset = part->method = SPAN("");
	if (span_starts_with(leaf->type, SPAN("text/")))
		part->charset = keep_parameter(w, o, "charset");
	if (span_eq(leaf->type, SPAN("text/calendar")))
		part->method = keep_parameter(w, o, "method");
	part->kind = kind_of(leaf, part);
}

static void keep_part(struct walk *w, const struct leaf *leaf)
{
	struct mime_view *v = w->view;
	struct mime_part part = { .is_inline = false };
	int rc = mime_reader_measure(&v->reader, &leaf->place, &part.size);

	describe(w, leaf, &part);
	w->is_related[v->fields.part_count] =
	    leaf->stand.in_related ||
	    span_eq(leaf->disposition, SPAN("inline"));
	if (rc == 0)
		rc = mime_view_add_part(v, &part, &leaf->place);
	if (rc < 0)
		fail_part(w, rc);
}

/* The first text of an alternative is one of its forms, another is a file. */
static bool is_another_form(const struct leaf *leaf, bool is_html)
{
	struct forms *forms = leaf->stand.forms;
	bool *has = NULL;
	bool had;

	if (!forms)
		return false;
	has = is_html ? &forms->has_html : &forms->has_text;
	had = *has;
	*has = true;
	return had;
}

/*
 * A text with a name is a file, unless it is the first there is or the first
 * of its kind in an alternative: some programs name the forms of a message.
 */
static bool is_named_file(const struct mime_bodies *b,
    const struct shown *so_far, const struct leaf *leaf)
{
	bool is_form =
	    leaf->stand.group > 0 && leaf->stand.group != so_far->group;

	return leaf->name && !is_form && (b->has_text || b->has_html);
}

/*
 * Whether a leaf is shown as part of the message's text, or is a file, as is
 * what the HTML refers to when it is not the first text there is.
 */
static bool is_body(struct walk *w, const struct leaf *leaf, bool is_html)
{
	const struct mime_bodies *b = &w->view->bodies;
	struct shown *so_far = is_html ? &w->html : &w->text;
	bool is_first = !(is_html ? b->has_html : b->has_text);

	if (leaf->is_attached ||
	    so_far->bytes + leaf->place.length > MIME_TEXT_MAX)
		return false;
	if (is_named_file(b, so_far, leaf))
		return false;
	if (!is_first && leaf->stand.in_related &&
	    g_mime_object_get_content_id(leaf->object))
		return false;
	if (is_another_form(leaf, is_html))
		return false;
	so_far->bytes += leaf->place.length;
	so_far->group = leaf->stand.group;
	return true;
}

/* RFC 2045 5.2: what is no type is text; here, unless it is a file. */
static bool has_type(GMimeObject *o)
{
	struct span rest = span_of(g_mime_object_get_header(o, "Content-Type"));

	return !rest.ptr || span_index(span_cut(&rest, ';'), '/') >= 0;
}

static void visit_leaf(
    struct walk *w, GMimeObject *o, const struct stand *stand)
{
	struct leaf leaf = { .object = o,
		.stand = *stand,
		.place = mime_place_of(o),
		.type = keep_type(w, o),
		.disposition = keep_disposition(w, o),
		.name = name_of(o) };
	bool is_html;

	leaf.is_attached = span_eq(leaf.disposition, SPAN("attachment"));
	if (!leaf.is_attached && !leaf.name && !has_type(o))
		leaf.type = SPAN("text/plain");
	is_html = span_eq(leaf.type, SPAN("text/html"));
	if (++w->leaves > MIME_PARTS_MAX)
		refuse(w, "the message has more than 1000 parts");
	else if ((is_html || span_eq(leaf.type, SPAN("text/plain"))) &&
		 is_body(w, &leaf, is_html))
		keep_body(w, &leaf, is_html);
	else
		keep_part(w, &leaf);
}

/* One whose boundary is missing is all text before its first part. */
static void keep_preface(
    struct walk *w, GMimeMultipart *m, const struct stand *stand)
{
	const char *preface = g_mime_multipart_get_prologue(m);
	struct span text = span_of(preface ? preface : "");
	int rc;

	if (w->text.bytes + text.len > MIME_TEXT_MAX) {
		refuse(w, "the parts of the message have no boundary");
		return;
	}
	w->text.bytes += text.len;
	rc = mime_bodies_add_lines(&w->view->bodies, stand->choice, text);
	if (rc < 0)
		fail(w, rc);
}

static struct stand stand_within(struct walk *w, GMimeObject *o,
    const struct stand *outer, struct forms *forms)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);
	struct stand s = *outer;

	s.depth++;
	s.forms = NULL;
	if (g_mime_content_type_is_type(type, "multipart", "related"))
		s.in_related = true;
	if (!g_mime_content_type_is_type(type, "multipart", "alternative"))
		return s;
	forms->choice.outer = outer->choice;
	forms->choice.first = w->view->bodies.count;
	s.forms = forms;
	s.choice = &forms->choice;
	if (s.group == 0)
		s.group = ++w->groups;
	return s;
}

static void visit(struct walk *w, GMimeObject *o, const struct stand *stand)
{
	struct forms forms = { .has_text = false };
	struct stand inner;
	int count;

	if (w->rc < 0 || !o)
		return;
	if (stand->depth > DEPTH_MAX) {
		refuse(w, "the parts of the message are nested too deep");
		return;
	}
	if (!GMIME_IS_MULTIPART(o)) {
		fail(w, mime_words_mend(o));
		visit_leaf(w, o, stand);
		return;
	}
	inner = stand_within(w, o, stand, &forms);
	count = g_mime_multipart_get_count(GMIME_MULTIPART(o));
	if (count == 0)
		keep_preface(w, GMIME_MULTIPART(o), stand);
	for (int i = 0; i < count; i++) {
		forms.choice.part = w->view->bodies.count;
		visit(w, g_mime_multipart_get_part(GMIME_MULTIPART(o), i),
		    &inner);
	}
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
	static const struct stand top = { .depth = 0 };
	struct mime_fields *f = &w->view->fields;
	int rc;

	fail(w, mime_words_mend(GMIME_OBJECT(m)));
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_FROM, &f->from);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_TO, &f->to);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_CC, &f->cc);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_REPLY_TO, &f->reply_to);
	keep_addresses(w, m, GMIME_ADDRESS_TYPE_SENDER, &f->sender);
	f->subject = keep_text(w, g_mime_message_get_subject(m));
	visit(w, g_mime_message_get_mime_part(m), &top);
	rc = mime_bodies_join(&w->view->bodies);
	if (rc < 0)
		fail(w, rc);
	f->text = buf_span(&w->view->bodies.text);
	f->html = buf_span(&w->view->bodies.html);
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

int mime_parse(struct mime_view *v, const struct message *m, struct err *e)
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
