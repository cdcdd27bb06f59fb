/*
 * The four steps of the signing process in order: canonical request, string
 * to sign, signing key, signature.
 */
#include <common/sigv4.h>

#include <common/text.h>

#include <errno.h>
#include <stdlib.h>

enum {
	DIGEST_SIZE = 32,
	DATE_LEN = 8 /* of the day in amz_date */
};

static void to_hex(const uint8_t digest[DIGEST_SIZE], char out[65])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[64] = '\0';
}

/* --- path and query --- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') ||
	       (str_lower(c) >= 'a' && str_lower(c) <= 'f');
}

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') ||
	       (str_lower(c) >= 'a' && str_lower(c) <= 'z') ||
	       (c != '\0' && strchr("-._~", c));
}

static void add_encoded(struct text *t, char c)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;

	text_add_char(t, '%');
	text_add_char(t, digits[u >> 4]);
	text_add_char(t, digits[u & 15]);
}

static void add_segment(struct text *t, struct postern_str segment)
{
	for (size_t i = 0; i < segment.len; i++) {
		if (is_unreserved(segment.ptr[i]))
			text_add_char(t, segment.ptr[i]);
		else
			add_encoded(t, segment.ptr[i]);
	}
}

static void drop_segment(struct text *t, size_t start)
{
	while (t->len > start && t->data[t->len - 1] != '/')
		t->len--;
	if (t->len > start)
		t->len--;
}

/* Empty segments, "." and ".." are resolved before encoding. */
static void add_path(struct text *t, const char *path)
{
	size_t start = t->len;
	bool ends_in_slash = true;

	while (*path) {
		struct postern_str segment;
		path += strspn(path, "/");
		segment = str_make(path, strcspn(path, "/"));
		if (segment.len == 0)
			break;
		path += segment.len;
		ends_in_slash = *path == '/';
		if (str_ieq(segment, STR("..")))
			drop_segment(t, start);
		if (str_ieq(segment, STR(".")) || str_ieq(segment, STR(".."))) {
			ends_in_slash = true;
			continue;
		}
		text_add_char(t, '/');
		add_segment(t, segment);
	}
	if (ends_in_slash || t->len == start)
		text_add_char(t, '/');
}

/* Name or value of a query; what is encoded already stays. */
static void add_query_text(struct text *t, struct postern_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool is_encoded = s.ptr[i] == '%' && i + 2 < s.len &&
				  is_hex(s.ptr[i + 1]) && is_hex(s.ptr[i + 2]);
		if (is_encoded || is_unreserved(s.ptr[i]))
			text_add_char(t, s.ptr[i]);
		else
			add_encoded(t, s.ptr[i]);
	}
}

struct pair {
	const char *name, *value;
};

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int by_name = strcmp(x->name, y->name);

	return by_name != 0 ? by_name : strcmp(x->value, y->value);
}

static const char *encode(struct text *like, struct postern_str s)
{
	struct text t;

	text_init(&t, like->host, like->request);
	add_query_text(&t, s);
	return text_finish(&t);
}

static bool parse_pair(struct text *t, struct postern_str s, struct pair *out)
{
	const char *equals = memchr(s.ptr, '=', s.len);
	size_t name_len = equals ? (size_t)(equals - s.ptr) : s.len;

	out->name = encode(t, str_make(s.ptr, name_len));
	out->value = encode(t, str_from(s, equals ? name_len + 1 : name_len));
	return out->name && out->value;
}

static void add_query(struct text *t, const char *query)
{
	size_t count = 0, n = strlen(query) + 1;
	struct pair *pairs = t->host->alloc(t->request, n * sizeof(*pairs));

	if (!pairs) {
		t->has_failed = true;
		return;
	}
	while (*query) {
		struct postern_str s = str_make(query, strcspn(query, "&"));
		query += s.len + (query[s.len] == '&' ? 1 : 0);
		if (s.len == 0)
			continue;
		if (!parse_pair(t, s, &pairs[count++])) {
			t->has_failed = true;
			return;
		}
	}
	qsort(pairs, count, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; i < count; i++) {
		text_add_cstr(t, i > 0 ? "&" : "");
		text_add_cstr(t, pairs[i].name);
		text_add_char(t, '=');
		text_add_cstr(t, pairs[i].value);
	}
}

/* --- headers --- */

struct ordered {
	struct postern_header header;
	size_t index; /* qsort is not stable */
};

static int compare_headers(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	int by_name = str_icmp(x->header.name, y->header.name);

	if (by_name != 0)
		return by_name;
	return x->index < y->index ? -1 : 1;
}

static void add_name(struct text *t, struct postern_str name)
{
	for (size_t i = 0; i < name.len; i++)
		text_add_char(t, str_lower(name.ptr[i]));
}

/* Trimmed, inner runs of white space as one space. */
static void add_value(struct text *t, struct postern_str value)
{
	bool is_pending = false, is_first = true;

	for (size_t i = 0; i < value.len; i++) {
		if (strchr(" \t\r\n", value.ptr[i]) && value.ptr[i]) {
			is_pending = !is_first;
			continue;
		}
		if (is_pending)
			text_add_char(t, ' ');
		is_pending = is_first = false;
		text_add_char(t, value.ptr[i]);
	}
}

