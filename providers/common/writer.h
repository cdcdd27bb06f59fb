/*
 * JSON appended to a request's body; the commas come by themselves. Failures
 * stick in the request and come out of any later service, so nothing here
 * needs a check but the last call of a build.
 */
#pragma once

#include <common/str.h>
#include <postern/provider.h>

#include <jansson.h>

struct writer {
	const struct postern_host *host;
	struct postern_request *r;
	bool needs_comma;
};

void writer_init(struct writer *w, const struct postern_host *host,
    struct postern_request *r);

/* In all of these name is that of a member, or NULL for an element. */

/* bracket is "{" or "[", and "}" or "]" for the other. */
void writer_open(struct writer *w, const char *name, const char *bracket);
int writer_close(struct writer *w, const char *bracket);
void writer_text(struct writer *w, const char *name, struct postern_str value);
/* JSON as it is: a number, true, members of an object without its braces. */
void writer_json(struct writer *w, const char *name, struct postern_str json);
void writer_bool(struct writer *w, const char *name, bool value);
/* A parsed value, or nothing for NULL. 0 or -ENOMEM. */
int writer_value(struct writer *w, const char *name, const json_t *value);
/* A member whose name comes from the message. */
void writer_pair(
    struct writer *w, struct postern_str name, struct postern_str value);

/* A string in pieces. */
void writer_begin(struct writer *w, const char *name);
void writer_more(struct writer *w, struct postern_str piece);
void writer_end(struct writer *w);
/* A string: part i of the message in base64, by reference. */
void writer_part(struct writer *w, const char *name, size_t i);
/* A string: the whole message, by reference. */
void writer_message(
    struct writer *w, const char *name, enum postern_encoding encoding);
