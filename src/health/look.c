/*
 * An account to look at: how many calls could begin, why one has to wait, and
 * all of it for people.
 */
#include <health/health.h>

#include <health/account.h>

#include <base/clock.h>
#include <base/date.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	PREFETCH = 16 /* may queue while they are got ready */
};

static void lock(struct health_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
}

static void unlock(struct health_account *a)
{
	(void)pthread_mutex_unlock(&a->lock);
}

uint64_t health_spent_today(struct health_account *a)
{
	struct spend_view v;

	spend_look(a->spend, clock_wall_ms(), &v);
	return v.used[SPEND_DAY];
}

size_t health_room_at(struct health_account *a, uint64_t now_ms)
{
	size_t room = 0, queued;
	struct spend_view spend;
	uint64_t until_ms;

	spend_look(a->spend, clock_wall_ms(), &spend);
	if (spend.is_out)
		return 0;
	lock(a);
	queued = a->queued < PREFETCH ? a->queued : PREFETCH;
	if (a->breaker.state != BREAKER_CLOSED)
		room = breaker_room(&a->breaker, now_ms);
	else
		room = pace_room(&a->pace, PREFETCH - queued, now_ms);
	if (pace_is_paused(&a->pace, now_ms, &until_ms))
		room = 0;
	unlock(a);
	return room;
}

size_t health_room(const struct config *config, uint64_t now_ms)
{
	size_t room = 0;

	for (size_t i = 0; i < config->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(config->providers, struct config_provider, i);
		size_t more =
		    p->is_webhook ? 0 : health_room_at(p->account, now_ms);

		room = more < SIZE_MAX - room ? room + more : SIZE_MAX;
	}
	return room;
}

static unsigned seconds_until(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms > now_ms ? (unsigned)((at_ms - now_ms + 999) / 1000) : 0;
}

/* Locked. */
static void explain_open(const struct health_account *a, uint64_t at_ms,
    uint64_t now_ms, char out[HEALTH_TEXT_SIZE])
{
	bool says_why = a->breaker.cause == BREAKER_ACCOUNT && a->said[0];

	if (a->breaker.state == BREAKER_HALF)
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: paused %s, being tried again now", a->name, a->cause);
	else
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: paused %s, next try in %u s%s%.*s", a->name, a->cause,
		    seconds_until(at_ms, now_ms), says_why ? " - " : "",
		    says_why ? 100 : 0, a->said);
}

/* "budget of 500 recipients per day is used up until ...". */
static void explain_spent(enum spend_window window, uint64_t limit,
    int64_t again_ms, char out[HEALTH_TEXT_SIZE])
{
	char until[DATE_RFC3339_SIZE];

	date_format_rfc3339_s(again_ms, until);
	(void)snprintf(out, HEALTH_TEXT_SIZE,
	    "budget of %" PRIu64 " recipients per %s is used up until %s",
	    limit, spend_window_name(window), until);
}

void health_explain(struct health_account *a, const struct health_call *c,
    uint64_t now_ms, char out[HEALTH_TEXT_SIZE])
{
	unsigned s = seconds_until(c->again_ms, now_ms);
	char spent[HEALTH_TEXT_SIZE];

	out[0] = '\0';
	lock(a);
	switch (c->gate) {
	case HEALTH_GO:
	case HEALTH_QUEUED:
		break;
	case HEALTH_OPEN:
		explain_open(a, c->again_ms, now_ms, out);
		break;
	case HEALTH_PACED:
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: takes no more for now, next try in %u s", a->name, s);
		break;
	case HEALTH_FULL:
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: %zu calls are under way, which is all it gets",
		    a->name, a->pace.held);
		break;
	case HEALTH_BUDGET:
		(void)snprintf(out, HEALTH_TEXT_SIZE,
		    "%s: has had many retries, next one in %u s", a->name, s);
		break;
	case HEALTH_SPENT:
		explain_spent(
		    c->share.window, c->share.limit, c->share.again_ms, spent);
		(void)snprintf(out, HEALTH_TEXT_SIZE, "%s: %.*s", a->name,
		    HEALTH_TEXT_SIZE - ACCOUNT_NAME_SIZE - 2, spent);
		break;
	}
	unlock(a);
}

void health_look(
    struct health_account *a, uint64_t now_ms, struct health_view *out)
{
	const struct breaker *b = &a->breaker;
	int64_t wall_ms = clock_wall_ms();
	uint64_t paused;

	lock(a);
	*out = (struct health_view){ .state = b->state,
		.since_ms = b->since_ms,
		.failed_ms = b->failed_ms,
		.early_ms = b->early_ms,
		.opened = a->opened,
		.held = a->pace.held,
		.queued = a->queued,
		.limit = (size_t)a->pace.limit,
		.per_second = pace_rate(&a->pace, now_ms),
		.ceiling = pace_ceiling(&a->pace),
		.is_told = a->facts.is_known,
		.told = a->facts.told,
		.asked_ms = a->facts.asked_ms,
		.paused_ms = pace_paused_ms(&a->pace, now_ms) };
	memcpy(out->trouble, a->facts.trouble, sizeof(out->trouble));
	if (pace_is_paused(&a->pace, now_ms, &paused)) {
		out->again_ms = paused;
		(void)snprintf(out->reason, sizeof(out->reason),
		    "asked for a pause, next call in %u s",
		    seconds_until(paused, now_ms));
	}
	spend_look(a->spend, wall_ms, &out->spend);
	if (out->spend.is_out) {
		out->again_ms = out->spent_until_ms =
		    now_ms + (uint64_t)(out->spend.again_ms - wall_ms);
		explain_spent(out->spend.window,
		    out->spend.limits[out->spend.window], out->spend.again_ms,
		    out->reason);
	}
	if (b->state == BREAKER_OPEN) {
		out->again_ms = b->until_ms;
		explain_open(a, b->until_ms, now_ms, out->reason);
	}
	if (b->state == BREAKER_HALF)
		explain_open(a, now_ms, now_ms, out->reason);
	unlock(a);
}
