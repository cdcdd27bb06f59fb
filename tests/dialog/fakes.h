/*
 * Stand-ins for what a session calls: config lookups, auth, quota, delivery
 * and the store's check. They do what `fakes` says and note what they saw.
 * Loop's thread only while a loop runs.
 */
#pragma once

#include <base/buf.h>
#include <config/config.h>
#include <deliver/deliver.h>
#include <policy/quota.h>
#include <store/store.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct loop;

struct fakes {
	/* What to answer. */
	struct deliver_answer answer;
	bool is_unstored; /* what is withdrawn was never stored */
	bool is_deaf;     /* deliveries answer when told to, SLOW never */
	enum quota_verdict quota;
	uint64_t retry_after_ms;
	int store_rc;
	struct store_held stored, held_by_user; /* in all, and the user's */
	uint64_t unsynced;                      /* bytes */
	bool is_out_of_memory;                  /* for copies of strings */
	bool carries_no_utf8;                   /* no provider does */
	unsigned carries_not; /* POSTERN_CARRIES_*, likewise */
	int body_rc;          /* of a write to a body */
	bool is_disk_stuck;   /* which never ends */
	/* What was seen. */
	size_t submitted, abandoned; /* and not going on without a client */
	size_t taken, given_back, owed;
	atomic_size_t config_refs; /* several loops */
	atomic_size_t bodies, bodies_made, bodies_volatile;
	struct buf message;   /* the last one, header and body */
	struct buf envelope;  /* as script.h says of E: */
	struct pending *held; /* the last one, when deaf */
};

extern struct fakes fakes;

void fakes_init(void);
void fakes_finish(void);
/* For struct smtp_service. */
struct deliver *fakes_deliver(struct loop *l);
/* The answer of the last delivery, while deaf. */
void fakes_answer(void);
