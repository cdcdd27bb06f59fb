/*
 * Where a message is safe, and what became of it. The meaning of "durable"
 * lives here: an accept is answered 0 only after a sync covered it.
 *
 * Every operation is asynchronous: the caller embeds its request, the answer
 * comes back as a task on the calling loop, exactly once, never inside the
 * call. Requests of all loops that wait are committed together (group
 * commit). Two back ends stand behind the same functions: "sqlite" and
 * "memory" (nothing survives; for direct mode and tests).
 */
#pragma once

#include <base/err.h>
#include <base/id.h>
#include <base/list.h>
#include <base/span.h>
#include <loop/loop.h>
#include <mail/envelope.h>
#include <mail/message.h>
#include <postern/outcome.h>

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_walk;

enum store_engine {
	STORE_SQLITE = 0,
	STORE_MEMORY
};

struct store_settings {
	enum store_engine engine;
	const char *path; /* directory; created 0700 when missing */
	/* It may lie in memory: what a restart of the machine forgets. */
	bool may_be_lost;
	uint64_t history_ms; /* how long finished messages are kept */
	/* With their bodies those that failed: so long, and so many bytes. */
	uint64_t dead_ms, dead_bytes;
	uint64_t min_free_bytes; /* accept answers -ENOSPC below this */
	/* Waiting for a commit; memory: held at all. -EBUSY above. */
	uint64_t max_pending_bytes;
};

/* A recipient's state; the numbers are stored. */
enum store_state {
	STORE_PENDING = 0, /* waits for its due time */
	STORE_STARTED,     /* a request may be on its way */
	STORE_SENT,        /* final: a provider took it */
	STORE_FAILED,      /* final: refused or expired */
	STORE_HELD,        /* a person decides */
	STORE_DROPPED,     /* final: given back, or a person's wish */
	STORE_BOUNCED,     /* final: as FAILED, and the sender was told */
	/* What it says, but the sender is still to be told, so not final. */
	STORE_FAILED_OWED,
	STORE_SENT_OWED
};

enum {
	STORE_NAME_SIZE = 64,
	/* Of events: behind all mail. */
	STORE_EVENT_PRIORITY = ENVELOPE_PRIORITY_MIN - 1
};

/* For people and programs: "sent". What is owed does not show. */
const char *store_state_name(enum store_state state);

struct store_recipient {
	struct span address;
	enum store_state state;
	uint32_t attempts;
	int64_t due_ms;                 /* wall clock; PENDING only */
	char provider[STORE_NAME_SIZE]; /* STARTED: whose; else the last one */
	bool is_pinned;    /* outcome unknown: only provider may try again */
	bool is_single;    /* goes alone: one of several was refused, unnamed */
	bool is_told;      /* the sender heard that it takes long */
	bool owes_event;   /* a webhook is to hear of it, so not final */
	bool was_deferred; /* a webhook has heard that it waits */
	/* As in the envelope; what an accept said stays. */
	uint8_t notify;
	uint16_t key_turn; /* how often a person wanted it sent anew */
	struct span orcpt;
};

/* One message with its envelope, as stored and as loaded. */
struct store_entry {
	struct id id;
	int64_t created_ms;
	struct span user, sender;
	struct span message_id; /* of its header, without brackets */
	struct envelope_terms terms;
	bool is_report;  /* one of ours (RFC 3464) */
	bool is_event;   /* for a webhook; its priority is that of events */
	bool is_dead;    /* has failed, its body is kept: it may be revived */
	unsigned traits; /* of the message: message_traits */
	struct store_recipient *recipients;
	size_t recipient_count;
	struct message *message; /* NULL where only rows were asked for */
	/* Where rows were asked for: */
	uint64_t size;          /* of the message, in bytes */
	size_t recipient_total; /* a search brings only the first */
};

/* A ledger row: one attempt for one recipient, or what a person decided. */
struct store_attempt {
	size_t recipient; /* index in the entry */
	int64_t at_ms;
	char provider[STORE_NAME_SIZE];
	bool is_operator; /* a person: only the reason says more */
	enum postern_class result;
	enum postern_refusal refusal; /* REJECTED: of what */
	int status;                   /* HTTP, 0 without an answer */
	struct span provider_id;      /* borrowed until the request is done */
	struct span reason;           /* likewise; bounded, secrets masked */
	uint32_t duration_ms;
};

