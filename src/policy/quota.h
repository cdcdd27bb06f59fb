/*
 * May this user send one more message now? A token bucket per user for the
 * rate and a count per UTC day, shared by all loops.
 *
 * Shared mutable state: guarded by one mutex per table; the critical section
 * is a few arithmetic operations.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

struct config;
struct config_user;
struct quota;

struct quota *quota_new(void);
void quota_free(struct quota *q);
/*
 * What the store remembers of a day; before loops run. A name may come in more
 * than one way of writing it: of the same day, that adds up.
 */
void quota_restore(
    struct quota *q, struct span user, int64_t day, uint64_t messages);

enum quota_verdict {
	QUOTA_OK = 0,
	QUOTA_HELD, /* charged above the quota, to be held */
	QUOTA_RATE, /* 450 4.7.1 */
	QUOTA_DAILY /* 451 4.7.1, or 550 5.7.1: as quota_action says */
};

struct quota_answer {
	enum quota_verdict verdict;
	uint64_t retry_after_ms; /* when one more will be allowed */
	int64_t day;             /* charged day, to be stored with the accept */
};

/*
 * Charge one message or refuse it. A clock that is set back by up to a day
 * leaves the user on the later one, so that nobody has a day twice; one that
 * was further ahead was wrong, and what was charged then counts today. Any
 * thread.
 */
struct quota_answer quota_take(struct quota *q, const struct config_user *user);
/* Undo a charge for a message that was not accepted after all. */
void quota_give_back(
    struct quota *q, const struct config_user *user, int64_t day);

/*
 * A charge that no accept carries to the store (direct mode) is final: the
 * store is owed it. Any thread.
 */
void quota_owe(struct quota *q, const struct config_user *user, int64_t day);
/*
 * Calls fn with what is owed of each user, which is settled by that. Under the
 * lock: no waiting. Any thread.
 */
void quota_settle(struct quota *q,
    void (*fn)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx);

/* For stats: calls fn for every user seen. */
void quota_each(struct quota *q,
    void (*fn)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx);
