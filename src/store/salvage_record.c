/* See salvage_record.h. The format: sqlite.org/fileformat2.html, section 1.6.
 */
#include <store/salvage_record.h>

#include <errno.h>
#include <stdlib.h>

enum {
	INDEX_INNER = 0x02,
	TABLE_INNER = 0x05,
	INDEX_LEAF = 0x0a,
	TABLE_LEAF = 0x0d,
	FIRST_HEADER = 100,    /* bytes ahead of the first page's own */
	RECORD_MAX = 16 << 20, /* larger than any row of ours */
	CELL_MIN = 4
};

struct salvage_reader {
	struct salvage_pages *pages;
	unsigned char page[SALVAGE_PAGE_MAX], extra[SALVAGE_PAGE_MAX];
	unsigned char used[SALVAGE_PAGE_MAX]; /* 1: bytes of some cell */
	unsigned char *payload;
	size_t payload_cap;
};

/* The page that is looked at. */
struct frame {
	struct salvage_reader *r;
	uint32_t number;
	size_t usable, start; /* of its header */
	size_t header;        /* its size */
	int type;
	unsigned cells;
	bool is_checked; /* that no two cells share bytes */
	enum salvage_trust trust;
};

struct salvage_reader *salvage_reader_new(struct salvage_pages *pages)
{
	struct salvage_reader *r = calloc(1, sizeof(*r));
	if (r)
		r->pages = pages;
	return r;
}

void salvage_reader_free(struct salvage_reader *r)
{
	if (!r)
		return;
	free(r->payload);
	free(r);
}

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* Bytes it took, or 0. */
static size_t get_varint(const unsigned char *p, size_t len, uint64_t *out)
{
	uint64_t v = 0;
	for (size_t i = 0; i < len && i < 9; i++) {
		if (i == 8) {
			*out = v << 8 | p[i];
			return 9;
		}
		v = v << 7 | (p[i] & 0x7f);
		if (!(p[i] & 0x80)) {
			*out = v;
			return i + 1;
		}
	}
	return 0;
}

/* --- cells --- */

static bool load(struct frame *f, struct salvage_reader *r, uint32_t number)
{
	*f = (struct frame){ .r = r,
		.number = number,
		.usable = salvage_pages_usable(r->pages),
		.start = number == 1 ? FIRST_HEADER : 0,
		.trust = salvage_pages_trust(r->pages, number) };
	if (f->trust <= SALVAGE_FREE ||
	    salvage_pages_read(r->pages, number, r->page) < 0)
		return false;
	f->type = r->page[f->start];
	bool is_inner = f->type == INDEX_INNER || f->type == TABLE_INNER;
	f->header = f->start + (is_inner ? 12 : 8);
	f->cells = get16(&r->page[f->start + 3]);
	return f->header + 2 * (size_t)f->cells <= f->usable;
}

/* How much of a payload lies in the cell of an index. */
static size_t local_size(size_t usable, uint64_t size)
{
	size_t most = (usable - 12) * 64 / 255 - 23;
	size_t least = (usable - 12) * 32 / 255 - 23;
	if (size <= most)
		return (size_t)size;
	size_t local = least + (size_t)((size - least) % (usable - 4));
	return local <= most ? local : least;
}

/* As in a leaf of a table. */
static size_t local_size_of_table(size_t usable, uint64_t size)
{
	size_t most = usable - 35;
	size_t least = (usable - 12) * 32 / 255 - 23;
	if (size <= most)
		return (size_t)size;
	size_t local = least + (size_t)((size - least) % (usable - 4));
	return local <= most ? local : least;
}

static bool reserve(struct salvage_reader *r, size_t size)
{
	if (size <= r->payload_cap)
		return true;
	unsigned char *more = realloc(r->payload, size);
	if (!more)
		return false;
	r->payload = more;
	r->payload_cap = size;
	return true;
}

/* The rest of a payload, of which `done` bytes are there. */
static int follow(struct frame *f, uint32_t next, size_t done, size_t size)
{
	struct salvage_reader *r = f->r;
	while (done < size) {
		enum salvage_trust trust = salvage_pages_trust(r->pages, next);
		if (next == 0 || trust <= SALVAGE_FREE ||
		    salvage_pages_read(r->pages, next, r->extra) < 0)
			return -EBADMSG;
		if (trust < f->trust)
			f->trust = trust;
		salvage_pages_set_seen(r->pages, next);
		size_t n = f->usable - 4;
		n = n < size - done ? n : size - done;
		memcpy(r->payload + done, r->extra + 4, n);
		done += n;
		next = get32(r->extra);
	}
	return 0;
}

