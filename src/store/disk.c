/*
 * The durable engine: opening and closing in one visible order, and its face
 * towards store.c. In its directory lie
 *   lock       flock: one process at a time; how the last one ended
 *   reserve    1 MiB to give back on a full disk
 *   store.db   all rows (SQLite, with -wal and -shm beside it)
 *   bodies/    segment files, and bodies that have one of their own
 */
#include <store/disk.h>

#include <store/schema.h>

#include <base/clock.h>
#include <base/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	RESERVE_SIZE = 1024 * 1024,
	PATH_SIZE = 4096,
	NS_PER_MS = 1000000
};

static struct disk *disk_of(struct store *s)
{
	return container_of(s, struct disk, store);
}

void disk_note_error(struct disk *d, const char *operation, int rc)
{
	atomic_fetch_add(&d->errors, 1);
	if (rc == -ENOSPC) {
		atomic_store(&d->is_full, true);
		return;
	}
	if (rc != -EIO || atomic_exchange(&d->is_failed, true))
		return;
	log_error("store_failed", LOG_STR("path", d->path),
	    LOG_STR("operation", operation),
	    LOG_STR("msg", "nothing more is stored until a restart"));
}

int disk_make_reserve(struct disk *d)
{
	int fd = d->io->open(d->dir, "reserve", O_WRONLY | O_CREAT);
	if (fd < 0)
		return store_io_errno(fd);
	int rc = d->io->fallocate(fd, RESERVE_SIZE);
	(void)d->io->close(fd);
	if (rc < 0)
		(void)d->io->unlink(d->dir, "reserve");
	d->has_reserve = rc == 0;
	return rc < 0 ? -ENOSPC : 0;
}

void disk_drop_reserve(struct disk *d)
{
	(void)d->io->unlink(d->dir, "reserve");
	d->has_reserve = false;
}

/* Send a request home that nobody will serve. */
static int push(struct store_queue *q, struct store_request *r)
{
	if (!store_queue_push(q, r)) {
		r->result = -ECANCELED;
		store_answer(r);
	}
	return 0;
}

static int disk_accept(struct store *s, struct store_accept *r)
{
	struct disk *d = disk_of(s);
	uint64_t max = d->settings.max_pending_bytes;
	uint64_t cost = store_entry_cost(r->entry);
	uint64_t before = atomic_fetch_add(&d->pending_bytes, cost);
	/* One is always taken, however large, or it never could be. */
	if (max && before > 0 && before + cost > max) {
		atomic_fetch_sub(&d->pending_bytes, cost);
		return -EBUSY;
	}
	struct store_body *b = spool_find(d->spool, r->entry->message);
	if (!b || !store_entry_is_open(r->entry))
		return push(&d->writes, &r->request);
	spool_seal(b, r);
	return 0;
}

void disk_pass_accept(struct disk *d, struct store_accept *r, int rc)
{
	if (rc == 0 && store_queue_push(&d->writes, &r->request))
		return;
	atomic_fetch_sub(&d->pending_bytes, store_entry_cost(r->entry));
	r->request.result = rc < 0 ? rc : -ECANCELED;
	r->request.next = NULL;
	store_answer(&r->request);
}

static struct store_body *disk_body(
    struct store *s, struct loop *l, bool is_volatile)
{
	return spool_body(disk_of(s)->spool, l, is_volatile);
}

static int disk_update(struct store *s, struct store_update *r)
{
	return push(&disk_of(s)->writes, &r->request);
}

static int disk_charge(struct store *s, struct store_charge *r)
{
	return push(&disk_of(s)->writes, &r->request);
}

static int disk_load(struct store *s, struct store_load *r)
{
	return push(&disk_of(s)->loads, &r->request);
}

static int disk_find(struct store *s, struct store_find *r)
{
	return push(&disk_of(s)->loads, &r->request);
}

