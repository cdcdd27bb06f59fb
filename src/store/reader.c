/*
 * The thread that reads: messages for retries, histories for people. Off the
 * loops, because it waits for the disk, and off the writer, because nobody's
 * commit should wait for it. It also keeps the figure of free space fresh.
 */
#include <store/disk.h>

#include <base/clock.h>

#include <errno.h>

enum {
	FREE_SPACE_MS = 5000
};

/* More than any message may have. */
#define BODY_MAX UINT32_MAX

/* What only a damaged row says would be asked of memory otherwise. */
static bool is_possible(const struct place *p)
{
	return p->header_size <= p->size && p->size <= BODY_MAX &&
	       p->offset < SEGMENT_SIZE;
}

/* A message from its segment. */
static int read_message(
    struct disk *d, const struct place *p, struct message **out)
{
	struct buf header, body;
	if (!is_possible(p))
		return -EBADMSG;
	if (spool_has(p->segment))
		return spool_load(d->spool, p, out);
	buf_init(&header, (size_t)p->header_size);
	buf_init(&body, (size_t)(p->size - p->header_size));
	int rc = buf_reserve(&header, header.max);
	if (rc == 0)
		rc = buf_reserve(&body, body.max);
	if (rc == 0)
		rc = segment_read(
		    d->io, d->bodies, p, buf_tail(&header), buf_tail(&body));
	if (rc == 0) {
		buf_commit(&header, header.max);
		buf_commit(&body, body.max);
		*out = message_new(&header, &body, 0);
		rc = *out ? 0 : -ENOMEM;
	}
	buf_finish(&header);
	buf_finish(&body);
	return rc;
}

/* The rows as of one moment. */
static int read_rows(struct disk *d, struct store_load *r, struct place *p)
{
	(void)pthread_mutex_lock(&d->reads_lock);
	int rc = reads_begin(d->reads);
	if (rc == 0)
		rc = reads_entry(d->reads, &r->id, &r->entry);
	if (rc == 0 && r->wants_message)
		rc = reads_place(d->reads, &r->id, p);
	reads_end(d->reads);
	(void)pthread_mutex_unlock(&d->reads_lock);
	return rc;
}

/* What could not be marked as started must not be tried. */
static int load(struct disk *d, struct store_load *r)
{
	struct place p;
	if (disk_is_failed(d))
		return -EIO;
	atomic_fetch_add(&d->turn, 1);
	int rc = read_rows(d, r, &p);
	if (rc == 0 && r->wants_message)
		rc = read_message(d, &p, &r->entry->message);
	if (rc == 0 && r->entry->message)
		message_set_traits(r->entry->message, r->entry->traits);
	atomic_fetch_add(&d->turn, 1);
	if (rc < 0) {
		store_entry_free(r->entry);
		r->entry = NULL;
	}
	if (rc == -EBADMSG || rc == -EIO)
		atomic_fetch_add(&d->errors, 1);
	return rc;
}

static int find(struct disk *d, struct store_find *r)
{
	(void)pthread_mutex_lock(&d->reads_lock);
	int rc = reads_begin(d->reads);
	if (rc == 0)
		rc = reads_entry(d->reads, &r->id, &r->entry);
	if (rc == 0)
		rc = reads_attempts(
		    d->reads, r->entry, &r->attempts, &r->attempt_count);
	reads_end(d->reads);
	(void)pthread_mutex_unlock(&d->reads_lock);
	if (rc < 0)
		store_find_finish(r);
	return rc;
}

static int serve(struct disk *d, struct store_request *r)
{
	if (atomic_load(&d->is_closing))
		return -ECANCELED;
	if (r->op == STORE_OP_LOAD)
		return load(d, container_of(r, struct store_load, request));
	return find(d, container_of(r, struct store_find, request));
}

void disk_refresh_free(struct disk *d)
{
	struct store_space now;
	if (d->io->space(d->dir, &now) < 0)
		return;
	atomic_store(&d->free_bytes, now.free_bytes);
	atomic_store(&d->total_bytes, now.total_bytes);
	atomic_store(&d->free_inodes, now.free_inodes);
	atomic_store(&d->total_inodes, now.total_inodes);
}

void *reader_run(void *disk)
{
	struct disk *d = disk;
	uint64_t refreshed = clock_mono_ms();
	(void)pthread_setname_np(pthread_self(), "store-reader");
	while (!store_queue_is_done(&d->loads)) {
		struct store_request *r;
		if (store_queue_take(&d->loads, &r, 1, 0, FREE_SPACE_MS)) {
			r->next = NULL;
			r->result = serve(d, r);
			store_answer(r);
		}
		uint64_t now = clock_mono_ms();
		if (now - refreshed >= FREE_SPACE_MS) {
			disk_refresh_free(d);
			refreshed = now;
		}
	}
	return NULL;
}
