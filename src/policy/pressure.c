/* See pressure.h. */
#include <policy/pressure.h>

#include <base/log.h>
#include <base/map.h>
#include <config/config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	UNSYNCED_MAX = 64 * 1024 * 1024,
	SYNC_MAX_MS = 5000
};

/* A share of something: 9/10. */
struct ratio {
	uint64_t num, den;
};

/* A condition, as data. */
struct mark {
	bool is_floor;     /* holds below its level, not from it on */
	struct ratio ends; /* of its level, where it holds no more */
	unsigned effects;  /* enum pressure_effect */
};

static const struct mark marks[PRESSURE_MARKS] = {
	[PRESSURE_SPACE] = { true, { 12, 10 },
	    PRESSURE_NO_MAIL | PRESSURE_NO_FILES | PRESSURE_NOT_READY },
	[PRESSURE_INODES] = { true, { 12, 10 },
	    PRESSURE_NO_MAIL | PRESSURE_NO_FILES | PRESSURE_NOT_READY },
	[PRESSURE_QUEUE_BYTES] = { false, { 9, 10 }, PRESSURE_NO_MAIL },
	[PRESSURE_QUEUE_MESSAGES] = { false, { 9, 10 }, PRESSURE_NO_MAIL },
	/* From 80 and from 95 % to 75. */
	[PRESSURE_MEMORY] = { false, { 15, 16 }, PRESSURE_NO_SESSIONS },
	[PRESSURE_MEMORY_HARD] = { false, { 15, 19 },
	    PRESSURE_NO_SESSIONS | PRESSURE_PAUSE | PRESSURE_SPILL },
	[PRESSURE_UNSYNCED] = { false, { 1, 2 },
	    PRESSURE_PAUSE_STORED | PRESSURE_KEEP_STORED },
	/* What there is fits into the next batch, however long that takes. */
	[PRESSURE_SYNC] = { false, { 1, 2 }, PRESSURE_PAUSE_STORED },
};
/* Of one user: 25 % to 20 %. */
static const struct mark user_mark = { .ends = { 4, 5 } };

const char *const pressure_names[PRESSURE_MARKS] = {
	[PRESSURE_SPACE] = "spool_space",
	[PRESSURE_INODES] = "spool_inodes",
	[PRESSURE_QUEUE_BYTES] = "queue_bytes",
	[PRESSURE_QUEUE_MESSAGES] = "queue_messages",
	[PRESSURE_MEMORY] = "memory",
	[PRESSURE_MEMORY_HARD] = "memory_hard",
	[PRESSURE_UNSYNCED] = "unsynced",
	[PRESSURE_SYNC] = "sync",
};

struct pressure {
	atomic_uint holds;                       /* 1 << enum pressure_mark */
	_Atomic uint64_t levels[PRESSURE_MARKS]; /* 0 = none */
	_Atomic uint64_t user_messages, user_bytes; /* likewise */
	atomic_size_t user_count;                   /* of users */
	pthread_mutex_t lock;
	struct map *users; /* name -> itself: who is above a user's share */
};

struct pressure *pressure_new(void)
{
	struct pressure *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->users = map_new();
	if (!p->users || pthread_mutex_init(&p->lock, NULL) != 0) {
		map_free(p->users);
		free(p);
		return NULL;
	}
	return p;
}

