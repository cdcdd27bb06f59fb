/* See fixture.h. */
#include "fixture.h"

#include <base/clock.h>

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Memory when there is enough: nothing here depends on a real disk. */
static const char *choose_parent(void)
{
	struct statvfs v;
	if (statvfs("/dev/shm", &v) == 0 &&
	    (uint64_t)v.f_bavail * v.f_frsize > UINT64_C(2) << 30)
		return "/dev/shm";
	return "/tmp";
}

void fix_init(struct fix *f, enum store_engine engine)
{
	memset(f, 0, sizeof(*f));
	(void)snprintf(
	    f->dir, sizeof(f->dir), "%s/postern-store-XXXXXX", choose_parent());
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	(void)snprintf(f->path, sizeof(f->path), "%s/store", f->dir);
	f->settings = (struct store_settings){ .engine = engine,
		.path = f->path,
		.may_be_lost = true,
		.history_ms = 7 * 86400 * 1000,
		.max_pending_bytes = 256 * 1024 * 1024 };
	f->loop = loop_new(0);
	ck_assert_ptr_nonnull(f->loop);
	ck_assert_int_eq(loop_start(f->loop), 0);
}

static int remove_one(
    const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void fix_finish(struct fix *f)
{
	fix_close(f);
	loop_stop(f->loop);
	loop_join(f->loop);
	loop_free(f->loop);
	(void)nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void fix_open(struct fix *f, const struct store_io *io)
{
	struct err e = { 0 };
	f->store = io && f->settings.engine == STORE_SQLITE
		       ? disk_open(&f->settings, io, &e)
		       : store_open(&f->settings, &e);
	ck_assert_msg(f->store != NULL, "%s", e.text);
}

void fix_close(struct fix *f)
{
	store_close(f->store);
	f->store = NULL;
}

/* One call at a time; its requests answer here. */
struct call {
	struct task task;
	struct store *store;
	enum store_op op;
	struct store_accept *accepts;
	struct store_load *loads;
	size_t count;
	void *request; /* of the other kinds */
	int rc;        /* of the call itself */
};

static sem_t answered;

static void on_done(struct store_request *r)
{
	(void)r;
	(void)sem_post(&answered);
}

static void start_accepts(struct call *c)
{
	for (size_t i = 0; i < c->count; i++) {
		struct store_accept *a = &c->accepts[i];
		int rc = store_accept(c->store, a);
		if (rc < 0) {
			a->request.result = rc;
			(void)sem_post(&answered);
		}
	}
}

static void start_loads(struct call *c)
{
	for (size_t i = 0; i < c->count; i++)
		c->rc |= store_load(c->store, &c->loads[i]);
}

static void start(struct task *t)
{
	struct call *c = container_of(t, struct call, task);
	switch (c->op) {
	case STORE_OP_ACCEPT:
		start_accepts(c);
		break;
	case STORE_OP_UPDATE:
		c->rc = store_update(c->store, c->request);
		break;
	case STORE_OP_CHARGE:
		c->rc = store_charge(c->store, c->request);
		break;
	case STORE_OP_LOAD:
		start_loads(c);
		break;
	case STORE_OP_FIND:
		c->rc = store_find(c->store, c->request);
		break;
	case STORE_OP_SEARCH:
		c->rc = store_search(c->store, c->request);
		break;
	}
}

static void wait_for(sem_t *sem, size_t n)
{
	for (size_t i = 0; i < n; i++)
		while (sem_wait(sem) < 0)
			ck_assert_int_eq(errno, EINTR);
	(void)sem_destroy(sem);
}

static void run(struct fix *f, struct call *c)
{
	ck_assert_int_eq(sem_init(&answered, 0, 0), 0);
	c->task.run = start;
	c->store = f->store;
	loop_post(f->loop, &c->task);
	wait_for(&answered, c->count);
	ck_assert_int_eq(c->rc, 0);
}

static void prepare(struct fix *f, struct store_request *r)
{
	r->loop = f->loop;
	r->done = on_done;
}

void fix_accept_all(struct fix *f, struct store_accept *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		prepare(f, &r[i].request);
	struct call c = { .op = STORE_OP_ACCEPT, .accepts = r, .count = n };
	run(f, &c);
}

int fix_accept(struct fix *f, struct store_accept *r)
{
	fix_accept_all(f, r, 1);
	return r->request.result;
}

static int run_one(
    struct fix *f, enum store_op op, void *request, struct store_request *r)
{
	struct call c = { .op = op, .request = request, .count = 1 };
	prepare(f, r);
	run(f, &c);
	return r->result;
}

int fix_update(struct fix *f, struct store_update *r)
{
	return run_one(f, STORE_OP_UPDATE, r, &r->request);
}

int fix_charge(struct fix *f, struct store_charge *r)
{
	return run_one(f, STORE_OP_CHARGE, r, &r->request);
}

void fix_load_all(struct fix *f, struct store_load *r, size_t n)
{
	struct call c = { .op = STORE_OP_LOAD, .loads = r, .count = n };
	for (size_t i = 0; i < n; i++)
		prepare(f, &r[i].request);
	run(f, &c);
}

int fix_load(struct fix *f, struct store_load *r)
{
	fix_load_all(f, r, 1);
	return r->request.result;
}

int fix_find(struct fix *f, struct store_find *r)
{
	return run_one(f, STORE_OP_FIND, r, &r->request);
}

int fix_search(struct fix *f, struct store_search *r)
{
	return run_one(f, STORE_OP_SEARCH, r, &r->request);
}

/* Lines of 80 bytes; each is eight bytes of a generator and a count. */
static void fill(char *out, size_t len, unsigned seed)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t x = seed * UINT64_C(2654435761) + 1;
	for (size_t at = 0; at < len; at += 80) {
		char line[80];
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		for (unsigned i = 0; i < 16; i++)
			line[i] = digits[x >> (4 * i) & 15];
		memset(line + 16, digits[at / 80 & 15], 62);
		line[78] = '\r';
		line[79] = '\n';
		memcpy(out + at, line, len - at < 80 ? len - at : 80);
	}
}

static struct message *make_message(unsigned seed, size_t size)
{
	struct buf header, body;
	buf_init(&header, 256);
	ck_assert_int_eq(buf_printf(&header, "Subject: %08x\r\n\r\n", seed), 0);
	size_t rest = size - buf_len(&header);
	buf_init(&body, rest);
	ck_assert_int_eq(buf_reserve(&body, rest), 0);
	fill(buf_tail(&body), rest, seed);
	buf_commit(&body, rest);
	struct message *m = message_new(&header, &body, 0);
	ck_assert_ptr_nonnull(m);
	return m;
}

/* The last large one is kept: making it is most of a test's time. */
struct message *fix_message(unsigned seed, size_t size)
{
	static struct message *large;
	static unsigned large_seed;
	if (size < 1024 * 1024)
		return make_message(seed, size);
	if (!large || large_seed != seed || message_size(large) != size) {
		message_unref(large);
		large = make_message(seed, size);
		large_seed = seed;
	}
	return message_ref(large);
}

void fix_check_message(const struct message *m, unsigned seed, size_t size)
{
	struct message *want = fix_message(seed, size);
	struct span body = message_body(want);
	char *got = malloc(body.len + 1);
	ck_assert_uint_eq(message_size(m), size);
	ck_assert(span_eq(message_header(m), message_header(want)));
	ck_assert_int_eq(
	    message_read_all(m, message_header(m).len, got, body.len), 0);
	ck_assert(span_eq(span_make(got, body.len), body));
	free(got);
	message_unref(want);
}

/* One body, written from the loop. */
struct spooling {
	struct task task;
	struct fix *f;
	struct message *from, *made;
	struct store_body *body;
	size_t done;
	bool is_volatile;
	int rc;
	sem_t over;
};

static void spool_piece(void *ctx, int rc)
{
	struct spooling *s = ctx;
	struct span left = span_from(message_body(s->from), s->done);
	struct span piece = span_first(left, 1 + left.len / 2);
	struct buf data, header;
	if (rc < 0 || left.len == 0) {
		buf_init(&header, 256);
		ck_assert_int_eq(
		    buf_add_span(&header, message_header(s->from)), 0);
		if (rc == 0)
			s->made = store_body_message(s->body, &header);
		if (!s->made)
			store_body_drop(s->body);
		buf_finish(&header);
		s->rc = rc;
		(void)sem_post(&s->over);
		return;
	}
	buf_init(&data, piece.len);
	ck_assert_int_eq(buf_add_span(&data, piece), 0);
	s->done += piece.len;
	store_body_write(s->body, &data, spool_piece, s);
	ck_assert_uint_eq(buf_len(&data), 0);
}

static void spool_start(struct task *t)
{
	struct spooling *s = container_of(t, struct spooling, task);
	s->body = store_body_new(s->f->store, s->f->loop, s->is_volatile);
	ck_assert_ptr_nonnull(s->body);
	spool_piece(s, 0);
}

struct message *fix_spooled(
    struct fix *f, unsigned seed, size_t size, bool is_volatile, int *out_rc)
{
	struct spooling s = { .task.run = spool_start,
		.f = f,
		.from = fix_message(seed, size),
		.is_volatile = is_volatile };
	(void)sem_init(&s.over, 0, 0);
	loop_post(f->loop, &s.task);
	wait_for(&s.over, 1);
	message_unref(s.from);
	if (out_rc)
		*out_rc = s.rc;
	else
		ck_assert_int_eq(s.rc, 0);
	return s.made;
}

struct id fix_add_spooled(
    struct fix *f, unsigned seed, size_t size, int *result)
{
	struct fix_mail m;
	int rc = 0;
	fix_mail_init(&m, seed, 64);
	message_unref(m.entry.message);
	m.entry.message =
	    fix_spooled(f, seed, size, false, result ? &rc : NULL);
	if (m.entry.message)
		rc = fix_accept(f, &m.accept);
	if (result)
		*result = rc;
	else
		ck_assert_int_eq(rc, 0);
	fix_mail_finish(&m);
	return m.entry.id;
}

void fix_mail_init(struct fix_mail *m, unsigned seed, size_t size)
{
	memset(m, 0, sizeof(*m));
	m->recipient =
	    (struct store_recipient){ .address = SPAN("you@example.org"),
		    .due_ms = 1000 + seed };
	m->entry = (struct store_entry){ .id = id_make(),
		.created_ms = clock_wall_ms(),
		.user = SPAN("app"),
		.sender = SPAN("me@example.org"),
		.recipients = &m->recipient,
		.recipient_count = 1,
		.message = fix_message(seed, size) };
	m->accept.entry = &m->entry;
}

void fix_mail_finish(struct fix_mail *m)
{
	message_unref(m->entry.message);
}

struct id fix_add(struct fix *f, unsigned seed, size_t size, int *result)
{
	struct fix_mail m;
	fix_mail_init(&m, seed, size);
	int rc = fix_accept(f, &m.accept);
	if (result)
		*result = rc;
	else
		ck_assert_int_eq(rc, 0);
	fix_mail_finish(&m);
	return m.entry.id;
}

struct flood {
	struct task task;
	struct fix *f;
	struct fix_mail *m;
	size_t n;
	sem_t posted;
};

static void post_flood(struct task *t)
{
	struct flood *fl = container_of(t, struct flood, task);
	for (size_t i = 0; i < fl->n; i++) {
		prepare(fl->f, &fl->m[i].accept.request);
		ck_assert_int_eq(
		    store_accept(fl->f->store, &fl->m[i].accept), 0);
	}
	(void)sem_post(&fl->posted);
}

void fix_accept_and_close(struct fix *f, struct fix_mail *m, size_t n)
{
	struct flood fl = { .task.run = post_flood, .f = f, .m = m, .n = n };
	(void)sem_init(&fl.posted, 0, 0);
	(void)sem_init(&answered, 0, 0);
	loop_post(f->loop, &fl.task);
	wait_for(&fl.posted, 1);
	fix_close(f);
	wait_for(&answered, n);
}

int fix_set(struct fix *f, struct id id, enum store_state state)
{
	struct store_attempt a = { .at_ms = clock_wall_ms(),
		.provider = "fake",
		.result = POSTERN_ACCEPTED,
		.status = 200,
		.provider_id = SPAN("p-1"),
		.reason = SPAN("fine"),
		.duration_ms = 12 };
	struct store_recipient to = { .state = state,
		.attempts = 1,
		.due_ms = 5000,
		.provider = "fake" };
	size_t index = 0;
	struct store_update u = { .id = id,
		.attempts = &a,
		.attempt_count = 1,
		.indices = &index,
		.recipients = &to,
		.recipient_count = 1 };
	return fix_update(f, &u);
}

int fix_verify(struct fix *f, struct id id, unsigned seed, size_t size)
{
	struct store_load l = { .id = id, .wants_message = true };
	int rc = fix_load(f, &l);
	ck_assert((rc == 0) == (l.entry != NULL));
	if (rc == 0) {
		ck_assert(id_eq(l.entry->id, id));
		fix_check_message(l.entry->message, seed, size);
	}
	store_entry_free(l.entry);
	return rc;
}

static int count_one(const struct store_pending *p, void *ctx)
{
	size_t *n = ctx;
	(void)p;
	(*n)++;
	return 0;
}

int fix_walk(struct fix *f,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx)
{
	struct err e;
	struct store_walk *w = store_walk_begin(f->store, &e);
	ck_assert_ptr_nonnull(w);
	int rc = store_walk(w, each, ctx);
	store_walk_end(w);
	return rc;
}

size_t fix_pending(struct fix *f)
{
	size_t n = 0;
	ck_assert_int_eq(fix_walk(f, count_one, &n), 0);
	return n;
}

size_t fix_files(const struct fix *f, const char *sub)
{
	char path[128];
	size_t n = 0;
	(void)snprintf(path, sizeof(path), "%s/%s", f->path, sub);
	DIR *d = opendir(path);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}
