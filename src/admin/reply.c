/* See reply.h. */
#include <admin/reply.h>

#include <stdlib.h>

#include <base/date.h>

static const char *const plain_headers[] = { "Cache-Control: no-store",
	"X-Content-Type-Options: nosniff", NULL };

void reply_text(struct httpd_request *r, int status, struct span text)
{
	const struct httpd_reply reply = {
		.status = status,
		.content_type = "text/plain; charset=utf-8",
		.headers = plain_headers,
		.body = text,
	};

	httpd_reply(r, &reply);
}

void reply_json(struct httpd_request *r, int status, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (!text) {
		reply_text(r, 500, SPAN("out of memory\n"));
		return;
	}
	const struct httpd_reply reply = {
		.status = status,
		.content_type = "application/json",
		.headers = plain_headers,
		.body = span_of(text),
	};
	httpd_reply(r, &reply);
	free(text);
}

void reply_error(struct httpd_request *r, int status, const char *why)
{
	reply_json(r, status, json_pack("{s:s}", "error", why));
}

json_t *reply_string(struct span text)
{
	json_t *value = json_stringn(text.ptr ? text.ptr : "", text.len);
	char *ascii;

	if (value)
		return value;
	ascii = span_dup(text);
	for (size_t i = 0; ascii && i < text.len; i++) {
		if ((unsigned char)ascii[i] >= 0x80)
			ascii[i] = '?';
	}
	value = ascii ? json_stringn(ascii, text.len) : NULL;
	free(ascii);
	return value;
}

json_t *reply_time(int64_t wall_ms)
{
	char text[DATE_RFC3339_SIZE];

	if (wall_ms <= 0)
		return json_null();
	date_format_rfc3339(wall_ms, text);
	return json_string(text);
}
