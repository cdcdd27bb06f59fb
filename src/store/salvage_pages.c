/* See salvage_pages.h. Formats: sqlite.org/fileformat2.html, and wal.c. */
#include <store/salvage_pages.h>

#include <store/wal.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
	HEADER_SIZE = 100,
	PAGE_SIZE = 4096, /* where nothing says so */
	LOCK_BYTE = 1 << 30,
	/* 1 TiB of pages of 4 KiB: more is damage. */
	COUNT_MAX = 1 << 28,
	CUT_MAX = 1 << 20 /* likewise, of pages that are missing */
};

struct page {
	uint64_t in_log; /* where its bytes are there; 0: not */
	uint8_t trust;   /* enum salvage_trust */
	bool is_seen;
};

struct salvage_pages {
	const struct store_io *io;
	int db, log; /* -1: not there */
	size_t page_size, usable;
	uint32_t count;
	struct page *pages; /* by number, from 1 */
	const char *doubt;  /* why all is in doubt; NULL: it is not */
	enum schema_format format;
	uint32_t version;

	/* While the log is read. */
	uint32_t frame; /* the last one */
	uint32_t limit; /* the first frame that does not count; 0: none */
	struct wal_frame *open; /* of a transaction that has not ended */
	size_t open_count, open_cap;
	int rc;
};

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static bool is_page_size(size_t n)
{
	return n >= 512 && n <= SALVAGE_PAGE_MAX && (n & (n - 1)) == 0;
}

static void doubt_all(struct salvage_pages *p, const char *why)
{
	if (!p->doubt)
		p->doubt = why;
}

/* --- the log --- */

/* Where SQLite would end. */
static bool find_end(const struct wal_frame *f, void *ctx)
{
	struct salvage_pages *p = ctx;
	p->frame++;
	if (!f->is_whole)
		p->limit = p->frame;
	return f->is_whole;
}

static int grow_pages(struct salvage_pages *p, uint32_t count)
{
	if (count <= p->count)
		return 0;
	if (count > COUNT_MAX)
		return -EBADMSG;
	struct page *pages =
	    realloc(p->pages, ((size_t)count + 1) * sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	for (uint32_t i = p->pages ? p->count + 1 : 0; i <= count; i++)
		pages[i] = (struct page){ .trust = SALVAGE_SURE };
	p->pages = pages;
	p->count = count;
	return 0;
}

static int keep_open(struct salvage_pages *p, const struct wal_frame *f)
{
	if (p->open_count == p->open_cap) {
		size_t cap = p->open_cap ? 2 * p->open_cap : 64;
		struct wal_frame *open = realloc(p->open, cap * sizeof(*open));
		if (!open)
			return -ENOMEM;
		p->open = open;
		p->open_cap = cap;
	}
	p->open[p->open_count++] = *f;
	return 0;
}

static int take_transaction(struct salvage_pages *p)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < p->open_count; i++) {
		const struct wal_frame *f = &p->open[i];
		rc = grow_pages(p, f->page);
		if (rc == 0) {
			p->pages[f->page].in_log = f->offset;
		}
	}
	p->open_count = 0;
	return rc;
}

static bool take_frame(const struct wal_frame *f, void *ctx)
{
	struct salvage_pages *p = ctx;
	p->frame++;
	if (p->limit && p->frame >= p->limit)
		return false;
	if (!f->is_whole)
		return true;
	if (f->page != 0)
		p->rc = keep_open(p, f);
	if (p->rc == 0 && f->pages != 0)
		p->rc = take_transaction(p);
	return p->rc == 0;
}

/*
 * SQLite takes it up to the first bad frame. What is behind a damaged one is
 * read here too. It need not be newer: a start may have gone on at the hole,
 * and left there what was written before.
 */
