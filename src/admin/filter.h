/* What people say about the messages they mean, as the store wants it. */
#pragma once

#include <base/err.h>
#include <store/store.h>

enum {
	FILTER_WORDS = 6
};

struct filter {
	struct store_filter wanted; /* of copies */
	char *copies[FILTER_WORDS];
};

/*
 * get tells the value of a word or NULL: state, user, sender, recipient,
 * provider, provider_id, message_id. 0, or a negative errno with e filled; to
 * be finished in any case.
 */
int filter_parse(struct filter *f,
    const char *(*get)(void *ctx, const char *word), void *ctx, struct err *e);
void filter_finish(struct filter *f);
/* It says nothing: every message is meant. */
bool filter_is_empty(const struct filter *f);
/* Is there a word of that name? */
bool filter_knows(const char *word);
