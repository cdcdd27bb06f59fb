/* See pace.h. */
#include <health/pace.h>

enum {
	BEGUN = 0, /* kinds of calls */
	ENDED,
	MEASURE_SLOTS = 5, /* seconds */
	BURST_MS = 100,    /* turns not used that may be made up for */
	RAMP_MS = 20 * 1000,
	RAMP_DOUBLES_MS = 2 * 1000,
	RAMP_PLACES = 4,
	ROOM_MS = 2000,
	/* Little is left of a provider's own count: a fifth, or a few calls. */
	LITTLE_PART = 5,
	LITTLE_CALLS = 10,
	SAME_COUNT_MS = 1500, /* the end of it is told in whole seconds */
	STALL_MS = 1000       /* full, and nothing ended for so long */
};

static const double rate_floor = 0.1;
static const double ramp_rate = 5;
/* What is left of a count that ends far ahead may grow before. */
static const double spread_floor = 1.0 / 3600;
/* From half of what was too much back to it in half a minute. */
static const double growth_per_s = 1.0 / 60;

/* What it once took is believed a little less with each cut. */
static const double peak_fade = 0.9;

static double most(double a, double b)
{
	return a > b ? a : b;
}

static double least(double a, double b)
{
	return a < b ? a : b;
}

void pace_init(
    struct pace *p, double per_second, size_t concurrency, uint64_t now_ms)
{
	*p = (struct pace){ .ceiling = per_second,
		.limit = (double)concurrency,
		.limit_max = (double)concurrency,
		.next_ms = (double)now_ms };
	tally_init(&p->calls, UINT64_C(1000) * TALLY_SLOTS);
}

void pace_set(
    struct pace *p, double per_second, size_t concurrency, uint64_t now_ms)
{
	double max = (double)concurrency;

	if (p->limit >= p->limit_max || p->limit > max)
		p->limit = max;
	p->limit_max = max;
	if (p->ceiling != per_second)
		p->next_ms = (double)now_ms;
	p->ceiling = per_second;
}

/* --- rate --- */

static void go_steady(struct pace *p)
{
	p->mode = PACE_STEADY;
	p->rate = 0;
}

/* What it would grow to is no limit any more. */
static bool is_grown(const struct pace *p)
{
	if (p->ceiling > 0)
		return p->rate >= p->ceiling;
	return p->mode == PACE_CUT && p->rate >= 2 * p->peak;
}

/* Doubled every RAMP_DOUBLES_MS, in a straight line in between. */
static double ramped(uint64_t ms)
{
	uint64_t times = ms / RAMP_DOUBLES_MS, rest = ms % RAMP_DOUBLES_MS;

	return ramp_rate * (double)(UINT64_C(1) << times) *
	       (1 + (double)rest / RAMP_DOUBLES_MS);
}

/* Bring the rate to the present. */
static void grow_rate(struct pace *p, uint64_t now_ms)
{
	uint64_t ms = now_ms > p->grown_ms ? now_ms - p->grown_ms : 0;

	if (p->mode == PACE_STEADY)
		return;
	if (p->mode == PACE_RAMP) {
		/* grown_ms is its beginning. */
		p->rate = ramped(ms < RAMP_MS ? ms : RAMP_MS);
		if (ms >= RAMP_MS) {
			go_steady(p);
			return;
		}
	} else {
		p->rate += most(p->peak * growth_per_s, rate_floor) *
			   (double)ms / 1000;
		p->grown_ms += ms;
	}
	if (is_grown(p))
		go_steady(p);
}

/* But for a count that runs out, which says nothing about the speed. */
static double own_rate(struct pace *p, uint64_t now_ms)
{
	grow_rate(p, now_ms);
	return p->mode == PACE_STEADY ? p->ceiling : p->rate;
}

/* The least of two of which 0 means none. */
static double lower(double a, double b)
{
	if (a <= 0 || b <= 0)
		return most(a, b);
	return least(a, b);
}

/* Of turns, whatever they cost. */
static double turn_rate(struct pace *p, uint64_t now_ms)
{
	bool is_spread = p->spread > 0 && now_ms < p->count_until_ms;

	return lower(own_rate(p, now_ms), is_spread ? p->spread : 0);
}

