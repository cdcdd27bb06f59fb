/*
 * What a person does to one message that waits. Only the worker whose message
 * it is may: what is at work is not touched, what waits is read from the
 * store, changed, recorded with a row in the ledger that says who and why, and
 * waits again.
 */
#pragma once

#include <base/id.h>

#include <stdbool.h>
#include <stddef.h>

struct deliver;

enum deliver_action {
	/* Recipients that wait are due now; forced: held ones too, at any
	 * provider and with a new idempotency key, even though one may have
	 * sent it. */
	DELIVER_RETRY = 0,
	DELIVER_HOLD,    /* those that wait, until they are released */
	DELIVER_RELEASE, /* held ones are due now; unknown outcomes where they
			    were */
	DELIVER_EXPIRE,  /* give up, as when it is too old */
	DELIVER_DROP,    /* give up, and nobody is told */
	/* Those that failed are due now, as new ones: any provider, another
	 * idempotency key, their age from now on. */
	DELIVER_REQUEUE
};

enum {
	DELIVER_NOTE_SIZE = 256
};

/* Owned by the caller until done. */
struct deliver_operation {
	struct id id;
	enum deliver_action action;
	bool is_forced;               /* RETRY only */
	char note[DELIVER_NOTE_SIZE]; /* who, what, why: for the ledger */
	/*
	 * 0, and changed recipients; -ENOENT unknown; -EALREADY no recipient is
	 * in a state for that; -EBUSY at work, or its outcome is not known yet;
	 * -EBADMSG the stored message is damaged: what would send it is
	 * refused; -ENODATA REQUEUE of a message whose content is not kept any
	 * more; -ECANCELED at stop; -EINPROGRESS it is done, but the store
	 * has yet to take it; other errnos of the store.
	 */
	int result;
	size_t changed;
	/* Runs once on the worker's thread, perhaps inside deliver_operate. */
	void (*done)(struct deliver_operation *op);
};

/*
 * This worker has the message at work, or it waits here for its time. At stop
 * it has them all: nobody is to be asked further.
 */
bool deliver_has(const struct deliver *d, struct id id);
/* No other worker has it. */
void deliver_operate(struct deliver *d, struct deliver_operation *op);
