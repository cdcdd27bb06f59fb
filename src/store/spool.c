/* Bodies in files of their own: see spool.h and body.h. */
#include <store/spool.h>

#include <store/disk.h>

#include <base/hash.h>
#include <loop/blocking.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	THREADS = 4,
	READ_SIZE = 64 * 1024,
	TRIES = 64 /* for a number that is not taken */
};

struct spool {
	atomic_uint refs; /* the store's and one per body */
	struct disk *disk;
	const struct store_io *io;
	int dir;
	_Atomic(struct blocking *) pool; /* NULL: stopped */
	_Atomic uint32_t next;
};

struct store_body {
	struct message_source source;
	atomic_uint refs; /* the owner's, and of sealing */
	struct spool *spool;
	struct loop *loop;
	int fd; /* -1 before the first write */
	uint32_t number;
	bool is_volatile;
	bool is_kept; /* the writer removes it */
	bool is_busy, is_dropped;
	struct blocking_job job; /* one thing at a time */

	struct buf data; /* of the write under way */
	int rc;
	void (*on_written)(void *ctx, int rc);
	void *ctx;

	struct store_accept *accept;
	struct place place;
};

void spool_format_name(uint32_t number, char out[SPOOL_NAME_SIZE])
{
	(void)snprintf(out, SPOOL_NAME_SIZE, "%08x.msg", number);
}

uint32_t spool_parse_name(const char *name)
{
	char again[SPOOL_NAME_SIZE];
	if (strlen(name) != SPOOL_NAME_SIZE - 1)
		return 0;
	uint32_t number = (uint32_t)strtoul(name, NULL, 16);
	spool_format_name(number, again);
	return spool_has(number) && strcmp(name, again) == 0 ? number : 0;
}

static void spool_unref(struct spool *s)
{
	if (atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	(void)s->io->close(s->dir);
	free(s);
}

int spool_open(struct disk *d, uint32_t next, struct spool **out, struct err *e)
{
	struct spool *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "store: out of memory");
	atomic_init(&s->refs, 1);
	atomic_init(&s->next, next);
	s->disk = d;
	s->io = d->io;
	s->dir = d->io->open(d->bodies, ".", O_RDONLY | O_DIRECTORY);
	if (s->dir < 0) {
		int rc = s->dir;
		free(s);
		return err_errno(
		    e, rc, "store: cannot open %s/bodies", d->path);
	}
	struct blocking *pool = blocking_new(THREADS, SIZE_MAX);
	atomic_init(&s->pool, pool);
	if (!pool) {
		spool_unref(s);
		return err_set(e, -ENOMEM, "store: cannot start threads");
	}
	*out = s;
	return 0;
}

void spool_stop(struct spool *s)
{
	if (s)
		blocking_free(atomic_exchange(&s->pool, NULL));
}

void spool_close(struct spool *s)
{
	spool_stop(s);
	if (s)
		spool_unref(s);
}

/* False when there is no thread any more. */
static bool submit(struct store_body *b)
{
	struct blocking *pool = atomic_load(&b->spool->pool);
	return pool && blocking_submit(pool, &b->job) == 0;
}

/* --- the end of a body --- */

static void remove_file(struct store_body *b)
{
	char name[SPOOL_NAME_SIZE];
	spool_format_name(b->number, name);
	(void)b->spool->io->unlink(b->spool->dir, name);
}

/* Freeing the blocks of a large file takes time: not on a loop. */
static void dispose(struct blocking_job *job)
{
	struct store_body *b = container_of(job, struct store_body, job);
	if (b->fd >= 0) {
		if (!b->is_kept && !b->is_volatile)
			remove_file(b);
		(void)b->spool->io->close(b->fd);
	}
	buf_finish(&b->data);
	spool_unref(b->spool);
	free(b);
}

static void unref(struct store_body *b)
{
	if (atomic_fetch_sub(&b->refs, 1) > 1)
		return;
	b->job.loop = NULL;
	b->job.work = dispose;
	if (b->fd < 0 || !submit(b))
		dispose(&b->job);
}

/* --- as part of a message --- */

static struct store_body *body_of(struct message_source *source)
{
	return container_of(source, struct store_body, source);
}

