#include <base/clock.h>
#include <base/id.h>

#include <support/unit.h>

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static int64_t wall_ms;

static int64_t fixed_wall(void)
{
	return wall_ms;
}

static void teardown(void)
{
	clock_override(NULL, NULL);
}

static const struct text_case {
	struct id id;
	const char *text;
} text_cases[] = {
	{ { { 0 } }, "00000000000000000000000000" },
	{ { { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	      255, 255, 255 } },
	    "7zzzzzzzzzzzzzzzzzzzzzzzzz" },
	{ { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
	    "00000000000000000000000001" },
	{ { { 0x80 } }, "40000000000000000000000000" },
	{ { { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba,
	      0x98, 0x76, 0x54, 0x32, 0x10 } },
	    "014d2pf2dbsqqzxq5tk1v58cgg" },
};

START_TEST(formats_and_parses)
{
	const struct text_case *c = &text_cases[_i];
	char text[ID_TEXT_SIZE];
	struct id back;

	id_format(c->id, text);
	ck_assert_str_eq(text, c->text);
	ck_assert_int_eq(id_parse(span_of(text), &back), 0);
	ck_assert(id_eq(back, c->id));
}
END_TEST

START_TEST(survives_a_round_trip)
{
	for (int i = 0; i < 10000; i++) {
		struct id id = id_make(), back;
		char text[ID_TEXT_SIZE];
		id_format(id, text);
		ck_assert_uint_eq(strlen(text), ID_TEXT_SIZE - 1);
		ck_assert_int_eq(id_parse(span_of(text), &back), 0);
		ck_assert(id_eq(id, back));
	}
}
END_TEST

START_TEST(accepts_upper_case)
{
	struct id lower, upper;

	ck_assert_int_eq(
	    id_parse(SPAN("014d2pf2dbsqqzxq5tk1v58cgg"), &lower), 0);
	ck_assert_int_eq(
	    id_parse(SPAN("014D2PF2DBSQQZXQ5TK1V58CGG"), &upper), 0);
	ck_assert(id_eq(lower, upper));
}
END_TEST

static const char *const bad_texts[] = {
	"",
	"0000000000000000000000000",
	"000000000000000000000000000",
	"80000000000000000000000000", /* more than 128 bits */
	"z0000000000000000000000000",
	"0000000000000000000000000i",
	"0000000000000000000000000l",
	"0000000000000000000000000o",
	"0000000000000000000000000u",
	"0000000000000000000000000U",
	"0000000000000000000000000-",
	"000000000000 0000000000000",
	"0000000000000000000000000@",
	"0000000000000000000000000[",
	"0000000000000000000000000`",
	"0000000000000000000000000{",
	"0000000000000000000000000/",
	"0000000000000000000000000:",
	"0000000000000000000000000\xe9",
};

START_TEST(refuses_what_is_no_id)
{
	struct id id = { { 42 } }, before = id;

	ck_assert_int_eq(id_parse(span_of(bad_texts[_i]), &id), -EINVAL);
	ck_assert(id_eq(id, before));
}
END_TEST

START_TEST(refuses_a_nul)
{
	struct id id;
	ck_assert_int_eq(
	    id_parse(SPAN("0000000000000000000000000\0"), &id), -EINVAL);
}
END_TEST

START_TEST(starts_with_the_time)
{
	wall_ms = 0x0123456789ab;
	clock_override(NULL, fixed_wall);
	struct id id = id_make();
	ck_assert_mem_eq(id.bytes, "\x01\x23\x45\x67\x89\xab", 6);
}
END_TEST

START_TEST(text_sorts_by_time)
{
	char before[ID_TEXT_SIZE] = "", text[ID_TEXT_SIZE];

	clock_override(NULL, fixed_wall);
	for (wall_ms = 1; wall_ms < INT64_C(1) << 47; wall_ms *= 3) {
		id_format(id_make(), text);
		ck_assert_str_gt(text, before);
		memcpy(before, text, sizeof(before));
	}
}
END_TEST

enum {
	THREADS = 4,
	PER_THREAD = 5000
};

static struct id made[THREADS * PER_THREAD];

static void *make_many(void *arg)
{
	struct id *at = arg;

	for (int i = 0; i < PER_THREAD; i++)
		at[i] = id_make();
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

START_TEST(never_repeats_on_any_thread)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, make_many,
				     made + i * PER_THREAD),
		    0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	qsort(made, THREADS * PER_THREAD, sizeof(made[0]), compare);
	for (int i = 1; i < THREADS * PER_THREAD; i++)
		ck_assert(!id_eq(made[i - 1], made[i]));
}
END_TEST

/* Both would otherwise take their next random bytes from the same pool. */
START_TEST(does_not_repeat_after_a_fork)
{
	struct id mine, theirs;
	int fds[2], status;

	wall_ms = 1;
	clock_override(NULL, fixed_wall);
	(void)id_make();
	ck_assert_int_eq(pipe(fds), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		theirs = id_make();
		_exit(write(fds[1], &theirs, sizeof(theirs)) != sizeof(theirs));
	}
	mine = id_make();
	ck_assert_int_eq(read(fds[0], &theirs, sizeof(theirs)), sizeof(theirs));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(!id_eq(mine, theirs));
	ck_assert_int_eq(close(fds[0]), 0);
	ck_assert_int_eq(close(fds[1]), 0);
}
END_TEST

START_TEST(follows_from_another_the_same_way_each_time)
{
	struct id from = id_make();
	struct id a = id_derive(from, SPAN("a")),
		  b = id_derive(from, SPAN("b"));

	ck_assert(id_eq(a, id_derive(from, SPAN("a"))));
	ck_assert(!id_eq(a, b));
	ck_assert(!id_eq(a, from));
	ck_assert(!id_eq(a, id_derive(id_make(), SPAN("a"))));
	ck_assert_mem_eq(a.bytes, from.bytes, 6);
}
END_TEST

START_TEST(spreads_over_loops_within_a_millisecond)
{
	int counts[7] = { 0 };

	wall_ms = 1;
	clock_override(NULL, fixed_wall);
	for (int i = 0; i < 7000; i++)
		counts[id_hash(id_make()) % 7]++;
	for (int i = 0; i < 7; i++)
		ck_assert(counts[i] > 700 && counts[i] < 1300);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/id");
	TCase *t = tcase_create("id");

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_loop_test(t, formats_and_parses, 0,
	    sizeof(text_cases) / sizeof(text_cases[0]));
	tcase_add_test(t, survives_a_round_trip);
	tcase_add_test(t, accepts_upper_case);
	tcase_add_loop_test(t, refuses_what_is_no_id, 0,
	    sizeof(bad_texts) / sizeof(bad_texts[0]));
	tcase_add_test(t, refuses_a_nul);
	tcase_add_test(t, starts_with_the_time);
	tcase_add_test(t, text_sorts_by_time);
	tcase_add_test(t, never_repeats_on_any_thread);
	tcase_add_test(t, does_not_repeat_after_a_fork);
	tcase_add_test(t, follows_from_another_the_same_way_each_time);
	tcase_add_test(t, spreads_over_loops_within_a_millisecond);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
