/*
 * A multipart/form-data body, for APIs that take a message as a file. Failures
 * stick in the request.
 */
#pragma once

#include <common/str.h>
#include <postern/provider.h>

enum {
	FORM_BOUNDARY_SIZE = 8 + 32 + 1
};

struct form {
	const struct postern_host *host;
	struct postern_request *r;
	char boundary[FORM_BOUNDARY_SIZE];
};

/*
 * Nobody who writes a message knows the id it will get, so nobody can put the
 * boundary into it that is made of it.
 */
void form_init(struct form *f, const char *id, const struct postern_host *host,
    struct postern_request *r);
/* The value of Content-Type; NULL for memory. */
const char *form_type(const struct form *f);

/* prefix and name are one; neither has quotes or line breaks. */
void form_field(const struct form *f, const char *prefix,
    struct postern_str name, struct postern_str value);
/* A field whose value follows in pieces. */
void form_begin(const struct form *f, const char *name);
void form_more(const struct form *f, struct postern_str piece);
void form_end(const struct form *f);
/* The message as a file, and the end of the form. */
int form_message(const struct form *f, const char *name);