/* What all requests share. Fill loop and done. */
struct store_request {
	struct task task; /* the store's */
	struct loop *loop;
	void (*done)(struct store_request *r);
	int result;                 /* 0 or a negative errno, valid in done */
	int op;                     /* the store's */
	struct store_request *next; /* the store's, while queued or answered */
};

/*
 * Whether a client that never saw our answer sends the same message again.
 * A message counts as the first one while a recipient was sent or is open,
 * within the window, when user and message_id are the same too; and as far as
 * it is remembered: the last 262,144 messages that have a key, in any case; of
 * those from before a start the ones among the last 262,144 messages.
 */
struct store_guard {
	uint64_t key; /* the same for the same mail; 0: never a duplicate */
	uint64_t window_ms;
	bool is_strict;     /* a duplicate is not stored */
	bool wants_verdict; /* the first one must be final, and sent */
};

/* The message that was there first. */
struct store_first {
	struct id id;
	bool is_sent;                   /* to all of its recipients */
	char provider[STORE_NAME_SIZE]; /* is_sent: by whom, for one of them */
};

/*
 * Make a message durable with its recipients as they stand, so that the mark
 * of a first attempt (STARTED with a provider) travels along. entry is
 * borrowed until done. Results: 0 = synced; -EEXIST the id is known (an
 * accept repeated after a lost answer: success for the caller); -EALREADY it
 * is a duplicate and guard.is_strict: nothing is stored nor charged, and the
 * first one cannot be taken back any more (is_refusal below); -ENOSPC;
 * -EIO (nothing more is accepted); -EINVAL an open recipient without a
 * message; -EBADMSG the message could not be read; -ENOMEM; -ECANCELED at
 * stop.
 */
struct store_accept {
	struct store_request request;
	const struct store_entry *entry;
	/* Charged to the daily count of user in the same transaction. */
	int64_t quota_day;
	uint32_t quota_messages;
	struct store_guard guard;
	/* With 0 and -EALREADY: it is one, and first says of what. */
	bool is_duplicate;
	struct store_first first;
};

/*
 * The same charge without a message: of mail that is stored nowhere. user is
 * borrowed until done. Results: 0 = synced; -ENOSPC; -EIO; -ECANCELED.
 */
struct store_charge {
	struct store_request request;
	struct span user;
	int64_t day;
	uint64_t messages;
};

/*
 * Record what attempts did and what is next, in one transaction: ledger rows
 * (of which the accepted and the unknown count as spent at their provider),
 * new states of recipients (indices and values parallel), marks of an attempt
 * about to start. When every recipient is final the message becomes history
 * and its body is released, or kept for a while when a recipient failed and no
 * client heard so (dead; never an event). Borrowed until done. Results: 0;
 * -ENOENT the id or a recipient is unknown, or a recipient should be tried
 * again whose body is already released (nothing of the update is recorded
 * then); -EALREADY is_refusal, but who sent the same again was told that this
 * message is taken (likewise); -ENOSPC; -EIO; -ECANCELED.
 */
struct store_update {
	struct store_request request;
	struct id id;
	const struct store_attempt *attempts;
	size_t attempt_count;
	const size_t *indices;
	const struct store_recipient *recipients;
	size_t recipient_count;
	/* Its client will be told, or was, that it is not taken. */
	bool is_refusal;
	/* Not 0: a dead one is in the queue again, and this is its release. */
	int64_t revived_ms;
};

/*
 * Read a message back for a retry; runs off the loop. Results: 0; -ENOENT
 * unknown, or wants_message and the body is already released; -EBADMSG the
 * body is damaged; -EIO; -ENOMEM; -ECANCELED.
 */
struct store_load {
	struct store_request request;
	struct id id;
	bool wants_message; /* body too, its CRC checked */
	/* Result, owned by the caller (store_entry_free), NULL on failure. */
	struct store_entry *entry;
};

/*
 * What became of it, for people: rows and ledger, oldest attempt first.
 * Results: 0, -ENOENT, -EIO, -ENOMEM, -ECANCELED. The results are freed with
 * store_find_finish, the entry included.
 */
struct store_find {
	struct store_request request;
	struct id id;
	struct store_entry *entry; /* without message; NULL on failure */
	struct store_attempt *attempts;
	size_t attempt_count;
};

/* Which messages a search wants. What is empty or 0 matches all. */
struct store_filter {
	bool is_open; /* somebody must still work on it: what is in the queue */
	bool is_dead; /* likewise of an entry */
	struct span user, sender; /* in any case of letters */
	struct span message_id;   /* as in struct store_entry */
	struct span provider_id;  /* of one of its attempts */
	/* One recipient must match all three: */
	unsigned states; /* 1 << enum store_state */
	struct span recipient, provider;
};

