/*
 * An access token from the token endpoint of an OAuth 2.0 server (RFC 6749
 * section 4.4 and 5, RFC 7523): one request, whose answer is the grant.
 */
#pragma once

#include <common/prepare.h>

struct oauth {
	struct prepare_step step;
	bool has_fields;
};

/*
 * Begin the form that is posted to url: says in p->source that it is asked on
 * behalf of who. In a rehearsal that is the end: p->grant stands in for the
 * token. 0 or a negative errno.
 */
int oauth_ask(struct oauth *o, const char *url, const char *who);
/* A field of the form. Failures stick. */
void oauth_field(struct oauth *o, const char *name, struct postern_str value);
/*
 * The step after that: p->grant is the token, as it stands behind "Bearer ",
 * or the sentence says why there is none.
 */
int oauth_take(struct oauth *o);

/* In build: Authorization with the token. 0 or a negative errno. */
int oauth_authorize(const struct postern_host *host, struct postern_request *r);
