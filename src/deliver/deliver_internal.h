/*
 * What the files of this folder share. The life of a delivery:
 *
 *   accept.c or resume.c   makes it, from a session or from the store;
 *                          duplicate.c: unless it is there already
 *   round.c                picks a batch of recipients and its provider, has
 *                          the store mark it, starts the attempt
 *   round_route.c          which provider that is: route, order, turn
 *   batch.c                how many recipients a call takes, its key
 *   gate.c                 whether that provider may be called now
 *   attempt.c              one call to the provider, with credentials from
 *                          grants.c where its module fetches them
 *   outcome.c              what the result does to each recipient
 *   round.c                records that together with the next mark, or ends
 *   operate.c              or a person changes what waits, without an attempt
 *   notice.c               before it ends: tells the sender what is owed
 *   event.c                and the webhook
 *
 * A delivery has one thing under way at a time: a store request, a wait at a
 * gate or for credentials, a build in the pool, or an HTTP call. It is freed
 * only between them, in delivery_finish.
 */
#pragma once

#include <base/arena.h>
#include <base/counters.h>
#include <base/list.h>
#include <base/map.h>
#include <deliver/batch.h>
#include <deliver/crowd.h>
#include <deliver/deliver.h>
#include <deliver/due.h>
#include <deliver/event_text.h>
#include <deliver/grants.h>
#include <deliver/inquiries.h>
#include <health/health.h>
#include <http/http.h>
#include <loop/blocking.h>
#include <loop/loop.h>
#include <mail/report.h>
#include <provider/provider.h>
#include <route/router.h>
#include <store/store.h>

enum {
	DELIVER_RESUMED_MAX = 256, /* deliveries from the store at a time */
	DELIVER_EVENTS_MAX = 64,   /* beside them: a webhook may be slow */
	DELIVER_LOADING_MAX = 16,  /* of each, those whose size is not known */
	DELIVER_LOADED_BYTES_MAX = 64 * 1024 * 1024, /* likewise, of each */
	/* Those from sessions; beyond, new messages wait in the store. */
	DELIVER_FRESH_MAX = 1024,
	DELIVER_FRESH_BYTES_MAX = 128 * 1024 * 1024,
	/* Of messages that are taken apart, from then to the answer. */
	DELIVER_CONTENT_BYTES_MAX = 128 * 1024 * 1024
};

/*
 * What of the messages that wait is at work. They stand in two lines, mail and
 * events, which share nothing here: neither a slow webhook nor a crowd of mail
 * takes the other's places or memory, or keeps it from being read.
 */
struct deliver_line {
	size_t taken;   /* places */
	size_t loading; /* of them, those whose size is not known */
	uint64_t bytes; /* of messages in memory */
	/* Monotonic: one was read though all its gates were shut. */
	uint64_t shut_look_ms;
};

/* Owned by the worker; its thread. */
struct deliver {
	struct deliver_services services;
	struct config *config; /* for what starts now */
	struct due due, due_events;
	struct loop_timer due_timer;
	struct grants *grants;
	struct inquiries *inquiries;
	struct map *active; /* id -> struct delivery */
	struct deliver_line mail, events;
	struct crowd crowds[COUNTER_PROVIDERS_MAX]; /* by slot */
	/* Resumed deliveries whose call is held, by slot of the provider. */
	size_t resumed_at[COUNTER_PROVIDERS_MAX];
	size_t active_count;
	uint64_t fresh_bytes;               /* of messages from sessions */
	uint64_t content_bytes;             /* of those that are taken apart */
	uint64_t content_max;               /* of those, but for one alone */
	struct list content_queue;          /* attempt.turn: others, in order */
	struct deliver_submission *refused; /* answered by turn_end */
	struct task turn_end;
	bool is_turn_end_queued;
	bool is_draining;
	void (*on_idle)(void *ctx); /* NULL once called */
	void *idle_ctx;
};