/* Bytes that no other cell has: counted in. */
static bool claim(struct frame *f, size_t from, size_t len)
{
	unsigned char *used = f->r->used;
	if (from + len > f->usable)
		return false;
	if (f->is_checked)
		return true;
	bool is_new = true;
	for (size_t i = from; i < from + len; i++) {
		is_new = is_new && !used[i];
		used[i] = 1;
	}
	return is_new;
}

/* The payload of cell i into r->payload. 0, -EBADMSG or -ENOMEM. */
static int read_payload(struct frame *f, unsigned i, size_t *out_size)
{
	struct salvage_reader *r = f->r;
	size_t cell = get16(&r->page[f->header + 2 * (size_t)i]), at = cell;
	uint64_t size, rowid;
	if (f->type == INDEX_INNER)
		at += 4;
	if (cell < f->header + 2 * (size_t)f->cells || at >= f->usable)
		return -EBADMSG;
	size_t n = get_varint(&r->page[at], f->usable - at, &size);
	at += n;
	if (n > 0 && f->type == TABLE_LEAF) {
		n = get_varint(&r->page[at], f->usable - at, &rowid);
		at += n;
	}
	if (n == 0 || size == 0 || size > RECORD_MAX)
		return -EBADMSG;
	size_t local = f->type == TABLE_LEAF
			   ? local_size_of_table(f->usable, size)
			   : local_size(f->usable, size);
	size_t end = at + local + (local < size ? 4 : 0);
	size_t taken = end - cell < CELL_MIN ? CELL_MIN : end - cell;
	if (end > f->usable || !claim(f, cell, taken))
		return -EBADMSG;
	if (!reserve(r, (size_t)size))
		return -ENOMEM;
	memcpy(r->payload, &r->page[at], local);
	*out_size = (size_t)size;
	return local < size
		   ? follow(f, get32(&r->page[at + local]), local, (size_t)size)
		   : 0;
}

/* --- rows --- */

