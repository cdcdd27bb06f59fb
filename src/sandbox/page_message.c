/* See page.h: one message. */
#include <sandbox/page_internal.h>

#include <stdlib.h>

#include <sandbox/decode.h>

/* What is shown of each; the rest is where the links point to. */
enum {
	TEXT_SHOWN = 64 * 1000,
	FIELD_SHOWN = 2000,
	ROWS_SHOWN = 200,
	STRING_SHOWN = 1000 /* of a string of a JSON request */
};

static struct span text_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

static void link_to(
    struct html *h, const struct letter *l, const char *behind, size_t index)
{
	html_add(h, "<a href=\"/_sandbox/messages/");
	html_text(h, span_of(l->id));
	html_add(h, behind);
	if (index != SIZE_MAX)
		html_number(h, index);
	html_add(h, "\">");
}

/* -- tables -- */

static void begin_row(struct html *h, struct span name)
{
	html_add(h, "<tr><th>");
	html_text(h, name);
	html_add(h, "</th><td>");
}

static void end_row(struct html *h)
{
	html_add(h, "</td></tr>\n");
}

static void add_row(struct html *h, const char *name, struct span value)
{
	if (value.len == 0)
		return;
	begin_row(h, span_of(name));
	html_cut(h, value, FIELD_SHOWN);
	end_row(h);
}

/* That more of a list is not shown. */
static void add_rest(struct html *h, size_t count)
{
	if (count <= ROWS_SHOWN)
		return;
	html_add(h, "<span class=\"dim\">and ");
	html_number(h, count - ROWS_SHOWN);
	html_add(h, " more</span>");
}

static void add_person(struct html *h, const json_t *person)
{
	const json_t *name = json_object_get(person, "name");

	html_cut(h, text_of(name), FIELD_SHOWN);
	html_add(h, json_string_length(name) > 0 ? " &lt;" : "");
	html_cut(h, text_of(json_object_get(person, "address")), FIELD_SHOWN);
	html_add(h, json_string_length(name) > 0 ? "&gt;<br>" : "<br>");
}

static void add_people(
    struct html *h, const char *name, const json_t *decoded, const char *key)
{
	const json_t *list = json_object_get(decoded, key), *item;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	begin_row(h, span_of(name));
	json_array_foreach(list, i, item)
	{
		if (i < ROWS_SHOWN)
			add_person(h, item);
	}
	add_rest(h, json_array_size(list));
	end_row(h);
}

static void add_labels(struct html *h, const json_t *decoded)
{
	const json_t *tags = json_object_get(decoded, "tags"), *tag;
	json_t *metadata = json_object_get(decoded, "metadata"), *value;
	const char *key;
	size_t i, count = 0;

	json_array_foreach(tags, i, tag)
	{
		if (i < ROWS_SHOWN)
			add_row(h, "Tag", text_of(tag));
	}
	json_object_foreach(metadata, key, value)
	{
		if (count++ >= ROWS_SHOWN)
			break;
		begin_row(h, SPAN("Metadata"));
		html_cut(h, span_of(key), FIELD_SHOWN);
		html_add(h, " = ");
		html_cut(h, text_of(value), FIELD_SHOWN);
		end_row(h);
	}
}

static void add_summary(
    struct html *h, const struct letter *l, const json_t *decoded)
{
	html_add(h, "<table>\n");
	add_row(h, "Provider", span_of(l->provider));
	add_row(h, "Its id", span_of(l->provider_id));
	begin_row(h, SPAN("Received"));
	html_time(h, l->received_ms);
	html_add(h, " UTC, ");
	html_size(h, buf_len(&l->raw));
	end_row(h);
	add_row(h, "Sender", span_of(l->sender));
	add_people(h, "From", decoded, "from");
	add_people(h, "Reply-To", decoded, "reply_to");
	add_people(h, "To", decoded, "to");
	add_people(h, "Cc", decoded, "cc");
	add_people(h, "Bcc", decoded, "bcc");
	add_labels(h, decoded);
	add_row(h, "Not decoded", text_of(json_object_get(decoded, "error")));
	html_add(h, "</table>\n");
}

static void add_headers(struct html *h, const json_t *decoded)
{
	const json_t *list = json_object_get(decoded, "headers"), *item;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	html_add(h, "<details><summary>Header fields (");
	html_number(h, json_array_size(list));
	html_add(h, ")</summary><table>\n");
	json_array_foreach(list, i, item)
	{
		if (i >= ROWS_SHOWN)
			break;
		begin_row(h, span_first(text_of(json_array_get(item, 0)), 200));
		html_cut(h, text_of(json_array_get(item, 1)), FIELD_SHOWN);
		end_row(h);
	}
	html_add(h, "</table>");
	add_rest(h, json_array_size(list));
	html_add(h, "</details>\n");
}

static void add_part(
    struct html *h, const struct letter *l, const json_t *part, size_t index)
{
	static const char *const keys[] = { "type", "disposition",
		"content_id" };
	struct span name = text_of(json_object_get(part, "name"));

