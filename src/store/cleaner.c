/*
 * The cleaner. It picks the segment with the fewest live bytes and walks the
 * live bodies in the order of their ids, moving those that lie there: copy to
 * the head, sync, then one transaction that changes the rows. No index from
 * segment to message is needed, which every accept would pay for.
 */
#include <store/cleaner.h>

#include <errno.h>
#include <stdlib.h>

enum {
	STEP_ROWS = 1024,             /* looked at per step */
	STEP_BYTES = 4 * 1024 * 1024, /* moved per step, or one body more */
	SLACK = 8                     /* segments that are always fine */
};

struct cleaner {
	struct disk *d;
	uint32_t victim; /* 0 = none */
	struct id after; /* walked up to here */
	char *buffer;    /* SEGMENT_LARGE bytes */
	struct id ids[STEP_ROWS];
	struct place places[STEP_ROWS];

	/* Moved in this step, not committed. */
	struct id moved_ids[STEP_ROWS];
	struct place from[STEP_ROWS], to[STEP_ROWS];
	int moved;
	uint64_t moved_bytes;
};

struct cleaner *cleaner_new(struct disk *d)
{
	struct cleaner *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->d = d;
	c->buffer = malloc(SEGMENT_LARGE);
	if (!c->buffer) {
		free(c);
		return NULL;
	}
	return c;
}

void cleaner_free(struct cleaner *c)
{
	if (!c)
		return;
	free(c->buffer);
	free(c);
}

static bool is_wanted(const struct segments *s)
{
	uint64_t used = (uint64_t)segments_in_use(s) * SEGMENT_SIZE;
	return used >
	       2 * segments_live_bytes(s) + (uint64_t)SLACK * SEGMENT_SIZE;
}

/*
 * A body that cannot be read keeps its segment for as long as it lives: what
 * is lost with it is one message, and no reason to stop storing others.
 */
static int copy_body(
    struct cleaner *c, const struct id *id, const struct place *p)
{
	struct disk *d = c->d;
	if (p->size > SEGMENT_LARGE || p->header_size > p->size)
		return -EBADMSG;
	int rc = segment_read(
	    d->io, d->bodies, p, c->buffer, c->buffer + p->header_size);
	/* Without a descriptor or memory for it now: later. */
	if (rc < 0)
		return rc == -ENOMEM ? rc : -EBADMSG;
	struct place to = *p;
	rc = segments_append_bytes(d->segments, c->buffer, &to);
	if (rc < 0)
		return rc;
	c->moved_ids[c->moved] = *id;
	c->from[c->moved] = *p;
	c->to[c->moved++] = to;
	c->moved_bytes += p->size;
	return 0;
}

/* Copy what lies in the victim among the next rows. 1: the walk goes on. */
static int copy_some(struct cleaner *c)
{
	int n =
	    rows_bodies(c->d->rows, &c->after, c->ids, c->places, STEP_ROWS);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		if (c->places[i].segment != c->victim)
			continue;
		int rc = copy_body(c, &c->ids[i], &c->places[i]);
		if (rc == -EBADMSG)
			segments_set_stuck(c->d->segments, c->victim);
		else if (rc < 0)
			return rc;
		if (c->moved_bytes >= STEP_BYTES) {
			c->after = c->ids[i];
			return 1;
		}
	}
	return n == STEP_ROWS;
}

static int commit_moves(struct cleaner *c)
{
	struct rows *rows = c->d->rows;
	int rc = rows_begin(rows);
	if (rc < 0)
		return rc;
	for (int i = 0; rc == 0 && i < c->moved; i++)
		rc = rows_move(rows, &c->moved_ids[i], &c->to[i]);
	if (rc == 0)
		rc = rows_commit(rows);
	if (rc < 0)
		rows_rollback(rows);
	return rc;
}

/* Both copies are whole until here; one of them is given up. */
static void release(struct cleaner *c, const struct place *places)
{
	for (int i = 0; i < c->moved; i++)
		segments_release(c->d->segments, &places[i]);
	c->moved = 0;
	c->moved_bytes = 0;
}

static int step(struct cleaner *c)
{
	int more = copy_some(c);
	int rc = more < 0 ? more : 0;
	/* Also when nothing was moved: a failed write is not the next batch's.
	 */
	int synced = segments_sync(c->d->segments);
	if (synced < 0)
		segments_abandon(c->d->segments);
	if (rc == 0)
		rc = synced;
	if (rc == 0 && c->moved > 0)
		rc = commit_moves(c);
	release(c, rc == 0 ? c->from : c->to);
	return rc < 0 ? rc : more;
}

int cleaner_step(struct cleaner *c)
{
	if (!segments_is_movable(c->d->segments, c->victim)) {
		c->victim = 0;
		if (!is_wanted(c->d->segments))
			return 0;
		c->victim = segments_emptiest(c->d->segments);
		memset(&c->after, 0, sizeof(c->after));
		if (c->victim == 0)
			return 0;
	}
	int more = step(c);
	/* What the walk did not find no later one will. */
	if (more == 0 && segments_is_movable(c->d->segments, c->victim))
		segments_set_stuck(c->d->segments, c->victim);
	if (more <= 0)
		c->victim = 0;
	return more < 0 ? more : 1;
}
