/* See oauth.h. */
#include <sandbox/oauth.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <base/b64.h>
#include <base/clock.h>
#include <base/hash.h>

enum {
	TOKEN_SIZE = 256
};

/* -- forms -- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct span in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.ptr[i] == '+' ? ' ' : in.ptr[i];

		if (c == '%') {
			int high = i + 2 < in.len ? digit(in.ptr[i + 1]) : -1;
			int low = high >= 0 ? digit(in.ptr[i + 2]) : -1;

			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	return true;
}

bool oauth_field(struct span form, const char *name, char *out, size_t size)
{
	bool is_found = false;

	while (form.ptr) {
		struct span value = span_cut(&form, '&');
		struct span key = span_cut(&value, '=');

		if (!span_eq(key, span_of(name)))
			continue;
		if (is_found || !value.ptr || !decode(value, out, size))
			return false;
		is_found = true;
	}
	return is_found;
}

/* -- answers -- */

void oauth_refuse(struct fake_answer *out, int status, const char *error,
    const char *description)
{
	fake_answer_json(out, status,
	    json_pack("{s:s, s:s}", "error", error, "error_description",
		description));
}

/* "issuer.end.code" */
static void make_token(const char *issuer, int64_t end_ms, char out[TOKEN_SIZE])
{
	uint8_t code[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];
	int n = snprintf(out, TOKEN_SIZE / 2, "%s.%" PRId64, issuer, end_ms);

	hash_hmac_sha256(
	    SPAN("sandbox tokens"), span_make(out, (size_t)n), code);
	hex_encode(code, sizeof(code), hex);
	(void)snprintf(out + n, TOKEN_SIZE - (size_t)n, ".%s", hex);
}

void oauth_grant(struct fake_answer *out, const char *issuer)
{
	char token[TOKEN_SIZE];

	make_token(issuer, clock_wall_ms() + OAUTH_LIFETIME_S * 1000ll, token);
	fake_answer_json(out, 200,
	    json_pack("{s:s, s:i, s:s}", "token_type", "Bearer", "expires_in",
		OAUTH_LIFETIME_S, "access_token", token));
}

bool oauth_is_authorized(struct httpd_request *r, const char *issuer)
{
	const char *header = httpd_header(r, "Authorization");
	struct span rest = span_of(header), end;
	char token[TOKEN_SIZE];
	unsigned long long end_ms;

	if (!header || !span_starts_with(rest, SPAN("Bearer ")))
		return false;
	rest = span_from(rest, 7);
	header = rest.ptr;
	if (!span_eq(span_cut(&rest, '.'), span_of(issuer)))
		return false;
	end = span_cut(&rest, '.');
	if (!span_parse_u64(end, INT64_MAX, &end_ms) ||
	    (int64_t)end_ms <= clock_wall_ms())
		return false;
	make_token(issuer, (int64_t)end_ms, token);
	return strcmp(token, header) == 0;
}