static ssize_t read_body(
    struct message_source *source, uint64_t offset, void *out, size_t len)
{
	const struct store_body *b = body_of(source);
	uint64_t left = offset < source->size ? source->size - offset : 0;
	if (len > left)
		len = (size_t)left;
	if (len == 0)
		return 0;
	ssize_t n =
	    b->spool->io->pread(b->fd, out, len, SPOOL_BODY_START + offset);
	return n == 0 ? -EBADMSG : n; /* the file was cut */
}

static void release_body(struct message_source *source)
{
	unref(body_of(source));
}

static const struct message_source_ops source_ops = {
	.read = read_body,
	.release = release_body,
};

static struct store_body *body_new(struct spool *s)
{
	struct store_body *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	atomic_init(&b->refs, 1);
	atomic_fetch_add(&s->refs, 1);
	b->source.ops = &source_ops;
	b->spool = s;
	b->fd = -1;
	return b;
}

struct store_body *spool_body(struct spool *s, struct loop *l, bool is_volatile)
{
	struct store_body *b = body_new(s);
	if (b) {
		b->loop = l;
		b->is_volatile = is_volatile;
	}
	return b;
}

struct message *store_body_message(struct store_body *b, struct buf *header)
{
	return message_new_from(header, &b->source);
}

void store_body_drop(struct store_body *b)
{
	if (b && b->is_busy)
		b->is_dropped = true; /* goes when that is over */
	else if (b)
		unref(b);
}

/* --- writing --- */

static int create(struct store_body *b)
{
	struct spool *s = b->spool;
	char name[SPOOL_NAME_SIZE];
	int fd = -EEXIST;
	for (int i = 0; fd == -EEXIST && i < TRIES; i++) {
		/* From the first again, should there ever be so many. */
		b->number = atomic_fetch_add(&s->next, 1) | SPOOL_FIRST;
		spool_format_name(b->number, name);
		fd = s->io->open(s->dir, name, O_RDWR | O_CREAT | O_EXCL);
	}
	if (fd < 0)
		return store_io_errno(fd);
	b->fd = fd;
	if (b->is_volatile)
		remove_file(b);
	return 0;
}

/* May more be written now? 0, -ENOSPC or -EIO. */
static int check_disk(struct disk *d)
{
	if (disk_is_failed(d))
		return -EIO;
	return disk_has_room(d) ? 0 : -ENOSPC;
}

static int write_at(struct store_body *b, struct span bytes, uint64_t offset)
{
	union {
		const char *in;
		void *out; /* nothing is written through it */
	} u = { .in = bytes.ptr };
	struct iovec iov = { .iov_base = u.out, .iov_len = bytes.len };
	int rc = store_io_write(b->spool->io, b->fd, &iov, 1, offset);
	return rc < 0 ? store_io_errno(rc) : 0;
}

static void write_work(struct blocking_job *job)
{
	struct store_body *b = container_of(job, struct store_body, job);
	struct message_source *to = &b->source;
	struct disk *d = b->spool->disk;
	struct span bytes = buf_span(&b->data);
	int rc = check_disk(d);
	if (rc == 0 && b->fd < 0)
		rc = create(b);
	if (rc == 0)
		rc = write_at(b, bytes, SPOOL_BODY_START + to->size);
	if (rc == 0) {
		to->crc = hash_crc32c(to->crc, bytes.ptr, bytes.len);
		to->size += bytes.len;
	} else {
		disk_note_error(d, "body", rc);
	}
	buf_finish(&b->data);
	b->rc = rc;
}

static void write_done(struct blocking_job *job)
{
	struct store_body *b = container_of(job, struct store_body, job);
	b->is_busy = false;
	if (b->is_dropped)
		unref(b);
	else
		b->on_written(b->ctx, b->rc);
}

void store_body_write(struct store_body *b, struct buf *data,
    void (*on_written)(void *ctx, int rc), void *ctx)
{
	b->data = *data;
	buf_init(data, data->max);
	b->on_written = on_written;
	b->ctx = ctx;
	b->is_busy = true;
	b->job = (struct blocking_job){
		.loop = b->loop, .work = write_work, .done = write_done
	};
	/* There is no limit on what waits, and the store is open. */
	(void)submit(b);
}

/* --- accepting --- */

