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

struct arena;
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

/*
 * Whether a header field of that name, which steers a provider, is one that p
 * knows (its control_fields).
 */
bool provider_knows_field(const struct postern_provider *p, struct span name);

/* --- what a module needs before it builds --- */

/*
 * Keys or a token that prepare came to. Counted by one thread; any may read
 * it meanwhile, as it never changes.
 */
struct provider_grant {
	size_t refs;
	struct postern_secret bytes;
	int64_t expires; /* wall clock, seconds; 0: never */
};

struct provider_grant *provider_grant_ref(struct provider_grant *g);
/* The last one overwrites and frees it. Accepts NULL. */
void provider_grant_unref(struct provider_grant *g);

/* Where host->env and host->file look. Both are called on any thread. */
struct provider_world {
	const char *(*env)(const void *ctx, const char *name);
	/* Append the file, at most out's maximum. 0 or a negative errno. */
	int (*file)(const void *ctx, const char *path, struct buf *out);
	const void *ctx;
};
/* The environment of this process, and the file system. */
extern const struct provider_world provider_world_real;

enum provider_step {
	PROVIDER_STEP_SEND = 0, /* provider_preparation_http, then _answer */
	PROVIDER_STEP_GRANTED,
	PROVIDER_STEP_REFUSED
};

/* Whether p must be prepared before it builds. */
bool provider_prepares(const struct postern_provider *p);

/* One way through prepare, from the first step to a grant or a refusal. */
struct provider_preparation;

/* All is borrowed until provider_preparation_free. NULL for memory. */
struct provider_preparation *provider_preparation_new(
    const struct postern_provider *p, const void *settings,
    const struct provider_world *world);
void provider_preparation_free(struct provider_preparation *c); /* or NULL */
/*
 * Before the first step: nothing is to be fetched, and what is granted should
 * be no real credentials. A module that does not know of this goes on as ever.
 */
void provider_preparation_rehearse(struct provider_preparation *c);
/* After GRANTED: it is what stands in their place. */
bool provider_preparation_is_stand_in(const struct provider_preparation *c);
/* Run the module's prepare; it may read files. Any thread. now in seconds. */
enum provider_step provider_preparation_step(
    struct provider_preparation *c, int64_t now);
/*
 * After SEND: fill the whole http_call but on_done; valid until the next step.
 */
void provider_preparation_http(
    struct provider_preparation *c, struct http_call *out);
/* What came of it, copied: the next step shows it to the module. */
void provider_preparation_answer(
    struct provider_preparation *c, const struct http_response *response);
/* After GRANTED, once: a reference; NULL for memory. */
struct provider_grant *provider_preparation_grant(
    const struct provider_preparation *c);
/* After REFUSED: why, for the operator, and ACCOUNT, THROTTLED, TRANSIENT. */
const char *provider_preparation_reason(const struct provider_preparation *c);
enum postern_class provider_preparation_class(
    const struct provider_preparation *c);
/* Where the module looks, "" before the first step. */
const char *provider_preparation_source(const struct provider_preparation *c);

/* --- to be shown to people --- */

/*
 * A copy of a module's settings in which every secret is POSTERN_MASK, of
 * memory of a; NULL for memory.
 */
const void *provider_mask_settings(
    const struct postern_provider *p, const void *settings, struct arena *a);

/* --- what an account may send --- */

/* Whether p can be asked. */
bool provider_inquires(const struct postern_provider *p);

/* One way through inquire. The module's table and settings are borrowed. */
struct provider_inquiry;

/* With a reference of its own to grant, NULL where none is needed. Or NULL. */
struct provider_inquiry *provider_inquiry_new(const struct postern_provider *p,
    const void *settings, struct provider_grant *grant);
void provider_inquiry_free(struct provider_inquiry *q); /* accepts NULL */
/*
 * Run the module's inquire. True: provider_inquiry_http is to be sent, then
 * _answer. False: provider_inquiry_told. now in seconds.
 */
bool provider_inquiry_step(struct provider_inquiry *q, int64_t now);
/* As provider_preparation_http. */
void provider_inquiry_http(struct provider_inquiry *q, struct http_call *out);
/* What came of it, copied for the next step. */
void provider_inquiry_answer(
    struct provider_inquiry *q, const struct http_response *response);
/* What was found out, or why not; valid with q. */
const struct postern_inquiry *provider_inquiry_told(
    const struct provider_inquiry *q);

/* --- one call to a provider --- */

/* What to build from. Everything is borrowed until provider_call_free. */
struct provider_input {
	struct message *message;
	const char *id;
	const char *attempt_key;
	int64_t now; /* wall clock, seconds */
	struct span sender;
	const struct span *recipients;
	size_t recipient_count;
	bool needs_utf8; /* it came with SMTPUTF8, and is not ASCII */
	const struct provider_grant *grant; /* NULL: the module needs none */
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
 * says why (a sentence for the client); -E2BIG: so it does for these
 * recipients together, who can go one by one; else a negative errno. Any
 * thread.
 */
int provider_call_build(struct provider_call *c,
    const struct postern_provider *p, const void *settings, struct err *e);
/* Bytes of memory it takes after the build, the message not among them. */
uint64_t provider_call_held(const struct provider_call *c);
/* Fill all of an http_call but times and on_done; valid with c. */
void provider_call_http(struct provider_call *c, struct http_call *out);
/* After the build: the body holds the message itself, not fields of it. */
bool provider_call_sends_message(const struct provider_call *c);
/* Likewise: leaves of it are encoded anew, as the module needs it. */
bool provider_call_is_recoded(const struct provider_call *c);
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

/* The call an answer is to, as its module must know it. */
struct provider_asked {
	size_t recipient_count;
	const struct postern_str *recipients; /* NULL: not known any more */
	int64_t now;                          /* seconds */
	bool is_repeat; /* as in struct postern_response */
};

/* Borrowed from a call that was built. */
struct provider_asked provider_call_asked(
    const struct provider_call *c, int64_t now);

/*
 * What an ended http_call means: transport faults are mapped here, complete
 * heads by the module. rejected_bits: (recipient_count + 7) / 8 bytes of the
 * caller's, zeroed here.
 */
void provider_classify(const struct postern_provider *p, const void *settings,
    const struct http_response *response, const struct provider_asked *asked,
    uint8_t *rejected_bits, struct provider_result *out);

/*
 * Make a text of size bytes at most safe to log and to show, in its place:
 * one line, no controls, valid UTF-8.
 */
void provider_clean_text(char *text, size_t size);

/* What happened to a request, in a few words. */
const char *provider_fault_text(enum http_fault fault);
/* "accepted", "rejected", ... for logs, metrics and the ledger. */
const char *provider_class_name(enum postern_class c);
