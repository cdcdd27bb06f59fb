/* See salvage_bodies.h. */
#include <store/salvage_bodies.h>

#include <store/place.h>
#include <store/rows_internal.h>
#include <store/salvage_carve.h>
#include <store/schema.h>
#include <store/segment_internal.h>

#include <base/hash.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum {
	CHUNK = 256 * 1024
};

/* A file of bodies, here or there; fd -1: none. */
struct file {
	uint32_t number;
	int fd;
};

enum statement {
	Q_PLACES = 0,
	Q_KEEP,
	Q_KEEP_DEAD,
	Q_BODYLESS,
	Q_COUNT_ALL
};

static const char *const statements[Q_COUNT_ALL] = {
	[Q_PLACES] = "SELECT segment, offset, size, header, crc, message,"
		     " is_dead, priority, died_ms, EXISTS (SELECT 1"
		     " FROM message WHERE id = place.message),"
		     " EXISTS (SELECT 1 FROM recipient"
		     " WHERE message = place.message AND " SCHEMA_IS_OPEN "),"
		     " EXISTS (SELECT 1 FROM recipient"
		     " WHERE message = place.message AND state = 5"
		     " AND address = '" SALVAGE_UNREADABLE "')"
		     " FROM place ORDER BY message, trust DESC, is_dead",
	[Q_KEEP] = "INSERT INTO body VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[Q_KEEP_DEAD] =
	    "INSERT INTO dead VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	/* A place that is none: it is told of as damaged when it is due. */
	[Q_BODYLESS] = "INSERT INTO body SELECT id, 0, 0, size, 0, 0, priority"
		       " FROM message WHERE EXISTS (SELECT 1 FROM recipient"
		       " WHERE message = id AND " SCHEMA_IS_OPEN ") AND NOT"
		       " EXISTS (SELECT 1 FROM body WHERE message = id)",
};

/* A message whose place is known, once or more. */
struct candidate {
	struct id id;
	struct place place; /* a good one, or the first */
	bool is_good, is_dead, is_known, is_open, has_gaps;
	int64_t priority, died_ms;
};

struct copying {
	const struct salvage_place *p;
	struct salvage_report *report;
	struct salvage_found *found;
	sqlite3_stmt *q[Q_COUNT_ALL];
	int from, to; /* directories of bodies; from may be -1 */
	struct file in, out;
	char *chunk;
};

static int close_out(struct copying *c)
{
	const struct store_io *io = c->p->io;
	int rc = 0;
	if (c->out.fd >= 0) {
		rc = io->fdatasync(c->out.fd);
		(void)io->close(c->out.fd);
	}
	c->out.fd = -1;
	return rc;
}

static int open_in(struct copying *c, uint32_t number)
{
	const struct store_io *io = c->p->io;
	char name[SEGMENT_NAME_SIZE];
	if (c->in.fd >= 0 && c->in.number == number)
		return 0;
	if (c->in.fd >= 0)
		(void)io->close(c->in.fd);
	c->in = (struct file){ number, -1 };
	if (c->from < 0)
		return -ENOENT;
	if (spool_has(number))
		spool_format_name(number, name);
	else
		segment_format_name(number, name);
	c->in.fd = io->open(c->from, name, O_RDONLY);
	return c->in.fd < 0 ? c->in.fd : 0;
}

/* A segment is made as large as it was, so that it can be used again. */
static int make_out(struct copying *c, const char *name)
{
	const struct store_io *io = c->p->io;
	struct stat st;
	int rc = io->stat(c->in.fd, "", &st);
	if (rc < 0)
		return rc;
	c->out.fd = io->open(c->to, name, O_WRONLY | O_CREAT | O_EXCL);
	if (c->out.fd < 0)
		return c->out.fd;
	return spool_has(c->out.number) || st.st_size == 0
		   ? 0
		   : io->fallocate(c->out.fd, (uint64_t)st.st_size);
}

/* The same number, which is there already when another body lies in it. */
static int open_out(struct copying *c, uint32_t number)
{
	char name[SEGMENT_NAME_SIZE];
	if (c->out.fd >= 0 && c->out.number == number)
		return 0;
	int rc = close_out(c);
	if (rc < 0)
		return rc;
	if (spool_has(number))
		spool_format_name(number, name);
	else
		segment_format_name(number, name);
	c->out.number = number;
	c->out.fd = c->p->io->open(c->to, name, O_WRONLY);
	return c->out.fd == -ENOENT ? make_out(c, name)
	       : c->out.fd < 0      ? c->out.fd
				    : 0;
}