static int disk_search(struct store *s, struct store_search *r)
{
	return search_push(disk_of(s)->search, r);
}

/* With a connection of its own, so that nobody waits for it. */
struct disk_walk {
	struct store_walk walk;
	struct reads *reads;
};

static void disk_walk_end(struct store_walk *walk)
{
	struct disk_walk *w = container_of(walk, struct disk_walk, walk);
	if (w->reads)
		reads_end(w->reads);
	reads_close(w->reads);
	free(w);
}

static int open_reads(struct disk *d, struct reads **out, struct err *e);

static struct store_walk *disk_walk_begin(struct store *s, struct err *e)
{
	struct disk_walk *w = calloc(1, sizeof(*w));
	if (!w) {
		err_set(e, -ENOMEM, "store: out of memory");
		return NULL;
	}
	w->walk.store = s;
	int rc = open_reads(disk_of(s), &w->reads, e);
	if (rc == 0) {
		rc = reads_begin(w->reads);
		if (rc == 0)
			rc = reads_fix(w->reads);
		if (rc < 0)
			err_errno(e, rc, "store: cannot read what is pending");
	}
	if (rc == 0)
		return &w->walk;
	disk_walk_end(&w->walk);
	return NULL;
}

static int disk_walk(struct store_walk *walk,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx)
{
	struct disk_walk *w = container_of(walk, struct disk_walk, walk);
	return reads_each_pending(w->reads, clock_wall_ms(), each, ctx);
}

static int disk_each_quota(struct store *s,
    void (*each)(struct span user, int64_t day, uint64_t messages, void *ctx),
    void *ctx)
{
	struct disk *d = disk_of(s);
	(void)pthread_mutex_lock(&d->reads_lock);
	int rc = reads_each_quota(d->reads, each, ctx);
	(void)pthread_mutex_unlock(&d->reads_lock);
	return rc;
}

static int disk_each_spent(struct store *s, int64_t from_day,
    void (*each)(
	struct span provider, int64_t day, uint64_t recipients, void *ctx),
    void *ctx)
{
	struct disk *d = disk_of(s);
	(void)pthread_mutex_lock(&d->reads_lock);
	int rc = reads_each_spent(d->reads, from_day, each, ctx);
	(void)pthread_mutex_unlock(&d->reads_lock);
	return rc;
}

/*
 * How long those wait who are in a batch. What the last one took does not
 * count: whoever was held off for that would come into the next one by one.
 */
static uint64_t sync_ms(struct disk *d)
{
	uint64_t began = atomic_load(&d->batch_began_ns);
	uint64_t now = clock_mono_ns();
	return began && now > began ? (now - began) / NS_PER_MS : 0;
}

static void disk_stats(struct store *s, struct store_stats *out)
{
	struct disk *d = disk_of(s);
	*out = (struct store_stats){
		.messages = atomic_load(&d->messages),
		.bytes = atomic_load(&d->bytes),
		.dead = atomic_load(&d->dead),
		.dead_bytes = atomic_load(&d->dead_bytes),
		.commits = atomic_load(&d->commits),
		.committed = atomic_load(&d->committed),
		.sync_ns_total = atomic_load(&d->sync_ns),
		.errors = atomic_load(&d->errors),
		.space = { .free_bytes = atomic_load(&d->free_bytes),
		    .total_bytes = atomic_load(&d->total_bytes),
		    .free_inodes = atomic_load(&d->free_inodes),
		    .total_inodes = atomic_load(&d->total_inodes) },
		.unsynced_bytes = atomic_load(&d->pending_bytes),
		.sync_ms = sync_ms(d),
		.is_writable = !disk_is_failed(d),
	};
}

static void disk_held(struct store *s, struct span user, struct store_held *out)
{
	holders_look(disk_of(s)->holders, user, out);
}