/* What a round knows of a recipient beyond what the store keeps. */
struct target {
	const struct config_route *route; /* NULL: none matches any more */
	const struct router_order *order; /* of its providers; NULL: not open */
	size_t position;                  /* in order, of the next try */
	uint64_t floor_ms;  /* longest Retry-After of this round */
	unsigned needs;     /* POSTERN_CARRIES_* of those providers */
	bool is_open;       /* has a provider to try in this round */
	bool is_changed;    /* differs from what the store has */
	bool may_wait;      /* not every provider has refused for good */
	bool owes_delay;    /* the sender is to be told that it takes long */
	bool owes_deferred; /* and a webhook, that it waits */
	/* What the gates said in this round. */
	bool was_tried, is_retry;
	bool is_some_closed; /* not all were passed over as open or spent */
	bool is_last_resort; /* all were: this one is tried all the same */
	uint64_t again_ms;   /* monotonic: the first chance; 0 = none known */
	const struct config_provider *again_at; /* who has it */
};

/* One for each route that a round uses; of the arena. */
struct round_order {
	struct round_order *next;
	struct router_order order;
};

/* The call to a provider that is being made; attempt.c. */
struct attempt {
	const struct config_provider *provider;
	bool is_pinned; /* no other provider may follow */
	char key[BATCH_KEY_SIZE];
	struct list turn;             /* in content_queue */
	uint64_t content_bytes;       /* counted in the owner's */
	struct grant_waiter waiter;   /* for credentials, before the call */
	struct provider_grant *grant; /* a reference while there is a call */
	bool is_repeated;             /* with other credentials */
	struct provider_call *call;
	struct http_call http;
	struct blocking_job job; /* a heavy build */
	int build_rc;
	struct err build_error;
	uint64_t began_ns;
};

struct deliver_operation;

/* The report that is being made; notice.c. */
struct notice {
	enum report_action action;
	struct store_entry entry;
	struct store_recipient recipient;
	size_t count; /* recipients it is about */
};

/* The events that are being made; event.c. */
struct event_maker {
	struct store_find ledger; /* entry NULL: nothing is under way */
	const struct store_attempt **last; /* per recipient, or NULL */
	enum event_type type;
	struct store_entry entry;
	struct store_recipient recipient;
	size_t count; /* recipients it is about */
};

/* One message at work. Owned by deliver. */
struct delivery {
	struct deliver *owner;
	struct config *config; /* a reference */
	struct store *store;   /* where this message is */
	struct id id;
	char id_text[ID_TEXT_SIZE];
	struct arena arena;         /* everything of the size of the message's
				       recipient list, and copied names */
	struct store_entry *loaded; /* resumed ones: owns what follows */
	struct span user, sender;
	struct envelope_terms terms;
	bool is_report; /* one of ours (RFC 3464) */
	bool is_event;  /* one for the webhook */
	int64_t created_ms;
	struct message *message; /* a reference */
	struct store_recipient *recipients;
	struct target *targets; /* parallel */
	size_t count;
	enum config_mode mode; /* a resumed one is QUEUED */
	bool is_resumed;
	struct deliver_line *line;      /* resumed: where it has its place */
	bool is_unrecorded;             /* the store has an older state */
	struct loop_timer record_again; /* armed while that may change */
	struct deliver_operation *operation; /* who waits for its record */
	int64_t revived_ms; /* what had failed is to be sent, from then on */
	bool has_again;     /* deliver_schedule was called meanwhile */
	int64_t again_ms;
	/* One draw per round and one reading of the clock per step: recipients
	 * that wait together come back together, in the same batch. */
	uint64_t random;
	int64_t now_ms;              /* wall clock */
	unsigned needs;              /* POSTERN_CARRIES_* for every recipient */
	struct router_message rules; /* the message, once routes ask for it */
	struct round_order *orders;

	/* The client's side; accept.c. */
	struct deliver_submission *submission; /* NULL: nobody waits */
	bool is_durable, is_budget_over;
	bool is_withdrawn; /* the client was told that it is not taken */
	bool was_held;     /* by hold_reason, before that */
	bool is_refusing;  /* it will be, once that is recorded */
	const char *first; /* a duplicate's answer: id of what it is one of */
	struct loop_timer budget;

	/* The batch at work: indices of recipients, in order. */
	size_t *batch;
	size_t batch_count;
	struct span *batch_addresses;
	uint8_t *rejected_bits;
	struct attempt attempt;
	struct notice notice;
	struct event_maker event;
	struct provider_result result;
	char reason[POSTERN_REASON_SIZE]; /* of the last trouble, one line */
	enum postern_class last_class;
	enum postern_refusal refusal;  /* common to all, else MESSAGE */
	bool is_refused;               /* refusal holds one */
	char sent_by[STORE_NAME_SIZE]; /* who accepted last */

