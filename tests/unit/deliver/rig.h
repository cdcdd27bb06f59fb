/*
 * Deliveries without a network: a configuration from a text, fake provider
 * modules, an http that answers what the test says, the memory store behind
 * wrappers that remember what is durable and can fail. A test is a list of
 * steps; each runs on the loop until it says true.
 */
#pragma once

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/counters.h>
#include <deliver/deliver.h>
#include <loop/blocking.h>
#include <loop/loop.h>
#include <store/store.h>

enum {
	RIG_CALLS_MAX = 4096,
	RIG_RECIPIENTS_MAX = 256,
	/* Scripted answers besides HTTP status codes. */
	RIG_UNANSWERED = 1, /* sent, no answer */
	RIG_REFUSED,        /* no connection */
	RIG_STUCK,          /* no answer until rig_release */
	RIG_NO_SUBMIT,      /* http_submit fails */
	RIG_MIXED           /* 200, but the second recipient is refused */
};

/* What the provider named gets to see. */
struct rig_call {
	char provider[16];
	char key[160];
	size_t recipients;
	char first[64]; /* recipient */
	char grant[32]; /* it was made with, or "" */
};

struct rig {
	struct loop *loop;
	struct blocking *pool;
	struct store *store, *volatile_store;
	struct deliver *deliver;
	struct config *config;
	struct counters counters;
	struct throttle *reports;

	/* Answers of provider "a" to "g" in turn; the last one stays. Only "d"
	 * carries SMTPUTF8 and signed mail, only "e" wants content, only "f" a
	 * grant; "g" is what a webhook may be. */
	const int *script[7];
	size_t script_at[7];
	/* What "f" says to who asks for one; 0: here it is. */
	_Atomic int grant_refusal; /* enum postern_class */
	_Atomic int grants;        /* given */
	struct rig_call calls[RIG_CALLS_MAX];
	size_t call_count;
	size_t open_calls, most_open_calls;

	/* For tests of gates: what rig_routes does to a configuration, rather
	 * than to leave all gates open. */
	void (*tune)(struct config *c);

	/* What the store has said to be durable, of the one message watched. */
	struct id id;
	struct store_recipient durable[RIG_RECIPIENTS_MAX];
	size_t durable_count;
	size_t rows;  /* ledger rows */
	size_t loads; /* messages read back, of any */
	enum postern_class last_row;
	char last_row_id[64], last_row_reason[256];
	bool is_volatile; /* it went to the volatile store */

	/* Messages of our own that were stored. */
	size_t report_count;
	char report[8192]; /* the last one */
	char report_to[64];

	/* Events that were stored. */
	size_t event_count;
	char events[4][2048]; /* the first ones */
	struct id event_ids[4];

	/* Faults: negative errno for the nth coming request, 0 = none. */
	int accept_rc, accept_done_rc;
	int update_done_rc;
	bool is_update_of_watched; /* that, and no other */
	unsigned update_skip;      /* good updates before that */
	bool update_lasts;         /* and all after it, until this is unset */
	unsigned faults;           /* answered so */
	int load_done_rc;

	struct deliver_submission submission;
	struct envelope envelope;
	const char *hold_reason;     /* likewise */
	struct envelope_terms terms; /* of what rig_submit, rig_store make */
	const char *sender;          /* of rig_submit, when not a@b.example */
	const char *message_id;      /* of messages, when they have one */
	const char *content_type;    /* likewise */
	unsigned notify;             /* of its recipients */
	unsigned traits;             /* of messages */
	bool is_answered, is_idle;
	enum deliver_verdict verdict;
	enum postern_refusal refusal;
	enum postern_class result;
	char provider[64], reason[600];
	size_t calls_at_answer;
	unsigned missing; /* of the answer, with the recipient */
	size_t lacking;
};

extern struct rig rig;

typedef bool (*rig_step)(void);

/* Defaults: routes "all" a, b; queue times of some milliseconds. */
void rig_setup(void);
void rig_teardown(void);
/* The routes part of the configuration, in place of the default. */
void rig_routes(const char *yaml);
/* Run the steps (NULL ends them), drain, stop. */
void rig_run(const rig_step *steps);
struct message *rig_message(size_t body_size);
/* Submit one message of body_size bytes to rcpt0..rcptN@x.example. */
void rig_submit(enum config_mode mode, size_t recipients, size_t body_size);
/* Let stuck calls have their answer: a status or RIG_*. */
void rig_release(int answer);
/* Put a message into the store as it is after a crash, and schedule it. */
void rig_store(
    const struct store_recipient *recipients, size_t count, int64_t created_ms);

bool rig_answered(void);
/* Nothing at work, nothing scheduled. */
bool rig_is_quiet(void);
/* Nothing at work; something may wait for its time. */
bool rig_is_waiting(void);
size_t rig_count_state(enum store_state state);
/* Whom the calls went to so far, a letter each. */
void rig_assert_calls(const char *providers);
/* Messages that provider `from` lost to provider `to`, 0 being "a". */
uint64_t rig_failovers(size_t from, size_t to);
