/* The log writes to descriptor 2, so each test puts a pipe or file there. */
#include <base/clock.h>
#include <base/log.h>

#include <support/unit.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int saved_stderr = -1, reader = -1;
static char *got;
static size_t got_len, got_cap;

static void pipe_stderr(void)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(close(fds[1]), 0);
	reader = fds[0];
}

static void restore_stderr(void)
{
	ck_assert_int_eq(dup2(saved_stderr, STDERR_FILENO), STDERR_FILENO);
}

static void setup(void)
{
	saved_stderr = dup(STDERR_FILENO);
	ck_assert_int_ge(saved_stderr, 0);
	pipe_stderr();
	got_len = 0;
	log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

static void teardown(void)
{
	log_stop();
	restore_stderr();
	(void)close(saved_stderr);
	if (reader >= 0)
		(void)close(reader);
	reader = -1;
	free(got);
	got = NULL;
	got_cap = got_len = 0;
	log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
}

/* Read once; false at the end of the pipe. */
static bool read_some(void)
{
	if (got_cap - got_len < 65536) {
		got_cap = got_cap * 2 + 65536;
		got = realloc(got, got_cap);
		ck_assert_ptr_nonnull(got);
	}
	ssize_t n = read(reader, got + got_len, got_cap - got_len);
	ck_assert_int_ge(n, 0);
	got_len += (size_t)n;
	return n > 0;
}

/* Everything written until the write end is closed. */
static void read_all(void)
{
	restore_stderr();
	while (read_some())
		;
}

static bool has(const char *text)
{
	return got_len > 0 && memmem(got, got_len, text, strlen(text));
}

/* Read until text arrived; the test's own time limit is the deadline. */
static void read_until(const char *text)
{
	while (!has(text))
		ck_assert(read_some());
}

static size_t count_lines(void)
{
	size_t lines = 0;

	for (size_t i = 0; i < got_len; i++)
		lines += got[i] == '\n';
	return lines;
}

START_TEST(writes_straight_before_start)
{
	log_info("early", LOG_NUM("n", 1));
	read_until(" info event=early n=1\n");
}
END_TEST

START_TEST(writes_through_the_thread)
{
	ck_assert_int_eq(log_start(), 0);
	log_warn("threaded", LOG_STR("a", "b"), LOG_NUM("n", 2));
	read_until(" warn event=threaded a=b n=2\n");
}
END_TEST

START_TEST(stop_writes_what_is_queued)
{
	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 100; i++)
		log_info("queued", LOG_NUM("i", i));
	log_stop();
	read_all();
	ck_assert_uint_eq(count_lines(), 100);
	ck_assert(has(" i=0\n") && has(" i=99\n"));
}
END_TEST

START_TEST(starts_again_after_stop)
{
	for (int round = 0; round < 5; round++) {
		ck_assert_int_eq(log_start(), 0);
		ck_assert_int_eq(log_start(), 0);
		log_info("round", LOG_NUM("r", round));
		log_stop();
		log_stop();
		log_info("between", LOG_NUM("b", round));
	}
	read_all();
	ck_assert_uint_eq(count_lines(), 10);
}
END_TEST

START_TEST(keeps_levels_apart)
{
	log_configure(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
	ck_assert(!log_wants(LOG_LEVEL_DEBUG));
	ck_assert(!log_wants(LOG_LEVEL_INFO));
	ck_assert(log_wants(LOG_LEVEL_WARN));
	ck_assert(log_wants(LOG_LEVEL_ERROR));
	log_info("unwanted", LOG_NUM("n", 1));
	log_error("wanted", LOG_NUM("n", 1));
	log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
	log_debug("detail", LOG_NUM("n", 1));
	read_all();
	ck_assert(!has("unwanted"));
	ck_assert(has(" error event=wanted"));
	ck_assert(has(" debug event=detail"));
}
END_TEST

static int evaluations;

static int evaluate(void)
{
	return ++evaluations;
}

START_TEST(does_not_evaluate_unwanted_fields)
{
	evaluations = 0;
	log_debug("unwanted", LOG_NUM("n", evaluate()));
	ck_assert_int_eq(evaluations, 0);
	log_info("wanted", LOG_NUM("n", evaluate()));
	ck_assert_int_eq(evaluations, 1);
}
END_TEST

START_TEST(changes_format_while_running)
{
	ck_assert_int_eq(log_start(), 0);
	log_info("one", LOG_NUM("n", 1));
	log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
	log_info("two", LOG_NUM("n", 2));
	log_stop();
	read_all();
	ck_assert(has("event=one n=1\n"));
	ck_assert(has("\"event\":\"two\",\"n\":2}\n"));
}
END_TEST

START_TEST(writes_lines_longer_than_a_piece_whole)
{
	static char big[7000];

	memset(big, 'b', sizeof(big));
	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 3; i++)
		log_info("big", LOG_SPAN("s", span_make(big, sizeof(big))),
		    LOG_NUM("i", i));
	log_info("small", LOG_NUM("n", 1));
	log_stop();
	read_all();
	ck_assert_uint_eq(count_lines(), 4);
	for (size_t at = 0; at < got_len;) {
		const char *end = memchr(got + at, '\n', got_len - at);
		ck_assert(got[at + 4] == '-');
		at = (size_t)(end - got) + 1;
	}
	ck_assert(has("bbb i=2\n"));
}
END_TEST

