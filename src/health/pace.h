/*
 * How fast and how many at a time. A provider that says "too many" is asked
 * half as often from then on, then a little more often each second (additive
 * increase, multiplicative decrease); one that fails or is silent gets half as
 * many calls at a time, then a little more with each success. One that comes
 * back from a pause gets its mail back gradually. All that stays below what the
 * account may have, where it tells (pace_tell). Pure: time is an argument.
 */
#pragma once

#include <health/tally.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pace_mode {
	PACE_STEADY = 0, /* at the ceiling, which may be none */
	PACE_CUT,        /* was asked to be slower */
	PACE_RAMP        /* is coming back */
};

struct pace {
	/* Calls per second. */
	double ceiling; /* 0 = none */
	enum pace_mode mode;
	double rate;        /* unless STEADY */
	double peak;        /* CUT: what it took before */
	double next_ms;     /* the first moment that is not taken */
	uint64_t grown_ms;  /* rate is that of then */
	uint64_t cut_ms;    /* calls that began before say nothing new */
	struct tally calls; /* begun, ended */

	/* What the account may have, in its own units; 0 = not told. */
	double told;         /* per second */
	double told_next_ms; /* the first moment that is not taken */

	/* Of its own count little is left, to last until then. */
	double spread; /* calls per second */
	uint64_t count_until_ms, count_left;

	/* It wants to be left alone. */
	uint64_t pause_from_ms, pause_until_ms;
	uint64_t paused_ms; /* pauses of before */

	/* At a time. */
	double limit, limit_max;
	uint64_t shrunk_ms;
	size_t held;            /* given out */
	uint64_t full_since_ms; /* held reached limit */
	uint64_t ended_ms;      /* a call, last */
};

/* per_second: 0 = no ceiling. concurrency: at least 1. */
void pace_init(
    struct pace *p, double per_second, size_t concurrency, uint64_t now_ms);
/* Other ceilings from now on; what was learned stays below them. */
void pace_set(
    struct pace *p, double per_second, size_t concurrency, uint64_t now_ms);

/* Whether it wants to be left alone now; until when. */
bool pace_is_paused(const struct pace *p, uint64_t now_ms, uint64_t *until_ms);
bool pace_is_full(const struct pace *p);
/* Whether all turns up to *at_ms are taken. */
bool pace_next_turn(struct pace *p, uint64_t now_ms, uint64_t *at_ms);
/*
 * Whether one who queues behind `waiting` others for a place may expect it
 * within patience_ms, going by how places were freed of late.
 */
bool pace_is_moving(
    struct pace *p, size_t waiting, uint64_t patience_ms, uint64_t now_ms);
/*
 * Take a turn, at most patience_ms from now: true with *at_ms the moment it
 * comes and a place taken. False: *at_ms says when to ask again. units: what
 * it costs of what pace_tell said.
 */
bool pace_take(struct pace *p, uint64_t units, uint64_t patience_ms,
    uint64_t now_ms, uint64_t *at_ms);
/* Turns that come within two seconds, at most the free places and `more`. */
size_t pace_room(struct pace *p, size_t more, uint64_t now_ms);
/* The place is free again. */
void pace_leave(struct pace *p, uint64_t now_ms);
/* Likewise, but there was no call: the turn, of so many units, was not used. */
void pace_give_back(struct pace *p, uint64_t units, uint64_t now_ms);

/* --- what results teach --- */

/* The account may have so many units per second; 0: it does not say. */
void pace_tell(struct pace *p, double per_second, uint64_t now_ms);
/* "Too many", said to a call that began at began_ms. */
void pace_slow_down(struct pace *p, uint64_t began_ms, uint64_t now_ms);
/* Nothing until until_ms. */
void pace_pause(struct pace *p, uint64_t until_ms, uint64_t now_ms);
/*
 * What it counts by itself: `left` more calls until until_ms, of `of` (0: not
 * known). While that is little it is spread over the time; nothing at all is
 * a pause, the caller's to make.
 */
void pace_allow(struct pace *p, uint64_t left, uint64_t of, uint64_t until_ms,
    uint64_t now_ms);
/* Failed or silent. */
void pace_shrink(struct pace *p, uint64_t began_ms, uint64_t now_ms);
void pace_grow(struct pace *p);
/* It is back after a time without calls. */
void pace_ramp(struct pace *p, uint64_t now_ms);

/* --- to look at --- */

/* Calls per second that are allowed now, of one unit each; 0 = no limit. */
double pace_rate(struct pace *p, uint64_t now_ms);
/* It never goes above; likewise. */
double pace_ceiling(const struct pace *p);
/* Pauses in all. */
uint64_t pace_paused_ms(const struct pace *p, uint64_t now_ms);