static int read_log(struct salvage_pages *p, bool was_killed)
{
	size_t page_size = 0;
	int state = wal_look(p->io, p->log);
	if (state < 0)
		return state;
	if (state == WAL_EMPTY && was_killed)
		doubt_all(p, "the log is missing");
	if (state >= WAL_DAMAGED)
		doubt_all(p, "the log is damaged");
	int rc = wal_walk(p->io, p->log, &page_size, find_end, p);
	if (rc != 0 || page_size == 0)
		return rc < 0 ? rc : 0;
	if (p->page_size == 0)
		p->page_size = page_size;
	if (p->page_size != page_size) {
		doubt_all(p, "the log belongs to another database");
		return 0;
	}
	if (state >= WAL_DAMAGED)
		p->limit = 0;
	p->frame = 0;
	rc = wal_walk(p->io, p->log, &page_size, take_frame, p);
	return rc < 0 ? rc : p->rc;
}

/* --- what is free --- */

/* True when it is the list, and all of it. */
static bool walk_free(struct salvage_pages *p, uint32_t trunk, uint32_t count)
{
	unsigned char *page = malloc(SALVAGE_PAGE_MAX);
	uint32_t found = 0;
	while (page && trunk != 0 && found < count) {
		if (trunk > p->count || p->pages[trunk].trust == SALVAGE_FREE ||
		    salvage_pages_read(p, trunk, page) < 0)
			break;
		uint32_t leaves = get32(page + 4);
		if (leaves > p->usable / 4 - 2 || leaves > count - found - 1)
			break;
		p->pages[trunk].trust = SALVAGE_FREE;
		found += 1 + leaves;
		for (uint32_t i = 0; i < leaves; i++) {
			uint32_t leaf = get32(page + 8 + 4 * (size_t)i);
			if (leaf < 2 || leaf > p->count ||
			    p->pages[leaf].trust == SALVAGE_FREE)
				found = count + 1; /* which ends it */
			else
				p->pages[leaf].trust = SALVAGE_FREE;
		}
		trunk = get32(page);
	}
	free(page);
	bool is_whole = trunk == 0 && found == count;
	for (uint32_t i = 1; !is_whole && i <= p->count; i++)
		p->pages[i].trust = SALVAGE_SURE;
	return is_whole;
}

static bool is_header(const unsigned char *page, size_t page_size)
{
	uint32_t size = (uint32_t)page[16] << 8 | page[17];
	return memcmp(page, "SQLite format 3", 16) == 0 &&
	       (size == 1 ? SALVAGE_PAGE_MAX : size) == page_size;
}

static int read_first(struct salvage_pages *p)
{
	unsigned char *page = malloc(SALVAGE_PAGE_MAX);
	if (!page)
		return -ENOMEM;
	int rc = p->count ? salvage_pages_read(p, 1, page) : -ENOENT;
	p->usable = p->page_size;
	if (rc < 0 || !is_header(page, p->page_size)) {
		doubt_all(p, "the first page of store.db is damaged");
	} else {
		p->usable -= page[20] <= 32 ? page[20] : 0;
		p->version = get32(page + 60);
		/* A new one has no more than this page. */
		if (p->version > 0 || p->count == 1)
			p->format = schema_format(get32(page + 68), p->version);
		if (p->format == SCHEMA_FOREIGN)
			doubt_all(p, "what store.db says of itself is damaged");
		/* More than there are: the file was cut. */
		uint32_t said = get32(page + 28);
		if (said > p->count && said - p->count <= CUT_MAX)
			rc = grow_pages(p, said);
		/* It is of no use when it may be out of date. */
		if (!p->doubt &&
		    !walk_free(p, get32(page + 32), get32(page + 36)))
			doubt_all(p, "the list of free pages is damaged");
	}
	free(page);
	return rc == -ENOMEM ? rc : 0;
}

/* --- opening --- */

static int open_file(struct salvage_pages *p, int dir, const char *name,
    int *out, uint64_t *out_size)
{
	struct stat st;
	int fd = p->io->open(dir, name, O_RDONLY);
	*out_size = 0;
	*out = fd < 0 ? -1 : fd;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	int rc = p->io->stat(fd, "", &st);
	if (rc == 0)
		*out_size = (uint64_t)st.st_size;
	return rc;
}

