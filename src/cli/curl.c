/*
 * A request as people would make it with curl. Its body is cut down to what
 * can be read: long strings of JSON, and of anything else all but the start.
 */
#include <cli/explain.h>

#include <base/b64.h>
#include <base/utf8.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

enum {
	STRING_SHOWN = 64,  /* bytes of a JSON string */
	STRING_WHOLE = 120, /* one that is not cut */
	TEXT_SHOWN = 1024,  /* bytes of another body */
	TEXT_WHOLE = 1400,
	JSON_DEPTH_MAX = 64,
	LOGIN_MAX = 8192
};

/* --- bodies --- */

/* At most max bytes of s, not in the middle of a character. */
static size_t cut_at(struct span s, size_t max)
{
	if (s.len <= max)
		return s.len;
	while (max > 0 && ((unsigned char)s.ptr[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static json_t *shorten_string(const json_t *node, bool *is_short)
{
	struct span s =
	    span_make(json_string_value(node), json_string_length(node));
	size_t shown = cut_at(s, STRING_SHOWN);

	if (s.len <= STRING_WHOLE)
		return json_stringn(s.ptr, s.len);
	*is_short = true;
	return json_sprintf("%.*s... (%zu bytes)", (int)shown, s.ptr, s.len);
}

static json_t *shorten(json_t *node, bool *is_short, unsigned depth)
{
	json_t *to, *value;
	const char *key;
	size_t i;

	if (json_is_string(node))
		return shorten_string(node, is_short);
	if (depth == 0 || (!json_is_array(node) && !json_is_object(node)))
		return json_incref(node);
	to = json_is_array(node) ? json_array() : json_object();
	json_array_foreach(node, i, value)
	{
		if (json_array_append_new(
			to, shorten(value, is_short, depth - 1)) < 0)
			goto fail;
	}
	json_object_foreach(node, key, value)
	{
		if (json_object_set_new(
			to, key, shorten(value, is_short, depth - 1)) < 0)
			goto fail;
	}
	return to;
fail:
	json_decref(to);
	return NULL;
}

static const char *json_text(json_t *root, struct arena *a, bool *is_short)
{
	json_t *small = shorten(root, is_short, JSON_DEPTH_MAX);
	char *text = small ? json_dumps(small, JSON_INDENT(2)) : NULL;
	const char *kept = text ? arena_str(a, span_of(text)) : NULL;

	free(text);
	json_decref(small);
	return kept;
}

static bool is_shown(uint32_t c)
{
	return (c >= ' ' && c != 0x7f) || c == '\n' || c == '\r' || c == '\t';
}

/* Characters as they are; what is none becomes a dot. */
static const char *plain_text(struct span s, struct arena *a, bool *is_short)
{
	size_t shown = s.len <= TEXT_WHOLE ? s.len : cut_at(s, TEXT_SHOWN);
	struct span rest = span_first(s, shown);
	char *to = arena_alloc(a, shown + 64), *at = to;

	if (!to)
		return NULL;
	while (rest.len > 0) {
		uint32_t c;
		size_t n = utf8_decode(rest, &c);
		bool is_text = n > 0 && is_shown(c);

		n = n > 0 ? n : 1;
		if (is_text)
			memcpy(at, rest.ptr, n);
		else
			*at = '.';
		*is_short = *is_short || !is_text;
		at += is_text ? n : 1;
		rest = span_from(rest, n);
	}
	if (shown < s.len)
		(void)snprintf(at, 64, "\n... (%zu bytes more)", s.len - shown);
	*is_short = *is_short || shown < s.len;
	return to;
}

const char *curl_body_text(
    struct span body, struct arena *a, bool *out_is_short)
{
	json_t *root = json_loadb(body.ptr, body.len, 0, NULL);
	const char *text;

	*out_is_short = false;
	text = root ? json_text(root, a, out_is_short)
		    : plain_text(body, a, out_is_short);
	json_decref(root);
	return text;
}

/* --- the command --- */

/*
 * As a shell takes it: in single quotes, or where CRs must be kept in those
 * of $'...', in which a backslash says so.
 */
static int add_quoted(struct buf *out, struct span s)
{
	bool has_cr = span_index(s, '\r') >= 0;
	int rc = buf_add_str(out, has_cr ? "$'" : "'");

	for (size_t i = 0; rc == 0 && i < s.len; i++) {
		char c = s.ptr[i];

		if (c == '\'')
			rc = buf_add_str(out, has_cr ? "\\'" : "'\\''");
		else if (c == '\r')
			rc = buf_add_str(out, "\\r");
		else if (c == '\\' && has_cr)
			rc = buf_add_str(out, "\\\\");
		else
			rc = buf_add(out, &c, 1);
	}
	return rc < 0 ? rc : buf_add_str(out, "'");
}

static int add_option(struct buf *out, const char *name, struct span value)
{
	int rc = buf_printf(out, " \\\n  %s ", name);

	return rc < 0 ? rc : add_quoted(out, value);
}

/* "user:password" of Basic credentials, as curl makes them itself. */
static bool add_basic(struct buf *out, struct span header, int *out_rc)
{
	const struct span start = SPAN("Authorization: Basic ");
	char text[256];
	ptrdiff_t n;

	if (!span_istarts_with(header, start))
		return false;
	header = span_trim(span_from(header, start.len));
	if (header.len / 4 * 3 > sizeof(text))
		return false;
	n = b64_decode(header, text);
	if (n < 0 || memchr(text, '\0', (size_t)n))
		return false;
	*out_rc = add_option(out, "--user", span_make(text, (size_t)n));
	return true;
}

static int add_header(struct buf *out, const char *line)
{
	int rc = 0;

	if (add_basic(out, span_of(line), &rc))
		return rc;
	return add_option(out, "-H", span_of(line));
}

/* Curl's port for smtp:// is another one. */
static int add_server(struct buf *out, struct span url)
{
	struct span rest = span_from(url, (size_t)span_index(url, ']') + 1);
	bool has_port = span_rindex(rest, ':') > 5;

	if (span_starts_with(rest, SPAN(":")) || has_port ||
	    span_istarts_with(url, SPAN("smtps:")))
		return add_quoted(out, url);
	return buf_printf(out, "'%.*s:587'", SPAN_FMT(url));
}

static int add_login(struct buf *out, const struct http_smtp *how)
{
	struct buf login;
	int rc;

	if (!how->user)
		return 0;
	buf_init(&login, LOGIN_MAX);
	rc = buf_printf(&login, "%s:%s", how->user, how->password);
	if (rc == 0)
		rc = add_option(out, "--user", buf_span(&login));
	buf_finish(&login);
	return rc;
}

static int smtp_command(const struct explain_offer *o, struct buf *out)
{
	static const char *const tls[] = {
		[HTTP_SMTP_TLS_REQUIRED] = " --ssl-reqd",
		[HTTP_SMTP_TLS_OPPORTUNISTIC] = " --ssl",
		[HTTP_SMTP_TLS_NONE] = "",
	};
	const struct http_smtp *how = o->smtp;
	int rc = buf_add_str(out, "curl ");

	if (rc == 0)
		rc = add_server(out, span_of(o->url));
	if (rc == 0)
		rc = buf_add_str(out, tls[how->tls]);
	if (rc == 0)
		rc = add_login(out, how);
	if (rc == 0)
		rc = add_option(out, "--mail-from", how->sender);
	for (size_t i = 0; rc == 0 && i < how->recipient_count; i++)
		rc = add_option(out, "--mail-rcpt", how->recipients[i]);
	if (rc == 0)
		rc = add_option(out, "-T - <<<", span_of(o->body));
	return rc < 0 ? rc : buf_add_str(out, "\n");
}

int curl_command(const struct explain_offer *o, struct buf *out)
{
	if (o->smtp)
		return smtp_command(o, out);
	int rc = buf_printf(out, "curl -X %s ", o->method);

	if (rc == 0)
		rc = add_quoted(out, span_of(o->url));
	for (size_t i = 0; rc == 0 && o->headers[i]; i++)
		rc = add_header(out, o->headers[i]);
	if (rc == 0 && o->body_size > 0)
		rc = add_option(out, "--data-raw", span_of(o->body));
	return rc < 0 ? rc : buf_add_str(out, "\n");
}
