/*
 * Provider modules as the core uses them: load a shared object, build a
 * request from a message, classify an answer.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <http/http.h>
#include <postern/provider.h>

#include <stdbool.h>

struct message;

/*
 * Modules: loaded once, never unloaded; by one thread at a time, which is the
 * one that reads a configuration.
 */

/*
 * Load DIR/NAME.so and check file owner, mode, ABI stamp, size and name.
 * Returns the table, or NULL with e filled. A second load returns the same
 * table.
 */
const struct postern_provider *provider_load(const char *name, struct err *e);
/* Where modules live; copied. Default: compiled-in POSTERN_MODULE_DIR. */
void provider_set_directory(const char *dir);

/* --- one call to a provider --- */

/* What to build from. Everything is borrowed until provider_call_free. */
struct provider_input {
	const struct message *message;
	const char *id;
	const char *attempt_key;
	int64_t now; /* wall clock, seconds */
	struct span sender;
	const struct span *recipients;
	size_t recipient_count;
};

/* A request in the making and on its way: memory of one call. */
struct provider_call;

struct provider_call *provider_call_new(const struct provider_input *input);
void provider_call_free(struct provider_call *c); /* accepts NULL */
/* Whether build for this message is too heavy for a loop's thread. */
bool provider_call_is_heavy(
    const struct postern_provider *p, const struct provider_input *input);
/*
 * Run the module's build. 0; -EINVAL: the module refuses the message and e
 * says why (a sentence for the client); else a negative errno. Any thread.
 */
int provider_call_build(struct provider_call *c,
    const struct postern_provider *p, const void *settings, struct err *e);
/* Fill method, url, headers and body of an http_call; valid with c. */
void provider_call_http(struct provider_call *c, struct http_call *out);
/* For golden files: append the body to out. */
int provider_call_body(struct provider_call *c, struct buf *out);

/*
 * What became of a call. The reason is what the module says an answer means,
 * perhaps nothing; who answered with which status is not in it.
 */
struct provider_result {
	struct postern_outcome outcome;
	enum http_fault fault;
	int status; /* 0: there was no answer */
};

/*
 * What an ended http_call means: transport faults are mapped here, complete
 * heads by the module. rejected_bits: (recipient_count + 7) / 8 bytes of the
 * caller's, zeroed here. now in seconds.
 */
void provider_classify(const struct postern_provider *p, const void *settings,
    const struct http_response *response, size_t recipient_count, int64_t now,
    uint8_t *rejected_bits, struct provider_result *out);

/*
 * Make a text of size bytes at most safe to log and to show, in its place:
 * one line, no controls, valid UTF-8.
 */
void provider_clean_text(char *text, size_t size);

/* "accepted", "rejected", ... for logs, metrics and the ledger. */
const char *provider_class_name(enum postern_class c);