static int disk_check(struct store *s)
{
	struct disk *d = disk_of(s);
	if (disk_is_failed(d))
		return -EIO;
	return atomic_load(&d->is_full) || !disk_has_room(d) ? -ENOSPC : 0;
}

static void close_bodies(struct disk *d)
{
	segments_close(d->segments);
	d->segments = NULL;
	if (d->bodies >= 0)
		(void)d->io->close(d->bodies);
	d->bodies = -1;
}

/* Half-built ones too; the threads have ended. */
static void destroy(struct disk *d)
{
	search_close(d->search);
	writer_free(d->writer);
	spool_close(d->spool);
	holders_free(d->holders);
	inspect_end(d);
	close_bodies(d);
	reads_close(d->reads);
	rows_close(d->rows);
	if (d->lock >= 0)
		(void)d->io->close(d->lock);
	if (d->dir >= 0)
		(void)d->io->close(d->dir);
	store_queue_finish(&d->writes);
	store_queue_finish(&d->loads);
	(void)pthread_mutex_destroy(&d->reads_lock);
	free(d->path);
	free(d);
}

static void disk_close(struct store *s)
{
	struct disk *d = disk_of(s);
	/* What it still has under way may end in a commit. */
	spool_stop(d->spool);
	atomic_store(&d->is_closing, true);
	store_queue_stop(&d->loads);
	store_queue_stop(&d->writes);
	(void)pthread_join(d->writer_thread, NULL);
	(void)pthread_join(d->reader_thread, NULL);
	destroy(d);
}

static const struct store_ops disk_ops = {
	.accept = disk_accept,
	.update = disk_update,
	.charge = disk_charge,
	.load = disk_load,
	.find = disk_find,
	.search = disk_search,
	.walk_begin = disk_walk_begin,
	.walk = disk_walk,
	.walk_end = disk_walk_end,
	.each_quota = disk_each_quota,
	.each_spent = disk_each_spent,
	.body = disk_body,
	.stats = disk_stats,
	.held = disk_held,
	.check = disk_check,
	.close = disk_close,
};

/* Sync the directory that holds fd's; after it was created. */
static int sync_parent(struct disk *d, int fd)
{
	int parent = d->io->open(fd, "..", O_RDONLY | O_DIRECTORY);
	if (parent < 0)
		return parent;
	int rc = d->io->fsync(parent);
	(void)d->io->close(parent);
	return rc;
}

/* Create a directory when it is missing, and open it. */
static int open_directory(
    struct disk *d, const char *path, int *out, struct err *e)
{
	int made = d->io->mkdir(path);
	if (made < 0 && made != -EEXIST)
		return err_errno(e, made, "store: cannot create %s", path);
	int fd = d->io->open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_errno(e, fd, "store: cannot open %s", path);
	*out = fd;
	int rc = made == 0 ? sync_parent(d, fd) : 0;
	return rc < 0 ? err_errno(e, rc, "store: cannot sync %s", path) : 0;
}

static int refuse_second(struct disk *d, int fd, int code, struct err *e)
{
	char pid[16] = "";
	ssize_t n = d->io->pread(fd, pid, sizeof(pid) - 1, 0);
	for (ssize_t i = 0; i < n; i++)
		if (pid[i] < '0' || pid[i] > '9')
			pid[i] = '\0';
	return err_set(e, code,
	    "store: %s is in use by another process%s%s: one process per "
	    "store",
	    d->path, pid[0] ? ", pid " : "", pid);
}

static int take_lock(struct disk *d, struct err *e)
{
	int fd = d->io->open(d->dir, "lock", O_RDWR | O_CREAT);
	if (fd < 0)
		return err_errno(e, fd, "store: cannot open %s/lock", d->path);
	int rc = d->io->lock(fd);
	if (rc == -EWOULDBLOCK)
		rc = refuse_second(d, fd, -EBUSY, e);
	else if (rc < 0)
		rc = err_errno(e, rc, "store: cannot lock %s/lock", d->path);
	if (rc < 0) {
		(void)d->io->close(fd);
		return rc;
	}
	d->lock = fd;
	inspect_lock(d);
	return 0;
}

