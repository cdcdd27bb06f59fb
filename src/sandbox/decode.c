/* See decode.h: messages, and what is the same of all. */
#include <sandbox/decode.h>
#include <sandbox/decode_internal.h>

#include <errno.h>
#include <stdlib.h>

#include <admin/reply.h>
#include <base/map.h>
#include <mail/header.h>
#include <mail/mime.h>
#include <sandbox/fake.h>
#include <sandbox/spelling.h>

enum {
	ADDRESS_MAX = 1024,
	BRIEF_MAX = 200
};

void decode_set(json_t *out, const char *key, json_t *value)
{
	(void)json_object_set_new(out, key, value ? value : json_null());
}

json_t *decode_text(struct span text)
{
	return text.len > 0 ? reply_string(text) : NULL;
}

json_t *decode_words(struct span text)
{
	struct buf plain;
	json_t *value = NULL;

	buf_init(&plain, 4 * text.len + 16);
	if (mime_decode_text(text, &plain) == 0)
		value = reply_string(span_trim(buf_span(&plain)));
	buf_finish(&plain);
	return value;
}

/* -- people -- */

void decode_add_people(json_t *list, const struct mime_addresses *people)
{
	for (size_t i = 0; i < people->count; i++)
		(void)json_array_append_new(
		    list, json_pack("{s:o, s:o}", "name",
			      reply_string(people->items[i].name), "address",
			      reply_string(people->items[i].address)));
}