	/* The gate of the batch's provider; gate.c. */
	struct {
		struct health_call call;
		struct health_account *account; /* asked last */
		struct loop_timer timer;        /* the turn, or patience */
		struct task woken;
		bool is_queued; /* woken follows, or the timer */
		bool is_tired;  /* waited long enough for a place there */
		bool is_counted;
		size_t slot;
		/* How long after its opening it comes back to one that was
		 * shut, for all recipients that wait for the same. */
		const struct config_provider *late_at; /* NULL: none */
		uint64_t late_ms;
	} gate;

	/* What this round did, for the log: recipients. */
	struct {
		size_t sent, failed, waiting, held, withdrawn;
	} news;

	/* Workspace of the store request under way. */
	union {
		struct store_accept accept;
		struct store_update update;
		struct store_load load;
		struct store_find find;
	} request;
	struct store_entry entry; /* of accept */
	size_t *changed;
	struct store_recipient *values;
	struct store_attempt *rows;
	size_t row_count;
};

static inline const struct config_provider *delivery_provider(
    const struct delivery *d, size_t index)
{
	return CONFIG_AT(d->config->providers, struct config_provider, index);
}

/* --- deliver.c --- */

/* In the active set, with a reference to config. NULL for memory. */
struct delivery *delivery_new(
    struct deliver *owner, struct id id, struct config *config);
/* Arrays for count recipients. 0 or -ENOMEM. */
int delivery_reserve(struct delivery *d, size_t count);
/* Where the owner counts the bytes of this delivery's message. */
uint64_t *delivery_bytes(const struct delivery *d);
/* Out of the active set and freed; wakes what waited for the place. */
void delivery_free(struct delivery *d);
/* The round is over: log, answer, schedule what is left, free. */
void delivery_finish(struct delivery *d);
/* Let the message wait in the store until at_ms (wall clock). */
void deliver_wait(
    struct deliver *owner, struct id id, int64_t at_ms, int priority);
/* Run the owner's end-of-turn work. */
void deliver_end_turn_later(struct deliver *owner);
/* Something works on it. */
bool deliver_is_active(const struct deliver *owner, struct id id);
struct counter_provider *deliver_counter(
    const struct delivery *d, const struct config_provider *p);

/* A batch left `from` for the provider that is recipient i's now. */
void deliver_count_failover(
    const struct delivery *d, const struct config_provider *from, size_t i);

/* --- accept.c --- */

/*
 * Answer the client if what is known now decides it. is_over: the round has
 * ended and is recorded, so that an answer must be given.
 */
void accept_review(struct delivery *d, bool is_over);
/* The budget is over before its time: answer as soon as it is durable. */
void accept_hurry(struct delivery *d);
/*
 * The round is over. When the client is still there to hear that all is
 * refused, no recipient owes a report.
 */
void accept_prepare(struct delivery *d);
/* It did not hear it: they do. True when that changed something. */
bool accept_owe_again(struct delivery *d);
/*
 * It cannot be refused or withdrawn any more: a client that sent the same
 * again was told that it is taken. Its own client hears the same.
 */
void accept_keep(struct delivery *d);
/* Of the message as it is stored: bounded, without brackets; "" for none. */
struct span accept_message_id(const struct message *m);
/* Answer those whom deliver_submit could not serve. */
void accept_answer_refused(struct deliver *owner);

/* --- duplicate.c --- */

/* By what the store finds out whether d is a duplicate; key 0: it is not to. */
void duplicate_prepare(const struct delivery *d, struct store_guard *out);
/* It is one: to the log, and counted. */
void duplicate_tell(const struct delivery *d, const struct store_accept *a);

/* --- resume.c --- */

/* Load a message whose time has come and deliver it. */
void resume_start(struct deliver *owner, struct id id, int priority);
/*
 * A delivery of a message that is to be read, with a place in line, one of the
 * owner's; NULL for memory.
 */
struct delivery *resume_new(
    struct deliver *owner, struct id id, struct deliver_line *line);
/* It is being read, and is not any more. */
void resume_loading(struct delivery *d);
void resume_loaded(struct delivery *d);
/* It was read: e, which it takes over. 0 or -ENOMEM. */
int resume_take(struct delivery *d, struct store_entry *e);

/* --- operate.c --- */

