/*
 * What the inquire functions of modules with a key share: one GET with that
 * key, and what its answer says of the account. Pure.
 */
#pragma once

#include <postern/provider.h>

#include <jansson.h>

struct account {
	const char *base, *path;     /* of the question */
	const char *header, *scheme; /* "Authorization", "Bearer " */
	struct postern_secret key;
	/* The module's own: what an answer means that is no success. */
	void (*classify)(const void *settings,
	    const struct postern_response *response,
	    struct postern_outcome *out);
	/* Of a success: false when body is not what the API says of one. */
	bool (*read)(const json_t *body, struct postern_inquiry *q);
	/* Of an error, after classify; NULL when there is no more to say. */
	void (*read_error)(const json_t *body, struct postern_inquiry *q);
};

/* As inquire of struct postern_provider. */
int account_inquire(const struct account *a, const void *settings,
    struct postern_inquiry *q, const struct postern_host *host,
    struct postern_request *r);
void account_say(struct postern_inquiry *q, const char *text);