enum {
	STORE_SEARCH_MAX = 500,      /* messages in one answer */
	STORE_SEARCH_RECIPIENTS = 20 /* of each */
};

/*
 * Look through the queue or the history, newest first: a part of it, for a
 * quarter of a second at most, so that there may be more even when nothing was
 * found. Results: 0, -EIO, -ENOMEM, -ECANCELED. They are freed with
 * store_search_finish.
 */
struct store_search {
	struct store_request request;
	const struct store_filter *filter; /* borrowed until done */
	struct id before; /* only older ones; all 0xff: from the newest */
	size_t limit;     /* 1 to STORE_SEARCH_MAX */
	/* The results: rows only. */
	struct store_entry *found[STORE_SEARCH_MAX];
	size_t count;
	struct id next; /* is_more: the `before` to go on with */
	bool is_more;
};

/* NULL with e filled (path, lock held by another process, disk, version). */
struct store *store_open(const struct store_settings *settings, struct err *e);
/* Commit what waits, stop the threads, free. Loops must still run or have no
 * request under way. Accepts NULL. */
void store_close(struct store *s);

/*
 * 0: taken, done will run. -EBUSY, store_accept only: too much waits (reply
 * 452 4.3.1).
 */
int store_accept(struct store *s, struct store_accept *r);
int store_charge(struct store *s, struct store_charge *r);
int store_update(struct store *s, struct store_update *r);
int store_load(struct store *s, struct store_load *r);
int store_find(struct store *s, struct store_find *r);
void store_find_finish(struct store_find *r);
int store_search(struct store *s, struct store_search *r);
void store_search_finish(struct store_search *r);
void store_entry_free(struct store_entry *e); /* accepts NULL */

/* A message with a recipient that is not final, as a start finds it. */
struct store_pending {
	struct id id;
	/* The earliest of its recipients: one that was STARTED is due now;
	 * INT64_MAX when a person must decide first. */
	int64_t due_ms;
	int priority;
	/* Its recipients that were STARTED, and where: not spent yet. */
	uint64_t started;
	char provider[STORE_NAME_SIZE];
};

/*
 * All of them, oldest first, as the store is when the walk begins, which is
 * before anything is asked of it: what comes later is with who brought it.
 * walk takes as long as there are many, on any thread, while the store is in
 * use; each returns 0, or a negative errno to end it. begin and end where the
 * store is opened and closed. begin: NULL with e filled. walk: 0 or a negative
 * errno.
 */
struct store_walk *store_walk_begin(struct store *s, struct err *e);
int store_walk(struct store_walk *w,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx);
void store_walk_end(struct store_walk *w); /* accepts NULL */
/* At start: daily counts. */
int store_each_quota(struct store *s,
    void (*each)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx);

/*
 * At start: recipients that providers took, or may have, per UTC day since
 * from_day.
 */
int store_each_spent(struct store *s, int64_t from_day,
    void (*each)(
	struct span provider, int64_t day, uint64_t recipients, void *ctx),
    void *ctx);

/* Other limits than those of the settings from now on; any thread. */
void store_set_limits(
    struct store *s, uint64_t history_ms, uint64_t min_free_bytes);
void store_set_dead(struct store *s, uint64_t dead_ms, uint64_t dead_bytes);

/* Of a file system; UINT64_MAX where it knows no such limit. */
struct store_space {
	uint64_t free_bytes, total_bytes;
	uint64_t free_inodes, total_inodes;
};

/* Figures for metrics; any thread, never blocks on the disk. */
struct store_stats {
	uint64_t messages;           /* not final */
	uint64_t bytes;              /* of their bodies */
	uint64_t dead, dead_bytes;   /* likewise of those that failed */
	uint64_t commits, committed; /* batches, requests in them */
	uint64_t sync_ns_total;      /* of batches, from append to commit */
	uint64_t errors;
	struct store_space space; /* where it lies */
	uint64_t unsynced_bytes;  /* of accepts not yet answered */
	uint64_t sync_ms;         /* of the batch at work so far, else 0 */
	bool is_writable;
};
void store_stats(struct store *s, struct store_stats *out);
/* What of these messages and bytes is a user's; any thread. */
struct store_held {
	uint64_t messages, bytes;
};
void store_held(struct store *s, struct span user, struct store_held *out);
/* Cheap check before DATA: 0, -ENOSPC or -EIO. Any thread. */
int store_check(struct store *s);
