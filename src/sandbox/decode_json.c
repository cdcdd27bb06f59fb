/* See decode.h: the JSON APIs, all by their spellings. */
#include <sandbox/decode_internal.h>

#include <errno.h>

#include <admin/reply.h>
#include <base/b64.h>
#include <sandbox/spelling.h>

/* A request of an API, opened. */
struct request {
	const struct spelling *s;
	json_t *root;
	json_t *each, *first; /* of s->each, or NULL */
};

static const char *or_else(const char *name, const char *usual)
{
	return name ? name : usual;
}

static struct span text_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

/* A string, or NULL. */
static json_t *string_at(const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return json_is_string(value) ? json_incref(value) : NULL;
}

/* Follow "content.subject" down. */
static json_t *down(json_t *object, struct span path)
{
	while (path.ptr && object) {
		struct span name = span_cut(&path, '.');

		object = json_object_getn(object, name.ptr, name.len);
	}
	return object;
}

static json_t *find_one(const struct request *r, struct span name)
{
	json_t *value = down(r->first, name);

	return value ? value : down(r->root, name);
}

/* The first there is of these names; names may be NULL. */
static json_t *find(const struct request *r, const char *names)
{
	struct span rest = span_of(names);
	json_t *value = NULL;

	while (rest.ptr && !value)
		value = find_one(r, span_cut(&rest, ' '));
	return value;
}

static void open_request(
    struct request *r, const struct spelling *s, struct span raw)
{
	*r = (struct request){ .s = s };
	r->root = json_loadb(raw.ptr, raw.len, 0, NULL);
	r->each = s->each ? json_object_get(r->root, s->each) : NULL;
	r->first = json_array_get(r->each, 0);
}

/* -- people -- */

/* Some APIs want names that are not ASCII as encoded words. */
static void add_person(json_t *list, const struct spelling *s, const json_t *of)
{
	struct span name =
	    text_of(json_object_get(of, or_else(s->name, "name")));
	struct span address =
	    text_of(json_object_get(of, or_else(s->email, "email")));

	(void)json_array_append_new(
	    list, json_pack("{s:o?, s:o}", "name", decode_words(name),
		      "address", reply_string(address)));
}

/* An object, a line, or a list of such. */
static void add_people(
    json_t *list, const struct spelling *s, const json_t *value)
{
	size_t i;
	const json_t *item;

	if (json_is_object(value))
		add_person(list, s, value);
	else if (json_is_string(value))
		decode_add_line(list, text_of(value));
	json_array_foreach(value, i, item)
	{
		if (json_is_object(item))
			add_person(list, s, item);
		else if (json_is_string(item))
			decode_add_line(list, text_of(item));
	}
}

/* Of each message, or of the one there is. */
static void decode_recipients(
    json_t *list, const struct request *r, const char *names)
{
	struct request one = *r;
	size_t i;

	if (!json_is_array(r->each))
		add_people(list, r->s, find(r, names));
	json_array_foreach(r->each, i, one.first)
	    add_people(list, r->s, find(&one, names));
}

/* Where the API has no member for it, it is one of the fields. */
static void add_reply_to(json_t *out)
{
	json_t *list = json_object_get(out, "reply_to");
	const json_t *fields = json_object_get(out, "headers"), *field;
	size_t i;

	if (json_array_size(list) > 0)
		return;
	json_array_foreach(fields, i, field)
	{
		if (span_ieq(
			text_of(json_array_get(field, 0)), SPAN("Reply-To")))
			decode_add_line(
			    list, text_of(json_array_get(field, 1)));
	}
}

static void decode_people(json_t *out, const struct request *r)
{
	const struct spelling *s = r->s;

	add_people(json_object_get(out, "from"), s, find(r, s->from));
	add_people(json_object_get(out, "reply_to"), s, find(r, s->reply_to));
	add_reply_to(out);
	decode_recipients(json_object_get(out, "to"), r, s->to);
	decode_recipients(json_object_get(out, "cc"), r, s->cc);
	decode_recipients(json_object_get(out, "bcc"), r, s->bcc);
}

/* -- texts and fields -- */

static void set_text(
    json_t *out, const char *key, const struct request *r, const char *names)
{
	const json_t *value = find(r, names);

	if (json_is_string(value))
		decode_set(out, key, reply_string(text_of(value)));
}

static void decode_texts(json_t *out, const struct request *r)
{
	const json_t *list = find(r, r->s->texts), *item;
	size_t i;

	set_text(out, "subject", r, r->s->subject);
	set_text(out, "text", r, r->s->text);
	set_text(out, "html", r, r->s->html);
	json_array_foreach(list, i, item)
	{
		struct span type = text_of(json_object_get(item, "type"));

		if (span_ieq(type, SPAN("text/plain")))
			decode_set(out, "text", string_at(item, "value"));
		else if (span_ieq(type, SPAN("text/html")))
			decode_set(out, "html", string_at(item, "value"));
	}
}

static void add_field(json_t *list, struct span name, const json_t *value)
{
	if (json_is_string(value))
		(void)json_array_append_new(
		    list, json_pack("[o, o]", reply_string(name),
			      reply_string(text_of(value))));
}

