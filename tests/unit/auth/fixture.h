/*
 * Configurations with the users a test wants, and clients that log in: each
 * runs its AUTH command on a loop and keeps what it was told.
 */
#pragma once

#include <auth/auth.h>
#include <base/span.h>
#include <config/config.h>
#include <loop/task.h>

#include <stdbool.h>
#include <stddef.h>

enum {
	FIXTURE_STEPS_MAX = 8,
	FIXTURE_TEXT_SIZE = 256
};

struct fixture_user {
	const char *name, *record;
	const char *more; /* one more key of it, in YAML; NULL for none */
};

/* Ends with name NULL. mechanisms: YAML list, or NULL for the default. */
struct config *fixture_config(const struct fixture_user *users,
    const char *mechanisms, const char *cache_ttl);
/* A SCRAM record, made with the least work. */
const char *fixture_scram(const char *password, char out[static 256]);

struct client {
	/* Set by the test. */
	struct auth *auth;
	struct loop *loop;
	struct config *config;
	const char *mechanism;
	bool has_initial;
	struct span initial;
	struct span responses[FIXTURE_STEPS_MAX];
	/* Instead of responses; ptr NULL ends the session there. */
	struct span (*respond)(struct client *c, struct span challenge);
	struct auth_channel channel;
	/* Set by the exchange. */
	struct auth_session *session;
	size_t steps;
	bool is_inside;            /* begin or step is on the stack */
	bool was_refused;          /* by a challenge */
	struct auth_answer answer; /* the last; strings copied below */
	char user[FIXTURE_TEXT_SIZE], detail[FIXTURE_TEXT_SIZE];
	char challenge[FIXTURE_TEXT_SIZE];
	char last_mechanism[FIXTURE_TEXT_SIZE];
	char buf[1024];
	/* For fixture_scram_respond. */
	const char *name, *password;
	const char *gs2; /* header; NULL is "n,," */
	char client_first[256];
	struct task task;
	void (*done)(void *ctx);
	void *done_ctx;
};

/* --- what most tests start from --- */

/* Alice: "wonder land"; bob@example.com: "builder"; both SCRAM. */
struct fixture {
	struct loop *loop;
	struct config *config;
	struct auth *auth;
	char alice_record[FIXTURE_TEXT_SIZE], bob_record[FIXTURE_TEXT_SIZE];
	const char *more; /* lines of auth in YAML; NULL for none */
};

extern struct fixture fixture;

/* For tcase_add_unchecked_fixture and tcase_add_checked_fixture. */
void fixture_open_library(void);
void fixture_close_library(void);
void fixture_open(void);
void fixture_close(void);
/* Like fixture_open, with other users. */
void fixture_open_with(const struct fixture_user *users);

/* A client of all this, with TLS. */
struct client fixture_client(const char *mechanism);
/* A client that sends message with AUTH PLAIN. */
struct client fixture_plain_client(struct span message);
struct client fixture_scram_client(const char *name, const char *password);
/* Log in with it. */
enum auth_result fixture_plain(struct span message);

/* What fixture.auth offers with that much TLS. */
const char *fixture_offers(
    struct config *config, int tls_bits, bool allow_plaintext);

/* Run one AUTH command to its end. */
enum auth_result fixture_login(struct client *c);
/* Run n of them at the same time. */
void fixture_login_all(struct client *clients, size_t n);
/* Begin only, from the loop's thread; session is set. */
void fixture_begin(struct client *c);

/* A response function for SCRAM-SHA-256 with name and password. */
struct span fixture_scram_respond(struct client *c, struct span challenge);
