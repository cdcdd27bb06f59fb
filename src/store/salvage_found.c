/* See salvage_found.h. */
#include <store/salvage_found.h>

#include <base/buf.h>
#include <store/schema.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PATH_SIZE = 4096 + 32,
	NAME_SIZE = 64,
	LINE_MAX_BYTES = 64 * 1024 * 1024
};

enum statement {
	Q_MESSAGE = 0,
	Q_RECIPIENTS,
	Q_LISTED,
	Q_GAPS,
	Q_STRANGERS,
	Q_STATEMENTS
};

static const char *const statements[Q_STATEMENTS] = {
	[Q_MESSAGE] = "SELECT user, sender, message_id FROM message"
		      " WHERE id = ?1",
	[Q_RECIPIENTS] = "SELECT address, state FROM recipient"
			 " WHERE message = ?1 ORDER BY n",
	[Q_LISTED] = "INSERT INTO listed VALUES (?1) ON CONFLICT DO NOTHING",
	/* Without a place; or with a recipient that is not. */
	[Q_GAPS] = "SELECT id FROM message WHERE (EXISTS (SELECT 1 FROM body"
		   " WHERE message = id AND segment = 0) OR EXISTS (SELECT 1"
		   " FROM recipient WHERE message = id AND state = 5"
		   " AND address = '" SALVAGE_UNREADABLE "'))"
		   " AND NOT EXISTS (SELECT 1 FROM listed WHERE message = id)",
	[Q_STRANGERS] = "SELECT DISTINCT message FROM recipient WHERE"
			" NOT EXISTS (SELECT 1 FROM message"
			" WHERE id = recipient.message) AND NOT EXISTS"
			" (SELECT 1 FROM listed"
			" WHERE message = recipient.message)",
};

struct salvage_found {
	const struct salvage_place *p;
	sqlite3_stmt *q[Q_STATEMENTS];
	int dir, list; /* -1: not made yet */
	uint64_t end;  /* of the list */
	uint64_t files;
	struct buf line;
};

int salvage_found_open(
    const struct salvage_place *p, struct salvage_found **out, struct err *e)
{
	struct salvage_found *f = calloc(1, sizeof(*f));
	if (!f)
		return err_set(e, -ENOMEM, "out of memory");
	f->p = p;
	f->dir = f->list = -1;
	buf_init(&f->line, LINE_MAX_BYTES);
	int rc = sqlite_exec(p->db,
	    "CREATE TEMP TABLE listed (message BLOB PRIMARY KEY)"
	    " WITHOUT ROWID");
	if (rc < 0)
		err_set(e, rc, "cannot make a table");
	if (rc == 0)
		rc = sqlite_prepare(p->db, statements, f->q, Q_STATEMENTS, e);
	if (rc < 0) {
		free(f);
		return rc;
	}
	*out = f;
	return 0;
}

void salvage_found_close(struct salvage_found *f)
{
	if (!f)
		return;
	sqlite_finalize(f->q, Q_STATEMENTS);
	if (f->list >= 0)
		(void)f->p->io->close(f->list);
	if (f->dir >= 0)
		(void)f->p->io->close(f->dir);
	buf_finish(&f->line);
	free(f);
}

static int make(struct salvage_found *f)
{
	const struct store_io *io = f->p->io;
	char path[PATH_SIZE];
	if (f->list >= 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/lost+found", f->p->to_path);
	int rc = io->mkdir(path);
	if (rc < 0)
		return rc;
	f->dir = io->open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
	if (f->dir < 0)
		return f->dir;
	f->list = io->open(f->dir, "messages.txt", O_WRONLY | O_CREAT | O_EXCL);
	return f->list < 0 ? f->list : 0;
}

static void format_name(const char *text, char out[NAME_SIZE])
{
	(void)snprintf(out, NAME_SIZE, "%s.eml", text);
}

int salvage_found_begin(struct salvage_found *f, const char *text, int *out_fd)
{
	char name[NAME_SIZE];
	int rc = make(f);
	if (rc < 0)
		return rc;
	format_name(text, name);
	int fd = f->p->io->open(f->dir, name, O_WRONLY | O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	*out_fd = fd;
	return 0;
}

int salvage_found_end(struct salvage_found *f, int fd)
{
	int rc = f->p->io->fdatasync(fd);
	(void)f->p->io->close(fd);
	f->files += rc == 0;
	return rc;
}

int salvage_found_drop(struct salvage_found *f, const char *text, int fd)
{
	char name[NAME_SIZE];
	format_name(text, name);
	(void)f->p->io->close(fd);
	return f->p->io->unlink(f->dir, name);
}

/* --- the list --- */

static int add_recipients(struct salvage_found *f, const struct id *id)
{
	sqlite3_stmt *q = f->q[Q_RECIPIENTS];
	int count = 0, rc;
	sqlite_bind_id(q, 1, id);
	while ((rc = sqlite_next(q)) > 0) {
		struct span address = sqlite_column_span(q, 0);
		bool is_known = !span_eq(address, SPAN(SALVAGE_UNREADABLE));
		rc = buf_printf(&f->line, "%s ", count++ ? "," : "");
		if (rc == 0 && is_known)
			rc = buf_printf(&f->line, "<%.*s> %s",
			    SPAN_FMT(address),
			    store_state_name(
				(enum store_state)sqlite3_column_int(q, 1)));
		else if (rc == 0)
			rc = buf_add_str(&f->line, "one that is unreadable");
		if (rc < 0)
			break;
	}
	(void)sqlite3_reset(q);
	return rc < 0 || count ? rc : buf_add_str(&f->line, " unknown");
}

/* It is what somebody's mail program wrote, and the list has lines. */
static int add_masked(struct salvage_found *f, struct span s)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < s.len; i++) {
		bool is_shown = s.ptr[i] >= ' ' && s.ptr[i] < 0x7f;
		rc = buf_printf(&f->line, "%c", is_shown ? s.ptr[i] : '?');
	}
	return rc;
}

