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
	uint64_t offset;
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

/* 1, or 0 at the end. */
static int next_frame(struct walk *w)
{
	size_t len = FRAME_SIZE + w->page_size;
	int rc = store_io_read(w->io, w->fd, w->frame, len, w->offset);
	w->offset += len;
	return rc == -EBADMSG ? 0 : rc < 0 ? rc : 1;
}

/* Of this log, not left from before it was begun anew. */
static bool is_of_this_log(const struct walk *w)
{
	return memcmp(w->frame + 8, w->header + 16, 8) == 0;
}

static bool is_whole(struct walk *w)
{
	add(w, w->frame, 8);
	add(w, w->frame + FRAME_SIZE, w->page_size);
	return is_of_this_log(w) && is_sum(w, w->frame + 16);
}

/*
 * Each transaction is synced before the next begins, so a cut can only tear
 * the last: two that end behind the first bad frame mean that one of them was
 * whole once.
 */
static int walk_frames(struct walk *w)
{
	bool is_torn = false;
	int ends = 0, rc;
	while (ends < 2 && (rc = next_frame(w)) > 0) {
		is_torn = is_torn || !is_whole(w);
		if (is_torn && is_of_this_log(w) && get_big(w->frame + 4) != 0)
			ends++;
	}
	return ends == 2 ? 1 : rc;
}

int wal_is_damaged(const struct store_io *io, int fd)
{
	struct walk w = { .io = io, .fd = fd, .offset = HEADER_SIZE };
	int rc = store_io_read(io, fd, w.header, HEADER_SIZE, 0);
	if (rc < 0)
		return rc == -EBADMSG ? 0 : rc;
	/* It is synced before the first frame. */
	if (!take_header(&w)) {
		char c;
		ssize_t n = io->pread(fd, &c, 1, HEADER_SIZE);
		return n < 0 ? (int)n : n > 0;
	}
	w.frame = malloc(FRAME_SIZE + PAGE_MAX);
	if (!w.frame)
		return -ENOMEM;
	rc = walk_frames(&w);
	free(w.frame);
	return rc;
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