enum {
	THREADS = 4,
	PER_THREAD = 3000
};

static void *log_many(void *arg)
{
	const int *number = arg;

	for (int i = 0; i < PER_THREAD; i++)
		log_info("many", LOG_NUM("t", *number), LOG_NUM("i", i));
	return NULL;
}

static void *drain(void *arg)
{
	(void)arg;
	while (read_some())
		;
	return NULL;
}

/* Every line is there, whole, and in order within its thread. */
static void check_many(void)
{
	int next[THREADS] = { 0 };
	struct span rest = span_make(got, got_len);

	while (rest.len > 0) {
		struct span line = span_cut(&rest, '\n');
		char text[128];
		int t, i;
		ck_assert_uint_lt(line.len, sizeof(text));
		memcpy(text, line.ptr, line.len);
		text[line.len] = '\0';
		ck_assert_int_eq(
		    sscanf(text + 24, " info event=many t=%d i=%d", &t, &i), 2);
		ck_assert(t >= 0 && t < THREADS);
		ck_assert_int_eq(i, next[t]);
		next[t]++;
	}
	for (int t = 0; t < THREADS; t++)
		ck_assert_int_eq(next[t], PER_THREAD);
}

START_TEST(keeps_every_line_of_every_thread)
{
	static int numbers[THREADS];
	pthread_t threads[THREADS], consumer;
	uint64_t before = log_dropped();

	ck_assert_int_eq(log_start(), 0);
	ck_assert_int_eq(pthread_create(&consumer, NULL, drain, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, log_many, &numbers[i]),
		    0);
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	log_stop();
	restore_stderr();
	ck_assert_int_eq(pthread_join(consumer, NULL), 0);
	ck_assert(log_dropped() == before);
	check_many();
}
END_TEST

/* Stop while a thread reads, until everything has been read. */
static void stop_and_drain(void)
{
	pthread_t consumer;

	ck_assert_int_eq(pthread_create(&consumer, NULL, drain, NULL), 0);
	log_stop();
	restore_stderr();
	ck_assert_int_eq(pthread_join(consumer, NULL), 0);
}

/* Nobody reads the pipe: callers go on, and later the loss is told. */
START_TEST(counts_and_tells_what_did_not_fit)
{
	static char big[1000];
	uint64_t before = log_dropped();
	int written = 0;

	memset(big, 'b', sizeof(big));
	ck_assert_int_eq(log_start(), 0);
	while (log_dropped() - before < 50) {
		log_info("flood", LOG_SPAN("s", span_make(big, sizeof(big))));
		written++;
	}
	uint64_t lost = log_dropped() - before;
	char line[64];
	(void)snprintf(line, sizeof(line), " warn event=log_dropped lines=%d\n",
	    (int)lost);
	read_until(line);
	log_info("after", LOG_NUM("n", 1));
	stop_and_drain();
	ck_assert(has("event=after"));
	ck_assert_uint_eq(count_lines(), (size_t)written - lost + 2);
	ck_assert(log_dropped() - before == lost);
}
END_TEST

static uint64_t jump_ns;

/* Each look at the clock is a second later. */
static uint64_t fast_mono(void)
{
	return __atomic_add_fetch(&jump_ns, 1000000000, __ATOMIC_SEQ_CST);
}

START_TEST(stop_gives_up_on_a_stuck_reader)
{
	static char big[1000];
	uint64_t before = log_dropped();

	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 500; i++)
		log_info("stuck", LOG_SPAN("s", span_make(big, sizeof(big))));
	clock_override(fast_mono, NULL);
	log_stop();
	clock_override(NULL, NULL);
	ck_assert(log_dropped() > before);
}
END_TEST

START_TEST(survives_a_closed_reader)
{
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	uint64_t before = log_dropped();

	ck_assert_int_eq(close(reader), 0);
	reader = -1;
	ck_assert_int_eq(log_start(), 0);
	log_info("lost", LOG_NUM("n", 1));
	log_info("lost", LOG_NUM("n", 2));
	log_stop();
	ck_assert(log_dropped() == before + 2);
	log_info("lost", LOG_NUM("n", 3));
	ck_assert(signal(SIGPIPE, old) != SIG_ERR);
}
END_TEST

START_TEST(writes_to_a_non_blocking_pipe)
{
	static char big[1000];

	ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
	memset(big, 'b', sizeof(big));
	ck_assert_int_eq(log_start(), 0);
	for (int i = 0; i < 500; i++)
		log_info("nb", LOG_SPAN("s", span_make(big, sizeof(big))));
	stop_and_drain();
	ck_assert_uint_eq(count_lines(), 500);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, writes_straight_before_start);
	tcase_add_test(t, writes_through_the_thread);
	tcase_add_test(t, stop_writes_what_is_queued);
	tcase_add_test(t, starts_again_after_stop);
	tcase_add_test(t, keeps_levels_apart);
	tcase_add_test(t, does_not_evaluate_unwanted_fields);
	tcase_add_test(t, changes_format_while_running);
	tcase_add_test(t, writes_lines_longer_than_a_piece_whole);
	tcase_add_test(t, keeps_every_line_of_every_thread);
	tcase_add_test(t, counts_and_tells_what_did_not_fit);
	tcase_add_test(t, stop_gives_up_on_a_stuck_reader);
	tcase_add_test(t, survives_a_closed_reader);
	tcase_add_test(t, writes_to_a_non_blocking_pipe);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