/* SQLite would make the file readable for all; -wal and -shm follow it. */
static int make_database(struct disk *d, struct err *e)
{
	int fd = d->io->open(d->dir, "store.db", O_RDWR | O_CREAT);
	if (fd < 0)
		return err_errno(
		    e, fd, "store: cannot open %s/store.db", d->path);
	(void)d->io->close(fd);
	return 0;
}

static int open_rows(struct disk *d, const char *path, struct err *e)
{
	sqlite3 *db = NULL;
	int rc = sqlite_connect(path, d->io->vfs, &db, e);
	if (rc < 0)
		return rc;
	/* What is refused is left for salvage as it is, its log too. */
	sqlite_set_tidy(db, false);
	rc = schema_prepare(db, path, &d->inspect.is_new, e);
	if (rc == 0)
		rc = inspect_database(d, db, e);
	if (rc == 0)
		rc = rows_open(db, &d->rows, e);
	if (rc < 0) {
		rc = inspect_failure(d, db, rc, e);
		(void)sqlite3_close(db);
	}
	return rc;
}

static void format_database(const struct disk *d, char out[PATH_SIZE])
{
	(void)snprintf(out, PATH_SIZE, "%s/store.db", d->path);
}

static int open_reads(struct disk *d, struct reads **out, struct err *e)
{
	char path[PATH_SIZE];
	sqlite3 *db = NULL;
	format_database(d, path);
	int rc = sqlite_connect(path, d->io->vfs, &db, e);
	if (rc < 0)
		return rc;
	rc = schema_prepare_reader(db, e);
	if (rc == 0)
		rc = reads_open(db, out, e);
	if (rc < 0) {
		rc = inspect_failure(d, db, rc, e);
		(void)sqlite3_close(db);
	}
	return rc;
}

static int open_database(struct disk *d, struct err *e)
{
	char path[PATH_SIZE];
	format_database(d, path);
	inspect_clock(d);
	inspect_log(d);
	int rc = inspect_settle_log(d, e);
	if (rc == 0)
		rc = make_database(d, e);
	if (rc == 0)
		rc = open_rows(d, path, e);
	return rc == 0 ? open_reads(d, &d->reads, e) : rc;
}

static int adopt(const struct reads_segment *s, void *ctx)
{
	struct disk *d = ctx;
	atomic_fetch_add(s->is_dead ? &d->dead : &d->messages, s->count);
	d->inspect.nameless += s->nameless;
	atomic_fetch_add(s->is_dead ? &d->dead_bytes : &d->bytes, s->bytes);
	return segments_adopt(
	    d->segments, s->number, s->count, s->bytes, s->end);
}

static void count_holder(struct span user, uint64_t bytes, void *ctx)
{
	holders_add(ctx, user, bytes);
}

static int open_bodies(struct disk *d, const char *path, struct err *e)
{
	int rc = open_directory(d, path, &d->bodies, e);
	if (rc == 0)
		rc = segments_open(d->io, d->bodies, &d->turn, &d->segments, e);
	return rc;
}

static int open_segments(struct disk *d, struct err *e)
{
	char path[PATH_SIZE];
	(void)snprintf(path, sizeof(path), "%s/bodies", d->path);
	int rc = open_bodies(d, path, e);
	if (rc == 0)
		rc = inspect_bodies(d, e);
	if (rc > 0) {
		close_bodies(d);
		rc = open_bodies(d, path, e);
	}
	if (rc < 0)
		return rc;
	rc = inspect_unsure(d, e);
	if (rc < 0)
		return rc;
	rc = reads_each_segment(d->reads, adopt, d);
	if (rc == 0)
		rc = reads_each_held(d->reads, count_holder, d->holders);
	if (rc < 0) {
		err_errno(e, rc, "store: cannot read what is in %s", path);
		return inspect_failure(d, reads_database(d->reads), rc, e);
	}
	inspect_rows(d);
	uint32_t next = segments_next_own(d->segments);
	rc = segments_resume(d->segments);
	if (rc < 0)
		return err_errno(e, rc, "store: cannot go on in %s", path);
	return spool_open(d, next, &d->spool, e);
}