/* The name and the value of an item of a list. */
static void add_pair(json_t *list, const struct request *r, const json_t *item)
{
	const json_t *name =
	    json_object_get(item, or_else(r->s->header, "name"));

	add_field(list, text_of(name),
	    json_object_get(item, or_else(r->s->value, "value")));
}

static void decode_headers(json_t *list, const struct request *r)
{
	json_t *fields = find(r, r->s->headers), *item;
	const char *name;
	size_t i;

	json_object_foreach(fields, name, item)
	    add_field(list, span_of(name), item);
	json_array_foreach(fields, i, item) add_pair(list, r, item);
}

/* -- labels -- */

static void decode_tags(json_t *list, const struct request *r)
{
	struct span rest = span_of(r->s->tags);

	while (rest.ptr) {
		json_t *value = find_one(r, span_cut(&rest, ' ')), *item;
		size_t i;

		if (json_is_string(value))
			(void)json_array_append(list, value);
		json_array_foreach(value, i, item)(void)
		    json_array_append(list, item);
	}
}

static void decode_metadata(json_t *out, const struct request *r)
{
	struct span rest = span_of(r->s->metadata);

	while (rest.ptr) {
		struct span name = span_cut(&rest, ' ');
		json_t *value = find_one(r, name), *item;
		size_t i;

		if (json_is_string(value))
			(void)json_object_setn(out, name.ptr, name.len, value);
		else if (json_is_object(value))
			(void)json_object_update(out, value);
		json_array_foreach(value, i, item)
		{
			const char *key =
			    json_string_value(json_object_get(item, "name"));

			(void)json_object_set(
			    out, key, json_object_get(item, "value"));
		}
	}
}

/* -- parts -- */

static struct span data_of(const struct spelling *s, const json_t *file)
{
	return text_of(json_object_get(file, or_else(s->data, "content")));
}

/* Bytes that so much base64 stands for. */
static json_int_t decoded_size(struct span data)
{
	size_t padding = 0;

	while (padding < 2 && padding < data.len &&
	       data.ptr[data.len - 1 - padding] == '=')
		padding++;
	return (json_int_t)(data.len / 4 * 3 - padding);
}

static json_t *content_id_of(const struct spelling *s, const json_t *file)
{
	struct span id = text_of(
	    json_object_get(file, or_else(s->content_id, "content_id")));

	if (span_istarts_with(id, SPAN("cid:")))
		id = span_from(id, 4);
	if (id.len > 1 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>')
		id = span_make(id.ptr + 1, id.len - 2);
	return decode_text(id);
}

static void add_part(
    json_t *list, const struct spelling *s, const json_t *file, bool is_inline)
{
	json_t *how = string_at(file, or_else(s->disposition, "disposition"));
	bool may_be_shown = is_inline || !s->inlines;

	if (!how && s->inlines)
		how = json_string(is_inline ? "inline" : "attachment");
	(void)json_array_append_new(list,
	    json_pack("{s:I, s:o?, s:o?, s:o?, s:o?, s:I}", "index",
		(json_int_t)json_array_size(list), "name",
		string_at(file, or_else(s->file_name, "filename")), "type",
		string_at(file, or_else(s->type, "type")), "disposition", how,
		"content_id", may_be_shown ? content_id_of(s, file) : NULL,
		"size", decoded_size(data_of(s, file))));
}

static void decode_parts(json_t *list, const struct request *r)
{
	const json_t *file;
	size_t i;

	json_array_foreach(find(r, r->s->inlines), i, file)
	    add_part(list, r->s, file, true);
	json_array_foreach(find(r, r->s->files), i, file)
	    add_part(list, r->s, file, false);
}

/* In the order of decode_parts. */
static const json_t *file_at(const struct request *r, size_t index)
{
	const json_t *inlines = find(r, r->s->inlines);
	size_t count = json_array_size(inlines);

	return index < count
		   ? json_array_get(inlines, index)
		   : json_array_get(find(r, r->s->files), index - count);
}

/* -- requests -- */

void decode_json(json_t *out, const struct spelling *s, struct span raw)
{
	struct request r;

	open_request(&r, s, raw);
	if (!r.root)
		decode_set(out, "error", json_string("it is no JSON"));
	decode_texts(out, &r);
	decode_headers(json_object_get(out, "headers"), &r);
	decode_people(out, &r);
	decode_parts(json_object_get(out, "parts"), &r);
	decode_tags(json_object_get(out, "tags"), &r);
	decode_metadata(json_object_get(out, "metadata"), &r);
	json_decref(r.root);
}

int decode_json_part(
    const struct spelling *s, struct span raw, size_t index, struct buf *out)
{
	const json_t *file;
	struct request r;
	struct span data;
	ptrdiff_t len = -ENOENT;

	open_request(&r, s, raw);
	file = file_at(&r, index);
	if (file) {
		data = data_of(s, file);
		len = buf_reserve(out, data.len / 4 * 3 + 3);
		if (len == 0)
			len = b64_decode(data, buf_tail(out));
		if (len > 0)
			buf_commit(out, (size_t)len);
	}
	json_decref(r.root);
	return len < 0 ? (int)len : 0;
}
