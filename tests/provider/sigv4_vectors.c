/*
 * provider_sigv4 DIR: reproduce the canonical request, string to sign and
 * signature of every case of the AWS signing suite in DIR/vectors, and of
 * both SES calls in DIR/ses-send-email.
 */
#include "case.h"

#include <common/sigv4.h>
#include <common/str.h>
#include <provider/request_internal.h>

#include <base/b64.h>
#include <base/hash.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	HEADERS_MAX = 16,
	DIGEST_HEX = 65,
	PATH_ROOM = 4096
};

/* A request as the suite writes it down, and what is added before signing. */
struct vector {
	char *text;
	struct postern_header headers[HEADERS_MAX];
	size_t header_count;
	const char *method, *path, *query, *body;
	char date[17], sha256[DIGEST_HEX];
};

static unsigned failures, checks;

static void join(char path[PATH_ROOM], const char *dir, const char *name)
{
	int len = snprintf(path, PATH_ROOM, "%s/%s", dir, name);

	if (len < 0 || len >= PATH_ROOM)
		die("path too long");
}

static char *read_text(const char *dir, const char *name)
{
	char path[PATH_ROOM];
	struct buf b;
	char *text;

	join(path, dir, name);
	read_file(path, &b);
	text = buf_take_cstr(&b);
	if (!text)
		die("out of memory");
	return text;
}

static void add_header(struct vector *v, const char *name, const char *value)
{
	if (v->header_count == HEADERS_MAX)
		die("too many headers");
	v->headers[v->header_count].name = str_of(name);
	v->headers[v->header_count++].value = str_of(value);
}

/* "GET /path?query HTTP/1.1": the path may hold spaces. */
static void parse_request_line(struct vector *v, char *line)
{
	char *path = strchr(line, ' '), *version = strrchr(line, ' '), *query;

	if (!path || path == version)
		die("bad request line: %s", line);
	*path++ = '\0';
	*version = '\0';
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	v->method = line;
	v->path = path;
	v->query = query ? query : "";
}

/* Header lines up to the empty one; a folded line extends the last. */
static void parse_headers(struct vector *v, char *at)
{
	v->body = "";
	while (at && *at) {
		char *end = strchr(at, '\n'), *colon;
		if (at == end) {
			v->body = at + 1;
			return;
		}
		while (end && (end[1] == ' ' || end[1] == '\t'))
			end = strchr(end + 1, '\n');
		if (end)
			*end++ = '\0';
		colon = strchr(at, ':');
		if (!colon)
			die("bad header line: %s", at);
		*colon = '\0';
		add_header(v, at, colon + 1);
		at = end;
	}
}

static void parse_vector(struct vector *v, const char *dir, const char *name)
{
	char *rest;

	*v = (struct vector){ .text = read_text(dir, name) };
	rest = strchr(v->text, '\n');
	if (rest)
		*rest++ = '\0';
	parse_request_line(v, v->text);
	parse_headers(v, rest);
}

/* "2015-08-30T12:36:00Z" without its punctuation. */
static void compact_date(const char *timestamp, char out[17])
{
	size_t n = 0;

	for (; *timestamp && n < 16; timestamp++) {
		if (*timestamp != '-' && *timestamp != ':')
			out[n++] = *timestamp;
	}
	out[n] = '\0';
}

static void hash_body(const char *body, char out[DIGEST_HEX])
{
	uint8_t digest[HASH_SHA256_SIZE];

	hash_sha256(span_of(body), digest);
	hex_encode(digest, sizeof(digest), out);
}

static void expect(const char *dir, const char *file, const char *got)
{
	char *expected = read_text(dir, file);
	size_t len = strlen(expected);

	if (len > 0 && expected[len - 1] == '\n')
		expected[len - 1] = '\0';
	checks++;
	if (strcmp(got, expected) != 0) {
		failures++;
		(void)fprintf(stderr, "%s/%s: got\n%s\nexpected\n%s\n", dir,
		    file, got, expected);
	}
	free(expected);
}

