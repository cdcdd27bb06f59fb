/* How rows that are in doubt are taken, one by one. */
#include "fixture.h"

#include <store/salvage_rows.h>
#include <store/schema.h>

#include <stdio.h>

static struct fix f;
static sqlite3 *db;
static struct salvage_rows *rows;

static void set_up(void)
{
	struct err e;
	bool is_new;
	char path[96];
	fix_init(&f, STORE_SQLITE);
	(void)snprintf(path, sizeof(path), "%s/rows.db", f.dir);
	ck_assert_int_eq(sqlite_connect(path, NULL, &db, &e), 0);
	ck_assert_int_eq(schema_prepare(db, path, &is_new, &e), 0);
	ck_assert_int_eq(salvage_rows_open(db, &rows, &e), 0);
}

static void tear_down(void)
{
	salvage_rows_close(rows);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	fix_finish(&f);
}

static struct salvage_value number(int64_t n)
{
	return (struct salvage_value){ .type = SALVAGE_INT, .number = n };
}

static struct salvage_value text(struct span s)
{
	return (struct salvage_value){ .type = SALVAGE_TEXT, .bytes = s };
}

static void take(unsigned n, enum store_state state)
{
	struct salvage_record r = { .page = 1, .trust = SALVAGE_DOUBT };
	const struct salvage_value values[] = {
		{ .type = SALVAGE_BLOB, .bytes = SPAN("0123456789abcdef") },
		number(n), text(SPAN("you@example.org")), number(state),
		number(1), number(0), text(SPAN("")), number(0)
	};
	r.count = sizeof(values) / sizeof(values[0]);
	memcpy(r.values, values, sizeof(values));
	ck_assert_int_eq(salvage_rows_take(rows, &r, SALVAGE_OTHER), 0);
}

static int64_t ask(const char *sql)
{
	int64_t n = -1;
	ck_assert_int_eq(sqlite_exec_int(db, sql, &n), 0);
	return n;
}

/* History may be millions, and doubt is in memory. */
START_TEST(doubt_is_noted_of_what_is_open)
{
	for (enum store_state s = STORE_PENDING; s <= STORE_SENT_OWED; s++)
		take(s, s);
	ck_assert_int_eq(ask("SELECT count(*) FROM recipient"), 9);
	ck_assert_int_eq(ask("SELECT count(*) FROM doubt"), 3);
	ck_assert_int_eq(
	    ask("SELECT count(*) FROM doubt WHERE n IN (0, 1, 4)"), 3);
}
END_TEST

START_TEST(of_two_in_doubt_the_one_that_is_over_counts)
{
	take(0, STORE_PENDING);
	take(0, STORE_SENT);
	take(0, STORE_STARTED);
	take(1, STORE_FAILED);
	take(1, STORE_PENDING);
	ck_assert_int_eq(
	    ask("SELECT count(*) FROM recipient WHERE state = 2 AND n = 0"), 1);
	ck_assert_int_eq(
	    ask("SELECT count(*) FROM recipient WHERE state = 3 AND n = 1"), 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("store.salvage_rows");
	TCase *tc = tcase_create("salvage_rows");
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, doubt_is_noted_of_what_is_open);
	tcase_add_test(tc, of_two_in_doubt_the_one_that_is_over_counts);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
