/* The durable store below deliveries, on a disk that is full for a while. */
#include "../store/fault.h"
#include "../store/fixture.h"
#include "rig.h"

#include <deliver/deliver_internal.h>

static struct fix fix;

static void setup(void)
{
	fix_init(&fix, STORE_SQLITE);
	fault_reset();
	fix_open(&fix, fault_io());
	rig_setup();
	store_close(rig.store);
	rig.store = rig.deliver->services.store = fix.store;
	fix.store = NULL; /* the rig closes it */
}

static void teardown(void)
{
	rig_teardown();
	fix_finish(&fix);
}

static bool submit(void)
{
	rig_submit(CONFIG_MODE_QUEUED, 2, 100);
	return true;
}

static bool is_called(void)
{
	return rig.open_calls == 1;
}

static bool fill_disk(void)
{
	fault_set_free(0);
	rig_release(200);
	return true;
}

static uint64_t count_errors(void)
{
	struct store_stats stats;

	store_stats(rig.store, &stats);
	return stats.errors;
}

/* Twice, each time without and with the reserve. */
static bool has_failed_twice(void)
{
	return count_errors() >= 4;
}

static bool make_room(void)
{
	ck_assert_uint_eq(rig.rows, 0);
	fault_set_free(UINT64_MAX);
	return true;
}

START_TEST(what_was_sent_is_neither_forgotten_nor_sent_again)
{
	static const int stuck[] = { RIG_STUCK, 0 };
	static const rig_step steps[] = { submit, is_called, fill_disk,
		has_failed_twice, make_room, rig_is_quiet, NULL };

	rig.script[0] = stuck;
	rig_run(steps);
	ck_assert_uint_eq(rig.call_count, 1);
	ck_assert_uint_eq(rig.rows, 2);
	ck_assert_uint_eq(rig_count_state(STORE_SENT), 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver/full_disk");
	TCase *t = tcase_create("full_disk");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_was_sent_is_neither_forgotten_nor_sent_again);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
