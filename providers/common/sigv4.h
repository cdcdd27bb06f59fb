/*
 * AWS Signature Version 4, the form with an Authorization header. Pure: the
 * digests come from the host, time and secrets from the caller.
 */
#pragma once

#include <postern/mail.h>
#include <postern/provider.h>

struct sigv4_key {
	const char *access_key_id;
	struct postern_secret secret;
	const char *region, *service;
	const char *amz_date; /* "20150830T123600Z" */
};

struct sigv4_request {
	const char *method;
	const char *path; /* not encoded; "" is "/" */
	const char
	    *query; /* without ?, may be encoded; "" when there is none */
	const struct postern_header *headers; /* to sign, Host among them */
	size_t header_count;
	const char *body_sha256; /* lower-case hex */
};

/* All made with host->alloc; NUL-terminated. */
struct sigv4_result {
	const char *canonical;
	const char *string_to_sign;
	const char *signature;     /* hex */
	const char *authorization; /* value of the header */
};

/* 0 or -ENOMEM. */
int sigv4_sign(const struct postern_host *host, struct postern_request *r,
    const struct sigv4_key *key, const struct sigv4_request *request,
    struct sigv4_result *out);
