/*
 * Accepted and the faults of account and way move it. A refused message says
 * nothing about the provider, and one that asks to be slower is well: neither
 * counts, in any state.
 */
#include <health/breaker.h>

enum {
	GOOD = 0, /* kinds of calls */
	BAD,
	TRIALS = 3,         /* after the first good one */
	TRIAL_LOOK_MS = 500 /* trials are under way: ask again */
};

static void set_state(
    struct breaker *b, enum breaker_state state, uint64_t now_ms)
{
	b->state = state;
	b->since_ms = now_ms;
	b->epoch++;
	b->in_a_row = b->trials = b->good = 0;
}

void breaker_init(
    struct breaker *b, const struct config_breaker *settings, uint64_t now_ms)
{
	*b = (struct breaker){ .settings = *settings, .since_ms = now_ms };
	tally_init(&b->calls, settings->window_ms);
}

void breaker_set(struct breaker *b, const struct config_breaker *settings)
{
	if (b->settings.window_ms != settings->window_ms)
		tally_init(&b->calls, settings->window_ms);
	b->settings = *settings;
}

/* --- in --- */

/* How many may be on their way at once. */
static unsigned trials_allowed(const struct breaker *b)
{
	return b->good == 0 ? 1 : TRIALS + 1 - b->good;
}

static uint64_t trial_from(
    const struct breaker *b, const struct breaker_ask *ask)
{
	uint64_t at = b->since_ms;

	if (b->state == BREAKER_OPEN)
		at = ask->is_last_resort ? b->early_ms : b->until_ms;
	return ask->is_delicate ? at + b->settings.open_ms : at;
}

bool breaker_enter(struct breaker *b, const struct breaker_ask *ask,
    uint64_t now_ms, struct breaker_pass *pass, uint64_t *at_ms)
{
	if (b->state != BREAKER_CLOSED) {
		*at_ms = trial_from(b, ask);
		if (now_ms < *at_ms)
			return false;
		if (b->state == BREAKER_OPEN)
			set_state(b, BREAKER_HALF, now_ms);
		*at_ms = now_ms + TRIAL_LOOK_MS;
		if (b->trials >= trials_allowed(b))
			return false;
		b->trials++;
	}
	*pass = (struct breaker_pass){ .epoch = b->epoch,
		.is_trial = b->state == BREAKER_HALF };
	return true;
}

bool breaker_is_valid(const struct breaker *b, const struct breaker_pass *pass)
{
	return pass->epoch == b->epoch;
}

size_t breaker_room(const struct breaker *b, uint64_t now_ms)
{
	switch (b->state) {
	case BREAKER_CLOSED:
		return SIZE_MAX;
	case BREAKER_HALF:
		return trials_allowed(b) > b->trials
			   ? trials_allowed(b) - b->trials
			   : 0;
	case BREAKER_OPEN:
		break;
	}
	return now_ms >= b->early_ms ? 1 : 0;
}

/* --- out --- */

/* Between 80 and 120 % of it, so that not all come back together. */
static uint64_t about(uint64_t ms, uint64_t random)
{
	return ms - ms / 5 + random % (ms / 5 * 2 + 1);
}

static uint64_t open_for(const struct breaker *b)
{
	uint64_t ms = b->settings.open_ms;

	for (unsigned i = 1; i < b->times && ms < b->settings.open_max_ms; i++)
		ms *= 2;
	return ms < b->settings.open_max_ms ? ms : b->settings.open_max_ms;
}

static enum breaker_change open_it(struct breaker *b, enum breaker_cause cause,
    uint64_t now_ms, uint64_t random)
{
	const struct config_breaker *s = &b->settings;
	/* It has failed before, and not long ago. */
	bool is_again = b->state == BREAKER_HALF ||
			(b->times > 0 && now_ms < b->since_ms + s->open_max_ms);

	b->times = is_again ? b->times + 1 : 1;
	b->cause = cause;
	b->failed_ms = now_ms;
	if (cause == BREAKER_ACCOUNT) {
		b->until_ms = now_ms + about(s->account_retry_ms, random);
		b->early_ms = b->until_ms;
	} else {
		b->until_ms = now_ms + about(open_for(b), random);
		b->early_ms = now_ms + about(s->open_ms, random);
	}
	set_state(b, BREAKER_OPEN, now_ms);
	return BREAKER_OPENED;
}

static enum breaker_change take_good(struct breaker *b, uint64_t now_ms)
{
	b->in_a_row = 0;
	if (b->state == BREAKER_CLOSED)
		tally_add(&b->calls, GOOD, now_ms);
	else if (++b->good > TRIALS) {
		set_state(b, BREAKER_CLOSED, now_ms);
		tally_init(&b->calls, b->settings.window_ms);
		return BREAKER_RECOVERED;
	}
	return BREAKER_SAME;
}

static bool is_too_much(struct breaker *b, uint64_t now_ms)
{
	uint64_t bad = tally_sum(&b->calls, BAD, now_ms);
	uint64_t all = tally_sum(&b->calls, GOOD, now_ms) + bad;

	return all >= (uint64_t)b->settings.min_calls &&
	       bad * 100 >= all * (uint64_t)b->settings.ratio;
}

static enum breaker_change take_bad(
    struct breaker *b, uint64_t now_ms, uint64_t random)
{
	if (b->state == BREAKER_HALF)
		return open_it(b, BREAKER_TRIAL, now_ms, random);
	b->failed_ms = now_ms;
	tally_add(&b->calls, BAD, now_ms);
	if (++b->in_a_row >= (unsigned)b->settings.failures)
		return open_it(b, BREAKER_IN_A_ROW, now_ms, random);
	if (is_too_much(b, now_ms))
		return open_it(b, BREAKER_RATIO, now_ms, random);
	return BREAKER_SAME;
}

enum breaker_change breaker_refuse(
    struct breaker *b, uint64_t now_ms, uint64_t random)
{
	return b->state == BREAKER_OPEN
		   ? BREAKER_SAME
		   : open_it(b, BREAKER_ACCOUNT, now_ms, random);
}

enum breaker_change breaker_leave(struct breaker *b,
    const struct breaker_pass *pass, enum postern_class result, uint64_t now_ms,
    uint64_t random)
{
	if (!breaker_is_valid(b, pass))
		return BREAKER_SAME; /* old news */
	breaker_cancel(b, pass);
	switch (result) {
	case POSTERN_ACCEPTED:
		return take_good(b, now_ms);
	case POSTERN_ACCOUNT:
		return open_it(b, BREAKER_ACCOUNT, now_ms, random);
	case POSTERN_TRANSIENT:
	case POSTERN_UNKNOWN:
		return take_bad(b, now_ms, random);
	case POSTERN_REJECTED:
	case POSTERN_THROTTLED:
		break;
	}
	return BREAKER_SAME;
}

void breaker_cancel(struct breaker *b, const struct breaker_pass *pass)
{
	if (breaker_is_valid(b, pass) && pass->is_trial)
		b->trials--;
}