static int open_files(struct disk *d, struct err *e)
{
	int rc = open_directory(d, d->path, &d->dir, e);
	if (rc == 0)
		rc = inspect_place(d, e);
	if (rc == 0)
		rc = take_lock(d, e);
	if (rc == 0)
		rc = open_database(d, e);
	if (rc == 0)
		rc = open_segments(d, e);
	if (rc == 0)
		rc = inspect_renew_log(d, e);
	if (rc < 0)
		return rc;
	/* Without it the store still starts: what is in it can be sent. */
	if (disk_make_reserve(d) < 0)
		atomic_store(&d->is_full, true);
	disk_refresh_free(d);
	inspect_begin(d);
	rc = d->io->fsync(d->dir);
	if (rc < 0)
		return err_errno(e, rc, "store: cannot sync %s", d->path);
	return watch_start(d, e);
}

static int start_threads(struct disk *d, struct err *e)
{
	rows_started(d->rows);
	d->writer = writer_new(d);
	if (!d->writer)
		return err_set(e, -ENOMEM, "store: out of memory");
	int rc = pthread_create(&d->writer_thread, NULL, writer_run, d->writer);
	if (rc)
		return err_errno(e, -rc, "store: cannot start a thread");
	rc = pthread_create(&d->reader_thread, NULL, reader_run, d);
	if (rc) {
		store_queue_stop(&d->writes);
		(void)pthread_join(d->writer_thread, NULL);
		return err_errno(e, -rc, "store: cannot start a thread");
	}
	return 0;
}

/* Everything that destroy takes apart, empty. */
static struct disk *disk_new(
    const struct store_settings *settings, const struct store_io *io)
{
	struct disk *d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->path = span_dup(span_of(settings->path));
	if (!d->path)
		goto fail_path;
	if (store_queue_init(&d->writes) < 0)
		goto fail_writes;
	if (store_queue_init(&d->loads) < 0)
		goto fail_loads;
	if (pthread_mutex_init(&d->reads_lock, NULL) != 0)
		goto fail_lock;
	d->search = search_new(d);
	if (!d->search)
		goto fail_search;
	d->holders = holders_new();
	if (!d->holders)
		goto fail_holders;
	d->store.ops = &disk_ops;
	d->settings = *settings;
	d->settings.path = d->path;
	store_set_limits(
	    &d->store, settings->history_ms, settings->min_free_bytes);
	store_set_dead(&d->store, settings->dead_ms, settings->dead_bytes);
	d->io = io;
	d->dir = d->bodies = d->lock = -1;
	return d;
fail_holders:
	search_close(d->search);
fail_search:
	(void)pthread_mutex_destroy(&d->reads_lock);
fail_lock:
	store_queue_finish(&d->loads);
fail_loads:
	store_queue_finish(&d->writes);
fail_writes:
	free(d->path);
fail_path:
	free(d);
	return NULL;
}

struct store *disk_open(const struct store_settings *settings,
    const struct store_io *io, struct err *e)
{
	if (!settings->path || strlen(settings->path) > PATH_SIZE - 32) {
		err_set(e, -EINVAL, "store: the path is missing or too long");
		return NULL;
	}
	struct disk *d = disk_new(settings, io);
	if (!d) {
		err_set(e, -ENOMEM, "store: out of memory");
		return NULL;
	}
	if (open_files(d, e) < 0 || start_threads(d, e) < 0) {
		destroy(d);
		return NULL;
	}
	return &d->store;
}
