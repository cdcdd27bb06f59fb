/*
 * Whether a provider's account is worth a call. Closed: yes. After failures in
 * a row, or too many of all, it opens: no call for a while that doubles each
 * time. Then half open: one call, and when that is good three more; all good
 * and it closes, one bad and it opens again. A pure state machine: time and
 * chance are arguments.
 */
#pragma once

#include <config/config.h>
#include <health/tally.h>
#include <postern/outcome.h>

#include <stdbool.h>
#include <stdint.h>

/* The numbers are those of the metric. */
enum breaker_state {
	BREAKER_CLOSED = 0,
	BREAKER_HALF,
	BREAKER_OPEN
};

enum breaker_change {
	BREAKER_SAME = 0,
	BREAKER_OPENED, /* also again, from half open */
	BREAKER_RECOVERED
};

/* What opened it. */
enum breaker_cause {
	BREAKER_IN_A_ROW = 0,
	BREAKER_RATIO,
	BREAKER_ACCOUNT,
	BREAKER_TRIAL /* one of half open */
};

struct breaker {
	struct config_breaker settings;
	enum breaker_state state;
	uint64_t since_ms;
	/* OPEN: a trial may begin; early is for when there is nobody else. */
	uint64_t until_ms, early_ms;
	uint64_t failed_ms; /* the last failure; 0 = none yet */
	unsigned epoch;     /* of the state; what began before counts no more */
	unsigned times;     /* opened without a good while in between */
	unsigned in_a_row, trials, good;
	enum breaker_cause cause;
	struct tally calls; /* good, bad */
};

/* A call in the eyes of the breaker. */
struct breaker_pass {
	unsigned epoch;
	bool is_trial;
};

/* Who wants to call. */
struct breaker_ask {
	/*
	 * An outcome that nobody knows would cost this message more than a
	 * delay: it makes a trial only when no other message came to make it.
	 */
	bool is_delicate;
	bool is_last_resort; /* no provider of its route is better off */
};

void breaker_init(
    struct breaker *b, const struct config_breaker *settings, uint64_t now_ms);
/* Other settings from now on; its state stays. */
void breaker_set(struct breaker *b, const struct config_breaker *settings);
/*
 * True with *pass filled: call, then breaker_leave or breaker_cancel. False:
 * *at_ms says when it is worth asking again.
 */
bool breaker_enter(struct breaker *b, const struct breaker_ask *ask,
    uint64_t now_ms, struct breaker_pass *pass, uint64_t *at_ms);
/*
 * The account is refused, which no call has said: closed or half open, it
 * opens.
 */
enum breaker_change breaker_refuse(
    struct breaker *b, uint64_t now_ms, uint64_t random);
/* Whether a call that has not begun yet is still wanted. */
bool breaker_is_valid(const struct breaker *b, const struct breaker_pass *pass);
/* Its result. random: 64 uniform bits. */
enum breaker_change breaker_leave(struct breaker *b,
    const struct breaker_pass *pass, enum postern_class result, uint64_t now_ms,
    uint64_t random);
/* It was not made. */
void breaker_cancel(struct breaker *b, const struct breaker_pass *pass);
/* Calls that could begin now; SIZE_MAX while it is closed. */
size_t breaker_room(const struct breaker *b, uint64_t now_ms);
