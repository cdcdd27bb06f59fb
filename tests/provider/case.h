/* One golden case read from its files. */
#pragma once

#include <base/buf.h>
#include <mail/message.h>
#include <mail/mime.h>
#include <provider/provider.h>

#include <jansson.h>

struct golden_case {
	json_t *json;
	struct message *message;
	struct span *recipients;
	struct provider_input input; /* points into the rest */
	const char *refused;         /* expected sentence, or NULL */
	int refusal;                 /* and its code */
	size_t answered;             /* of "answers" */
};

/* Exit with a message when the test itself is broken. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The whole file; b is initialised here. */
void read_file(const char *path, struct buf *b);

void golden_case_load(struct golden_case *c, const char *path);
void golden_case_finish(struct golden_case *c);

/* For preparations: "env" and "files" of the case, as struct provider_world. */
const char *golden_case_env(const void *c, const char *name);
int golden_case_file(const void *c, const char *path, struct buf *out);
/* The next of its "answers"; borrowed. */
void golden_case_answer(struct golden_case *c, struct http_response *out);
/* Where keys came from must be "source", if the case has that. */
void golden_case_note(const struct golden_case *c, const char *source);
/* Likewise for "expires". */
bool golden_case_is_due(const struct golden_case *c, int64_t expires);

/* A settings struct of the module's, filled from a JSON object. */
void *settings_make(
    const struct postern_field *fields, size_t size, const json_t *json);
void settings_free(void *settings, const struct postern_field *fields);
