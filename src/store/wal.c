/*
 * See wal.h. The format is the one that SQLite documents: a header of 32
 * bytes, then frames of 24 bytes and a page each, all numbers big-endian.
 * Checksums run over everything from the header on; a frame that ends a
 * transaction has the size of the database in it.
 */
#include <store/wal.h>

#include <errno.h>
#include <stdlib.h>

enum {
	HEADER_SIZE = 32,
	FRAME_SIZE = 24,
	PAGE_MAX = 65536,
	MAGIC = 0x377f0682, /* and one more when sums are big-endian */
	CHUNK = 256 * 1024
};

struct walk {
	const struct store_io *io;
	int fd;
	uint64_t offset, end;
	unsigned char header[HEADER_SIZE];
	unsigned char *frame; /* FRAME_SIZE + PAGE_MAX bytes */
	size_t page_size;
	bool is_big_endian;
	uint32_t sum[2];
};

static uint32_t get_big(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static uint32_t get_word(const struct walk *w, const unsigned char *p)
{
	if (w->is_big_endian)
		return get_big(p);
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[1] << 8 | p[0];
}

static void add(struct walk *w, const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		w->sum[0] += get_word(w, p + i) + w->sum[1];
		w->sum[1] += get_word(w, p + i + 4) + w->sum[0];
	}
}

static bool is_sum(const struct walk *w, const unsigned char *p)
{
	return get_big(p) == w->sum[0] && get_big(p + 4) == w->sum[1];
}

static bool take_header(struct walk *w)
{
	uint32_t magic = get_big(w->header), size = get_big(w->header + 8);
	if ((magic & ~UINT32_C(1)) != MAGIC || size < 512 || size > PAGE_MAX ||
	    (size & (size - 1)))
		return false;
	w->page_size = size;
	w->is_big_endian = magic & 1;
	add(w, w->header, 24);
	return is_sum(w, w->header + 24);
}

/* What the disk does not give back is zeros. */
static bool read_part(struct walk *w, unsigned char *out, size_t len)
{
	uint64_t at = w->offset + (uint64_t)(out - w->frame);
	bool is_read = store_io_read(w->io, w->fd, out, len, at) == 0;
	if (!is_read)
		memset(out, 0, len);
	return is_read;
}

/* False at the end. Sums of later frames go on when only the page is gone. */
static bool next_frame(struct walk *w, bool *is_unreadable)
{
	size_t len = FRAME_SIZE + w->page_size;
	if (w->end - w->offset < len)
		return false;
	bool is_read = read_part(w, w->frame, len);
	if (!is_read) {
		bool has_page =
		    read_part(w, w->frame + FRAME_SIZE, w->page_size);
		is_read = read_part(w, w->frame, FRAME_SIZE) && has_page;
	}
	*is_unreadable = !is_read;
	w->offset += len;
	return true;
}

/* The sum goes on from what is written there, whole or not. */
static void look_at(struct walk *w, struct wal_frame *out)
{
	add(w, w->frame, 8);
	add(w, w->frame + FRAME_SIZE, w->page_size);
	*out = (struct wal_frame){ .page = get_big(w->frame),
		.pages = get_big(w->frame + 4),
		.offset = w->offset - w->page_size,
		/* Else left from before it was begun anew. */
		.is_of_this_log =
		    memcmp(w->frame + 8, w->header + 16, 8) == 0 };
	out->is_whole = out->is_of_this_log && is_sum(w, w->frame + 16);
	w->sum[0] = get_big(w->frame + 16);
	w->sum[1] = get_big(w->frame + 20);
}

static void walk_frames(struct walk *w,
    bool (*each)(const struct wal_frame *frame, void *ctx), void *ctx)
{
	struct wal_frame frame;
	bool is_unreadable;
	do {
		if (!next_frame(w, &is_unreadable))
			return;
		look_at(w, &frame);
		frame.is_unreadable = is_unreadable;
	} while (each(&frame, ctx));
}

int wal_walk(const struct store_io *io, int fd, size_t *page_size,
    bool (*each)(const struct wal_frame *frame, void *ctx), void *ctx)
{
	struct walk w = { .io = io, .fd = fd, .offset = HEADER_SIZE };
	struct stat st;
	int rc = io->stat(fd, "", &st);
	if (rc < 0)
		return rc;
	w.end = (uint64_t)st.st_size;
	/* It is synced before the first frame. */
	if (w.end <= HEADER_SIZE)
		return 0;
	if (store_io_read(io, fd, w.header, HEADER_SIZE, 0) < 0 ||
	    !take_header(&w))
		return 1;
	*page_size = w.page_size;
	w.frame = malloc(FRAME_SIZE + PAGE_MAX);
	if (!w.frame)
		return -ENOMEM;
	walk_frames(&w, each, ctx);
	free(w.frame);
	return 0;
}

/*
 * Each transaction is synced before the next begins, so a cut can only tear
 * the last: two that end behind the first bad frame mean that one of them was
 * whole once.
 */
struct look {
	enum wal_state state;
	bool is_broken; /* a frame was not whole */
	int ends;       /* of transactions, from there on */
};

static bool look_at_state(const struct wal_frame *frame, void *ctx)
{
	struct look *l = ctx;
	if (l->state == WAL_EMPTY)
		l->state = WAL_WHOLE;
	if (frame->is_unreadable)
		l->state = WAL_DAMAGED;
	l->is_broken = l->is_broken || !frame->is_whole;
	if (!l->is_broken || !frame->is_of_this_log)
		return true;
	l->ends += frame->pages != 0;
	enum wal_state state = l->ends < 2 ? WAL_TORN : WAL_DAMAGED;
	if (state > l->state)
		l->state = state;
	return true;
}

int wal_look(const struct store_io *io, int fd)
{
	struct look l = { .state = WAL_EMPTY };
	size_t page_size;
	int rc = wal_walk(io, fd, &page_size, look_at_state, &l);
	return rc > 0 ? WAL_DAMAGED : rc < 0 ? rc : (int)l.state;
}

static int rewrite(const struct store_io *io, int fd, char *chunk)
{
	uint64_t at = 0;
	ssize_t n;
	while ((n = io->pread(fd, chunk, CHUNK, at)) > 0) {
		struct iovec iov = { chunk, (size_t)n };
		int rc = store_io_write(io, fd, &iov, 1, at);
		if (rc < 0)
			return rc;
		at += (uint64_t)n;
	}
	return n < 0 ? (int)n : io->fdatasync(fd);
}

int wal_rewrite(const struct store_io *io, int fd)
{
	char *chunk = malloc(CHUNK);
	if (!chunk)
		return -ENOMEM;
	int rc = rewrite(io, fd, chunk);
	free(chunk);
	return rc;
}
