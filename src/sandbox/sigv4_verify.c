/* See sigv4_verify.h. */
#include <sandbox/sigv4_verify.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include <base/b64.h>
#include <base/buf.h>
#include <base/hash.h>

enum {
	SKEW_S = 15 * 60,
	HEX_SIZE = 2 * HASH_SHA256_SIZE + 1,
	CANONICAL_MAX = 256 * 1024,
	SECRET_MAX = 256
};

/* What the Authorization header says, borrowed from it. */
struct claim {
	struct span key_id, date, region, service, scope;
	struct span signed_headers, signature;
	struct span at; /* X-Amz-Date */
};

static const char *find_header(const struct sigv4_request *r, struct span name)
{
	for (size_t i = 0; i < r->header_count; i++) {
		if (span_ieq(span_of(r->headers[i].name), name))
			return r->headers[i].value;
	}
	return NULL;
}

/* AKID/20150830/us-east-1/ses/aws4_request */
static bool read_credential(struct span text, struct claim *c)
{
	c->key_id = span_cut(&text, '/');
	c->scope = text;
	c->date = span_cut(&text, '/');
	c->region = span_cut(&text, '/');
	c->service = span_cut(&text, '/');
	return c->key_id.len && c->date.len == 8 && c->region.len &&
	       span_eq(text, SPAN("aws4_request"));
}

/* Lower case, strictly ascending: anything else has a second spelling. */
static bool is_canonical_list(struct span rest)
{
	struct span last = SPAN("");

	while (rest.ptr) {
		struct span name = span_cut(&rest, ';');
		size_t common = name.len < last.len ? name.len : last.len;
		int order = memcmp(last.ptr, name.ptr, common);

		if (order > 0 || (order == 0 && last.len >= name.len))
			return false;
		for (size_t i = 0; i < name.len; i++) {
			if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
				return false;
		}
		last = name;
	}
	return true;
}

static bool read_authorization(struct span text, struct claim *c)
{
	const struct span algorithm = SPAN("AWS4-HMAC-SHA256 ");
	struct span rest = span_from(text, algorithm.len);
	bool has_credential = false;

	if (!span_starts_with(text, algorithm))
		return false;
	while (rest.ptr) {
		struct span value = span_trim(span_cut(&rest, ','));
		struct span name = span_cut(&value, '=');

		if (!value.ptr)
			return false;
		if (span_eq(name, SPAN("Credential")))
			has_credential = read_credential(value, c);
		else if (span_eq(name, SPAN("SignedHeaders")))
			c->signed_headers = value;
		else if (span_eq(name, SPAN("Signature")))
			c->signature = value;
		else
			return false;
	}
	return has_credential && c->signature.len == HEX_SIZE - 1 &&
	       is_canonical_list(c->signed_headers);
}

static bool is_signed(const struct claim *c, struct span name)
{
	struct span rest = c->signed_headers;

	while (rest.ptr) {
		if (span_ieq(span_cut(&rest, ';'), name))
			return true;
	}
	return false;
}

/* Host, the type of the body and everything of Amazon's must be covered. */
static bool signs_enough(
    const struct sigv4_request *r, const struct claim *c, struct err *why)
{
	for (size_t i = 0; i < r->header_count; i++) {
		struct span name = span_of(r->headers[i].name);

		if (!span_ieq(name, SPAN("host")) &&
		    !span_ieq(name, SPAN("content-type")) &&
		    !span_istarts_with(name, SPAN("x-amz-")))
			continue;
		if (is_signed(c, name))
			continue;
		(void)err_set(why, -EINVAL, "the header %.*s is not signed",
		    SPAN_FMT(name));
		return false;
	}
	if (is_signed(c, SPAN("host")))
		return true;
	(void)err_set(why, -EINVAL, "the header host is not signed");
	return false;
}

/* YYYYMMDDTHHMMSSZ to seconds. */
static bool read_time(struct span s, int64_t *out)
{
	static const struct {
		size_t at, len;
	} fields[] = { { 0, 4 }, { 4, 2 }, { 6, 2 }, { 9, 2 }, { 11, 2 },
		{ 13, 2 } };
	unsigned long long v[6];

	if (s.len != 16 || s.ptr[8] != 'T' || s.ptr[15] != 'Z')
		return false;
	for (size_t i = 0; i < 6; i++) {
		struct span field =
		    span_first(span_from(s, fields[i].at), fields[i].len);

		if (!span_parse_u64(field, 9999, &v[i]))
			return false;
	}
	struct tm tm = { .tm_year = (int)v[0] - 1900,
		.tm_mon = (int)v[1] - 1,
		.tm_mday = (int)v[2],
		.tm_hour = (int)v[3],
		.tm_min = (int)v[4],
		.tm_sec = (int)v[5] };
	*out = timegm(&tm);
	return true;
}

/* Outer white space goes, inner runs become one space. */
static int add_value(struct buf *out, struct span value)
{
	int rc = 0;

	value = span_trim(value);
	for (size_t i = 0; rc == 0 && i < value.len; i++) {
		if (value.ptr[i] == ' ' && value.ptr[i - 1] == ' ')
			continue;
		rc = buf_add(out, &value.ptr[i], 1);
	}
	return rc;
}

/* name:value,value LF; -ENOENT when a signed header was not sent. */
static int add_header(
    struct buf *out, const struct sigv4_request *r, struct span name)
{
	size_t found = 0;
	int rc = buf_add_span(out, name);

	for (size_t i = 0; rc == 0 && i < r->header_count; i++) {
		if (!span_ieq(span_of(r->headers[i].name), name))
			continue;
		rc = buf_add_str(out, found++ ? "," : ":");
		if (rc == 0)
			rc = add_value(out, span_of(r->headers[i].value));
	}
	if (rc == 0 && found == 0)
		return -ENOENT;
	return rc ? rc : buf_add_str(out, "\n");
}

