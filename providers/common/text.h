/*
 * Text in the making, in memory of the host's. The first failure sticks and
 * shows in text_finish.
 */
#pragma once

#include <common/str.h>
#include <postern/provider.h>

struct text {
	const struct postern_host *host;
	struct postern_request *request;
	char *data;
	size_t len, cap;
	bool has_failed;
};

void text_init(
    struct text *t, const struct postern_host *host, struct postern_request *r);
void text_add(struct text *t, struct postern_str s);
void text_add_cstr(struct text *t, const char *s);
void text_add_char(struct text *t, char c);
/* The whole, NUL-terminated, or NULL for memory. */
const char *text_finish(struct text *t);
