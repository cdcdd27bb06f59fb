/* Liveness and readiness as time passes; the clock is the test's. */
#include <errno.h>
#include <string.h>

#include <admin/health.h>
#include <base/clock.h>
#include <config/config.h>
#include <loop/loop.h>
#include <policy/pressure.h>
#include <store/store.h>
#include <support/unit.h>

static uint64_t now_ns;

static uint64_t mono_ns(void)
{
	return now_ns;
}

static int64_t wall_ms(void)
{
	return 1700000000000;
}

static void pass_s(struct health *h, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		now_ns += 1000000000;
		health_tick(h);
	}
}

struct rig {
	struct loop *loops[2];
	struct admin_services services;
	struct health health;
	struct config config;
};

static void set_up(struct rig *r)
{
	now_ns = 1000000000;
	clock_override(mono_ns, wall_ms);
	memset(r, 0, sizeof(*r));
	r->loops[0] = loop_new(0);
	r->loops[1] = loop_new(1);
	r->services.loops = r->loops;
	r->services.worker_count = 2;
	r->services.config = &r->config;
	r->config.spool.fail_after_ms = 60 * 1000;
	ck_assert_int_eq(health_init(&r->health, &r->services), 0);
}

static void tear_down(struct rig *r)
{
	health_finish(&r->health);
	loop_free(r->loops[0]);
	loop_free(r->loops[1]);
	clock_override(NULL, NULL);
}

/* One run to the end: at least a turn. */
static void turn(struct loop *l)
{
	loop_stop(l);
	loop_run(l);
}

START_TEST(a_loop_that_stands_still_is_dead_after_ten_seconds)
{
	struct rig r;
	struct buf text;

	set_up(&r);
	pass_s(&r.health, 9);
	ck_assert(health_is(&r.health, HEALTH_LIVE));
	turn(r.loops[0]);
	pass_s(&r.health, 1);
	ck_assert(!health_is(&r.health, HEALTH_LIVE));
	buf_init(&text, 1000);
	ck_assert(!health_report(&r.health, HEALTH_LIVE, false, &text));
	ck_assert(span_eq(buf_span(&text),
	    SPAN("[-]loops failed: worker 1 is stuck for 10 s\n")));
	buf_finish(&text);
	/* The first one turned a second ago; the second comes back now. */
	turn(r.loops[1]);
	pass_s(&r.health, 1);
	ck_assert(health_is(&r.health, HEALTH_LIVE));
	tear_down(&r);
}
END_TEST

START_TEST(started_means_that_every_loop_has_turned)
{
	struct rig r;

	set_up(&r);
	pass_s(&r.health, 1);
	ck_assert(!health_is(&r.health, HEALTH_STARTED));
	turn(r.loops[0]);
	pass_s(&r.health, 1);
	ck_assert(!health_is(&r.health, HEALTH_STARTED));
	ck_assert(!health_is(&r.health, HEALTH_READY));
	turn(r.loops[1]);
	pass_s(&r.health, 1);
	ck_assert(health_is(&r.health, HEALTH_STARTED));
	ck_assert(health_is(&r.health, HEALTH_READY));
	tear_down(&r);
}
END_TEST

START_TEST(a_broken_store_is_not_ready_and_after_its_time_dead)
{
	struct rig r;

	set_up(&r);
	turn(r.loops[0]);
	turn(r.loops[1]);
	pass_s(&r.health, 1);
	/* As store_check would have told a moment ago. */
	r.services.worker_count = 0;
	r.health.store_code = -EIO;
	r.health.store_bad_since_ms = r.health.now_ms;
	ck_assert(!health_is(&r.health, HEALTH_READY));
	r.health.now_ms += 60 * 1000 - 1;
	ck_assert(health_is(&r.health, HEALTH_LIVE));
	r.health.now_ms += 1;
	ck_assert(!health_is(&r.health, HEALTH_LIVE));
	/* Or as it is said, from one moment to the next. */
	r.config.spool.fail_after_ms = 5 * 60 * 1000;
	ck_assert(health_is(&r.health, HEALTH_LIVE));
	r.config.spool.fail_after_ms = 0;
	ck_assert(!health_is(&r.health, HEALTH_LIVE));
	r.health.store_code = -ENOSPC; /* a restart would not help */
	ck_assert(health_is(&r.health, HEALTH_LIVE));
	ck_assert(!health_is(&r.health, HEALTH_READY));
	tear_down(&r);
}
END_TEST

START_TEST(a_disk_that_is_nearly_full_is_not_ready_and_lives)
{
	static const struct pressure_capacity have = { 1000, UINT64_MAX,
		UINT64_MAX };
	struct config c = { .spool = { .min_free = { .percent = 10 } } };
	struct pressure *p = pressure_new();
	struct rig r;
	struct buf text;

	set_up(&r);
	turn(r.loops[0]);
	turn(r.loops[1]);
	pass_s(&r.health, 1);
	r.services.pressure = p;
	pressure_configure(p, &c, &have);
	ck_assert(health_is(&r.health, HEALTH_READY));
	(void)pressure_note(p, PRESSURE_SPACE, 99);
	ck_assert(health_is(&r.health, HEALTH_LIVE));
	buf_init(&text, 1000);
	ck_assert(!health_report(&r.health, HEALTH_READY, false, &text));
	ck_assert(span_eq(buf_span(&text),
	    SPAN("[-]spool_space failed: less than spool.min_free is free\n")));
	buf_finish(&text);
	(void)pressure_note(p, PRESSURE_SPACE, 120);
	ck_assert(health_is(&r.health, HEALTH_READY));
	pressure_free(p);
	tear_down(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("admin/health");
	TCase *t = tcase_create("health");

	tcase_add_test(t, a_loop_that_stands_still_is_dead_after_ten_seconds);
	tcase_add_test(t, started_means_that_every_loop_has_turned);
	tcase_add_test(t, a_broken_store_is_not_ready_and_after_its_time_dead);
	tcase_add_test(t, a_disk_that_is_nearly_full_is_not_ready_and_lives);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