static void hex_sha256(struct span bytes, char out[HEX_SIZE])
{
	uint8_t digest[HASH_SHA256_SIZE];

	hash_sha256(bytes, digest);
	hex_encode(digest, sizeof(digest), out);
}

static int add_canonical(
    struct buf *out, const struct sigv4_request *r, const struct claim *c)
{
	const char *declared = find_header(r, SPAN("x-amz-content-sha256"));
	struct span rest = c->signed_headers;
	char payload[HEX_SIZE];
	int rc = buf_printf(out, "%s\n%.*s\n%.*s\n", r->method,
	    SPAN_FMT(r->path), SPAN_FMT(r->query));

	while (rc == 0 && rest.ptr)
		rc = add_header(out, r, span_cut(&rest, ';'));
	if (rc)
		return rc;
	hex_sha256(r->body, payload);
	if (declared && !span_eq(span_of(declared), span_of(payload)))
		return -EINVAL;
	return buf_printf(
	    out, "\n%.*s\n%s", SPAN_FMT(c->signed_headers), payload);
}

static void add_key(uint8_t key[HASH_SHA256_SIZE], struct span text)
{
	hash_hmac_sha256(span_make(key, HASH_SHA256_SIZE), text, key);
}

static int sign(const struct sigv4_keys *keys, const struct claim *c,
    struct span canonical, char out[HEX_SIZE])
{
	char secret[SECRET_MAX], hash[HEX_SIZE], text[512];
	uint8_t key[HASH_SHA256_SIZE];

	hex_sha256(canonical, hash);
	int n = snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%.*s\n%.*s\n%s",
	    SPAN_FMT(c->at), SPAN_FMT(c->scope), hash);
	int m = snprintf(secret, sizeof(secret), "AWS4%s", keys->secret);
	if (n < 0 || (size_t)n >= sizeof(text) || m < 0 ||
	    (size_t)m >= sizeof(secret))
		return -EINVAL;
	hash_hmac_sha256(span_of(secret), c->date, key);
	add_key(key, c->region);
	add_key(key, c->service);
	add_key(key, SPAN("aws4_request"));
	add_key(key, span_of(text));
	hex_encode(key, sizeof(key), out);
	return 0;
}

static bool matches(const struct sigv4_request *r,
    const struct sigv4_keys *keys, const struct claim *c, struct err *why)
{
	struct buf canonical;
	char expected[HEX_SIZE];
	bool is_equal = false;

	buf_init(&canonical, CANONICAL_MAX);
	int rc = add_canonical(&canonical, r, c);
	if (rc == 0)
		rc = sign(keys, c, buf_span(&canonical), expected);
	if (rc == 0)
		is_equal = hash_eq(expected, c->signature.ptr, HEX_SIZE - 1);
	if (!is_equal)
		(void)err_set(why, -EACCES,
		    "The request signature we calculated does not match the "
		    "signature you provided. The canonical string should "
		    "have been '%.300s'",
		    rc == 0 && buf_add(&canonical, "", 1) == 0
			? buf_span(&canonical).ptr
			: "");
	buf_finish(&canonical);
	return is_equal;
}

/* Near enough to now, and the same day as the scope. */
static enum sigv4_verdict check_time(
    const struct claim *c, int64_t now_s, struct err *why)
{
	int64_t at;

	if (!read_time(c->at, &at) || !span_eq(span_first(c->at, 8), c->date)) {
		(void)err_set(why, -EINVAL,
		    "X-Amz-Date is missing, malformed, or of another day "
		    "than the credential's scope");
		return SIGV4_INCOMPLETE;
	}
	if (at >= now_s - SKEW_S && at <= now_s + SKEW_S)
		return SIGV4_OK;
	(void)err_set(why, -ETIMEDOUT,
	    at < now_s ? "Signature expired: %.*s is %" PRId64 " s ago"
		       : "Signature not yet current: %.*s is %" PRId64
			 " s ahead",
	    SPAN_FMT(c->at), at < now_s ? now_s - at : at - now_s);
	return SIGV4_EXPIRED;
}

enum sigv4_verdict sigv4_verify(const struct sigv4_request *r,
    const struct sigv4_keys *keys, int64_t now_s, struct err *why)
{
	const char *authorization = find_header(r, SPAN("authorization"));
	struct claim c = { .at = span_of(find_header(r, SPAN("x-amz-date"))) };

	if (!authorization) {
		(void)err_set(why, -EACCES, "Missing Authentication Token");
		return SIGV4_MISSING;
	}
	if (!read_authorization(span_of(authorization), &c)) {
		(void)err_set(why, -EINVAL,
		    "Authorization header requires 'Credential', 'Signature' "
		    "and 'SignedHeaders' parameters");
		return SIGV4_INCOMPLETE;
	}
	if (!signs_enough(r, &c, why))
		return SIGV4_INCOMPLETE;
	if (!span_eq(c.service, span_of(keys->service))) {
		(void)err_set(why, -EINVAL,
		    "Credential should be scoped to correct service: '%s'",
		    keys->service);
		return SIGV4_MISMATCH;
	}
	if (!span_eq(c.key_id, span_of(keys->key_id))) {
		(void)err_set(why, -EACCES,
		    "The security token included in the request is invalid");
		return SIGV4_UNKNOWN_KEY;
	}
	enum sigv4_verdict verdict = check_time(&c, now_s, why);
	if (verdict == SIGV4_OK && !matches(r, keys, &c, why))
		verdict = SIGV4_MISMATCH;
	return verdict;
}
