/* See dead.h. */
#include <store/dead.h>

#include <base/clock.h>
#include <base/log.h>

#include <stdlib.h>

enum {
	STEP = 256,
	LOOK_MS = 10000, /* between looks for what is too old */
	/* So near to where mail is refused nothing is kept that is not mail. */
	MARGIN = 2 * SEGMENT_SIZE
};

struct dead {
	struct disk *d;
	uint64_t look_ms;
	struct id ids[STEP];
	struct place places[STEP];
	int64_t died_ms[STEP];
};

struct dead *dead_new(struct disk *d)
{
	struct dead *k = calloc(1, sizeof(*k));
	if (k)
		k->d = d;
	return k;
}

void dead_free(struct dead *k)
{
	free(k);
}

static bool is_pressed(struct disk *d)
{
	/* The store itself refuses at half of the mark of policy/pressure. */
	uint64_t mark = 2 * atomic_load(&d->store.min_free_bytes);
	return atomic_load(&d->is_full) ||
	       atomic_load(&d->free_bytes) < mark + MARGIN;
}

size_t dead_spare(struct disk *d)
{
	return is_pressed(d) ? 1 : SEGMENT_SPARE;
}

bool dead_may_keep(struct disk *d)
{
	return atomic_load(&d->store.dead_ms) > 0 &&
	       atomic_load(&d->store.dead_bytes) > 0 && !is_pressed(d);
}

/* How many of the n oldest must go. */
static int count_outdated(const struct dead *k, int n, bool is_all)
{
	struct disk *d = k->d;
	uint64_t bytes = atomic_load(&d->dead_bytes);
	uint64_t max = atomic_load(&d->store.dead_bytes);
	int64_t cutoff_ms =
	    clock_wall_ms() - (int64_t)atomic_load(&d->store.dead_ms);
	int i = 0;
	while (i < n && (is_all || bytes > max || k->died_ms[i] <= cutoff_ms))
		bytes -= k->places[i++].size;
	return i;
}

static int bury(struct dead *k, int n)
{
	struct rows *rows = k->d->rows;
	int rc = rows_begin(rows);
	if (rc < 0)
		return rc;
	for (int i = 0; rc == 0 && i < n; i++)
		rc = rows_bury(rows, &k->ids[i]);
	if (rc == 0)
		rc = rows_commit(rows);
	if (rc < 0)
		rows_rollback(rows);
	return rc;
}

static void release(struct dead *k, int n)
{
	struct disk *d = k->d;
	for (int i = 0; i < n; i++) {
		segments_release(d->segments, &k->places[i]);
		atomic_fetch_sub(&d->dead_bytes, k->places[i].size);
	}
	atomic_fetch_sub(&d->dead, (uint64_t)n);
}

int dead_step(struct dead *k)
{
	struct disk *d = k->d;
	uint64_t now = clock_mono_ms();
	bool is_all = is_pressed(d);
	bool is_due =
	    is_all || now >= k->look_ms ||
	    atomic_load(&d->dead_bytes) > atomic_load(&d->store.dead_bytes);
	if (!is_due || atomic_load(&d->dead) == 0)
		return 0;
	int n = rows_dead(d->rows, k->ids, k->places, k->died_ms, STEP);
	int outdated = n < 0 ? n : count_outdated(k, n, is_all);
	int rc = outdated > 0 ? bury(k, outdated) : outdated;
	if (rc < 0)
		return rc;
	release(k, outdated);
	if (is_all && outdated > 0) {
		log_warn("dead_given_up", LOG_NUM("count", outdated),
		    LOG_STR("reason", "the disk is nearly full"));
		segments_reap(d->segments, dead_spare(d));
		disk_refresh_free(d);
	}
	if (outdated == STEP)
		return 1;
	k->look_ms = now + LOOK_MS;
	return 0;
}
