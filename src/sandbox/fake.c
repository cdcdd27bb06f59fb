/* See fake.h. */
#include <sandbox/fake.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/b64.h>

enum {
	ANSWER_MAX = 16 * 1024 * 1024
};

#define FAKE_POINTER(name) &fake_##name,
#define FAKE_NAME(name) " " #name

const struct fake *const fakes[FAKES_ALL] = { FAKES(FAKE_POINTER) };
const char fakes_wrong[] = "provider is none of" FAKES(FAKE_NAME);

size_t fake_of_path(const char *path)
{
	size_t i = 0, len = *path == '/' ? strcspn(path + 1, "/") : 0;

	while (i < FAKES_ALL &&
	       !span_eq(span_of(fakes[i]->name), span_make(path + 1, len)))
		i++;
	return len > 0 && i < FAKES_ALL && fakes[i]->check ? i : FAKES_ALL;
}

size_t fake_of_name(const char *name)
{
	size_t i = 0;

	while (i < FAKES_ALL && (!name || strcmp(fakes[i]->name, name) != 0))
		i++;
	return i;
}

void fake_answer_init(struct fake_answer *a)
{
	a->status = 0;
	a->content_type = NULL;
	a->header_count = 0;
	a->letter = NULL;
	buf_init(&a->body, ANSWER_MAX);
}

void fake_answer_finish(struct fake_answer *a)
{
	buf_finish(&a->body);
	letter_free(a->letter);
	a->letter = NULL;
}

void fake_answer_reset(struct fake_answer *a)
{
	a->status = 0;
	a->content_type = NULL;
	a->header_count = 0;
	buf_clear(&a->body);
}

void fake_answer_header(struct fake_answer *a, const char *fmt, ...)
{
	va_list args;

	if (a->header_count == FAKE_HEADERS_MAX)
		return;
	va_start(args, fmt);
	int n =
	    vsnprintf(a->headers[a->header_count], FAKE_HEADER_SIZE, fmt, args);
	va_end(args);
	if (n > 0 && n < FAKE_HEADER_SIZE)
		a->header_count++;
}

void fake_answer_json(struct fake_answer *a, int status, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);

	json_decref(body);
	a->status = text ? status : 500;
	a->content_type = "application/json";
	if (text)
		(void)buf_add_str(&a->body, text);
	free(text);
}

void fake_answer_send(const struct fake_answer *a, struct httpd_request *r)
{
	const char *headers[FAKE_HEADERS_MAX + 1] = { NULL };
	const struct httpd_reply reply = {
		.status = a->status,
		.content_type = a->content_type,
		.headers = headers,
		.body = buf_span(&a->body),
	};

	for (size_t i = 0; i < a->header_count; i++)
		headers[i] = a->headers[i];
	httpd_reply(r, &reply);
}

int fake_answer_text(
    const struct fake_answer *a, struct buf *out, size_t *out_head)
{
	int rc = buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n",
	    a->status, fake_status_text(a->status), buf_len(&a->body));

	if (rc == 0 && a->content_type)
		rc = buf_printf(out, "Content-Type: %s\r\n", a->content_type);
	for (size_t i = 0; rc == 0 && i < a->header_count; i++)
		rc = buf_printf(out, "%s\r\n", a->headers[i]);
	if (rc == 0)
		rc = buf_add_str(out, "Connection: close\r\n\r\n");
	*out_head = buf_len(out);
	return rc ? rc : buf_add_span(out, buf_span(&a->body));
}

const char *fake_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 402, "Payment Required" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 413, "Payload Too Large" },
		{ 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Entity" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].status == status)
			return texts[i].text;
	}
	return status < 400 ? "OK" : "Error";
}

bool fake_is_account(const struct fake *fake, struct httpd_request *r)
{
	return fake->account_path && strcmp(httpd_method(r), "GET") == 0 &&
	       strcmp(httpd_path(r) + 1 + strlen(fake->name),
		   fake->account_path) == 0;
}

bool fake_take(struct fake_answer *a, const struct fake *fake,
    enum letter_kind kind, struct span raw)
{
	a->letter = letter_new(fake->name, kind, raw);
	if (!a->letter)
		fake->fail(a, 500);
	return a->letter != NULL;
}

bool fake_is_base64(struct span text)
{
	struct buf decoded;

	buf_init(&decoded, text.len + 4);
	bool is_valid = buf_reserve(&decoded, text.len + 1) == 0 &&
			b64_decode(text, buf_tail(&decoded)) >= 0;
	buf_finish(&decoded);
	return is_valid;
}

bool fake_is_name(const char *text, size_t max)
{
	size_t len = strlen(text);

	return len > 0 && len <= max &&
	       strspn(text,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		   "0123456789_-") == len;
}