double pace_rate(struct pace *p, uint64_t now_ms)
{
	return lower(turn_rate(p, now_ms), p->told);
}

double pace_ceiling(const struct pace *p)
{
	return lower(p->ceiling, p->told);
}

/* The present second may have just begun, or be all there is. */
static double measured(struct pace *p, uint64_t now_ms)
{
	struct tally *t = &p->calls;
	uint64_t with = tally_recent(t, BEGUN, MEASURE_SLOTS, now_ms);
	uint64_t without = tally_recent(t, BEGUN, MEASURE_SLOTS + 1, now_ms) -
			   tally_recent(t, BEGUN, 1, now_ms);

	return (double)(with > without ? with : without) / MEASURE_SLOTS;
}

void pace_slow_down(struct pace *p, uint64_t began_ms, uint64_t now_ms)
{
	double limit = own_rate(p, now_ms);
	double real = measured(p, now_ms);
	double known = p->mode == PACE_CUT ? p->peak * peak_fade : 0;

	/* All calls of before the last cut met the same wall. */
	if (p->mode == PACE_CUT && began_ms <= p->cut_ms)
		return;
	if (limit > 0)
		real = least(limit, real);
	p->mode = PACE_CUT;
	p->rate = most(real / 2, rate_floor);
	/* One bad minute does not make it a small provider. */
	p->peak = most(most(real, known), rate_floor);
	p->cut_ms = p->grown_ms = now_ms;
	if (p->next_ms < (double)now_ms)
		p->next_ms = (double)now_ms;
}

/* Whether an answer speaks of the count that is known, which has not ended. */
static bool is_same_count(
    const struct pace *p, uint64_t until_ms, uint64_t now_ms)
{
	return now_ms < p->count_until_ms &&
	       until_ms < p->count_until_ms + SAME_COUNT_MS &&
	       p->count_until_ms < until_ms + SAME_COUNT_MS;
}

void pace_allow(struct pace *p, uint64_t left, uint64_t of, uint64_t until_ms,
    uint64_t now_ms)
{
	if (until_ms <= now_ms)
		return;
	if (is_same_count(p, until_ms, now_ms)) {
		until_ms = p->count_until_ms;
		/* Answers overtake each other: the least is the latest. */
		if (p->count_left < left)
			left = p->count_left;
	}
	p->count_left = left;
	p->count_until_ms = until_ms;
	p->spread = 0;
	if (of > 0 ? left > of / LITTLE_PART : left > LITTLE_CALLS)
		return;
	/* Those under way are perhaps not counted yet. */
	left = left > p->held ? left - p->held : 1;
	p->spread = most(
	    (double)left * 1000 / (double)(until_ms - now_ms), spread_floor);
	if (p->next_ms < (double)now_ms)
		p->next_ms = (double)now_ms;
}

void pace_ramp(struct pace *p, uint64_t now_ms)
{
	p->mode = PACE_RAMP;
	p->rate = ramp_rate;
	p->grown_ms = now_ms;
	p->next_ms = (double)now_ms;
	p->limit = least(p->limit, RAMP_PLACES);
}

/* --- pauses --- */

bool pace_is_paused(const struct pace *p, uint64_t now_ms, uint64_t *until_ms)
{
	*until_ms = p->pause_until_ms;
	return now_ms < p->pause_until_ms;
}

uint64_t pace_paused_ms(const struct pace *p, uint64_t now_ms)
{
	uint64_t end = now_ms < p->pause_until_ms ? now_ms : p->pause_until_ms;

	return p->paused_ms +
	       (end > p->pause_from_ms ? end - p->pause_from_ms : 0);
}

void pace_pause(struct pace *p, uint64_t until_ms, uint64_t now_ms)
{
	if (until_ms <= p->pause_until_ms || until_ms <= now_ms)
		return;
	if (now_ms >= p->pause_until_ms) {
		p->paused_ms = pace_paused_ms(p, now_ms);
		p->pause_from_ms = now_ms;
	}
	p->pause_until_ms = until_ms;
}

/* --- at a time --- */

bool pace_is_full(const struct pace *p)
{
	return (double)p->held + 1 > p->limit;
}