/*
 * What an operation changed is recorded, or rc: -EINPROGRESS not yet, else it
 * will not be. Without an operation: nothing.
 */
void operate_recorded(struct delivery *d, int rc);

/* --- round.c, round_route.c --- */

/* Find routes for recipients that are to be tried now. */
void round_begin(struct delivery *d);
enum round_plan {
	ROUND_NOTHING = 0, /* is left to try in this round */
	ROUND_BATCH,       /* is marked, and held at its gate */
	ROUND_LATER        /* a gate may open soon */
};
/*
 * Choose the next batch and mark its recipients STARTED in memory.
 * may_queue: there is nothing to record first, so that a ROUND_LATER may come
 * back to round_seek by itself.
 */
enum round_plan round_plan(struct delivery *d, bool may_queue);
/* Nothing is to be recorded: choose, waiting at a gate if need be, go on. */
void round_seek(struct delivery *d);
/* The mark is durable: begin the attempt, or take it back while draining. */
void round_go(struct delivery *d);
/*
 * Record what changed, with the mark of the next batch, then go on with that
 * or finish.
 */
void round_next(struct delivery *d);
/* The drain has begun: who waits to record tries a last time now. */
void round_hurry(struct delivery *d);
/* Record what changed; else tell the sender what is owed; else finish. */
void round_close(struct delivery *d);
/* The route of recipient i as things are now, or NULL. */
const struct config_route *round_route(struct delivery *d, size_t i);
/* Of a route's providers, for all of its recipients. NULL for memory. */
const struct router_order *round_order(
    struct delivery *d, const struct config_route *route);
/* The providers of its route that a message names, or "" for all of them. */
struct span round_named(const struct message *m);
/* Providers to try for recipient i: how many; 1 when it is pinned. */
size_t round_provider_count(const struct delivery *d, size_t i);
/* Index in config.providers of the one to try next; SIZE_MAX: gone. */
size_t round_provider_index(const struct delivery *d, size_t i);
/* Recipients of the batch that would begin with i. */
size_t round_batch_size(const struct delivery *d, size_t i);
/*
 * The first position from `from` on whose provider can carry it; SIZE_MAX when
 * there is none. For targets that are open and not pinned.
 */
size_t round_position(const struct delivery *d, size_t i, size_t from);
/* How long recipient i waits when no provider of its route took it. */
uint64_t round_backoff_ms(const struct delivery *d, size_t i);
/*
 * And when it is not known whether one did: longer each time, as every answer
 * that tells nothing may be one more copy.
 */
uint64_t round_unknown_ms(const struct delivery *d, size_t i);

/* --- gate.c --- */

enum gate_answer {
	GATE_OPEN = 0,
	GATE_LATER, /* soon: see the function */
	GATE_SHUT
};

void gate_init(struct delivery *d);
/*
 * Ask for a batch that begins with recipient i. OPEN: it is held. LATER: with
 * may_queue round_seek follows by itself, without it ask again with it.
 */
enum gate_answer gate_ask(struct delivery *d, size_t i, bool may_queue);
/* SHUT at p, for people. */
void gate_tell(struct delivery *d, const struct config_provider *p);
/* And for recipient i: true when it goes on to another provider. */
bool gate_pass_over(struct delivery *d, size_t i);
/* OPEN at p: the batch is made. */
void gate_hold(struct delivery *d, const struct config_provider *p);
/*
 * The batch may leave. LATER: its turn has not come, round_go follows. SHUT:
 * the provider was given up meanwhile.
 */
enum gate_answer gate_begin(struct delivery *d);
/* The attempt was made. */
void gate_leave(struct delivery *d, const struct postern_outcome *outcome);
/* What is held, if anything, is not used. */
void gate_drop(struct delivery *d);
/* The drain has begun: no more waiting. */
void gate_hurry(struct delivery *d);

/* --- attempt.c --- */

/* Build and send for the batch; leads to round_next, perhaps inside. */
void attempt_start(struct delivery *d);
/* Go on with those that waited for memory: what fits, or all of a drain. */
void attempt_wake(struct deliver *owner);
/* The message is not in memory for this attempt any more. */
void attempt_leave(struct delivery *d);

/* --- notice.c --- */

/* Whether the sender is to hear that of recipient i. */
bool notice_is_wanted(
    const struct delivery *d, size_t i, enum envelope_notify what);
