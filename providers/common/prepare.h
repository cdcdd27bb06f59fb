/* What the prepare functions of modules share. Pure; no globals. */
#pragma once

#include <common/str.h>
#include <postern/provider.h>

/* What one step passes around. */
struct prepare_step {
	struct postern_preparation *p;
	const struct postern_host *host;
	struct postern_request *r;
};

/*
 * End a preparation: why, behind where was looked (p->source). To be returned.
 */
int prepare_refuse(const struct prepare_step *s, enum postern_class result,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Without the end of its line. */
struct postern_str prepare_trim(struct postern_str token);
/* Something that can stand in a header. */
bool prepare_is_token(struct postern_str s);