void pace_shrink(struct pace *p, uint64_t began_ms, uint64_t now_ms)
{
	if (p->shrunk_ms > 0 && began_ms <= p->shrunk_ms)
		return;
	p->limit = p->limit / 2 > 1 ? p->limit / 2 : 1;
	p->shrunk_ms = now_ms;
}

void pace_grow(struct pace *p)
{
	p->limit = least(p->limit + 1 / p->limit, p->limit_max);
}

bool pace_is_moving(
    struct pace *p, size_t waiting, uint64_t patience_ms, uint64_t now_ms)
{
	uint64_t news =
	    p->ended_ms > p->full_since_ms ? p->ended_ms : p->full_since_ms;
	double ended =
	    (double)tally_recent(&p->calls, ENDED, MEASURE_SLOTS, now_ms);
	double expected = ended / MEASURE_SLOTS * (double)patience_ms / 1000;

	if (now_ms > news + STALL_MS)
		return false;
	/* At first there is nothing to go by: one change of the guard. */
	return (double)waiting < (expected > p->limit ? expected : p->limit);
}

/* --- turns --- */

void pace_tell(struct pace *p, double per_second, uint64_t now_ms)
{
	if (p->told != per_second)
		p->told_next_ms = (double)now_ms;
	p->told = per_second;
}

/* The first moment that is free by both counts; not in the past. */
static double next_free(struct pace *p, uint64_t now_ms)
{
	double next = (double)now_ms;

	if (turn_rate(p, now_ms) > 0)
		next = most(next, p->next_ms);
	if (p->told > 0)
		next = most(next, p->told_next_ms);
	return next;
}

bool pace_next_turn(struct pace *p, uint64_t now_ms, uint64_t *at_ms)
{
	*at_ms = (uint64_t)next_free(p, now_ms);
	return *at_ms > now_ms;
}

static void take_place(struct pace *p, uint64_t now_ms)
{
	p->held++;
	if (pace_is_full(p))
		p->full_since_ms = now_ms;
	tally_add(&p->calls, BEGUN, now_ms);
}

/* So many turns, or units, are taken from *next_ms on. */
static void take_turns(
    double *next_ms, double rate, uint64_t count, uint64_t now_ms)
{
	if (rate <= 0)
		return;
	*next_ms = most(*next_ms, (double)now_ms - BURST_MS);
	*next_ms += (double)count * 1000 / rate;
}

bool pace_take(struct pace *p, uint64_t units, uint64_t patience_ms,
    uint64_t now_ms, uint64_t *at_ms)
{
	double start = next_free(p, now_ms);

	*at_ms = (uint64_t)start;
	if (start > (double)(now_ms + patience_ms))
		return false;
	take_turns(&p->next_ms, turn_rate(p, now_ms), 1, now_ms);
	take_turns(&p->told_next_ms, p->told, units, now_ms);
	take_place(p, now_ms);
	return true;
}

/* Turns that come soon. */
static double soon(double next_ms, double rate, uint64_t now_ms)
{
	double wait = most(next_ms - (double)now_ms, 0);
	double turns = (ROOM_MS - wait) * rate / 1000;

	/* The one that comes next counts, however slow it is. */
	return turns < 1 && wait <= 0 ? 1 : turns;
}

size_t pace_room(struct pace *p, size_t more, uint64_t now_ms)
{
	double rate = turn_rate(p, now_ms);
	double room = p->limit - (double)p->held + (double)more;

	if (rate > 0)
		room = least(room, soon(p->next_ms, rate, now_ms));
	if (p->told > 0)
		room = least(room, soon(p->told_next_ms, p->told, now_ms));
	return room >= 1 ? (size_t)room : 0;
}

void pace_leave(struct pace *p, uint64_t now_ms)
{
	p->held--;
	p->ended_ms = now_ms;
	tally_add(&p->calls, ENDED, now_ms);
}

void pace_give_back(struct pace *p, uint64_t units, uint64_t now_ms)
{
	double rate = turn_rate(p, now_ms);

	p->held--;
	if (rate > 0)
		p->next_ms -= 1000 / rate;
	if (p->told > 0)
		p->told_next_ms -= (double)units * 1000 / p->told;
}