/* Canonical headers into t, their names into names. */
static void add_headers(struct text *t, struct text *names,
    const struct ordered *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct postern_str name = headers[i].header.name;
		bool is_repeated =
		    i > 0 && str_ieq(name, headers[i - 1].header.name);
		if (!is_repeated) {
			text_add_cstr(t, i > 0 ? "\n" : "");
			add_name(t, name);
			text_add_cstr(names, i > 0 ? ";" : "");
			add_name(names, name);
		}
		text_add_char(t, is_repeated ? ',' : ':');
		add_value(t, headers[i].header.value);
	}
	text_add_char(t, '\n');
}

static const struct ordered *sort_headers(
    struct text *t, const struct sigv4_request *request)
{
	size_t n = request->header_count;
	struct ordered *sorted =
	    t->host->alloc(t->request, (n + 1) * sizeof(*sorted));

	for (size_t i = 0; sorted && i < n; i++) {
		sorted[i].header = request->headers[i];
		sorted[i].index = i;
	}
	if (sorted)
		qsort(sorted, n, sizeof(*sorted), compare_headers);
	return sorted;
}

/* --- steps --- */

static const char *make_canonical(
    struct text *t, struct text *names, const struct sigv4_request *request)
{
	const struct ordered *headers = sort_headers(t, request);

	if (!headers)
		return NULL;
	text_add_cstr(t, request->method);
	text_add_char(t, '\n');
	add_path(t, request->path);
	text_add_char(t, '\n');
	add_query(t, request->query);
	text_add_char(t, '\n');
	add_headers(t, names, headers, request->header_count);
	text_add_char(t, '\n');
	if (!text_finish(names))
		return NULL;
	text_add_cstr(t, names->data);
	text_add_char(t, '\n');
	text_add_cstr(t, request->body_sha256);
	return text_finish(t);
}

static void add_scope(struct text *t, const struct sigv4_key *key)
{
	text_add(t, str_make(key->amz_date, DATE_LEN));
	text_add_char(t, '/');
	text_add_cstr(t, key->region);
	text_add_char(t, '/');
	text_add_cstr(t, key->service);
	text_add_cstr(t, "/aws4_request");
}

static const char *make_string_to_sign(
    struct text *t, const struct sigv4_key *key, const char *canonical)
{
	uint8_t digest[DIGEST_SIZE];
	char hex[65];

	t->host->sha256(str_of(canonical), digest);
	to_hex(digest, hex);
	text_add_cstr(t, "AWS4-HMAC-SHA256\n");
	text_add_cstr(t, key->amz_date);
	text_add_char(t, '\n');
	add_scope(t, key);
	text_add_char(t, '\n');
	text_add_cstr(t, hex);
	return text_finish(t);
}

static struct postern_str as_str(const uint8_t digest[DIGEST_SIZE])
{
	return str_make((const char *)digest, DIGEST_SIZE);
}

/* The key of a day, region and service, then the signature with it. */
static const char *make_signature(
    struct text *t, const struct sigv4_key *key, const char *string_to_sign)
{
	const struct postern_host *host = t->host;
	uint8_t a[DIGEST_SIZE], b[DIGEST_SIZE];
	struct text secret;
	char hex[65];

	text_init(&secret, host, t->request);
	text_add_cstr(&secret, "AWS4");
	text_add(&secret, str_make(key->secret.ptr, key->secret.len));
	if (!text_finish(&secret))
		return NULL;
	host->hmac_sha256(str_make(secret.data, secret.len),
	    str_make(key->amz_date, DATE_LEN), a);
	host->hmac_sha256(as_str(a), str_of(key->region), b);
	host->hmac_sha256(as_str(b), str_of(key->service), a);
	host->hmac_sha256(as_str(a), STR("aws4_request"), b);
	host->hmac_sha256(as_str(b), str_of(string_to_sign), a);
	to_hex(a, hex);
	explicit_bzero(secret.data, secret.len);
	explicit_bzero(b, sizeof(b));
	text_add_cstr(t, hex);
	return text_finish(t);
}

static const char *make_authorization(struct text *t,
    const struct sigv4_key *key, const char *names, const char *signature)
{
	text_add_cstr(t, "AWS4-HMAC-SHA256 Credential=");
	text_add_cstr(t, key->access_key_id);
	text_add_char(t, '/');
	add_scope(t, key);
	text_add_cstr(t, ", SignedHeaders=");
	text_add_cstr(t, names);
	text_add_cstr(t, ", Signature=");
	text_add_cstr(t, signature);
	return text_finish(t);
}

int sigv4_sign(const struct postern_host *host, struct postern_request *r,
    const struct sigv4_key *key, const struct sigv4_request *request,
    struct sigv4_result *out)
{
	struct text canonical, names, to_sign, signature, authorization;

	text_init(&canonical, host, r);
	text_init(&names, host, r);
	text_init(&to_sign, host, r);
	text_init(&signature, host, r);
	text_init(&authorization, host, r);
	*out = (struct sigv4_result){ .canonical = NULL };
	out->canonical = make_canonical(&canonical, &names, request);
	if (!out->canonical)
		return -ENOMEM;
	out->string_to_sign =
	    make_string_to_sign(&to_sign, key, out->canonical);
	if (!out->string_to_sign)
		return -ENOMEM;
	out->signature = make_signature(&signature, key, out->string_to_sign);
	if (!out->signature)
		return -ENOMEM;
	out->authorization =
	    make_authorization(&authorization, key, names.data, out->signature);
	return out->authorization ? 0 : -ENOMEM;
}