	html_add(h, "<tr><td>");
	link_to(h, l, "/parts/", index);
	html_cut(h, name.len > 0 ? name : SPAN("(no name)"), FIELD_SHOWN);
	html_add(h, "</a></td>");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		html_add(h, "<td>");
		html_cut(
		    h, text_of(json_object_get(part, keys[i])), FIELD_SHOWN);
		html_add(h, "</td>");
	}
	html_add(h, "<td class=\"n\">");
	html_size(
	    h, (uint64_t)json_integer_value(json_object_get(part, "size")));
	html_add(h, "</td></tr>\n");
}

static void add_parts(
    struct html *h, const struct letter *l, const json_t *decoded)
{
	const json_t *list = json_object_get(decoded, "parts"), *item;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	html_add(h, "<h2>Attachments</h2><table><tr><th>name</th><th>type</th>"
		    "<th>disposition</th><th>Content-ID</th>"
		    "<th class=\"n\">size</th></tr>\n");
	json_array_foreach(list, i, item)
	{
		if (i < ROWS_SHOWN)
			add_part(h, l, item, i);
	}
	html_add(h, "</table>");
	add_rest(h, json_array_size(list));
}

/* -- texts -- */

static void add_text(struct html *h, const json_t *decoded)
{
	struct span text = text_of(json_object_get(decoded, "text"));

	if (text.len == 0)
		return;
	html_add(h, "<h2>Text</h2><pre>\n");
	html_cut(h, text, TEXT_SHOWN);
	html_add(h, "</pre>\n");
}

static void add_html(
    struct html *h, const struct letter *l, const json_t *decoded)
{
	struct span text = text_of(json_object_get(decoded, "html"));

	if (text.len == 0)
		return;
	html_add(h, "<h2>HTML</h2>");
	if (text.len > PAGE_FRAME_MAX) {
		html_add(h, "<p class=\"dim\">The first ");
		html_size(h, PAGE_FRAME_MAX);
		html_add(h, " of it.</p>");
	}
	html_add(h, "<iframe sandbox=\"\" title=\"HTML\" src=\"" PAGE_MESSAGE);
	html_text(h, span_of(l->id));
	html_add(h, "/html\"></iframe>\n<details><summary>HTML source"
		    "</summary><pre>\n");
	html_cut(h, text, TEXT_SHOWN);
	html_add(h, "</pre></details>\n");
}

/* In place of a long string how it begins, and its length. */
static json_t *shortened(struct span text)
{
	struct buf words;
	size_t len = STRING_SHOWN / 4;
	json_t *value = NULL;

	while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
		len--;
	buf_init(&words, STRING_SHOWN);
	if (buf_printf(&words, "%.*s... [%zu bytes]", (int)len, text.ptr,
		text.len) == 0)
		value =
		    json_stringn(buf_span(&words).ptr, buf_span(&words).len);
	buf_finish(&words);
	return value;
}

static void shorten(json_t *value)
{
	json_t *item;
	size_t i;
	void *at = json_object_iter(value);

	for (; at; at = json_object_iter_next(value, at)) {
		item = json_object_iter_value(at);
		if (json_string_length(item) > STRING_SHOWN)
			(void)json_object_iter_set_new(
			    value, at, shortened(text_of(item)));
		else
			shorten(item);
	}
	json_array_foreach(value, i, item)
	{
		if (json_string_length(item) > STRING_SHOWN)
			(void)json_array_set_new(
			    value, i, shortened(text_of(item)));
		else
			shorten(item);
	}
}

/* As it came; JSON laid out, without the long of its strings. */
static void add_raw(struct html *h, const struct letter *l)
{
	struct span raw = buf_span(&l->raw);
	json_t *root = l->kind == LETTER_JSON
			   ? json_loadb(raw.ptr, raw.len, 0, NULL)
			   : NULL;
	char *text = NULL;

	shorten(root);
	if (root)
		text = json_dumps(root, JSON_INDENT(2));
	html_add(
	    h, "<details><summary>As the provider got it</summary><pre>\n");
	html_cut(h, text ? span_of(text) : raw, TEXT_SHOWN);
	html_add(h, "</pre></details>\n");
	free(text);
	json_decref(root);
}

void page_message(struct httpd_request *r, const struct letter *l)
{
	json_t *decoded = decode_letter(l);
	struct span subject = text_of(json_object_get(decoded, "subject"));
	struct html h;

	html_init(&h);
	h.is_bad = !decoded;
	page_begin(&h,
	    span_first(
		subject.len > 0 ? subject : SPAN("(no subject)"), FIELD_SHOWN),
	    0);
	html_add(&h, "<a href=\"/\">all messages</a>");
	link_to(&h, l, "", SIZE_MAX);
	html_add(&h, "JSON</a>");
	link_to(&h, l, "/raw", SIZE_MAX);
	html_add(&h, "raw</a></header>\n");
	add_summary(&h, l, decoded);
	add_text(&h, decoded);
	add_html(&h, l, decoded);
	add_parts(&h, l, decoded);
	add_headers(&h, decoded);
	add_raw(&h, l);
	page_end(&h);
	html_reply(&h, r, 200, PAGE_POLICY);
	json_decref(decoded);
}
