/* A call of an operation of SES: where it goes, and its signature. */
#pragma once

#include <postern/provider.h>
#include <ses_keys.h>
#include <ses_settings.h>

struct ses_call {
	const char *method, *path; /* of the operation */
	int64_t now;
	/* By ses_begin: */
	struct ses_keys keys;
	const char *url;
};

/* Set method and URL; the body may follow. 0 or a negative errno. */
int ses_begin(const struct ses_settings *s, struct ses_call *c,
    const struct postern_host *host, struct postern_request *r);
/* The body is complete: add the headers. 0 or a negative errno. */
int ses_sign(const struct ses_call *c, const struct postern_host *host,
    struct postern_request *r);
