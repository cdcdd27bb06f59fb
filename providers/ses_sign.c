/*
 * Signature version 4 of a call: over its headers and the digest of its body,
 * which is JSON where there is one.
 */
#include <ses_sign.h>

#include <common/date.h>
#include <common/sigv4.h>
#include <common/str.h>
#include <common/text.h>
#include <common/url.h>

#include <errno.h>

static int find_url(const struct ses_settings *s, struct ses_call *c,
    const struct postern_host *host, struct postern_request *r)
{
	struct text t;

	if (s->url) {
		c->url = url_join(host, r, s->url, c->path);
		return c->url ? 0 : -ENOMEM;
	}
	text_init(&t, host, r);
	text_add_cstr(&t, "https://email.");
	text_add(&t, c->keys.region);
	text_add_cstr(&t, ".amazonaws.com");
	text_add_cstr(&t, c->path);
	c->url = text_finish(&t);
	return c->url ? 0 : -ENOMEM;
}

int ses_begin(const struct ses_settings *s, struct ses_call *c,
    const struct postern_host *host, struct postern_request *r)
{
	int rc;

	if (!ses_keys_unpack(host->grant(r), &c->keys))
		return -EPROTO;
	rc = find_url(s, c, host, r);
	if (rc < 0)
		return rc;
	(void)host->method(r, c->method);
	return host->url(r, c->url);
}

int ses_sign(const struct ses_call *c, const struct postern_host *host,
    struct postern_request *r)
{
	char amz_date[DATE_AMZ_SIZE], sha256[65];
	bool has_body = strcmp(c->method, "GET") != 0;
	struct postern_header headers[] = {
		{ STR("Content-Type"), STR("application/json") },
		{ STR("Host"), url_host(c->url) },
		{ STR("X-Amz-Date"), { amz_date, sizeof(amz_date) - 1 } },
		{ STR("X-Amz-Security-Token"), c->keys.token },
	};
	size_t first = has_body ? 0 : 1;
	struct sigv4_request request = { .method = c->method,
		.path = url_path(c->url),
		.query = "",
		.headers = headers + first,
		.header_count = (c->keys.token.len > 0 ? 4 : 3) - first,
		.body_sha256 = sha256 };
	struct sigv4_key key = { .access_key_id = c->keys.id.ptr,
		.secret = { c->keys.secret.ptr, c->keys.secret.len },
		.region = c->keys.region.ptr,
		.service = "ses",
		.amz_date = amz_date };
	struct sigv4_result result = { .authorization = NULL };
	int rc;

	date_format_amz(c->now, amz_date);
	rc = host->body_sha256(r, sha256);
	if (rc == 0)
		rc = sigv4_sign(host, r, &key, &request, &result);
	if (rc < 0)
		return rc;
	if (has_body)
		(void)host->header(r, "Content-Type", "application/json");
	(void)host->header(r, "Accept", "application/json");
	(void)host->header(r, "X-Amz-Date", amz_date);
	if (c->keys.token.len > 0)
		(void)host->header(
		    r, "X-Amz-Security-Token", c->keys.token.ptr);
	return host->header(r, "Authorization", result.authorization);
}
