/*
 * Who is it? One SASL exchange at a time per session: begin, step, done, all
 * on the session's loop. Hashes are computed on a pool of their own; a cache
 * of verified credentials makes the second login cheap. Cyrus libsasl2 stays
 * inside sasl*.c.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <base/netaddr.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct auth;         /* process-wide service */
struct auth_session; /* one AUTH command */
struct config;
struct loop;

/* Before any other library that might use SASL, in main. 0 or -errno. */
int auth_library_init(struct err *e);
void auth_library_done(void);

/*
 * Reads a URL into out, up to its maximum. 0, or a negative errno with e set.
 * Blocks; runs on pool threads, perhaps several at once.
 */
typedef int auth_fetch(const struct config *config, const char *url,
    struct buf *out, struct err *e);

/*
 * Whether every mechanism this configuration names is really there; e says
 * which is missing and what to install. For a start and for a reload.
 */
int auth_check_config(const struct config *config, struct err *e);

/* Checks config too, and starts the pool. NULL with e set on failure. */
struct auth *auth_new(const struct config *config, struct err *e);
/*
 * How keys at a URL are read (auth.oauth.jwks_url); without it they are not.
 * Before the first session.
 */
void auth_set_fetch(struct auth *a, auth_fetch *fetch);
/*
 * Waits for the hashes under way. Call it when all sessions have ended and
 * before loop_stop: what the pool posts to their loops must still be run.
 * Accepts NULL.
 */
void auth_free(struct auth *a);

/* How a client is connected; what it points to is borrowed for a call. */
struct auth_channel {
	int tls_bits;         /* 0 = no TLS */
	bool allow_plaintext; /* passwords also then */
	struct netaddr peer;
	/*
	 * What the client's certificate was verified to name, ending with
	 * NULL: "dns:host", "email:a@b", "uri:...", "CN=...", "sha256:" with
	 * 64 lower-case hexadecimal digits. NULL: none was verified.
	 */
	const char *const *proven;
};

/*
 * Space-separated mechanisms to offer, valid until auth_free; "" when none is
 * possible now, as without TLS unless allow_plaintext. SCRAM-SHA-256 is
 * offered when all users with a password have such a record, EXTERNAL when
 * the certificate is a user's, tokens only with TLS. Cheap: worked out once per
 * configuration, which is kept by reference until the first new one after
 * everybody else has dropped it. Any thread.
 */
const char *auth_mechanisms(
    struct auth *a, struct config *config, const struct auth_channel *channel);

enum auth_result {
	AUTH_OK = 0,          /* 235 2.7.0 */
	AUTH_CONTINUE,        /* 334 with challenge */
	AUTH_BAD_CREDENTIALS, /* 535 5.7.8 */
	AUTH_UNAVAILABLE,     /* 454 4.7.0; not the client's failure */
	AUTH_NO_MECHANISM,    /* 504 5.5.4 */
	AUTH_NEEDS_TLS,       /* 538 5.7.11; nothing was evaluated */
	AUTH_MALFORMED,       /* 501 5.5.2 */
	AUTH_DISABLED         /* 525 5.7.13; the credentials were right */
};

/* Borrowed strings are valid until auth_step or auth_end. */
struct auth_answer {
	enum auth_result result;
	struct span challenge; /* CONTINUE: raw, not yet base64; borrowed */
	/*
	 * CONTINUE: the login has failed. The challenge says why, and
	 * BAD_CREDENTIALS comes next, if the client says anything.
	 */
	bool is_refused;
	/*
	 * OK: the name as configured. Failure (also is_refused): the name that
	 * was tried, for the log, or NULL when none was understood. Borrowed.
	 */
	const char *user;
	const char *detail; /* failure, for the log only; never sent */
};

struct auth_start {
	struct loop *loop;
	struct config *config; /* a reference is taken */
	const char *hostname;
	struct span mechanism;
	bool has_initial;    /* false: no initial response was given */
	struct span initial; /* decoded */
	struct auth_channel channel;
	/*
	 * Runs once per begin and per step, on the loop, never inside them.
	 * May call auth_step and auth_end.
	 */
	void (*on_answer)(void *ctx, const struct auth_answer *answer);
	void *ctx;
};

/*
 * Nothing of start is kept but loop, config and on_answer: the caller may
 * wipe the initial response. NULL for memory.
 */
struct auth_session *auth_begin(struct auth *a, const struct auth_start *start);
/* The client's next response, decoded; after CONTINUE only. */
void auth_step(struct auth_session *s, struct span response);
/* Drop it at any moment; on_answer will not run any more. Accepts NULL. */
void auth_end(struct auth_session *s);

/* The mechanism's canonical name for logs; "unknown" when it is not ours. */
const char *auth_session_mechanism(const struct auth_session *s);

/* Password hashes computed since the start, for metrics. Any thread. */
uint64_t auth_hashes(const struct auth *a);