struct store_body *spool_find(const struct spool *s, const struct message *m)
{
	struct message_source *source = m ? message_source(m) : NULL;
	if (!source || source->ops != &source_ops)
		return NULL;
	struct store_body *b = body_of(source);
	return b->spool == s && !b->is_volatile && !b->is_kept && b->fd >= 0 &&
		       message_header(m).len <= SPOOL_BODY_START
		   ? b
		   : NULL;
}

static int seal(struct store_body *b, const struct message *m)
{
	struct span header = message_header(m);
	struct disk *d = b->spool->disk;
	b->place = (struct place){ .segment = b->number,
		.offset = SPOOL_BODY_START - header.len,
		.size = message_size(m),
		.header_size = header.len,
		.crc = message_crc(m) };
	int rc = check_disk(d);
	if (rc == 0)
		rc = write_at(b, header, b->place.offset);
	/* A failed sync has lost data, whatever it says: never tried again. */
	if (rc == 0 && b->spool->io->fdatasync(b->fd) < 0)
		rc = -EIO;
	if (rc < 0)
		disk_note_error(d, "body", rc);
	return rc;
}

static void seal_work(struct blocking_job *job)
{
	struct store_body *b = container_of(job, struct store_body, job);
	struct store_accept *r = b->accept;
	disk_pass_accept(b->spool->disk, r, seal(b, r->entry->message));
	unref(b);
}

void spool_seal(struct store_body *b, struct store_accept *r)
{
	atomic_fetch_add(&b->refs, 1);
	b->accept = r;
	b->job = (struct blocking_job){ .work = seal_work };
	if (submit(b))
		return;
	disk_pass_accept(b->spool->disk, r, -ECANCELED);
	unref(b);
}

struct place spool_keep(struct store_body *b)
{
	b->is_kept = true;
	return b->place;
}

/* --- reading back --- */

static int read_header(
    struct store_body *b, const struct place *p, struct buf *out)
{
	buf_init(out, (size_t)p->header_size);
	int rc = buf_reserve(out, out->max);
	if (rc == 0)
		rc = store_io_read(
		    b->spool->io, b->fd, buf_tail(out), out->max, p->offset);
	if (rc == 0)
		buf_commit(out, out->max);
	return rc;
}

/* All of it once, for its CRC; it is in the page cache then. */
static int scan_body(struct store_body *b, uint64_t size)
{
	struct message_source *to = &b->source;
	char *chunk = malloc(READ_SIZE);
	int rc = chunk ? 0 : -ENOMEM;
	while (rc == 0 && to->size < size) {
		uint64_t left = size - to->size;
		size_t n = left < READ_SIZE ? (size_t)left : READ_SIZE;
		rc = store_io_read(
		    b->spool->io, b->fd, chunk, n, SPOOL_BODY_START + to->size);
		if (rc < 0)
			break;
		to->crc = hash_crc32c(to->crc, chunk, n);
		to->size += n;
	}
	free(chunk);
	return rc;
}

static int load(
    struct store_body *b, const struct place *p, struct message **out)
{
	struct buf header;
	int rc = read_header(b, p, &header);
	if (rc == 0)
		rc = scan_body(b, p->size - p->header_size);
	struct message *m =
	    rc == 0 ? message_new_from(&header, &b->source) : NULL;
	buf_finish(&header);
	if (!m)
		return rc < 0 ? rc : -ENOMEM;
	if (message_crc(m) == p->crc) {
		*out = m;
		return 0;
	}
	atomic_fetch_add(&b->refs, 1); /* the caller still has its own */
	message_unref(m);
	return -EBADMSG;
}

int spool_load(struct spool *s, const struct place *p, struct message **out)
{
	char name[SPOOL_NAME_SIZE];
	if (p->offset + p->header_size != SPOOL_BODY_START)
		return -EBADMSG;
	spool_format_name(p->segment, name);
	int fd = s->io->open(s->dir, name, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? -EBADMSG : store_io_errno(fd);
	struct store_body *b = body_new(s);
	if (!b) {
		(void)s->io->close(fd);
		return -ENOMEM;
	}
	b->fd = fd;
	b->is_kept = true;
	int rc = load(b, p, out);
	if (rc < 0)
		unref(b);
	return rc < 0 && rc != -EBADMSG ? store_io_errno(rc) : rc;
}