static int add_sender(struct salvage_found *f, sqlite3_stmt *q)
{
	int rc = buf_printf(&f->line, "from <%.*s>, user %.*s, Message-ID <",
	    SPAN_FMT(sqlite_column_span(q, 1)),
	    SPAN_FMT(sqlite_column_span(q, 0)));
	if (rc == 0)
		rc = add_masked(f, sqlite_column_span(q, 2));
	return rc == 0 ? buf_add_str(&f->line, ">") : rc;
}

static int add_envelope(struct salvage_found *f, const struct id *id)
{
	sqlite3_stmt *q = f->q[Q_MESSAGE];
	sqlite_bind_id(q, 1, id);
	int rc = sqlite_next(q);
	if (rc == 0)
		rc = buf_add_str(&f->line, "sender and user unknown");
	else if (rc > 0)
		rc = add_sender(f, q);
	(void)sqlite3_reset(q);
	if (rc == 0)
		rc = buf_add_str(&f->line, "; to");
	return rc == 0 ? add_recipients(f, id) : rc;
}

static int write_line(struct salvage_found *f)
{
	struct span line = buf_span(&f->line);
	char *copy = span_dup(line);
	if (!copy)
		return -ENOMEM;
	struct iovec iov = { copy, line.len };
	int rc = store_io_write(f->p->io, f->list, &iov, 1, f->end);
	free(copy);
	f->end += line.len;
	return rc;
}

int salvage_found_note(struct salvage_found *f, const char *name)
{
	buf_clear(&f->line);
	int rc = buf_printf(&f->line,
	    "%s.eml: all that is known; it may have been sent\n", name);
	return rc == 0 ? write_line(f) : rc;
}

static int note_listed(struct salvage_found *f, const struct id *id)
{
	sqlite_bind_id(f->q[Q_LISTED], 1, id);
	return sqlite_run(f->q[Q_LISTED]);
}

int salvage_found_list(
    struct salvage_found *f, const struct id *id, bool has_text)
{
	char text[ID_TEXT_SIZE];
	int rc = make(f);
	if (rc < 0)
		return rc;
	id_format(*id, text);
	buf_clear(&f->line);
	rc = buf_printf(&f->line, "%s: ", text);
	if (rc == 0)
		rc = add_envelope(f, id);
	if (rc == 0)
		rc = buf_printf(&f->line, "; %s%s\n",
		    has_text ? text : "its text cannot be read",
		    has_text ? ".eml" : "");
	if (rc == 0)
		rc = write_line(f);
	return rc == 0 ? note_listed(f, id) : rc;
}

static int list_each(struct salvage_found *f, sqlite3_stmt *q, uint64_t *count)
{
	struct id id;
	int rc;
	while ((rc = sqlite_next(q)) > 0) {
		rc = sqlite_column_id(q, 0, &id);
		if (rc == 0)
			rc = salvage_found_list(f, &id, false);
		if (rc < 0)
			break;
		(*count)++;
	}
	(void)sqlite3_reset(q);
	return rc;
}

int salvage_found_list_rest(struct salvage_found *f, uint64_t *strangers)
{
	uint64_t gaps = 0;
	int rc = list_each(f, f->q[Q_GAPS], &gaps);
	return rc == 0 ? list_each(f, f->q[Q_STRANGERS], strangers) : rc;
}

int salvage_found_sync(struct salvage_found *f, uint64_t *out_files)
{
	int rc = f->list >= 0 ? f->p->io->fdatasync(f->list) : 0;
	if (rc == 0 && f->dir >= 0)
		rc = f->p->io->fsync(f->dir);
	*out_files = f->files;
	return rc;
}
