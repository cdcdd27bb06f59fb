/* See spend.h. */
#include <health/spend.h>

#include <base/date.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_SIZE = 65,
	DAYS = 64, /* more than a month has, and what a wrong clock adds */
	DAY_MS = 24 * 60 * 60 * 1000
};

struct spend {
	struct spend *next;
	char name[NAME_SIZE];
	pthread_mutex_t lock; /* of what follows */
	uint64_t limits[SPEND_WINDOWS];
	/*
	 * The latest days on which there was something, in no order, so that a
	 * clock that is set finds the count of the day it is set to.
	 */
	struct day {
		int64_t day;
		uint64_t count;
	} days[DAYS];
	uint64_t held; /* of calls under way */
	/* The window and limit that were last said to be used up. */
	struct {
		int64_t begin;
		uint64_t limit;
	} told[SPEND_WINDOWS];
};

struct spend_book {
	atomic_size_t refs;
	pthread_mutex_t lock; /* of the list */
	struct spend *pages;
};

/* --- the book --- */

struct spend_book *spend_book_new(void)
{
	struct spend_book *b = calloc(1, sizeof(*b));

	if (!b || pthread_mutex_init(&b->lock, NULL) != 0) {
		free(b);
		return NULL;
	}
	atomic_init(&b->refs, 1);
	return b;
}

struct spend_book *spend_book_ref(struct spend_book *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

void spend_book_unref(struct spend_book *b)
{
	if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	while (b->pages) {
		struct spend *next = b->pages->next;

		(void)pthread_mutex_destroy(&b->pages->lock);
		free(b->pages);
		b->pages = next;
	}
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
}

/* Locked. */
static struct spend *add_page(struct spend_book *b, const char *name)
{
	struct spend *s = calloc(1, sizeof(*s));

	if (!s || pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		return NULL;
	}
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->next = b->pages;
	b->pages = s;
	return s;
}

struct spend *spend_find(struct spend_book *b, const char *name)
{
	(void)pthread_mutex_lock(&b->lock);
	struct spend *s = b->pages;
	while (s && strcmp(s->name, name) != 0)
		s = s->next;
	if (!s)
		s = add_page(b, name);
	(void)pthread_mutex_unlock(&b->lock);
	return s;
}

/* --- windows; all locked --- */

static int64_t begin_of(enum spend_window window, int64_t day)
{
	return window == SPEND_MONTH ? date_month(day) : day;
}

/* The day after the last one. */
static int64_t end_of(enum spend_window window, int64_t day)
{
	/* 31 days from its first is in the next month, whichever it is. */
	return window == SPEND_MONTH ? date_month(date_month(day) + 31)
				     : day + 1;
}

static uint64_t *count_of(struct spend *s, int64_t day)
{
	struct day *oldest = &s->days[0];

	for (size_t i = 0; i < DAYS; i++) {
		if (s->days[i].day == day)
			return &s->days[i].count;
		if (s->days[i].day < oldest->day)
			oldest = &s->days[i];
	}
	*oldest = (struct day){ .day = day };
	return &oldest->count;
}

static uint64_t used_in(
    const struct spend *s, enum spend_window window, int64_t day)
{
	int64_t begin = begin_of(window, day), end = end_of(window, day);
	uint64_t sum = 0;

	for (size_t i = 0; i < DAYS; i++) {
		const struct day *d = &s->days[i];

		if (d->day >= begin && d->day < end)
			sum += d->count;
	}
	return sum;
}

/*
 * How many more may be used, and the window that says so: of two that are
 * used up, the longer one.
 */
static uint64_t room_of(
    const struct spend *s, int64_t day, enum spend_window *window)
{
	uint64_t room = UINT64_MAX;

	*window = SPEND_DAY;
	for (enum spend_window w = SPEND_DAY; w < SPEND_WINDOWS; w++) {
		uint64_t used, left = 0;

		if (s->limits[w] == 0)
			continue;
		used = used_in(s, w, day);
		if (used < s->limits[w])
			left = s->limits[w] - used;
		if (left <= room) {
			room = left;
			*window = w;
		}
	}
	return room;
}

static bool is_news(struct spend *s, enum spend_window window, int64_t day)
{
	int64_t begin = begin_of(window, day);
	uint64_t limit = s->limits[window];

	if (s->told[window].begin == begin && s->told[window].limit == limit)
		return false;
	s->told[window].begin = begin;
	s->told[window].limit = limit;
	return true;
}

/* --- the interface --- */

void spend_set(struct spend *s, const uint64_t limits[SPEND_WINDOWS])
{
	(void)pthread_mutex_lock(&s->lock);
	memcpy(s->limits, limits, sizeof(s->limits));
	(void)pthread_mutex_unlock(&s->lock);
}

void spend_add(struct spend *s, int64_t day, uint64_t recipients)
{
	(void)pthread_mutex_lock(&s->lock);
	*count_of(s, day) += recipients;
	(void)pthread_mutex_unlock(&s->lock);
}

bool spend_take(
    struct spend *s, uint64_t wanted, int64_t wall_ms, struct spend_share *out)
{
	int64_t day = date_day(wall_ms);

	*out = (struct spend_share){ .day = day };
	(void)pthread_mutex_lock(&s->lock);
	uint64_t room = room_of(s, day, &out->window);
	out->count = wanted < room ? wanted : room;
	*count_of(s, day) += out->count;
	out->is_short = room == 0 || out->count < wanted;
	out->is_soon = s->held > 0;
	if (out->is_short) {
		out->limit = s->limits[out->window];
		out->again_ms = end_of(out->window, day) * DAY_MS;
		out->is_news = !out->is_soon && is_news(s, out->window, day);
	}
	s->held += out->count;
	(void)pthread_mutex_unlock(&s->lock);
	return room > 0;
}

void spend_end(
    struct spend *s, const struct spend_share *share, uint64_t unused)
{
	(void)pthread_mutex_lock(&s->lock);
	uint64_t *used = count_of(s, share->day);
	*used -= unused < *used ? unused : *used;
	s->held -= share->count;
	(void)pthread_mutex_unlock(&s->lock);
}

void spend_look(struct spend *s, int64_t wall_ms, struct spend_view *out)
{
	int64_t day = date_day(wall_ms);

	*out = (struct spend_view){ .is_out = false };
	(void)pthread_mutex_lock(&s->lock);
	memcpy(out->limits, s->limits, sizeof(out->limits));
	for (enum spend_window w = SPEND_DAY; w < SPEND_WINDOWS; w++)
		out->used[w] = used_in(s, w, day);
	out->is_out = room_of(s, day, &out->window) == 0 && s->held == 0;
	out->again_ms = end_of(out->window, day) * DAY_MS;
	(void)pthread_mutex_unlock(&s->lock);
}

const char *spend_window_name(enum spend_window window)
{
	return window == SPEND_MONTH ? "month" : "day";
}