bool notice_of_delay_is_wanted(const struct delivery *d, size_t i);
/*
 * Make the next report that is owed, if any: true, and it leads to
 * round_close, perhaps inside.
 */
bool notice_begin(struct delivery *d);
/*
 * RFC 3463, of recipient i's last attempt (NULL: none). What was not refused
 * has expired, or nobody knows what became of it and its route gives it up
 * then.
 */
const char *notice_status(const struct delivery *d, enum report_action action,
    const struct store_attempt *last);

/* --- event.c --- */

/* Whether the webhook is to hear of that. */
bool event_is_wanted(const struct delivery *d, enum event_type type);
/* What its recipients are, is an event: which. */
enum event_type event_type_of(const struct delivery *d);
/*
 * Make the next events that are owed, if any: true, and it leads to
 * round_close, perhaps inside.
 */
bool event_begin(struct delivery *d);
/* What is left of the work on them goes. */
void event_finish(struct delivery *d);

/* --- outcome.c --- */

/* Apply the provider's answer, d->result, to the batch. */
void outcome_apply(struct delivery *d);
/*
 * No request left. rc: -EINVAL the module cannot carry the message, ever;
 * -EMSGSIZE likewise, for its size; else the trouble may pass.
 */
void outcome_not_sent(struct delivery *d, int rc, const char *why);
/* On to the next provider of i's route. False: there is none. */
bool outcome_next_provider(struct delivery *d, size_t i);
/* The round is over for i: it waits as its attempts say, or has failed. */
void outcome_put_off(struct delivery *d, size_t i);
/* No gate is open for i: it waits, and nothing of that needs recording. */
void outcome_pause(struct delivery *d, size_t i, uint64_t delay_ms);
/* The batch does not leave after all: its recipients are as before. */
void outcome_unmark(struct delivery *d);
/* The module takes these only one by one: each is offered again, alone. */
void outcome_go_singly(struct delivery *d);
/* No call was made for want of something of ours: try again shortly. */
void outcome_postpone(struct delivery *d, const char *why);
/* Nothing is known of a call that was under way when we stopped. */
void outcome_interrupted(struct delivery *d, size_t i);
/* Recipient i cannot be tried now: wait, or fail when it is too old. */
void outcome_wait(struct delivery *d, size_t i, uint64_t delay_ms);
/* Likewise, but held when it is too old: the mail is not to blame. */
void outcome_wait_or_hold(struct delivery *d, size_t i, uint64_t delay_ms);
/* A person decides about recipient i. */
void outcome_hold(struct delivery *d, size_t i);
/*
 * A person has decided, and why is in d->reason. Due now; is_new: wherever it
 * goes, as something else than before.
 */
void outcome_release(struct delivery *d, size_t i, bool is_new);
void outcome_revive(struct delivery *d, size_t i); /* it had failed */
void outcome_expire(struct delivery *d, size_t i);
void outcome_drop(struct delivery *d, size_t i);
/* That in the ledger. */
void outcome_note_operator(struct delivery *d, size_t i);
/* A person decides about all of them, before any attempt; with a reason. */
void outcome_hold_all(struct delivery *d, const char *why);
/* The client was told to come back: nothing of it must be left. */
void outcome_withdraw(struct delivery *d, const char *why);
/* An event that nobody can have. */
void outcome_drop_event(struct delivery *d, size_t i, const char *why);
/* What is left of the round does not happen: the drain, or no client. */
void outcome_park(struct delivery *d);
/* Set d->reason: bounded, one line, printable. */
void outcome_set_reason(struct delivery *d, const char *why);

/* When its first attempt may be: its age counts from here. */
static inline int64_t delivery_begins_ms(const struct delivery *d)
{
	return d->terms.release_ms > d->created_ms ? d->terms.release_ms
						   : d->created_ms;
}

/*
 * How often a person wanted it sent anew, as part of a key or an id: nothing,
 * one byte or two. Returns how many; out[0] is set in any case.
 */
static inline size_t delivery_turn(uint16_t turn, uint8_t out[2])
{
	out[0] = (uint8_t)(turn & 0xff);
	if (turn <= UINT8_MAX)
		return turn > 0;
	out[1] = (uint8_t)(turn >> 8);
	return 2;
}

static inline bool delivery_is_direct(const struct delivery *d)
{
	return d->mode == CONFIG_MODE_DIRECT;
}
