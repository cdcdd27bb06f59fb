/* Reading a case: JSON with the envelope, and the message it names. */
#include "case.h"

#include <mail/header.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	FILE_MAX = 16 * 1024 * 1024
};

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	exit(2);
}

void read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	buf_init(b, FILE_MAX);
	if (!f)
		die("%s: cannot be opened", path);
	do {
		if (buf_reserve(b, 65536) < 0)
			die("%s: too long", path);
		n = fread(buf_tail(b), 1, 65536, f);
		buf_commit(b, n);
	} while (n > 0);
	(void)fclose(f);
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *s = json_string_value(json_object_get(json, name));

	if (!s)
		die("the case lacks a string \"%s\"", name);
	return s;
}

static struct message *load_message(const char *case_path, const char *name)
{
	const char *slash = strrchr(case_path, '/');
	struct buf path, raw, header;
	struct message *m;
	size_t length;

	buf_init(&path, 4096);
	if (buf_printf(&path, "%.*s/%s", (int)(slash ? slash - case_path : 0),
		case_path, name) < 0 ||
	    buf_reserve(&path, 1) < 0)
		die("path too long");
	*buf_tail(&path) = '\0';
	read_file(buf_span(&path).ptr, &raw);
	length = header_length(buf_span(&raw));
	buf_init(&header, FILE_MAX);
	if (length == 0 ||
	    buf_add_span(&header, span_first(buf_span(&raw), length)) < 0)
		die("%s: no header", name);
	m = message_new(&header, &raw, length);
	buf_finish(&path);
	return m;
}

void golden_case_load(struct golden_case *c, const char *path)
{
	json_error_t error;
	const json_t *list;

	*c = (struct golden_case){ .json = json_load_file(path, 0, &error) };
	if (!c->json)
		die("%s:%d: %s", path, error.line, error.text);
	list = json_object_get(c->json, "recipients");
	c->recipients = calloc(json_array_size(list) + 1, sizeof(struct span));
	c->message = load_message(path, text_of(c->json, "eml"));
	if (!c->recipients || !c->message)
		die("out of memory");
	for (size_t i = 0; i < json_array_size(list); i++)
		c->recipients[i] =
		    span_of(json_string_value(json_array_get(list, i)));
	c->refused = json_string_value(json_object_get(c->json, "refused"));
	c->refusal =
	    json_is_true(json_object_get(c->json, "singly")) ? -E2BIG : -EINVAL;
	c->input = (struct provider_input){ .message = c->message,
		.id = text_of(c->json, "id"),
		.attempt_key = text_of(c->json, "id"),
		.now = json_integer_value(json_object_get(c->json, "now")),
		.sender = span_of(text_of(c->json, "sender")),
		.recipients = c->recipients,
		.recipient_count = json_array_size(list),
		.needs_utf8 = json_is_true(json_object_get(c->json, "utf8")) };
}

void golden_case_finish(struct golden_case *c)
{
	message_unref(c->message);
	free(c->recipients);
	json_decref(c->json);
}

/* --- preparations --- */

const char *golden_case_env(const void *c, const char *name)
{
	const struct golden_case *g = c;

	return json_string_value(
	    json_object_get(json_object_get(g->json, "env"), name));
}

int golden_case_file(const void *c, const char *path, struct buf *out)
{
	const struct golden_case *g = c;
	const char *text = json_string_value(
	    json_object_get(json_object_get(g->json, "files"), path));

	return text ? buf_add_str(out, text) : -ENOENT;
}

void golden_case_answer(struct golden_case *c, struct http_response *out)
{
	const json_t *answer =
	    json_array_get(json_object_get(c->json, "answers"), c->answered++);
	const json_t *body = json_object_get(answer, "body");
	const json_t *status = json_object_get(answer, "status");

	if (!answer)
		die("the case has not enough answers");
	*out =
	    (struct http_response){ .status = (int)json_integer_value(status),
		    .body = span_make(
			json_string_value(body), json_string_length(body)) };
	if (!status)
		out->fault = HTTP_FAULT_CONNECT;
}

void golden_case_note(const struct golden_case *c, const char *source)
{
	const json_t *expected = json_object_get(c->json, "source");
	const json_t *answers = json_object_get(c->json, "answers");

	if (expected && strcmp(json_string_value(expected), source) != 0)
		die("the source is %s", source);
	/* Those to an inquiry are yet to come. */
	if (!json_is_true(json_object_get(c->json, "inquire")) &&
	    json_array_size(answers) != c->answered)
		die("the case has too many answers");
}

bool golden_case_is_due(const struct golden_case *c, int64_t expires)
{
	const json_t *expected = json_object_get(c->json, "expires");

	return !expected || json_integer_value(expected) == expires;
}