static void guess_page_size(struct salvage_pages *p)
{
	unsigned char header[HEADER_SIZE];
	if (p->db < 0 ||
	    store_io_read(p->io, p->db, header, sizeof(header), 0) < 0 ||
	    memcmp(header, "SQLite format 3", 16) != 0)
		return;
	size_t size = (size_t)header[16] << 8 | header[17];
	if (size == 1)
		size = SALVAGE_PAGE_MAX;
	if (is_page_size(size))
		p->page_size = size;
}

static void judge(struct salvage_pages *p)
{
	for (uint32_t i = 1; p->doubt && i <= p->count; i++)
		if (p->pages[i].trust == SALVAGE_SURE)
			p->pages[i].trust = SALVAGE_DOUBT;
}

static int open_all(struct salvage_pages *p, int dir, bool was_killed)
{
	uint64_t db_size = 0, log_size = 0;
	int rc = open_file(p, dir, "store.db", &p->db, &db_size);
	if (rc == 0)
		rc = open_file(p, dir, "store.db-wal", &p->log, &log_size);
	if (rc < 0)
		return rc;
	guess_page_size(p);
	if (p->log >= 0)
		rc = read_log(p, was_killed);
	else if (was_killed)
		doubt_all(p, "the log is missing");
	if (rc < 0)
		return rc;
	if (p->page_size == 0)
		p->page_size = PAGE_SIZE;
	uint64_t count = (db_size + p->page_size - 1) / p->page_size;
	rc = count > COUNT_MAX ? -EFBIG : grow_pages(p, (uint32_t)count);
	if (rc == 0)
		rc = read_first(p);
	if (rc == 0)
		judge(p);
	return rc;
}

int salvage_pages_open(const struct store_io *io, int dir, bool was_killed,
    struct salvage_pages **out, struct err *e)
{
	struct salvage_pages *p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	p->io = io;
	p->db = p->log = -1;
	int rc = open_all(p, dir, was_killed);
	if (rc < 0) {
		salvage_pages_close(p);
		return err_errno(e, rc, "cannot read store.db and its log");
	}
	*out = p;
	return 0;
}

void salvage_pages_close(struct salvage_pages *p)
{
	if (!p)
		return;
	if (p->db >= 0)
		(void)p->io->close(p->db);
	if (p->log >= 0)
		(void)p->io->close(p->log);
	free(p->pages);
	free(p->open);
	free(p);
}

uint32_t salvage_pages_count(const struct salvage_pages *p)
{
	return p->count;
}

size_t salvage_pages_usable(const struct salvage_pages *p)
{
	return p->usable;
}

enum salvage_trust salvage_pages_trust(
    const struct salvage_pages *p, uint32_t number)
{
	return number >= 1 && number <= p->count
		   ? (enum salvage_trust)p->pages[number].trust
		   : SALVAGE_LOST;
}

/* The end of a file that was cut is read as zeros. */
int salvage_pages_read(
    struct salvage_pages *p, uint32_t number, unsigned char *out)
{
	const struct page *page = &p->pages[number];
	size_t done = 0;
	if (page->in_log)
		return store_io_read(
		    p->io, p->log, out, p->page_size, page->in_log);
	memset(out, 0, p->page_size);
	while (p->db >= 0 && done < p->page_size) {
		ssize_t n = p->io->pread(p->db, out + done, p->page_size - done,
		    (uint64_t)(number - 1) * p->page_size + done);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return 0;
}

const char *salvage_pages_doubt(const struct salvage_pages *p)
{
	return p->doubt;
}

void salvage_pages_set_seen(struct salvage_pages *p, uint32_t number)
{
	p->pages[number].is_seen = true;
}

uint32_t salvage_pages_unseen(const struct salvage_pages *p)
{
	/* SQLite locks bytes of this one, and never writes it. */
	uint32_t lock_page = LOCK_BYTE / (uint32_t)p->page_size + 1;
	uint32_t n = 0;
	for (uint32_t i = 1; i <= p->count; i++)
		n += !p->pages[i].is_seen && i != lock_page &&
		     p->pages[i].trust != SALVAGE_FREE;
	return n;
}

enum schema_format salvage_pages_format(
    const struct salvage_pages *p, uint32_t *version)
{
	*version = p->version;
	return p->format;
}
