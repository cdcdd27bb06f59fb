/* Segment files: append, sync, recycle, read. */
#include <store/segment_internal.h>

#include <base/hash.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static const char zeros[SEGMENT_PAGE];

/* Nothing is written through the pointer, whatever its type says. */
static struct iovec piece(const void *bytes, size_t len)
{
	union {
		const void *in;
		void *out;
	} u = { .in = bytes };
	return (struct iovec){ .iov_base = u.out, .iov_len = len };
}

static uint64_t round_up(uint64_t n)
{
	return (n + SEGMENT_PAGE - 1) / SEGMENT_PAGE * SEGMENT_PAGE;
}

int segments_open(const struct store_io *io, int dir, const segment_turn *turn,
    struct segments **out, struct err *e)
{
	struct segments *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, -ENOMEM, "store: out of memory");
	s->io = io;
	s->dir = dir;
	s->turn = turn;
	s->fd = -1;
	s->next_number = 1;
	s->next_own = SPOOL_FIRST;
	s->chunk = malloc(SEGMENT_CHUNK);
	s->flusher = flusher_new(io);
	int rc = s->chunk && s->flusher ? segment_list_scan(s) : -ENOMEM;
	if (rc < 0) {
		segments_close(s);
		return err_errno(e, rc, "store: cannot list the segments");
	}
	*out = s;
	return 0;
}

/* Closing may report a write that failed, but all that counts was synced. */
static void leave_active(struct segments *s)
{
	if (s->fd >= 0)
		(void)s->io->close(s->fd);
	s->fd = -1;
	s->active = 0;
	s->is_dirty = false;
}

void segments_close(struct segments *s)
{
	if (!s)
		return;
	leave_active(s);
	flusher_free(s->flusher);
	free(s->chunk);
	free(s->list);
	free(s->own);
	free(s);
}

static int open_active(struct segments *s, uint32_t number, uint64_t tail)
{
	char name[SEGMENT_NAME_SIZE];
	segment_format_name(number, name);
	int fd = s->io->open(s->dir, name, O_WRONLY);
	if (fd < 0)
		return store_io_errno(fd);
	leave_active(s);
	s->fd = fd;
	s->active = number;
	s->tail = s->written = round_up(tail);
	return 0;
}

int segments_resume(struct segments *s)
{
	struct segment *best = NULL;
	uint64_t best_end = SEGMENT_SIZE;
	for (size_t i = 0; i < s->count; i++) {
		struct segment *g = &s->list[i];
		if (g->capacity == SEGMENT_SIZE && g->live_count &&
		    g->end < best_end) {
			best = g;
			best_end = g->end;
		}
	}
	int rc = best ? open_active(s, best->number, best_end) : 0;
	segments_reap(s, SEGMENT_SPARE);
	return rc;
}

/*
 * The file of *out_number, which is used up also by a failure: what cannot
 * be removed again must not be in the way of the next.
 */