void pressure_free(struct pressure *p)
{
	if (!p)
		return;
	map_free(p->users);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

/* --- levels --- */

static uint64_t scale(uint64_t n, struct ratio by)
{
	return n / by.den * by.num + n % by.den * by.num / by.den;
}

static uint64_t percent_of(uint64_t n, uint64_t percent)
{
	return n == UINT64_MAX ? 0 : scale(n, (struct ratio){ percent, 100 });
}

/* At least one, where there is a limit at all. */
static uint64_t share_of(uint64_t limit, uint64_t percent)
{
	uint64_t share = percent_of(limit, percent);

	return limit > 0 && percent > 0 && share == 0 ? 1 : share;
}

/* What is asked for, and never less than a large message and its rows need. */
static uint64_t space_level(const struct config *c, uint64_t total)
{
	const struct postern_share *min = &c->spool.min_free;
	uint64_t wanted =
	    min->percent ? percent_of(total, min->percent) : min->bytes;
	uint64_t least =
	    scale(c->smtp.max_message_size, (struct ratio){ 3, 2 });

	if (min->percent == 0 && min->bytes == 0)
		return 0;
	return wanted > least ? wanted : least;
}

void pressure_configure(struct pressure *p, const struct config *c,
    const struct pressure_capacity *have)
{
	const struct config_queue *q = &c->queue;
	uint64_t messages = (uint64_t)q->max_messages;
	uint64_t share = (uint64_t)q->user_share;
	const uint64_t levels[PRESSURE_MARKS] = {
		[PRESSURE_SPACE] = space_level(c, have->space),
		[PRESSURE_INODES] =
		    percent_of(have->inodes, c->spool.min_free.percent),
		[PRESSURE_QUEUE_BYTES] = q->max_bytes,
		[PRESSURE_QUEUE_MESSAGES] = messages,
		[PRESSURE_MEMORY] =
		    percent_of(have->memory, (uint64_t)c->memory.soft),
		[PRESSURE_MEMORY_HARD] =
		    percent_of(have->memory, (uint64_t)c->memory.hard),
		[PRESSURE_UNSYNCED] = UNSYNCED_MAX,
		[PRESSURE_SYNC] = SYNC_MAX_MS,
	};

	for (size_t i = 0; i < PRESSURE_MARKS; i++)
		atomic_store(&p->levels[i], levels[i]);
	atomic_store(&p->user_messages, share_of(messages, share));
	atomic_store(&p->user_bytes, share_of(q->max_bytes, share));
}

uint64_t pressure_floor(const struct pressure *p)
{
	return atomic_load(&p->levels[PRESSURE_SPACE]) / 2;
}

/* --- readings --- */

/* Whether a mark of that level holds, if it did before. */
static bool judge(
    const struct mark *m, uint64_t level, uint64_t value, bool was)
{
	uint64_t end = scale(level, m->ends);

	if (level == 0)
		return false;
	if (m->is_floor)
		return value < (was ? end : level);
	return was ? value > end : value >= level;
}

static void tell(
    const struct pressure *p, enum pressure_mark mark, uint64_t value, bool is)
{
	uint64_t level = atomic_load(&p->levels[mark]);

	if (is)
		log_warn("pressure_begin",
		    LOG_STR("what", pressure_names[mark]),
		    LOG_NUM("value", value), LOG_NUM("level", level));
	else
		log_info("pressure_end", LOG_STR("what", pressure_names[mark]),
		    LOG_NUM("value", value), LOG_NUM("level", level));
}

bool pressure_note(struct pressure *p, enum pressure_mark mark, uint64_t value)
{
	unsigned bit = 1U << mark;
	bool was = (atomic_load(&p->holds) & bit) != 0;
	bool is =
	    judge(&marks[mark], atomic_load(&p->levels[mark]), value, was);
	unsigned before;

	if (is == was)
		return is;
	before = is ? atomic_fetch_or(&p->holds, bit)
		    : atomic_fetch_and(&p->holds, ~bit);
	/* Of several threads that see it one tells. */
	if (((before & bit) != 0) == was)
		tell(p, mark, value, is);
	return is;
}

bool pressure_holds(const struct pressure *p, enum pressure_mark mark)
{
	return (atomic_load(&p->holds) & 1U << mark) != 0;
}

bool pressure_is_near(
    const struct pressure *p, enum pressure_mark mark, uint64_t value)
{
	return judge(&marks[mark], atomic_load(&p->levels[mark]), value, true);
}

bool pressure_asks(const struct pressure *p, unsigned effects)
{
	unsigned holds = atomic_load(&p->holds);

	for (size_t i = 0; holds && i < PRESSURE_MARKS; i++)
		if (holds & 1U << i && marks[i].effects & effects)
			return true;
	return false;
}

/* --- users --- */

static bool is_above(
    const struct pressure *p, uint64_t messages, uint64_t bytes, bool was)
{
	return judge(
		   &user_mark, atomic_load(&p->user_messages), messages, was) ||
	       judge(&user_mark, atomic_load(&p->user_bytes), bytes, was);
}

static void tell_user(
    struct span user, uint64_t messages, uint64_t bytes, bool is)
{
	if (is)
		log_warn("user_share_begin", LOG_NUM("messages", messages),
		    LOG_NUM("bytes", bytes), LOG_SPAN("user", user));
	else
		log_info("user_share_end", LOG_NUM("messages", messages),
		    LOG_NUM("bytes", bytes), LOG_SPAN("user", user));
}

bool pressure_note_user(
    struct pressure *p, struct span user, uint64_t messages, uint64_t bytes)
{
	bool was, is = is_above(p, messages, bytes, false);

	/* As it is with nearly everybody nearly always. */
	if (!is && atomic_load(&p->user_count) == 0)
		return false;
	(void)pthread_mutex_lock(&p->lock);
	was = map_get(p->users, user) != NULL;
	is = is_above(p, messages, bytes, was);
	/* Without memory it is forgotten, and holds from the level itself. */
	if (is && !was)
		(void)map_put(p->users, user, p);
	if (!is && was)
		(void)map_remove(p->users, user);
	atomic_store(&p->user_count, map_count(p->users));
	(void)pthread_mutex_unlock(&p->lock);
	if (is != was)
		tell_user(user, messages, bytes, is);
	return is;
}
