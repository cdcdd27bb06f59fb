/*
 * From "the client said end of data" to "every recipient is final". One
 * struct deliver per worker loop: it accepts messages in the mode asked for,
 * runs attempts, records outcomes, and wakes what is due again. All functions
 * on the worker's thread.
 */
#pragma once

#include <base/err.h>
#include <base/id.h>
#include <config/config.h>
#include <mail/envelope.h>
#include <mail/message.h>
#include <postern/outcome.h>

#include <stdbool.h>
#include <stdint.h>

struct blocking;
struct counters;
struct deliver;
struct http;
struct loop;
struct quota;
struct store;
struct throttle;

struct deliver_services {
	struct loop *loop;
	struct http *http;
	struct store *store;
	struct store *volatile_store; /* memory twin for direct mode */
	struct blocking *pool;        /* heavy builds */
	struct counters *counters;    /* this worker's */
	struct throttle *reports;     /* per address they go to */
};

struct deliver *deliver_new(
    const struct deliver_services *services, struct config *config);
/*
 * New messages, and rounds of those that waited, use this snapshot from now
 * on; what is under way keeps its own.
 */
void deliver_set_config(struct deliver *d, struct config *config);
/* A message found in the store at start, or due again; RFC 6710 priority. */
void deliver_schedule(
    struct deliver *d, struct id id, int64_t due_wall_ms, int priority);
/*
 * Start no more attempts; on_idle runs once when none is under way. What is
 * left stays in the store.
 */
void deliver_drain(struct deliver *d, void (*on_idle)(void *ctx), void *ctx);
/* Nothing is under way, and nothing waits for its time. */
bool deliver_is_empty(const struct deliver *d);
/*
 * Clients that wait for a verdict on a message that is durable hear that it is
 * queued: there is no more time to wait.
 */
void deliver_answer_durable(struct deliver *d);
void deliver_free(struct deliver *d); /* idle or never started */
size_t deliver_inflight(const struct deliver *d);

enum deliver_verdict {
	DELIVER_QUEUED = 0, /* durable: 250 queued as <id> */
	DELIVER_SENT,       /* a provider took it: 250 accepted by <provider> */
	DELIVER_REJECTED,   /* permanent: 5xx */
	DELIVER_DEFERRED,   /* temporary and not stored: 451 */
	DELIVER_FULL,       /* 452 4.3.1 */
	DELIVER_STORE_ERROR, /* 451 4.3.0 */
	DELIVER_NO_ROUTE,    /* 451 4.3.5 */
	DELIVER_NO_UTF8,     /* no provider of a route carries it: 554 5.6.9 */
	DELIVER_NO_CARRIER,  /* likewise of its content: 554 5.6.3 */
	DELIVER_NOT_NAMED    /* nor one that X-Postern-Provider names: 550 */
};

struct deliver_answer {
	enum deliver_verdict verdict;
	const char *provider; /* SENT */
	const char *reason;   /* REJECTED, DEFERRED: a line for the client */
	enum postern_class result; /* of the last attempt, for the reply code */
	enum postern_refusal refusal; /* REJECTED: likewise */
	/* QUEUED, SENT: a duplicate that is not kept; the queue id of the
	 * message that stands for it. Else NULL. */
	const char *first;
	/* NO_CARRIER: what is not carried, POSTERN_CARRIES_*, and to whom. */
	unsigned missing;
	size_t recipient;
};

/*
 * One message handed over by a session. The session fills it and keeps it
 * alive until on_answer, which runs exactly once, never inside
 * deliver_submit. message is a reference the delivery takes over.
 */
struct deliver_submission {
	struct id id;
	const struct envelope *envelope;
	struct message *message;
	enum config_mode mode; /* never INHERIT */
	int64_t quota_day;     /* charged by the session, stored with it */
	bool has_message_id;   /* one that its client gave it */
	/*
	 * Why a person must let it go first, or NULL. Such a message is stored
	 * in any mode; there must be a store.
	 */
	const char *hold_reason;
	void (*on_answer)(
	    struct deliver_submission *s, const struct deliver_answer *answer);
	/* deliver's: */
	void *delivery;
	enum deliver_verdict refusal; /* answered at the end of the turn */
	unsigned missing;             /* with NO_CARRIER */
	size_t recipient;
	struct deliver_submission *next; /* among those */
};

void deliver_submit(struct deliver *d, struct deliver_submission *s);
/*
 * Whether a provider can carry addresses that are not ASCII, as far as that is
 * known: recipient.ptr is NULL before there is one.
 */
bool deliver_carries_utf8(const struct deliver *d, struct span user,
    struct span sender, struct span recipient);
/*
 * The client is gone: on_answer will not run and s may be freed at once. True
 * when the delivery goes on all the same, as from the queue; false when it
 * was refused or is direct, where an attempt under way is the last one.
 */
bool deliver_abandon(struct deliver *d, struct deliver_submission *s);
/*
 * The client has waited too long: on_answer will not run and s may be freed
 * at once. False when the message is stored: it goes on, say 250. True when
 * it is withdrawn: say 451. What the store may still do about it is undone
 * before any attempt; in direct mode the call under way is the last one.
 */
bool deliver_withdraw(struct deliver *d, struct deliver_submission *s);
