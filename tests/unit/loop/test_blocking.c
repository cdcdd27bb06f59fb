/* The blocking pool: results come home, the queue is bounded. */
#include <support/unit.h>

#include <base/list.h>
#include <loop/blocking.h>
#include <loop/loop.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

enum {
	JOBS = 200
};

struct job {
	struct blocking_job job;
	int input, output;
};

static _Atomic int worked;
static int home;
static struct loop *home_loop;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void square(struct blocking_job *b)
{
	struct job *j = container_of(b, struct job, job);

	j->output = j->input * j->input;
	atomic_fetch_add(&worked, 1);
}

static void come_home(struct blocking_job *b)
{
	struct job *j = container_of(b, struct job, job);

	ck_assert_ptr_eq(loop_current(), home_loop);
	ck_assert_int_eq(j->output, j->input * j->input);
	if (++home == JOBS)
		loop_stop(home_loop);
}

START_TEST(every_result_comes_home_to_its_loop)
{
	struct blocking *pool = blocking_new(3, JOBS);
	struct job *jobs = calloc(JOBS, sizeof(*jobs));

	home = 0;
	worked = 0;
	home_loop = loop_new(0);
	for (int i = 0; i < JOBS; i++) {
		jobs[i].job.loop = home_loop;
		jobs[i].job.work = square;
		jobs[i].job.done = come_home;
		jobs[i].input = i;
		ck_assert_int_eq(blocking_submit(pool, &jobs[i].job), 0);
	}
	loop_run(home_loop);
	ck_assert_int_eq(worked, JOBS);
	blocking_free(pool);
	loop_free(home_loop);
	free(jobs);
}
END_TEST

static void wait_at_gate(struct blocking_job *b)
{
	(void)b;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
}

static void ignore(struct blocking_job *b)
{
	(void)b;
	if (++home == 3)
		loop_stop(home_loop);
}

START_TEST(refuses_what_exceeds_the_bound)
{
	struct blocking *pool = blocking_new(1, 2);
	struct job jobs[4] = { 0 };

	home = 0;
	home_loop = loop_new(0);
	for (int i = 0; i < 4; i++) {
		jobs[i].job.loop = home_loop;
		jobs[i].job.work = wait_at_gate;
		jobs[i].job.done = ignore;
	}
	pthread_mutex_lock(&gate);
	ck_assert_int_eq(blocking_submit(pool, &jobs[0].job), 0);
	/* The thread has taken it once nothing waits any more. */
	while (blocking_waiting(pool) > 0)
		sched_yield();
	ck_assert_int_eq(blocking_submit(pool, &jobs[1].job), 0);
	ck_assert_int_eq(blocking_submit(pool, &jobs[2].job), 0);
	ck_assert_int_eq(blocking_submit(pool, &jobs[3].job), -EBUSY);
	pthread_mutex_unlock(&gate);
	loop_run(home_loop);
	ck_assert_int_eq(home, 3);
	blocking_free(pool);
	loop_free(home_loop);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("blocking");
	TCase *tc = tcase_create("blocking");

	tcase_add_test(tc, every_result_comes_home_to_its_loop);
	tcase_add_test(tc, refuses_what_exceeds_the_bound);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
