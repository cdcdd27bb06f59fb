/* The table of verdicts: what fits, what gives way, what does not tell. */
#include <support/unit.h>

#include <auth/cache.h>

static struct cache *cache;

static void setup(void)
{
	cache = cache_new();
	ck_assert_ptr_nonnull(cache);
}

static void teardown(void)
{
	cache_free(cache);
}

static struct cache_tag tag_of(
    const char *name, const char *record, const char *password)
{
	return cache_tag(
	    cache, span_of(name), span_of(record), span_of(password));
}

/* Tags that fall into one set, told apart by n. */
static struct cache_tag crowded(unsigned char n)
{
	struct cache_tag tag = { .bytes = { 3, 5, n } };

	return tag;
}

START_TEST(finds_what_was_put_and_nothing_else)
{
	struct cache_tag tag = tag_of("a", "b", "c");
	struct cache_tag same = tag_of("a", "b", "c");

	ck_assert_int_eq(cache_find(cache, &tag), CACHE_MISS);
	cache_put(cache, &tag, CACHE_GOOD, 1000);
	ck_assert_int_eq(cache_find(cache, &same), CACHE_GOOD);
	cache_put(cache, &tag, CACHE_BAD, 0);
	ck_assert_int_eq(cache_find(cache, &same), CACHE_GOOD);
}
END_TEST

START_TEST(different_triples_have_different_tags)
{
	static const char *const triples[][3] = { { "ab", "c", "d" },
		{ "a", "bc", "d" }, { "a", "b", "cd" }, { "", "abc", "d" },
		{ "abcd", "", "" }, { "", "", "abcd" }, { "", "abcd", "" } };
	enum {
		COUNT = sizeof(triples) / sizeof(triples[0])
	};
	struct cache_tag tags[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		tags[i] = tag_of(triples[i][0], triples[i][1], triples[i][2]);
		for (size_t j = 0; j < i; j++)
			ck_assert_mem_ne(
			    tags[i].bytes, tags[j].bytes, sizeof(tags[0]));
	}
}
END_TEST

START_TEST(tags_mean_nothing_to_another_process)
{
	struct cache *other = cache_new();
	struct cache_tag mine = tag_of("a", "b", "c");
	struct cache_tag theirs =
	    cache_tag(other, SPAN("a"), SPAN("b"), SPAN("c"));

	ck_assert_mem_ne(mine.bytes, theirs.bytes, sizeof(mine));
	cache_free(other);
}
END_TEST

START_TEST(guesses_displace_no_good_verdict)
{
	struct cache_tag good = crowded(0);

	cache_put(cache, &good, CACHE_GOOD, 100000);
	for (unsigned char n = 1; n < 200; n++) {
		struct cache_tag bad = crowded(n);
		cache_put(cache, &bad, CACHE_BAD, 200000);
	}
	ck_assert_int_eq(cache_find(cache, &good), CACHE_GOOD);
	/* Nor when all four are good. */
	for (unsigned char n = 200; n < 203; n++) {
		struct cache_tag more = crowded(n);
		cache_put(cache, &more, CACHE_GOOD, 100000);
	}
	struct cache_tag bad = crowded(250);
	cache_put(cache, &bad, CACHE_BAD, 200000);
	ck_assert_int_eq(cache_find(cache, &bad), CACHE_MISS);
	ck_assert_int_eq(cache_find(cache, &good), CACHE_GOOD);
}
END_TEST

START_TEST(good_verdicts_displace_the_oldest)
{
	for (unsigned char n = 0; n < 5; n++) {
		struct cache_tag tag = crowded(n);
		cache_put(cache, &tag, CACHE_GOOD, 100000 + n);
	}
	for (unsigned char n = 0; n < 5; n++) {
		struct cache_tag tag = crowded(n);
		ck_assert_int_eq(
		    cache_find(cache, &tag), n == 0 ? CACHE_MISS : CACHE_GOOD);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("auth/cache");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, finds_what_was_put_and_nothing_else);
	tcase_add_test(t, different_triples_have_different_tags);
	tcase_add_test(t, tags_mean_nothing_to_another_process);
	tcase_add_test(t, guesses_displace_no_good_verdict);
	tcase_add_test(t, good_verdicts_displace_the_oldest);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