static int64_t get_int(const unsigned char *p, size_t len)
{
	uint64_t v = p[0] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < len; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

/* Bytes of the value; false when it is none that we write. */
static bool take_value(uint64_t serial, const unsigned char *p, size_t len,
    struct salvage_value *out, size_t *size)
{
	static const size_t int_sizes[] = { 0, 1, 2, 3, 4, 6, 8 };
	*out = (struct salvage_value){ .type = SALVAGE_NULL };
	*size = 0;
	if (serial == 0)
		return true;
	if (serial == 8 || serial == 9) {
		out->type = SALVAGE_INT;
		out->number = serial == 9;
		return true;
	}
	if (serial <= 6) {
		*size = int_sizes[serial];
		if (*size > len)
			return false;
		out->type = SALVAGE_INT;
		out->number = get_int(p, *size);
		return true;
	}
	if (serial < 12 || (serial - 12) / 2 > len)
		return false;
	*size = (size_t)((serial - 12) / 2);
	out->type = serial % 2 ? SALVAGE_TEXT : SALVAGE_BLOB;
	out->bytes = span_make(*size ? (const char *)p : "", *size);
	return true;
}

static bool take_record(
    const unsigned char *p, size_t len, struct salvage_record *out)
{
	uint64_t header, serial;
	size_t at = get_varint(p, len, &header), size;
	if (at == 0 || header > len || header < at)
		return false;
	size_t body = (size_t)header;
	out->count = 0;
	while (at < header) {
		size_t n = get_varint(p + at, (size_t)header - at, &serial);
		if (n == 0 || out->count == SALVAGE_COLUMNS ||
		    !take_value(serial, p + body, len - body,
			&out->values[out->count], &size))
			return false;
		out->count++;
		at += n;
		body += size;
	}
	return body == len;
}

/* All of it is cells, a chain of free blocks, or counted as lost between. */
static bool is_whole(struct frame *f)
{
	unsigned char *p = f->r->page;
	size_t block = get16(&p[f->start + 1]);
	size_t content = get16(&p[f->start + 5]), gaps = 0;
	for (unsigned n = 0; block != 0; n++) {
		if (n > f->usable / 4 || block + 4 > f->usable ||
		    !claim(f, block, get16(&p[block + 2])))
			return false;
		block = get16(&p[block]);
	}
	for (size_t i = content ? content : SALVAGE_PAGE_MAX; i < f->usable;
	     i++)
		gaps += !f->r->used[i];
	return gaps == p[f->start + 7];
}

/* Rows are told after all of the page was looked at. */
static int tell(struct frame *f, unsigned i, bool is_page_whole,
    int (*each)(const struct salvage_record *record, void *ctx), void *ctx)
{
	struct salvage_record record = { .page = f->number,
		.has_rowid = f->type == TABLE_LEAF };
	enum salvage_trust trust = f->trust;
	size_t size;
	int rc = read_payload(f, i, &size);
	record.trust = is_page_whole ? f->trust : SALVAGE_DOUBT;
	f->trust = trust;
	if (rc < 0)
		return rc;
	return take_record(f->r->payload, size, &record) ? each(&record, ctx)
							 : -EBADMSG;
}

static bool check_cells(struct frame *f)
{
	bool is_good = true;
	size_t size;
	memset(f->r->used, 0, f->usable);
	for (unsigned i = 0; i < f->cells; i++)
		is_good = read_payload(f, i, &size) == 0 && is_good;
	return is_whole(f) && is_good;
}

int salvage_each_record(struct salvage_reader *r, uint32_t page,
    int (*each)(const struct salvage_record *record, void *ctx), void *ctx)
{
	struct frame f;
	bool is_bad = false;
	if (!load(&f, r, page))
		return 0;
	if (f.type == TABLE_INNER)
		salvage_pages_set_seen(r->pages, page);
	if (f.type != INDEX_INNER && f.type != INDEX_LEAF &&
	    f.type != TABLE_LEAF)
		return 0;
	salvage_pages_set_seen(r->pages, page);
	enum salvage_trust trust = f.trust;
	bool is_page_whole = check_cells(&f);
	f.trust = trust;
	f.is_checked = true;
	for (unsigned i = 0; i < f.cells; i++) {
		int rc = tell(&f, i, is_page_whole, each, ctx);
		if (rc != 0 && rc != -EBADMSG)
			return rc;
		is_bad = is_bad || rc != 0;
	}
	return is_bad || !is_page_whole ? -EBADMSG : 0;
}

int salvage_each_child(struct salvage_reader *r, uint32_t page,
    int (*each)(uint32_t child, void *ctx), void *ctx)
{
	struct frame f;
	if (!load(&f, r, page))
		return -EBADMSG;
	if (f.type != INDEX_INNER && f.type != TABLE_INNER)
		return 0;
	uint32_t *children = calloc((size_t)f.cells + 1, sizeof(*children));
	if (!children)
		return -ENOMEM;
	for (unsigned i = 0; i < f.cells; i++) {
		size_t at = get16(&r->page[f.header + 2 * (size_t)i]);
		if (at + 4 <= f.usable)
			children[i] = get32(&r->page[at]);
	}
	children[f.cells] = get32(&r->page[f.start + 8]);
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i <= f.cells; i++)
		rc = children[i] ? each(children[i], ctx) : -EBADMSG;
	free(children);
	return rc;
}

struct wanted {
	const char *table;
	uint32_t root;
};

/* type, name, tbl_name, rootpage, sql */
static int look_for_table(const struct salvage_record *record, void *ctx)
{
	struct wanted *w = ctx;
	const struct salvage_value *v = record->values;
	if (record->count == 5 && span_eq(v[0].bytes, SPAN("table")) &&
	    span_eq(v[1].bytes, span_of(w->table)) && v[3].type == SALVAGE_INT)
		w->root = (uint32_t)v[3].number;
	return 0;
}

struct schema_walk {
	struct salvage_reader *r;
	struct wanted *wanted;
};

static int look_in_child(uint32_t child, void *ctx)
{
	struct schema_walk *s = ctx;
	(void)salvage_each_record(s->r, child, look_for_table, s->wanted);
	return 0;
}

uint32_t salvage_find_root(struct salvage_reader *r, const char *table)
{
	struct wanted w = { .table = table };
	struct schema_walk s = { r, &w };
	(void)salvage_each_record(r, 1, look_for_table, &w);
	if (w.root == 0)
		(void)salvage_each_child(r, 1, look_in_child, &s);
	return w.root;
}
