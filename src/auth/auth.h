/*
 * Who is it? One SASL exchange at a time per session: begin, step, done, all
 * on the session's loop. Hashes are computed on a pool of their own; a cache
 * of verified credentials makes the second login cheap. Cyrus libsasl2 stays
 * inside sasl.c.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>

struct auth;         /* process-wide service */
struct auth_session; /* one AUTH command */
struct config;
struct loop;

/* Before any other library that might use SASL, in main. */
int auth_library_init(struct err *e);
void auth_library_done(void);

/*
 * Checks that every mechanism configured is really there; e says which is
 * missing and what to install.
 */
struct auth *auth_new(const struct config *config, struct err *e);
void auth_free(struct auth *a); /* waits for its pool; accepts NULL */

/*
 * Space-separated mechanisms to offer; "" when none is possible now. tls_bits
 * 0 = no TLS; allow_plaintext lifts the rule that PLAIN needs it.
 */
const char *auth_mechanisms(const struct auth *a, const struct config *config,
    int tls_bits, bool allow_plaintext);

enum auth_result {
	AUTH_OK = 0,        /* 235 2.7.0 */
	AUTH_CONTINUE,      /* 334 with challenge */
	AUTH_BAD_CREDENTIALS, /* 535 5.7.8 */
	AUTH_UNAVAILABLE,   /* 454 4.7.0 */
	AUTH_NO_MECHANISM,  /* 504 5.5.4 */
	AUTH_NEEDS_TLS,     /* 538 5.7.11 */
	AUTH_MALFORMED      /* 501 5.5.2 */
};

struct auth_answer {
	enum auth_result result;
	struct span challenge; /* CONTINUE: raw, not yet base64; borrowed */
	const char *user;      /* OK: canonical name; borrowed */
	const char *detail;    /* failure, for the log only; never sent */
};

struct auth_start {
	struct loop *loop;
	struct config *config; /* a reference is taken */
	const char *hostname;
	struct span mechanism;
	bool has_initial;      /* false: no initial response was given */
	struct span initial;   /* decoded */
	int tls_bits;
	bool allow_plaintext;
	/* Runs once per begin and per step, on the loop, never inside them. */
	void (*on_answer)(void *ctx, const struct auth_answer *answer);
	void *ctx;
};

/* NULL for memory. */
struct auth_session *auth_begin(struct auth *a, const struct auth_start *start);
/* The client's next response, decoded; after CONTINUE only. */
void auth_step(struct auth_session *s, struct span response);
/* Drop it at any moment; on_answer will not run any more. Accepts NULL. */
void auth_end(struct auth_session *s);

/* The name of the mechanism in its canonical form, for logs. */
const char *auth_session_mechanism(const struct auth_session *s);