/* All bytes of a body go to fd at offset, but for -1; *crc of them. */
static int pass(struct copying *c, const struct place *p, int fd,
    uint64_t offset, uint32_t *crc)
{
	const struct store_io *io = c->p->io;
	*crc = 0;
	for (uint64_t done = 0; done < p->size;) {
		size_t n =
		    p->size - done < CHUNK ? (size_t)(p->size - done) : CHUNK;
		int rc =
		    store_io_read(io, c->in.fd, c->chunk, n, p->offset + done);
		if (rc < 0)
			return -EBADMSG;
		*crc = hash_crc32c(*crc, c->chunk, n);
		struct iovec iov = { c->chunk, n };
		if (fd >= 0)
			rc = store_io_write(io, fd, &iov, 1, offset + done);
		if (rc < 0)
			return rc;
		done += n;
	}
	return 0;
}

static bool is_good(struct copying *c, const struct place *p)
{
	uint32_t crc;
	return p->segment != 0 && open_in(c, p->segment) == 0 &&
	       pass(c, p, -1, 0, &crc) == 0 && crc == p->crc;
}

static void bind_body(
    sqlite3_stmt *q, const struct candidate *k, const struct place *p)
{
	sqlite_bind_id(q, 1, &k->id);
	sqlite_bind_int(q, 2, p->segment);
	sqlite_bind_int(q, 3, (int64_t)p->offset);
	sqlite_bind_int(q, 4, (int64_t)p->size);
	sqlite_bind_int(q, 5, (int64_t)p->header_size);
	sqlite_bind_int(q, 6, p->crc);
	sqlite_bind_int(q, 7, k->priority);
}

/* As pass; -EBADMSG, too, when it is not what it was when it was looked at. */
static int pass_again(
    struct copying *c, const struct place *p, int fd, uint64_t offset)
{
	uint32_t crc;
	int rc = pass(c, p, fd, offset, &crc);
	return rc == 0 && crc != p->crc ? -EBADMSG : rc;
}

static int copy_body(struct copying *c, const struct candidate *k)
{
	if (open_in(c, k->place.segment) < 0)
		return -EBADMSG;
	int rc = open_out(c, k->place.segment);
	return rc == 0 ? pass_again(c, &k->place, c->out.fd, k->place.offset)
		       : rc;
}

/* Open ones need theirs; those of the dead are a courtesy. */
static int keep(struct copying *c, struct candidate *k)
{
	sqlite3_stmt *q = c->q[k->is_open ? Q_KEEP : Q_KEEP_DEAD];
	int rc = k->is_good ? copy_body(c, k) : 0;
	/* The disk gave it once, and not again. */
	if (rc == -EBADMSG)
		k->is_good = false;
	else if (rc < 0)
		return rc;
	if (k->is_good)
		c->report->bodies++;
	else if (k->is_open)
		c->report->without_body++;
	else
		return 0;
	/* The place may be another one's by now, which would go with it. */
	const struct place nowhere = { .size = k->place.size };
	bind_body(q, k, k->is_good ? &k->place : &nowhere);
	if (!k->is_open)
		sqlite_bind_int(q, 8, k->died_ms);
	return sqlite_run(q);
}

static int write_text(struct copying *c, struct candidate *k)
{
	char text[ID_TEXT_SIZE];
	int fd = -1;
	int rc = open_in(c, k->place.segment) < 0 ? -EBADMSG : 0;
	id_format(k->id, text);
	if (rc == 0)
		rc = salvage_found_begin(c->found, text, &fd);
	if (rc == 0)
		rc = pass_again(c, &k->place, fd, 0);
	if (rc == -EBADMSG) {
		k->is_good = false;
		rc = 0;
		if (fd >= 0)
			return salvage_found_drop(c->found, text, fd);
	}
	int ended = fd >= 0 ? salvage_found_end(c->found, fd) : 0;
	return rc < 0 ? rc : ended;
}

static int finish(struct copying *c, struct candidate *k)
{
	bool is_partial = !k->is_known || k->has_gaps;
	int rc = 0;
	if (k->is_known && (k->is_open || k->is_dead))
		rc = keep(c, k);
	if (rc == 0 && is_partial && k->is_good)
		rc = write_text(c, k);
	if (rc == 0 && !k->is_known)
		c->report->strangers++;
	if (rc == 0 && (is_partial || (k->is_open && !k->is_good)))
		rc = salvage_found_list(c->found, &k->id, k->is_good);
	return rc;
}

