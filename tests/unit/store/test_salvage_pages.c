/*
 * What the first page of a damaged spool says of the others: which are free,
 * and of which format they are.
 */
#include "spoil.h"

#include <errno.h>
#include <unistd.h>

static void put32(unsigned char *out, size_t n)
{
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(n >> (24 - 8 * i));
}

/* Pages from..to, of which the first of each bunch lists the others. */
static void list_free_pages(uint32_t from, uint32_t to, uint32_t but)
{
	enum {
		BUNCH = 1000
	};
	unsigned char header[12];
	uint32_t count = 0;
	for (uint32_t trunk = from; trunk <= to; trunk += BUNCH) {
		unsigned char page[SPOIL_PAGE] = { 0 };
		uint32_t leaves = 0;
		for (uint32_t i = trunk + 1; i <= to && i < trunk + BUNCH; i++)
			if (i != but)
				put32(&page[8 + 4 * leaves++], i);
		put32(page, trunk + BUNCH <= to ? trunk + BUNCH : 0);
		put32(&page[4], leaves);
		spoil_overwrite("store.db", (off_t)(trunk - 1) * SPOIL_PAGE,
		    page, SPOIL_PAGE);
		count += 1 + leaves;
	}
	put32(header, to);
	put32(&header[4], from);
	put32(&header[8], count);
	spoil_overwrite("store.db", 28, header, sizeof(header));
}

/* SQLite leaves out the page with the bytes that it locks. */
START_TEST(a_large_database_is_whole)
{
	char path[200];
	spoil_fill(6);
	spoil_end_closed();
	uint32_t pages = (uint32_t)(spoil_size_of("store.db") / SPOIL_PAGE);
	const uint32_t lock_page = (1 << 30) / SPOIL_PAGE + 1;
	spoil_name(path, "store.db");
	ck_assert_int_eq(
	    truncate(path, (off_t)(lock_page + 1) * SPOIL_PAGE), 0);
	list_free_pages(pages + 1, lock_page + 1, lock_page);
	spoil_salvage();
	ck_assert_uint_eq(spoil.report.pages, lock_page + 1);
	ck_assert_uint_eq(spoil.report.damaged_pages, 0);
	ck_assert(salvage_is_complete(&spoil.report));
	fix_finish(&spoil.f);
}
END_TEST

/* The list may be from before the pages on it came into use. */
START_TEST(an_old_list_of_free_pages_hides_nothing)
{
	char path[200];
	spoil_fill(60);
	spoil_end_closed();
	uint32_t pages = (uint32_t)(spoil_size_of("store.db") / SPOIL_PAGE);
	list_free_pages(pages - 9, pages, 0);
	spoil_name(path, "lock");
	ck_assert_int_eq(truncate(path, 0), 0);
	spoil_salvage();
	ck_assert_ptr_nonnull(spoil.report.doubt);
	ck_assert_uint_gt(spoil.report.messages, 60 - 10);
	fix_finish(&spoil.f);
}
END_TEST

/* What it did not have yet cannot be missing. */
START_TEST(an_older_format_is_whole)
{
	spoil_fill(12);
	spoil_end_closed();
	spoil_sql("DROP TABLE spent; PRAGMA user_version = 8", false);
	spoil_salvage();
	ck_assert(salvage_is_complete(&spoil.report));
	ck_assert_uint_eq(spoil.report.messages, 12);
	fix_finish(&spoil.f);
}
END_TEST

/* What the first page says of it. */
START_TEST(a_damaged_format_is_damage)
{
	struct err e = { 0 };
	spoil_fill(12);
	spoil_end_closed();
	spoil_overwrite("store.db", _i ? 68 : 60, "????", 4);
	struct store_settings settings = spoil.f.settings;
	settings.path = spoil.damaged;
	ck_assert_ptr_null(store_open(&settings, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "postern salvage"));
	spoil_salvage();
	ck_assert_ptr_nonnull(spoil.report.doubt);
	ck_assert_uint_eq(spoil.report.messages, 12);
	ck_assert_uint_gt(spoil.report.held, 0);
	fix_finish(&spoil.f);
}
END_TEST

START_TEST(a_newer_format_is_not_touched)
{
	struct err e;
	spoil_fill(1);
	spoil_end_closed();
	spoil_sql("PRAGMA user_version = 99", false);
	ck_assert_int_eq(
	    salvage_run(spoil.damaged, spoil.f.path, &spoil.report, &e),
	    -ENOTSUP);
	fix_finish(&spoil.f);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.salvage_pages");
	TCase *tc = tcase_create("salvage_pages");
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_large_database_is_whole);
	tcase_add_test(tc, an_old_list_of_free_pages_hides_nothing);
	tcase_add_test(tc, an_older_format_is_whole);
	tcase_add_loop_test(tc, a_damaged_format_is_damage, 0, 2);
	tcase_add_test(tc, a_newer_format_is_not_touched);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