static int create_file(struct segments *s, uint64_t size, uint32_t *out_number)
{
	char name[SEGMENT_NAME_SIZE];
	*out_number = s->next_number++;
	segment_format_name(*out_number, name);
	int fd = s->io->open(s->dir, name, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return store_io_errno(fd);
	/* Space is claimed here, so that a full disk shows here. */
	int rc = s->io->fallocate(fd, size);
	if (rc < 0) {
		(void)s->io->close(fd);
		(void)s->io->unlink(s->dir, name);
		return store_io_errno(rc);
	}
	s->is_dir_dirty = true;
	return fd;
}

/* After a failed write nobody knows what is in the file. */
static int write_at(
    struct segments *s, struct iovec *iov, int count, uint64_t offset)
{
	int rc = store_io_write(s->io, s->fd, iov, count, offset);
	if (rc < 0)
		rc = store_io_errno(rc);
	if (rc < 0 && s->failure == 0)
		s->failure = rc;
	s->is_dirty = true;
	return rc;
}

/* A failed sync has lost data, whatever it says: never tried again. */
static int sync_fd(struct segments *s, int fd)
{
	int rc = s->io->fdatasync(fd) < 0 ? -EIO : 0;
	if (rc < 0)
		s->failure = rc;
	return rc;
}

static int write_gathered(struct segments *s)
{
	uint64_t end = round_up(s->tail);
	int rc = 0;
	if (s->gathered > 0) {
		s->gather[s->gathered++] =
		    piece(zeros, (size_t)(end - s->tail));
		rc = write_at(s, s->gather, s->gathered, s->written);
	}
	s->gathered = 0;
	s->tail = s->written = end;
	return rc;
}

static int sync_active(struct segments *s)
{
	int rc = write_gathered(s);
	if (rc == 0 && s->is_dirty)
		rc = sync_fd(s, s->fd);
	s->is_dirty = false;
	return rc;
}

/*
 * Go on in a recycled or a new segment. Until one is at hand the present one
 * stays, so that smaller bodies still find their place.
 */
static int rotate(struct segments *s)
{
	struct segment *spare = segment_list_spare(s);
	int rc = sync_active(s);
	if (rc < 0)
		return rc;
	if (spare)
		return open_active(s, spare->number, 0);
	uint32_t number;
	int fd = create_file(s, SEGMENT_SIZE, &number);
	if (fd < 0)
		return fd;
	struct segment *g = segment_list_add(s, number, SEGMENT_SIZE);
	if (!g) {
		(void)s->io->close(fd);
		return -ENOMEM;
	}
	leave_active(s);
	s->fd = fd;
	s->active = g->number;
	s->tail = s->written = 0;
	return 0;
}

static bool has_tail(const struct segments *s, uint64_t size)
{
	return s->active && round_up(s->tail) + size <= SEGMENT_SIZE;
}

/* Make room for size bytes in the active segment. */
static int reserve(struct segments *s, uint64_t size)
{
	if (has_tail(s, size))
		return 0;
	return rotate(s);
}

bool segments_has_room(const struct segments *s, uint64_t size)
{
	return has_tail(s, size) || segment_list_spare(s);
}

int segments_make_room(struct segments *s, uint64_t size)
{
	return reserve(s, size);
}

bool segments_is_lost(const struct segments *s)
{
	struct stat st;
	char name[SEGMENT_NAME_SIZE];
	if (!s->active || s->io->stat(s->fd, "", &st) < 0)
		return false;
	segment_format_name(s->active, name);
	return store_io_is_lost(s->io, s->dir, name, &st);
}

static int gather(struct segments *s, struct span bytes)
{
	int rc = 0;
	if (bytes.len == 0)
		return 0;
	if (s->gathered == SEGMENT_GATHER) {
		/* Go on without a gap: the padding belongs to the end. */
		rc = write_at(s, s->gather, s->gathered, s->written);
		s->written = s->tail;
		s->gathered = 0;
	}
	s->gather[s->gathered++] = piece(bytes.ptr, bytes.len);
	s->tail += bytes.len;
	return rc;
}

/*
 * A body that is not in memory: written piece by piece. -EBADMSG when it
 * cannot be read, which is no fault of the store.
 */
static int copy_pieces(
    struct segments *s, const struct message *m, int fd, uint64_t offset)
{
	uint64_t done = 0;
	ssize_t n;
	while ((n = message_read(m, done, s->chunk, SEGMENT_CHUNK)) > 0) {
		struct iovec iov = piece(s->chunk, (size_t)n);
		int rc = store_io_write(s->io, fd, &iov, 1, offset + done);
		if (rc < 0)
			return store_io_errno(rc);
		done += (uint64_t)n;
	}
	return n == 0 && done == message_size(m) ? 0 : -EBADMSG;
}

static int append_small(
    struct segments *s, const struct message *m, struct place *p)
{
	int rc = reserve(s, p->size);
	if (rc < 0)
		return rc;
	p->segment = s->active;
	struct span body = message_body(m);
	if (body.ptr) {
		p->offset = s->tail;
		rc = gather(s, message_header(m));
		return rc < 0 ? rc : gather(s, body);
	}
	rc = write_gathered(s);
	p->offset = s->tail;
	if (rc == 0)
		rc = copy_pieces(s, m, s->fd, s->tail);
	if (rc < 0 && rc != -EBADMSG)
		s->failure = rc;
	s->is_dirty = true;
	s->tail = s->written = round_up(s->tail + p->size);
	return rc;
}

/* A file of its own, synced at once: it is a batch by itself. */
static int append_large(
    struct segments *s, const struct message *m, struct place *p)
{
	uint32_t number;
	int fd = create_file(s, p->size, &number);
	if (fd < 0)
		return fd;
	int rc = segment_list_add(s, number, p->size) ? 0 : -ENOMEM;
	if (rc == 0)
		rc = copy_pieces(s, m, fd, 0);
	if (rc == 0)
		rc = sync_fd(s, fd);
	int closed = s->io->close(fd);
	p->segment = number;
	p->offset = 0;
	if (rc == 0 && closed < 0)
		rc = store_io_errno(closed);
	return rc;
}

int segments_append(
    struct segments *s, const struct message *m, struct place *out)
{
	struct place p = {
		.size = message_size(m),
		.header_size = message_header(m).len,
		.crc = message_crc(m),
	};
	int rc = p.size > SEGMENT_LARGE ? append_large(s, m, &p)
					: append_small(s, m, &p);
	if (rc < 0)
		return rc;
	segment_list_count(s, &p);
	*out = p;
	return 0;
}

int segments_append_bytes(
    struct segments *s, const void *data, struct place *io_place)
{
	struct place p = *io_place;
	int rc = reserve(s, p.size);
	if (rc < 0)
		return rc;
	struct iovec iov = piece(data, (size_t)p.size);
	p.segment = s->active;
	p.offset = s->tail;
	rc = write_at(s, &iov, 1, s->tail);
	if (rc < 0)
		return rc;
	s->tail = s->written = s->tail + p.size;
	segment_list_count(s, &p);
	*io_place = p;
	return 0;
}

void segments_keep(struct segments *s)
{
	s->is_dir_dirty = true;
}

int segments_sync(struct segments *s)
{
	int rc = sync_active(s);
	if (rc == 0 && s->is_dir_dirty)
		rc = s->io->fsync(s->dir) < 0 ? -EIO : 0;
	if (rc == 0)
		rc = s->failure;
	if (rc == 0)
		s->is_dir_dirty = false;
	return rc;
}

int segments_flush(struct segments *s)
{
	/* A new name must be there before a row tells of it. */
	if (s->is_dir_dirty || s->failure < 0)
		return segments_sync(s);
	int rc = write_gathered(s);
	if (rc < 0 || !s->is_dirty)
		return rc;
	s->is_dirty = false;
	s->is_flushing = true;
	flusher_begin(s->flusher, s->fd);
	return 0;
}

int segments_flushed(struct segments *s)
{
	if (!s->is_flushing)
		return 0;
	s->is_flushing = false;
	if (flusher_end(s->flusher) < 0)
		s->failure = -EIO; /* as in sync_fd */
	return s->failure;
}

void segments_abandon(struct segments *s)
{
	s->gathered = 0;
	s->failure = 0;
	leave_active(s);
}

static int read_parts(const struct store_io *io, int fd, const struct place *p,
    void *header, void *body)
{
	size_t head = (size_t)p->header_size;
	size_t rest = (size_t)(p->size - p->header_size);
	int rc = store_io_read(io, fd, header, head, p->offset);
	if (rc == 0)
		rc = store_io_read(io, fd, body, rest, p->offset + head);
	if (rc < 0)
		return rc;
	uint32_t crc = hash_crc32c(0, header, head);
	crc = hash_crc32c(crc, body, rest);
	return crc == p->crc ? 0 : -EBADMSG;
}

int segment_read(const struct store_io *io, int dir, const struct place *p,
    void *header, void *body)
{
	char name[SEGMENT_NAME_SIZE];
	segment_format_name(p->segment, name);
	int fd = io->open(dir, name, O_RDONLY);
	if (fd < 0)
		return fd == -ENOENT ? -EBADMSG : store_io_errno(fd);
	int rc = read_parts(io, fd, p, header, body);
	(void)io->close(fd);
	return rc < 0 && rc != -EBADMSG ? store_io_errno(rc) : rc;
}