static void take_place(
    struct copying *c, struct candidate *k, const struct id *id)
{
	sqlite3_stmt *q = c->q[Q_PLACES];
	bool is_first = !id_eq(k->id, *id);
	struct place place;
	if (!is_first && k->is_good)
		return;
	rows_take_place(q, &place);
	bool is_place_good = is_good(c, &place);
	if (!is_first && !is_place_good)
		return;
	*k = (struct candidate){ .id = *id,
		.place = place,
		.is_good = is_place_good,
		.is_dead = sqlite3_column_int(q, 6),
		.priority = sqlite3_column_int64(q, 7),
		.died_ms = sqlite3_column_int64(q, 8),
		.is_known = sqlite3_column_int(q, 9),
		.is_open = sqlite3_column_int(q, 10),
		.has_gaps = sqlite3_column_int(q, 11) };
}

static int copy_all(struct copying *c)
{
	struct candidate k = { .is_good = false };
	struct id id;
	bool has_one = false;
	int rc;
	while ((rc = sqlite_next(c->q[Q_PLACES])) > 0) {
		rc = sqlite_column_id(c->q[Q_PLACES], 5, &id);
		if (rc == 0 && has_one && !id_eq(id, k.id))
			rc = finish(c, &k);
		if (rc < 0)
			break;
		take_place(c, &k, &id);
		has_one = true;
	}
	(void)sqlite3_reset(c->q[Q_PLACES]);
	if (rc == 0 && has_one)
		rc = finish(c, &k);
	return rc;
}

static int note_bodyless(struct copying *c)
{
	int rc = sqlite_run(c->q[Q_BODYLESS]);
	if (rc < 0)
		return rc;
	c->report->without_body += (uint64_t)sqlite3_changes(c->p->db);
	return salvage_found_list_rest(c->found, &c->report->strangers);
}

/* Only where no row tells of any message. */
static int carve(struct copying *c)
{
	int64_t known = 0;
	int rc = sqlite_exec_int(c->p->db,
	    "SELECT EXISTS (SELECT 1 FROM message)"
	    " OR EXISTS (SELECT 1 FROM recipient)"
	    " OR EXISTS (SELECT 1 FROM place)",
	    &known);
	return rc < 0 || known || c->from < 0
		   ? rc
		   : salvage_carve(c->p->io, c->from, c->found);
}

static int open_copying(struct copying *c, struct err *e)
{
	const struct store_io *io = c->p->io;
	c->chunk = malloc(CHUNK);
	if (!c->chunk)
		return err_set(e, -ENOMEM, "out of memory");
	c->from = io->open(c->p->from, "bodies", O_RDONLY | O_DIRECTORY);
	c->to = io->open(c->p->to, "bodies", O_RDONLY | O_DIRECTORY);
	if (c->from < 0 && c->from != -ENOENT)
		return err_errno(e, c->from, "cannot open bodies/");
	if (c->to < 0)
		return err_errno(
		    e, c->to, "cannot open %s/bodies", c->p->to_path);
	int rc = salvage_found_open(c->p, &c->found, e);
	return rc == 0
		   ? sqlite_prepare(c->p->db, statements, c->q, Q_COUNT_ALL, e)
		   : rc;
}

static void close_copying(struct copying *c)
{
	const struct store_io *io = c->p->io;
	sqlite_finalize(c->q, Q_COUNT_ALL);
	salvage_found_close(c->found);
	if (c->in.fd >= 0)
		(void)io->close(c->in.fd);
	if (c->out.fd >= 0)
		(void)io->close(c->out.fd);
	if (c->from >= 0)
		(void)io->close(c->from);
	if (c->to >= 0)
		(void)io->close(c->to);
	free(c->chunk);
}

int salvage_bodies(
    const struct salvage_place *p, struct salvage_report *report, struct err *e)
{
	struct copying c = { .p = p,
		.report = report,
		.from = -1,
		.to = -1,
		.in.fd = -1,
		.out.fd = -1 };
	int rc = open_copying(&c, e);
	if (rc == 0) {
		rc = copy_all(&c);
		if (rc == 0)
			rc = note_bodyless(&c);
		if (rc == 0)
			rc = carve(&c);
		if (rc == 0)
			rc = close_out(&c);
		if (rc == 0)
			rc = p->io->fsync(c.to);
		if (rc == 0)
			rc = salvage_found_sync(c.found, &report->files);
		if (rc < 0)
			err_errno(
			    e, rc, "cannot copy the bodies to %s", p->to_path);
	}
	close_copying(&c);
	return rc;
}
