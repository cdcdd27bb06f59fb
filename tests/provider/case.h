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
};

/* Exit with a message when the test itself is broken. */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The whole file; b is initialised here. */
void read_file(const char *path, struct buf *b);

void golden_case_load(struct golden_case *c, const char *path);
void golden_case_finish(struct golden_case *c);

/* A settings struct of the module's, filled from a JSON object. */
void *settings_make(
    const struct postern_field *fields, size_t size, const json_t *json);
void settings_free(void *settings, const struct postern_field *fields);
