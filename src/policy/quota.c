/*
 * What each user has spent. Shared by all loops under one mutex; nothing in
 * the critical section waits, allocates only when a user is seen first.
 *
 * The bucket is kept in messages as a double: a rate such as 1/day adds
 * 1e-8 of a message per millisecond, which whole numbers would lose.
 */
#include <policy/quota.h>

#include <base/clock.h>
#include <base/date.h>
#include <base/map.h>
#include <config/config.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_MAX_BYTES = 320,
	DAY_MS = 24 * 60 * 60 * 1000
};

struct entry {
	struct entry *next; /* all of them, for freeing and listing */
	double tokens;
	uint64_t refilled_at; /* monotonic ms */
	bool is_fresh;        /* bucket not used yet: full */
	int64_t day;
	uint64_t messages; /* charged on day */
	uint64_t owed;     /* of these: to the store */
	size_t name_len;
	char name[];
};

struct quota {
	pthread_mutex_t lock; /* guards everything below */
	struct map *by_name;
	struct entry *entries;
};

struct quota *quota_new(void)
{
	struct quota *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->by_name = map_new();
	if (!q->by_name || pthread_mutex_init(&q->lock, NULL) != 0) {
		map_free(q->by_name);
		free(q);
		return NULL;
	}
	return q;
}

void quota_free(struct quota *q)
{
	if (!q)
		return;
	while (q->entries) {
		struct entry *next = q->entries->next;

		free(q->entries);
		q->entries = next;
	}
	map_free(q->by_name);
	(void)pthread_mutex_destroy(&q->lock);
	free(q);
}

/* User names compare without case; the key is the folded name. */
static struct span fold(struct span name, char out[NAME_MAX_BYTES])
{
	name = span_first(name, NAME_MAX_BYTES);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return span_make(out, name.len);
}

/* Find or make; NULL for memory. Locked. */
static struct entry *entry_for(struct quota *q, struct span user)
{
	char folded[NAME_MAX_BYTES];
	struct span name = fold(user, folded);
	struct entry *e = map_get(q->by_name, name);

	if (e)
		return e;
	e = calloc(1, sizeof(*e) + name.len + 1);
	if (!e)
		return NULL;
	memcpy(e->name, name.ptr, name.len);
	e->name_len = name.len;
	e->is_fresh = true;
	if (map_put(q->by_name, name, e) != 0) {
		free(e);
		return NULL;
	}
	e->next = q->entries;
	q->entries = e;
	return e;
}

void quota_restore(
    struct quota *q, struct span user, int64_t day, uint64_t messages)
{
	(void)pthread_mutex_lock(&q->lock);
	struct entry *e = entry_for(q, user);
	if (e && day > e->day) {
		e->day = day;
		e->messages = 0;
	}
	if (e && day == e->day)
		e->messages += messages;
	(void)pthread_mutex_unlock(&q->lock);
}

/* Bring the bucket to the present; the burst is one period's worth. */
static void refill(struct entry *e, struct postern_rate rate, uint64_t now)
{
	double burst = (double)rate.count;

	if (e->is_fresh) {
		e->tokens = burst;
		e->is_fresh = false;
	} else if (rate.per_ms > 0) {
		e->tokens += (double)(now - e->refilled_at) * burst /
			     (double)rate.per_ms;
	}
	if (e->tokens > burst)
		e->tokens = burst; /* also after a reload lowered the rate */
	e->refilled_at = now;
}

/* 0 when the bucket holds a message, else ms until it does. */
static uint64_t wait_for_token(const struct entry *e, struct postern_rate rate)
{
	static const double almost_one = 1.0 - 1e-6; /* rounding of sums */

	if (e->tokens >= almost_one)
		return 0;
	double ms =
	    (1.0 - e->tokens) * (double)rate.per_ms / (double)rate.count;
	return (uint64_t)ms + 1;
}

/* What is owed of another day than today's is of no more use. */
static void follow_day(struct entry *e, int64_t today)
{
	if (today == e->day || today == e->day - 1)
		return;
	if (today > e->day)
		e->messages = 0;
	e->day = today;
	e->owed = 0;
}

static struct quota_answer charge(
    struct entry *e, const struct config_user *user, uint64_t now, int64_t wall)
{
	struct quota_answer a = { .verdict = QUOTA_OK };

	follow_day(e, date_day(wall));
	a.day = e->day;
	bool is_over = user->daily > 0 && e->messages >= (uint64_t)user->daily;
	if (is_over && user->quota_action != CONFIG_QUOTA_HOLD) {
		a.verdict = QUOTA_DAILY;
		a.retry_after_ms = (uint64_t)((a.day + 1) * DAY_MS - wall);
		return a;
	}
	if (user->rate.count > 0) {
		refill(e, user->rate, now);
		a.retry_after_ms = wait_for_token(e, user->rate);
		if (a.retry_after_ms > 0) {
			a.verdict = QUOTA_RATE;
			return a;
		}
		e->tokens = e->tokens > 1.0 ? e->tokens - 1.0 : 0.0;
	}
	e->messages++;
	if (is_over)
		a.verdict = QUOTA_HELD;
	return a;
}

struct quota_answer quota_take(struct quota *q, const struct config_user *user)
{
	(void)pthread_mutex_lock(&q->lock);
	/* Read inside, so that time never runs backwards for an entry. */
	uint64_t now = clock_mono_ms();
	int64_t wall = clock_wall_ms();
	/* Without memory to count in, a limit cannot be kept: refuse. */
	struct quota_answer a = { .verdict = QUOTA_RATE,
		.retry_after_ms = 1000,
		.day = date_day(wall) };
	struct entry *e = entry_for(q, span_of(user->name));
	if (e)
		a = charge(e, user, now, wall);
	(void)pthread_mutex_unlock(&q->lock);
	return a;
}

void quota_give_back(
    struct quota *q, const struct config_user *user, int64_t day)
{
	(void)pthread_mutex_lock(&q->lock);
	struct entry *e = entry_for(q, span_of(user->name));
	if (e && e->day == day && e->messages > 0)
		e->messages--;
	if (e && !e->is_fresh && user->rate.count > 0 &&
	    e->tokens + 1.0 <= (double)user->rate.count)
		e->tokens += 1.0;
	(void)pthread_mutex_unlock(&q->lock);
}

void quota_owe(struct quota *q, const struct config_user *user, int64_t day)
{
	(void)pthread_mutex_lock(&q->lock);
	struct entry *e = entry_for(q, span_of(user->name));
	if (e && e->day == day)
		e->owed++;
	(void)pthread_mutex_unlock(&q->lock);
}

void quota_settle(struct quota *q,
    void (*fn)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx)
{
	(void)pthread_mutex_lock(&q->lock);
	for (struct entry *e = q->entries; e; e = e->next) {
		if (e->owed > 0)
			fn(span_make(e->name, e->name_len), e->day, e->owed,
			    ctx);
		e->owed = 0;
	}
	(void)pthread_mutex_unlock(&q->lock);
}

void quota_each(struct quota *q,
    void (*fn)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx)
{
	(void)pthread_mutex_lock(&q->lock);
	for (const struct entry *e = q->entries; e; e = e->next)
		fn(span_make(e->name, e->name_len), e->day, e->messages, ctx);
	(void)pthread_mutex_unlock(&q->lock);
}
