/*
 * A child stores as fast as it can and tells through a pipe what was
 * acknowledged; it is killed at a random moment. All it told of must be
 * there. The child is made while this process has no thread.
 */
#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ROUNDS = 20,
	IN_FLIGHT = 32,
	TOLD_MAX = 20000
};

/* Small enough for a pipe to take in one piece. */
struct told {
	struct id id;
	unsigned seed, size;
	bool is_finished; /* its update was acknowledged too */
};

static int out_fd;
static unsigned next_seed;
static struct store *child_store;

struct work {
	struct fix_mail mail;
	struct store_update update;
	struct store_recipient sent;
	size_t index;
	struct told told;
	struct loop *loop;
	struct task task;
};

static void offer(struct task *t);

static void tell(const struct work *w)
{
	if (write(out_fd, &w->told, sizeof(w->told)) !=
	    (ssize_t)sizeof(w->told))
		_exit(1);
}

static void on_updated(struct store_request *r)
{
	struct store_update *u = container_of(r, struct store_update, request);
	struct work *w = container_of(u, struct work, update);
	if (r->result < 0)
		_exit(1);
	w->told.is_finished = true;
	tell(w);
	offer(&w->task);
}

static void on_accepted(struct store_request *r)
{
	struct store_accept *a = container_of(r, struct store_accept, request);
	struct fix_mail *m = container_of(a, struct fix_mail, accept);
	struct work *w = container_of(m, struct work, mail);
	if (r->result < 0)
		_exit(1);
	tell(w);
	fix_mail_finish(m);
	if (w->told.seed % 2) {
		offer(&w->task);
		return;
	}
	w->sent = (struct store_recipient){ .state = STORE_SENT };
	w->update = (struct store_update){ .request = { .loop = w->loop,
					       .done = on_updated },
		.id = w->told.id,
		.indices = &w->index,
		.recipients = &w->sent,
		.recipient_count = 1 };
	(void)store_update(child_store, &w->update);
}

static void offer(struct task *t)
{
	struct work *w = container_of(t, struct work, task);
	unsigned seed = next_seed++;
	unsigned size = 64 + seed * 7919 % 9000;
	fix_mail_init(&w->mail, seed, size);
	w->told =
	    (struct told){ .id = w->mail.entry.id, .seed = seed, .size = size };
	w->mail.accept.request.loop = w->loop;
	w->mail.accept.request.done = on_accepted;
	(void)store_accept(child_store, &w->mail.accept);
}

static void run_child(struct fix *f, int fd, unsigned first_seed)
{
	static struct work works[IN_FLIGHT];
	struct loop *l = loop_new(0);
	struct err e;
	out_fd = fd;
	next_seed = first_seed;
	child_store = store_open(&f->settings, &e);
	if (!l || !child_store || loop_start(l) < 0)
		_exit(1);
	for (int i = 0; i < IN_FLIGHT; i++) {
		works[i].loop = l;
		works[i].task.run = offer;
		loop_post(l, &works[i].task);
	}
	for (;;)
		(void)pause();
}

static struct told told[TOLD_MAX];
static size_t told_count;

/* One more record; false at the end of the pipe. */
static bool read_told(int fd)
{
	struct told t;
	ssize_t n;
	do
		n = read(fd, &t, sizeof(t));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return false;
	ck_assert_int_eq(n, sizeof(t));
	ck_assert_uint_lt(told_count, TOLD_MAX);
	told[told_count++] = t;
	return true;
}

static void kill_one(struct fix *f, unsigned round)
{
	int fds[2], status;
	ck_assert_int_eq(pipe(fds), 0);
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)close(fds[0]);
		run_child(f, fds[1], round * 1000000);
	}
	(void)close(fds[1]);
	unsigned wanted = 1 + (unsigned)rand() % 300;
	for (unsigned i = 0; i < wanted && read_told(fds[0]); i++)
		;
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	while (read_told(fds[0]))
		;
	(void)close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

/*
 * A message whose last record is the accept may be finished all the same:
 * the update was under way.
 */
static void check_told(struct fix *f, size_t from)
{
	for (size_t i = from; i < told_count; i++) {
		const struct told *t = &told[i];
		int rc = fix_verify(f, t->id, t->seed, t->size);
		if (t->seed % 2)
			ck_assert_int_eq(rc, 0);
		else if (t->is_finished)
			ck_assert_int_eq(rc, -ENOENT);
		else
			ck_assert(rc == 0 || rc == -ENOENT);
		struct store_load l = { .id = t->id };
		ck_assert_int_eq(fix_load(f, &l), 0);
		store_entry_free(l.entry);
	}
}

START_TEST(nothing_acknowledged_is_lost)
{
	struct fix f;
	srand((unsigned)getpid());
	fix_init(&f, STORE_SQLITE);
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t from = told_count;
		/* No thread at the fork. */
		loop_stop(f.loop);
		loop_join(f.loop);
		loop_free(f.loop);
		kill_one(&f, round);
		f.loop = loop_new(0);
		ck_assert_int_eq(loop_start(f.loop), 0);
		fix_open(&f, NULL);
		check_told(&f, from);
		fix_close(&f);
	}
	ck_assert_uint_gt(told_count, ROUNDS);
	fix_open(&f, NULL);
	check_told(&f, 0);
	fix_finish(&f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.kill");
	TCase *tc = tcase_create("kill");
	tcase_set_timeout(tc, 110);
	tcase_add_test(tc, nothing_acknowledged_is_lost);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