static const char *member(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

/* Sign and compare DIR/PREFIX-{canonical-request,string-to-sign,...}. */
static void sign_and_compare(struct vector *v, const json_t *context,
    const char *region, const char *dir, const char *prefix)
{
	const json_t *credentials = json_object_get(context, "credentials");
	const char *secret = member(credentials, "secret_access_key");
	struct sigv4_key key = { .access_key_id =
				     member(credentials, "access_key_id"),
		.secret = { secret, strlen(secret) },
		.region = region,
		.service = member(context, "service"),
		.amz_date = v->date };
	struct sigv4_request request = { .method = v->method,
		.path = v->path,
		.query = v->query,
		.headers = v->headers,
		.header_count = v->header_count,
		.body_sha256 = v->sha256 };
	struct sigv4_result result;
	struct postern_request r;
	char file[256];

	request_init(&r, NULL);
	if (sigv4_sign(&request_host, &r, &key, &request, &result) < 0)
		die("out of memory");
	(void)snprintf(file, sizeof(file), "%scanonical-request.txt", prefix);
	expect(dir, file, result.canonical);
	(void)snprintf(file, sizeof(file), "%sstring-to-sign.txt", prefix);
	expect(dir, file, result.string_to_sign);
	(void)snprintf(file, sizeof(file), "%ssignature.txt", prefix);
	expect(dir, file, result.signature);
	request_finish(&r);
}

static json_t *read_context(const char *dir)
{
	char path[PATH_ROOM];
	json_t *context;

	join(path, dir, "context.json");
	context = json_load_file(path, 0, NULL);
	if (!context)
		die("%s: no JSON", path);
	return context;
}

static void check_vector(const char *dir)
{
	json_t *context = read_context(dir);
	const char *token =
	    member(json_object_get(context, "credentials"), "token");
	struct vector v;

	parse_vector(&v, dir, "request.txt");
	compact_date(member(context, "timestamp"), v.date);
	hash_body(v.body, v.sha256);
	add_header(&v, "X-Amz-Date", v.date);
	if (json_is_true(json_object_get(context, "sign_body")))
		add_header(&v, "x-amz-content-sha256", v.sha256);
	if (token &&
	    !json_is_true(json_object_get(context, "omit_session_token")))
		add_header(&v, "X-Amz-Security-Token", token);
	sign_and_compare(
	    &v, context, member(context, "region"), dir, "header-");
	free(v.text);
	json_decref(context);
}

static void check_vectors(const char *dir)
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort);

	if (n < 0)
		die("%s: cannot be read", dir);
	for (int i = 0; i < n; i++) {
		char path[PATH_ROOM];
		join(path, dir, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			check_vector(path);
		free(names[i]);
	}
	free(names);
}

static void check_ses(const char *dir, const json_t *context, const char *name,
    const char *prefix)
{
	const json_t *call =
	    json_object_get(json_object_get(context, "cases"), name);
	const char *token = member(call, "token");
	struct vector v = { .text = read_text(dir, "request-body.json"),
		.method = "POST",
		.path = "/v2/email/outbound-emails",
		.query = "" };

	compact_date(member(context, "timestamp"), v.date);
	hash_body(v.text, v.sha256);
	add_header(&v, "Content-Type", "application/json");
	add_header(&v, "Host", member(call, "host"));
	add_header(&v, "X-Amz-Date", v.date);
	if (token)
		add_header(&v, "X-Amz-Security-Token", token);
	sign_and_compare(&v, context, member(call, "region"), dir, prefix);
	free(v.text);
}

int main(int argc, char **argv)
{
	char path[PATH_ROOM];
	json_t *context;

	if (argc != 2)
		die("usage: provider_sigv4 DIR");
	join(path, argv[1], "vectors");
	check_vectors(path);
	join(path, argv[1], "ses-send-email");
	context = read_context(path);
	check_ses(path, context, "plain", "plain-");
	check_ses(path, context, "session-token", "session-token-");
	json_decref(context);
	(void)printf("%u checks, %u failures\n", checks, failures);
	return failures || checks != 3 * (22 + 2) ? EXIT_FAILURE : EXIT_SUCCESS;
}
