/*
 * From memory to a file: once the header block is known, everything behind it
 * goes out in pieces of SMTP_BODY_WRITE, one at a time, while the next one
 * fills.
 */
#include <smtp/body.h>

#include <mail/header.h>
#include <mail/message.h>
#include <store/body.h>

#include <errno.h>

enum {
	FIRST_LOOK = 4096 /* for the end of the header, when in a hurry */
};

/* What the buffers take, for those who watch the process. */
static void count(struct smtp_body *b)
{
	uint64_t held = b->head.cap + b->tail.cap;

	if (held == b->counted)
		return;
	message_memory_change(b->counted, held);
	b->counted = held;
}

void smtp_body_init(struct smtp_body *b, const struct smtp_body_settings *s)
{
	*b = (struct smtp_body){ .settings = *s };
	buf_init(&b->head, s->max);
	buf_init(&b->tail, s->max);
	b->limit =
	    s->is_pressed && s->has_files ? FIRST_LOOK : SMTP_BODY_MEMORY;
}

static void drop(struct smtp_body *b)
{
	store_body_drop(b->file);
	b->file = NULL;
	b->is_writing = false;
	buf_finish(&b->head);
	buf_finish(&b->tail);
	count(b);
}

void smtp_body_finish(struct smtp_body *b)
{
	drop(b);
}

struct buf *smtp_body_out(struct smtp_body *b)
{
	uint64_t used = buf_len(&b->head) + b->in_file;

	if (!b->file)
		return &b->head;
	b->tail.max =
	    b->settings.max > used ? (size_t)(b->settings.max - used) : 0;
	return &b->tail;
}

void smtp_body_fail(struct smtp_body *b, int rc)
{
	drop(b);
	b->rc = rc;
}

static void write_piece(struct smtp_body *b, struct buf *piece);

/* Go on with what has gathered meanwhile. */
static void write_more(struct smtp_body *b)
{
	size_t least = b->is_ended ? 1 : SMTP_BODY_WRITE;

	if (!b->is_writing && buf_len(&b->tail) >= least)
		write_piece(b, &b->tail);
}

static void on_written(void *ctx, int rc)
{
	struct smtp_body *b = ctx;

	b->is_writing = false;
	if (rc < 0)
		smtp_body_fail(b, rc);
	else
		write_more(b);
	if (!b->is_writing || !b->is_ended)
		b->settings.on_room(b->settings.ctx);
}

static void write_piece(struct smtp_body *b, struct buf *piece)
{
	b->in_file += buf_len(piece);
	b->is_writing = true;
	store_body_write(b->file, piece, on_written, b);
}

/* Keep the header block, and let the rest go. */
static void move_to_file(struct smtp_body *b, size_t header_len)
{
	struct buf all = b->head;

	b->file = store_body_new(
	    b->settings.store, b->settings.loop, b->settings.is_volatile);
	buf_init(&b->head, header_len);
	if (!b->file || buf_add(&b->head, all.data + all.start, header_len)) {
		buf_finish(&all);
		smtp_body_fail(b, -ENOMEM);
		return;
	}
	buf_consume(&all, header_len);
	if (buf_len(&all) > 0)
		write_piece(b, &all);
	buf_finish(&all);
}

static size_t next_look(const struct smtp_body *b)
{
	size_t most = SMTP_BODY_MEMORY, next = 2 * buf_len(&b->head);

	if (most < b->settings.header_max)
		most = (size_t)b->settings.header_max;
	return next < most ? next : most;
}

/*
 * More is in memory than should be. The header must be there whole before
 * anything can leave; looked for each time there is twice as much, so that
 * small pieces do not make it expensive.
 */
static void leave_memory(struct smtp_body *b)
{
	size_t len = header_length(buf_span(&b->head));

	if (len > 0 && !b->settings.has_files)
		smtp_body_fail(b, -ENOSPC);
	else if (len > 0)
		move_to_file(b, len);
	else if (buf_len(&b->head) > b->settings.header_max)
		b->is_over = true;
	else
		b->limit = next_look(b);
}

bool smtp_body_settle(struct smtp_body *b)
{
	if (b->rc == 0 && !b->file && buf_len(&b->head) > b->limit)
		leave_memory(b);
	if (b->rc == 0 && b->file)
		write_more(b);
	count(b);
	return b->rc == 0 && !b->is_over;
}

void smtp_body_spill(struct smtp_body *b)
{
	if (b->rc == 0 && !b->file && b->settings.has_files &&
	    buf_len(&b->head) > FIRST_LOOK)
		leave_memory(b);
	count(b);
}

bool smtp_body_must_wait(const struct smtp_body *b)
{
	return b->is_writing && buf_len(&b->tail) >= SMTP_BODY_WRITE;
}

bool smtp_body_end(struct smtp_body *b)
{
	b->is_ended = true;
	if (b->rc == 0 && b->file)
		write_more(b);
	return !b->is_writing;
}

struct span smtp_body_header(const struct smtp_body *b)
{
	struct span all = buf_span(&b->head);
	size_t len = b->file ? all.len : header_length(all);

	return span_first(all, len > 0 ? len : all.len);
}

struct message *smtp_body_message(struct smtp_body *b, struct buf *header)
{
	size_t len = smtp_body_header(b).len;
	struct message *m = b->file ? store_body_message(b->file, header)
				    : message_new(header, &b->head, len);

	if (!m)
		return NULL;
	b->file = NULL; /* the message's */
	buf_finish(&b->head);
	count(b);
	return m;
}
