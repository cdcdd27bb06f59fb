/* See writer.h. */
#include <common/writer.h>

#include <errno.h>
#include <stdlib.h>

static void add(struct writer *w, const char *json)
{
	(void)w->host->body(w->r, json, strlen(json));
}

static void add_string(struct writer *w, struct postern_str s)
{
	add(w, "\"");
	(void)w->host->body_json(w->r, s);
	add(w, "\"");
}

/* What stands before a value. */
static void lead(struct writer *w, const char *name)
{
	if (w->needs_comma)
		add(w, ",");
	w->needs_comma = true;
	if (name) {
		add_string(w, str_of(name));
		add(w, ":");
	}
}

void writer_init(struct writer *w, const struct postern_host *host,
    struct postern_request *r)
{
	*w = (struct writer){ .host = host, .r = r };
}

void writer_open(struct writer *w, const char *name, const char *bracket)
{
	lead(w, name);
	add(w, bracket);
	w->needs_comma = false;
}

int writer_close(struct writer *w, const char *bracket)
{
	w->needs_comma = true;
	return w->host->body(w->r, bracket, strlen(bracket));
}

void writer_text(struct writer *w, const char *name, struct postern_str value)
{
	lead(w, name);
	add_string(w, value);
}

void writer_json(struct writer *w, const char *name, struct postern_str json)
{
	lead(w, name);
	(void)w->host->body(w->r, json.ptr, json.len);
}

void writer_bool(struct writer *w, const char *name, bool value)
{
	writer_json(w, name, value ? STR("true") : STR("false"));
}

int writer_value(struct writer *w, const char *name, const json_t *value)
{
	char *text;

	if (!value)
		return 0;
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (!text)
		return -ENOMEM;
	writer_json(w, name, str_of(text));
	free(text);
	return 0;
}

void writer_pair(
    struct writer *w, struct postern_str name, struct postern_str value)
{
	lead(w, NULL);
	add_string(w, name);
	add(w, ":");
	add_string(w, value);
}

void writer_begin(struct writer *w, const char *name)
{
	lead(w, name);
	add(w, "\"");
}

void writer_more(struct writer *w, struct postern_str piece)
{
	(void)w->host->body_json(w->r, piece);
}

void writer_end(struct writer *w)
{
	add(w, "\"");
}

void writer_part(struct writer *w, const char *name, size_t i)
{
	writer_begin(w, name);
	(void)w->host->body_part(w->r, i, POSTERN_BASE64);
	writer_end(w);
}

void writer_message(
    struct writer *w, const char *name, enum postern_encoding encoding)
{
	writer_begin(w, name);
	(void)w->host->body_message(w->r, encoding);
	writer_end(w);
}
