/* See describe.h. */
#include <sandbox/describe.h>

#include <admin/reply.h>
#include <mail/header.h>
#include <mail/mime.h>
#include <sandbox/fake.h>

static void set(json_t *out, const char *key, json_t *value)
{
	(void)json_object_set_new(out, key, value ? value : json_null());
}

static json_t *recipients(const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	json_t *list = json_array();

	while (rest.len > 0)
		(void)json_array_append_new(
		    list, reply_string(span_cut(&rest, '\n')));
	return list;
}

/* A message of its own from raw bytes; NULL for memory or without header. */
static struct message *parse_message(struct span raw)
{
	size_t len = header_length(raw);
	struct span rest = span_from(raw, len);
	struct message *m = NULL;
	struct buf header, body;

	buf_init(&header, len + 1);
	buf_init(&body, rest.len + 1);
	if (len > 0 && buf_add_span(&header, span_first(raw, len)) == 0 &&
	    buf_add_span(&body, rest) == 0)
		m = message_new(&header, &body, 0);
	buf_finish(&header);
	buf_finish(&body);
	return m;
}

static void add_mime(json_t *out, struct span raw)
{
	struct message *m = parse_message(raw);
	struct mime_view *view = m ? mime_view_new(m, NULL) : NULL;

	if (view) {
		const struct mime_fields *f = mime_view_fields(view);

		set(out, "subject", reply_string(f->subject));
		set(out, "text", f->text.ptr ? reply_string(f->text) : NULL);
	}
	mime_view_free(view);
	message_unref(m);
}

/* SendGrid's list of texts. */
static json_t *plain_of(const json_t *content)
{
	size_t i;
	const json_t *item;

	json_array_foreach(content, i, item)
	{
		const char *type =
		    json_string_value(json_object_get(item, "type"));

		if (type && span_ieq(span_of(type), SPAN("text/plain")))
			return json_incref(json_object_get(item, "value"));
	}
	return NULL;
}

static void add_json(json_t *out, const struct fake *fake, struct span raw)
{
	json_t *root = json_loadb(raw.ptr, raw.len, 0, NULL);
	json_t *text = plain_of(json_object_get(root, "content"));
	const json_t *message = root;

	if (fake->list)
		message = json_object_get(root, fake->list);
	if (json_is_array(message))
		message = json_array_get(message, 0);

	if (fake->subject)
		set(out, "subject",
		    json_incref(json_object_get(message, fake->subject)));
	if (fake->text)
		text = json_incref(json_object_get(message, fake->text));
	set(out, "text", text);
	json_decref(root);
}

json_t *describe_letter(const struct letter *l)
{
	struct span raw = buf_span(&l->raw);
	json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:n, s:I, s:n}",
	    "id", l->id, "provider", l->provider, "provider_id",
	    reply_string(span_of(l->provider_id)), "received_at",
	    reply_time(l->received_ms), "sender",
	    l->sender ? reply_string(span_of(l->sender)) : json_null(),
	    "recipients", recipients(l), "subject", "size", (json_int_t)raw.len,
	    "text");

	if (!out)
		return NULL;
	if (l->kind == LETTER_MIME)
		add_mime(out, raw);
	else if (l->kind == LETTER_JSON)
		add_json(out, fakes[fake_of_name(l->provider)], raw);
	else if (span_is_utf8(raw))
		set(out, "text", reply_string(raw));
	return out;
}
