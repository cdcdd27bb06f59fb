/*
 * How the providers are, for the whole process: may this account be called
 * now, and what a call taught. An account is a provider's name with a digest
 * of its type and settings: it outlives reloads that leave those alone, and a
 * new key begins afresh. Snapshots of the configuration share it by reference.
 *
 * Every call passes health_enter and ends in health_leave or health_cancel.
 * One mutex per account, taken a few times per call; no I/O, no loop: now_ms
 * is monotonic and the caller's. Only the days and months of what an account
 * may spend are of the wall clock. Functions are for any thread; a struct
 * health_call belongs to one, but see wake.
 */
#pragma once

#include <base/list.h>
#include <base/span.h>
#include <health/breaker.h>
#include <health/spend.h>
#include <postern/inquiry.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct config_provider;
struct health_account;

/*
 * Give each provider of c its account: that of `old` (NULL: there is none)
 * where name and digest are the same, else a new one. c's limits are in force
 * from then on. Before c is shared. 0, or -ENOMEM with nothing changed. Main
 * thread.
 */
int health_configure(struct config *c, const struct config *old);

/*
 * What the store remembers: so many recipients were handed to the provider on
 * that UTC day. For a c that is configured; any thread.
 */
void health_restore_spent(const struct config *c, struct span provider,
    int64_t day, uint64_t recipients);

enum health_gate {
	HEALTH_GO = 0, /* the call is held: a place is taken */
	HEALTH_QUEUED, /* waits for a place: wake follows */
	HEALTH_OPEN,   /* the breaker is */
	HEALTH_PACED,  /* its turn comes later */
	HEALTH_FULL,   /* as many calls under way as may be */
	HEALTH_BUDGET, /* too many retries */
	HEALTH_SPENT   /* all recipients of this day or month */
};

enum {
	HEALTH_TEXT_SIZE = 256
};

/* A call that somebody wants to make. Zeroed before its first use. */
struct health_call {
	/* Who asks, set before health_enter: */
	struct breaker_ask ask;
	uint64_t recipients;        /* to be handed over */
	bool is_retry;              /* the provider had this message before */
	bool has_choice;            /* another provider can have it instead */
	uint64_t turn_ms, place_ms; /* patience for a turn, and for a place */
	/*
	 * NULL: does not queue. Else a call may be HEALTH_QUEUED; wake runs
	 * once then, on any thread and with no lock held, unless
	 * health_unqueue came first. Up to wake nobody touches the call.
	 */
	void (*wake)(struct health_call *c);

	/* The answer: */
	enum health_gate gate;
	uint64_t begin_ms; /* GO: not before */
	uint64_t again_ms; /* not GO: worth asking again */
	/* GO: the recipients that may be handed over, which may be fewer. */
	struct spend_share share;

	/* How it ended: recipients refused by a call that took the others. */
	uint64_t refused;

	/* Of health: */
	struct health_account *account; /* NULL: not held */
	bool is_queued;                 /* under the account's lock */
	struct breaker_pass pass;
	uint64_t entered_ms;
	struct list link; /* among those that queue */
};

enum health_gate health_enter(
    struct health_account *a, struct health_call *c, uint64_t now_ms);
/*
 * Out of the queue: true, and wake will not run. False: it has run or is
 * about to, and c->gate holds what it said.
 */
bool health_unqueue(struct health_account *a, struct health_call *c);
/* Held: whether the call is still wanted when its turn has come. */
bool health_may_begin(const struct health_call *c);
/*
 * Held: the call was made, and what it taught. A change of the breaker is
 * logged: breaker_open (an error when the account is refused: somebody must
 * act), breaker_close.
 */
void health_leave(struct health_call *c, const struct postern_outcome *outcome,
    uint64_t now_ms);
/* Held: it was not made. Also fine when it is not held. Not while queued. */
void health_cancel(struct health_call *c, uint64_t now_ms);

/* --- what the account says of itself --- */

/*
 * Whether it is time to ask the account what it may send: at first, then every
 * quarter of an hour, and a minute after it was asked last when a call was
 * throttled or the account refused since. True: the caller asks, nobody else
 * does, and health_told or health_not_told follows. False: *again_ms says when
 * to look.
 */
bool health_may_ask(
    struct health_account *a, uint64_t now_ms, uint64_t *again_ms);
/*
 * What came of it. Facts hold until there are others: nothing goes faster than
 * they allow, a quota that is used up is a pause until it is asked again, and
 * an account that is closed counts as refused. That it could not be asked
 * changes nothing. Changes are logged: account_told, account_unknown.
 */
void health_told(
    struct health_account *a, const struct postern_inquiry *q, uint64_t now_ms);
/* It was not asked after all. */
void health_not_told(struct health_account *a);

/* Recipients this provider was handed today (UTC). */
uint64_t health_spent_today(struct health_account *a);

/*
 * Calls that could begin within a second or two at the providers of config
 * that carry mail; and at one account.
 */
size_t health_room(const struct config *config, uint64_t now_ms);
size_t health_room_at(struct health_account *a, uint64_t now_ms);

/* An account as it is. */
struct health_view {
	enum breaker_state state;
	uint64_t since_ms;  /* monotonic, of the state */
	uint64_t failed_ms; /* likewise; 0 = never */
	uint64_t again_ms; /* when it may be called again, if not now; 0: now */
	uint64_t early_ms; /* OPEN: when as a last resort */
	char reason[HEALTH_TEXT_SIZE]; /* why not now, "" = nothing is wrong */
	uint64_t opened;               /* times, since it is known */
	size_t held, queued;
	size_t limit;      /* of calls at a time */
	double per_second; /* of calls; 0 = no limit */
	double ceiling;    /* it never goes above; 0 = none */
	bool is_told;      /* its account has said: */
	struct postern_inquiry told;
	uint64_t asked_ms; /* monotonic, last; 0 = never */
	/* Why it could not be asked then, or "". */
	char trouble[POSTERN_REASON_SIZE];
	uint64_t paused_ms;
	struct spend_view spend;
	uint64_t spent_until_ms; /* monotonic; 0: something is left */
};
void health_look(
    struct health_account *a, uint64_t now_ms, struct health_view *out);
/*
 * Why a call has to wait, for people: "ses: paused after 5 failures in a row,
 * next try in 20 s". After an answer other than GO.
 */
void health_explain(struct health_account *a, const struct health_call *c,
    uint64_t now_ms, char out[HEALTH_TEXT_SIZE]);
