/* See sendgrid_exam.h. */
#include <sandbox/sendgrid_exam.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <admin/reply.h>
#include <base/clock.h>
#include <sandbox/addr.h>

enum {
	ARGS_BYTES_MAX = 10000,
	SEND_AHEAD_S = 72 * 3600
};

void exam_answer_error(
    struct fake_answer *a, int status, const char *text, const char *field)
{
	/* Either may quote the request, cut inside a character. */
	fake_answer_json(a, status,
	    json_pack("{s:[{s:o, s:o, s:n}]}", "errors", "message",
		reply_string(span_of(text)), "field",
		field ? reply_string(span_of(field)) : json_null(), "help"));
}

void exam_fail(struct fake_answer *a, int status)
{
	const char *text = fake_status_text(status);
	const char *field = status == 403 ? "from" : NULL;

	if (status == 401)
		text = "The provided authorization grant is invalid, expired, "
		       "or revoked";
	else if (status == 403)
		text = "The from address does not match a verified Sender "
		       "Identity. Mail cannot be sent until this error is "
		       "resolved.";
	else if (status == 429)
		text = "too many requests";
	exam_answer_error(a, status, text, field);
}

bool exam_wrong(struct exam *x, const char *text, const char *field, ...)
{
	char path[128];
	va_list args;

	va_start(args, field);
	(void)vsnprintf(path, sizeof(path), field, args);
	va_end(args);
	exam_answer_error(x->out, 400, text, path);
	return false;
}

bool exam_bad(struct exam *x)
{
	exam_answer_error(x->out, 400, "Bad Request", NULL);
	return false;
}

bool exam_is_null_or(const json_t *value, json_type type)
{
	return !value || json_typeof(value) == type;
}

bool exam_is_text(const json_t *value)
{
	return json_is_string(value) && json_string_length(value) > 0;
}

struct span exam_text(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

bool exam_address(
    struct exam *x, const json_t *value, const char *where, struct span *out)
{
	const json_t *name = json_object_get(value, "name");

	if (!json_is_object(value) || !exam_is_null_or(name, JSON_STRING))
		return exam_bad(x);
	const json_t *email = json_object_get(value, "email");
	if (!json_is_string(email) || !addr_parse(exam_text(email), out) ||
	    out->len != json_string_length(email))
		return exam_wrong(
		    x, "Does not contain a valid address.", "%s.email", where);
	return true;
}

static bool is_reserved(const char *name)
{
	static const char *const reserved[] = { "x-sg-id", "x-sg-eid",
		"received", "dkim-signature", "content-type",
		"content-transfer-encoding", "to", "from", "subject",
		"reply-to", "cc", "bcc" };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (span_ieq(span_of(name), span_of(reserved[i])))
			return true;
	}
	return false;
}

bool exam_headers(struct exam *x, json_t *headers, const char *where)
{
	const char *name;
	json_t *value;

	if (!exam_is_null_or(headers, JSON_OBJECT))
		return exam_bad(x);
	json_object_foreach(headers, name, value)
	{
		if (!json_is_string(value))
			return exam_bad(x);
		if (!*name || !span_is_ascii(span_of(name)) ||
		    strpbrk(name, " :\r\n\t"))
			return exam_wrong(x,
			    "Header names must be ASCII without spaces.",
			    "%s.%.40s", where, name);
		if (is_reserved(name))
			return exam_wrong(x,
			    "The header is reserved and cannot be "
			    "used.",
			    "%s.%.40s", where, name);
	}
	return true;
}

bool exam_args(struct exam *x, json_t *args, const char *where)
{
	size_t bytes = 0;
	const char *name;
	json_t *value;

	if (!exam_is_null_or(args, JSON_OBJECT))
		return exam_bad(x);
	json_object_foreach(args, name, value)
	{
		if (!json_is_string(value))
			return exam_bad(x);
		bytes += strlen(name) + json_string_length(value);
	}
	if (bytes > ARGS_BYTES_MAX)
		return exam_wrong(
		    x, "custom_args may not exceed 10000 bytes.", "%s", where);
	return true;
}

bool exam_send_at(struct exam *x, const json_t *value, const char *where)
{
	if (!exam_is_null_or(value, JSON_INTEGER))
		return exam_bad(x);
	if (value &&
	    json_integer_value(value) > clock_wall_ms() / 1000 + SEND_AHEAD_S)
		return exam_wrong(x,
		    "Scheduling more than 72 hours in advance is forbidden.",
		    "%s", where);
	return true;
}

bool exam_keys(struct exam *x, json_t *object, const char *const *known)
{
	const char *name;
	json_t *value;
	char text[128];

	json_object_foreach(object, name, value)
	{
		const char *const *k = known;

		while (*k && strcmp(*k, name) != 0)
			k++;
		if (*k)
			continue;
		(void)snprintf(text, sizeof(text),
		    "Additional property %.64s is not allowed", name);
		exam_answer_error(x->out, 400, text, NULL);
		return false;
	}
	return true;
}
