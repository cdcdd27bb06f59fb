/* See jumps.h. */
#include <base/jumps.h>

#include <base/clock.h>
#include <base/log.h>

#include <pthread.h>
#include <stdbool.h>

enum {
	LEAST_MS = 5000,
	TORN_MS = 100, /* the two clocks were read so far apart: again */
	JUMPS_MAX = 16 /* remembered; older ones become one */
};

struct jump {
	int64_t before_ms; /* the wall clock then */
	int64_t by_ms;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct jump jumps[JUMPS_MAX];
static unsigned kept;
static uint64_t count;
static int64_t back_ms;
static int64_t offset_ms; /* wall minus monotonic, at the last look */
static bool is_known;

/* Both clocks, as of one moment. */
static int64_t read_offset(int64_t *out_wall)
{
	uint64_t before, after;

	do {
		before = clock_mono_ms();
		*out_wall = clock_wall_ms();
		after = clock_mono_ms();
	} while (after - before > TORN_MS);
	return *out_wall - (int64_t)after;
}

static void note(int64_t before_ms, int64_t by_ms)
{
	count++;
	if (by_ms < 0)
		back_ms -= by_ms;
	if (kept == JUMPS_MAX) {
		/* The two oldest, as if they had been one. */
		jumps[1].by_ms += jumps[0].by_ms;
		for (unsigned i = 1; i < kept; i++)
			jumps[i - 1] = jumps[i];
		kept--;
	}
	jumps[kept++] = (struct jump){ before_ms, by_ms };
}

/* By how much the clock was set since the last look, 0 = not. Locked. */
static int64_t look(int64_t *out_wall)
{
	int64_t was = offset_ms, by;

	offset_ms = read_offset(out_wall);
	by = is_known ? offset_ms - was : 0;
	is_known = true;
	if (by > -LEAST_MS && by < LEAST_MS)
		return 0;
	note(*out_wall - by, by);
	return by;
}

static void tell(int64_t by_ms)
{
	if (by_ms)
		log_warn("clock_jumped", LOG_NUM("by_ms", by_ms),
		    LOG_STR("msg", "the wall clock was set"));
}

void jumps_look(void)
{
	int64_t wall;

	(void)pthread_mutex_lock(&lock);
	int64_t by = look(&wall);
	(void)pthread_mutex_unlock(&lock);
	tell(by);
}

/*
 * A time both before a clock was set back and after it may be of either: then
 * it is taken to be of after it, which makes it younger.
 */
static bool is_before(int64_t since_ms, const struct jump *j)
{
	return since_ms < j->before_ms + (j->by_ms < 0 ? j->by_ms : 0);
}

int64_t jumps_age_ms(int64_t since_ms)
{
	int64_t wall;

	(void)pthread_mutex_lock(&lock);
	int64_t by = look(&wall);
	int64_t age = wall - since_ms;
	for (unsigned i = 0; i < kept; i++)
		if (is_before(since_ms, &jumps[i]))
			age -= jumps[i].by_ms;
	(void)pthread_mutex_unlock(&lock);
	tell(by);
	return age;
}

/* No age follows from that: such a time is easily wrong. */
void jumps_saw(int64_t then_ms)
{
	int64_t by = clock_wall_ms() - then_ms;

	if (by > -LEAST_MS)
		return;
	(void)pthread_mutex_lock(&lock);
	count++;
	back_ms -= by;
	(void)pthread_mutex_unlock(&lock);
	tell(by);
}

int64_t jumps_back_ms(void)
{
	(void)pthread_mutex_lock(&lock);
	int64_t ms = back_ms;
	(void)pthread_mutex_unlock(&lock);
	return ms;
}

uint64_t jumps_count(void)
{
	(void)pthread_mutex_lock(&lock);
	uint64_t n = count;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

void jumps_forget(void)
{
	(void)pthread_mutex_lock(&lock);
	kept = 0;
	count = 0;
	back_ms = 0;
	is_known = false;
	(void)pthread_mutex_unlock(&lock);
}