/* Addresses compare without case. False: it was known, or no memory. */
static bool remember(struct map *seen, struct span address)
{
	char lower[ADDRESS_MAX];

	if (address.len > sizeof(lower))
		return false;
	for (size_t i = 0; i < address.len; i++) {
		char c = address.ptr[i];

		lower[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return map_put(seen, span_make(lower, address.len), seen) == 0;
}

static void remember_all(struct map *seen, const json_t *people)
{
	size_t i;
	const json_t *item;

	json_array_foreach(people, i, item)
	{
		const json_t *address = json_object_get(item, "address");

		(void)remember(seen, span_of(json_string_value(address)));
	}
}

/* Those of the envelope whom the message does not name. */
static void add_hidden(json_t *out, const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	json_t *bcc = json_object_get(out, "bcc");
	struct map *seen = map_new();

	if (!seen)
		return;
	remember_all(seen, json_object_get(out, "to"));
	remember_all(seen, json_object_get(out, "cc"));
	while (rest.len > 0) {
		struct span address = span_cut(&rest, '\n');

		if (remember(seen, address))
			(void)json_array_append_new(
			    bcc, json_pack("{s:s, s:o}", "name", "", "address",
				     reply_string(address)));
	}
	map_free(seen);
}

/* -- messages -- */

/* A message of its own from these bytes. */
struct open {
	struct message *message;
	struct mime_view *view; /* NULL: e says why */
	struct err e;
};

static void open_message(struct open *o, struct span header, struct span body)
{
	struct buf head, rest;

	*o = (struct open){ .message = NULL };
	(void)err_set(&o->e, -ENOMEM, "out of memory");
	buf_init(&head, header.len + 1);
	buf_init(&rest, body.len + 1);
	if (buf_add_span(&head, header) == 0 && buf_add_span(&rest, body) == 0)
		o->message = message_new(&head, &rest, 0);
	buf_finish(&head);
	buf_finish(&rest);
	if (o->message)
		o->view = mime_view_new(o->message, &o->e);
}

static void open_letter(struct open *o, struct span raw)
{
	size_t len = header_length(raw);

	if (len > 0) {
		open_message(o, span_first(raw, len), span_from(raw, len));
		return;
	}
	*o = (struct open){ .message = NULL };
	(void)err_set(&o->e, -EINVAL, "it has no header");
}

static void close_message(struct open *o)
{
	mime_view_free(o->view);
	message_unref(o->message);
}

static void add_headers(json_t *list, struct span block)
{
	struct message_field field;

	while (header_next(&block, &field))
		(void)json_array_append_new(
		    list, json_pack("[o, o?]", reply_string(field.name),
			      decode_words(field.value)));
}

static void add_parts(json_t *list, const struct mime_fields *f)
{
	for (size_t i = 0; i < f->part_count; i++) {
		const struct mime_part *p = &f->parts[i];

		(void)json_array_append_new(
		    list, json_pack("{s:I, s:o, s:o, s:o?, s:o?, s:I}", "index",
			      (json_int_t)i, "name", reply_string(p->filename),
			      "type", reply_string(p->type), "disposition",
			      decode_text(p->disposition), "content_id",
			      decode_text(p->content_id), "size",
			      (json_int_t)p->size));
	}
}

static void decode_message(json_t *out, struct span raw)
{
	struct open o;

	open_letter(&o, raw);
	if (o.view) {
		const struct mime_fields *f = mime_view_fields(o.view);

		decode_add_people(json_object_get(out, "from"), &f->from);
		decode_add_people(
		    json_object_get(out, "reply_to"), &f->reply_to);
		decode_add_people(json_object_get(out, "to"), &f->to);
		decode_add_people(json_object_get(out, "cc"), &f->cc);
		decode_set(out, "subject", reply_string(f->subject));
		decode_set(out, "text", decode_text(f->text));
		decode_set(out, "html", decode_text(f->html));
		add_headers(
		    json_object_get(out, "headers"), message_header(o.message));
		add_parts(json_object_get(out, "parts"), f);
	} else {
		decode_set(out, "error", reply_string(span_of(o.e.text)));
	}
	close_message(&o);
}

static int message_part(struct span raw, size_t index, struct buf *out)
{
	const struct mime_fields *f;
	struct open o;
	int rc = -ENOENT;

	open_letter(&o, raw);
	f = o.view ? mime_view_fields(o.view) : NULL;
	if (f && index < f->part_count) {
		size_t size = f->parts[index].size;

		rc = buf_reserve(out, size);
		if (rc == 0 && size > 0)
			rc = mime_view_read(
			    o.view, index, 0, buf_tail(out), size);
		if (rc == 0)
			buf_commit(out, size);
	}
	close_message(&o);
	return rc;
}

/* The mail view knows how people are written in a field. */
void decode_add_line(json_t *list, struct span line)
{
	struct buf header;
	struct open o;

	buf_init(&header, line.len + 16);
	if (buf_add_str(&header, "To: ") == 0 &&
	    buf_add_span(&header, line) == 0) {
		for (char *c = header.data; c < header.data + header.end; c++)
			*c = *c == '\r' || *c == '\n' || *c == '\0' ? ' ' : *c;
		(void)buf_add_str(&header, "\r\n\r\n");
		open_message(&o, buf_span(&header), SPAN(""));
		if (o.view)
			decode_add_people(list, &mime_view_fields(o.view)->to);
		close_message(&o);
	}
	buf_finish(&header);
}

/* -- letters -- */

static const struct spelling *spelling_of(const struct letter *l)
{
	static const struct spelling none = { .each = NULL };
	const struct fake *fake = fakes[fake_of_name(l->provider)];

	return fake->spelling ? fake->spelling : &none;
}

json_t *decode_letter(const struct letter *l)
{
	struct span raw = buf_span(&l->raw);
	json_t *out = json_pack("{s:[], s:[], s:[], s:[], s:[], s:n, s:n, "
				"s:n, s:[], s:[], s:[], s:{}, s:n}",
	    "from", "reply_to", "to", "cc", "bcc", "subject", "text", "html",
	    "headers", "parts", "tags", "metadata", "error");

	if (!out)
		return NULL;
	if (l->kind == LETTER_MIME)
		decode_message(out, raw);
	else if (l->kind == LETTER_JSON)
		decode_json(out, spelling_of(l), raw);
	else if (span_is_utf8(raw))
		decode_set(out, "text", reply_string(raw));
	if (l->kind != LETTER_JSON || !spelling_of(l)->bcc)
		add_hidden(out, l);
	return out;
}

/* The beginning of a string; never within a character. */
static char *beginning(const json_t *string)
{
	struct span text =
	    span_make(json_string_value(string), json_string_length(string));
	size_t len = text.len < BRIEF_MAX ? text.len : BRIEF_MAX;

	while (len > 0 && len < text.len &&
	       ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
		len--;
	return span_dup(span_first(text, len));
}

bool decode_brief(struct letter *l)
{
	json_t *decoded;
	const json_t *first;

	if (l->from)
		return true;
	decoded = decode_letter(l);
	first = json_array_get(json_object_get(decoded, "from"), 0);
	free(l->subject);
	l->subject = beginning(json_object_get(decoded, "subject"));
	if (l->subject)
		l->from = beginning(json_object_get(first, "address"));
	json_decref(decoded);
	return l->from != NULL;
}

int decode_part(const struct letter *l, size_t index, struct buf *out)
{
	struct span raw = buf_span(&l->raw);

	if (l->kind == LETTER_MIME)
		return message_part(raw, index, out);
	if (l->kind == LETTER_JSON)
		return decode_json_part(spelling_of(l), raw, index, out);
	return -ENOENT;
}
