/* Breaker, pace, budget and queue together; accounts through reloads. */
#include <support/unit.h>

#include <health/health.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <base/clock.h>
#include <base/date.h>
#include <base/log.h>

enum {
	PLACES = 4
};

/* A snapshot as far as it matters here. */
struct snapshot {
	struct config config;
	struct config_provider providers[2];
};

static struct snapshot s;
static struct health_account *a;
static uint64_t now;

static void make(struct snapshot *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < 2; i++) {
		struct config_provider *p = &out->providers[i];

		p->name = i ? "ses" : "mailgun";
		p->type = "fake";
		(void)snprintf(p->hash, sizeof(p->hash), "%zu", i);
		p->concurrency = PLACES;
		p->breaker = (struct config_breaker){ .failures = 5,
			.ratio = 50,
			.min_calls = 20,
			.window_ms = 60000,
			.open_ms = 30000,
			.open_max_ms = 300000,
			.account_retry_ms = 600000 };
	}
	out->config.queue.retry_budget = 20;
	out->config.providers = (struct postern_list){ out->providers, 2 };
}

static void setup(void)
{
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	make(&s);
	ck_assert_int_eq(health_configure(&s.config, NULL), 0);
	a = s.providers[0].account;
	/* Away from the clock's beginning, where accounts were made. */
	now = UINT64_C(1) << 40;
}

static void teardown(void)
{
	s.config.on_free(&s.config);
}

static enum health_gate enter(struct health_call *c)
{
	memset(c, 0, sizeof(*c));
	return health_enter(a, c, now);
}

static void leave(
    struct health_call *c, enum postern_class result, uint64_t retry_after_ms)
{
	struct postern_outcome o = { .result = result,
		.retry_after_ms = retry_after_ms,
		.reason = "said 500" };

	health_leave(c, &o, now);
}

static void call(enum postern_class result)
{
	struct health_call c;

	ck_assert_int_eq(enter(&c), HEALTH_GO);
	leave(&c, result, 0);
}

static void open_it(void)
{
	for (int i = 0; i < 5; i++)
		call(POSTERN_TRANSIENT);
}

static const char *explain(const struct health_call *c)
{
	static char text[HEALTH_TEXT_SIZE];

	health_explain(a, c, now, text);
	return text;
}

START_TEST(waits_when_nothing_is_left)
{
	struct postern_outcome o = { .result = POSTERN_ACCEPTED,
		.has_allowance = true,
		.allowed_of = 100,
		.allowed_for_ms = 20000 };
	struct health_call c;
	struct health_view v;

	ck_assert_int_eq(enter(&c), HEALTH_GO);
	health_leave(&c, &o, now);
	ck_assert_int_eq(enter(&c), HEALTH_PACED);
	ck_assert_uint_ge(c.again_ms, now + 20000);
	ck_assert_uint_le(c.again_ms, now + 22000);
	health_look(a, now, &v);
	ck_assert_int_eq(v.state, BREAKER_CLOSED);
	now += 22001;
	ck_assert_int_eq(enter(&c), HEALTH_GO);
	leave(&c, POSTERN_ACCEPTED, 0);
	health_look(a, now, &v);
	ck_assert(v.per_second == 0);
}
END_TEST

START_TEST(says_why_it_is_shut)
{
	struct health_call c;
	unsigned seconds;
	char end;

	open_it();
	ck_assert_int_eq(enter(&c), HEALTH_OPEN);
	ck_assert_int_eq(sscanf(explain(&c),
			     "mailgun: paused after 5 failures in a row, "
			     "next try in %u %c",
			     &seconds, &end),
	    2);
	ck_assert_uint_ge(seconds, 24);
	ck_assert_uint_le(seconds, 36);
	ck_assert_uint_le(now + seconds * 1000 - 1000, c.again_ms);
}
END_TEST

START_TEST(a_refused_account_says_what_the_provider_said)
{
	struct health_call c;
	struct health_view v;

	log_configure(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
	call(POSTERN_ACCOUNT);
	ck_assert_int_eq(enter(&c), HEALTH_OPEN);
	ck_assert_ptr_nonnull(strstr(explain(&c), "account is refused"));
	ck_assert_ptr_nonnull(strstr(explain(&c), "said 500"));
	health_look(a, now, &v);
	ck_assert_int_eq(v.state, BREAKER_OPEN);
	ck_assert_uint_eq(v.opened, 1);
	ck_assert_uint_ge(v.again_ms, now + 480000);
	ck_assert_str_eq(v.reason, explain(&c));
}
END_TEST

START_TEST(a_refused_sender_leaves_the_account_alone)
{
	const struct postern_outcome o = { .result = POSTERN_ACCOUNT,
		.is_about_sender = true,
		.reason = "not verified" };
	struct health_call c;

	log_configure(LOG_LEVEL_ERROR + 1, LOG_FORMAT_TEXT);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(enter(&c), HEALTH_GO);
		health_leave(&c, &o, now);
	}
	/* Nor does it make one well again. */
	open_it();
	now += 600000;
	ck_assert_int_eq(enter(&c), HEALTH_GO);
	health_leave(&c, &o, now);
	ck_assert_int_eq(enter(&c), HEALTH_GO);
	leave(&c, POSTERN_TRANSIENT, 0);
	ck_assert_int_eq(enter(&c), HEALTH_OPEN);
}
END_TEST

START_TEST(retry_after_shuts_the_gate_that_long)
{
	struct health_call c, other;
	struct health_view v;

	ck_assert_int_eq(enter(&c), HEALTH_GO);
	leave(&c, POSTERN_THROTTLED, 20000);
	ck_assert_int_eq(enter(&c), HEALTH_PACED);
	ck_assert_uint_ge(c.again_ms, now + 20000);
	ck_assert_uint_le(c.again_ms, now + 22000);
	health_look(a, now, &v);
	ck_assert_int_eq(v.state, BREAKER_CLOSED);
	ck_assert_ptr_nonnull(strstr(v.reason, "pause"));
	now = c.again_ms;
	ck_assert_int_eq(enter(&other), HEALTH_GO);
	health_cancel(&other, now);
}
END_TEST

START_TEST(no_provider_shuts_it_for_more_than_an_hour)
{
	struct health_call c;

	ck_assert_int_eq(enter(&c), HEALTH_GO);
	leave(&c, POSTERN_THROTTLED, UINT64_C(86400000));
	ck_assert_int_eq(enter(&c), HEALTH_PACED);
	ck_assert_uint_le(c.again_ms, now + 3600000 + 360000);
}
END_TEST

START_TEST(accounts_are_apart)
{
	struct health_call c;

	open_it();
	a = s.providers[1].account;
	ck_assert_int_eq(enter(&c), HEALTH_GO);
	health_cancel(&c, now);
	ck_assert_uint_eq(health_room(&s.config, now), PLACES + 16);
}
END_TEST

START_TEST(retries_have_a_budget)
{
	struct health_call c = { .is_retry = true };

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(health_enter(a, &c, now), HEALTH_GO);
		leave(&c, POSTERN_ACCEPTED, 0);
	}
	ck_assert_int_eq(health_enter(a, &c, now), HEALTH_BUDGET);
	ck_assert_uint_le(c.again_ms, now + 1000);
	ck_assert(explain(&c)[0]);
	now = c.again_ms;
	ck_assert_int_eq(health_enter(a, &c, now), HEALTH_GO);
	health_cancel(&c, now);
}
END_TEST

/* --- places --- */

static unsigned wakes;

static void on_wake(struct health_call *c)
{
	(void)c;
	wakes++;
}

static enum health_gate queue(struct health_call *c)
{
	memset(c, 0, sizeof(*c));
	c->wake = on_wake;
	c->place_ms = 1000;
	return health_enter(a, c, now);
}

static struct health_call held[PLACES], queued[3];

static void fill_places(void)
{
	wakes = 0;
	for (size_t i = 0; i < PLACES; i++)
		ck_assert_int_eq(enter(&held[i]), HEALTH_GO);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(queue(&queued[i]), HEALTH_QUEUED);
}

static void empty_places(void)
{
	for (size_t i = 0; i < PLACES; i++)
		health_cancel(&held[i], now);
	for (size_t i = 0; i < 3; i++)
		health_cancel(&queued[i], now);
}

START_TEST(a_free_place_goes_to_who_came_first)
{
	struct health_call late;

	fill_places();
	ck_assert_int_eq(enter(&late), HEALTH_FULL);
	leave(&held[0], POSTERN_ACCEPTED, 0);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_int_eq(queued[0].gate, HEALTH_GO);
	ck_assert(!health_unqueue(a, &queued[0]));
	/* Nobody overtakes those who wait. */
	ck_assert_int_eq(enter(&late), HEALTH_FULL);
	leave(&queued[0], POSTERN_REJECTED, 0);
	health_cancel(&held[1], now);
	ck_assert_uint_eq(wakes, 3);
	ck_assert_int_eq(queued[2].gate, HEALTH_GO);
	empty_places();
}
END_TEST

START_TEST(who_gives_up_waiting_is_not_woken)
{
	fill_places();
	ck_assert(health_unqueue(a, &queued[0]));
	ck_assert(!health_unqueue(a, &queued[0]));
	leave(&held[0], POSTERN_ACCEPTED, 0);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_int_eq(queued[1].gate, HEALTH_GO);
	ck_assert(health_unqueue(a, &queued[2]));
	empty_places();
}
END_TEST

START_TEST(all_who_wait_hear_that_it_opened)
{
	fill_places();
	now += 10;
	leave(&held[0], POSTERN_ACCOUNT, 0);
	ck_assert_uint_eq(wakes, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(queued[i].gate, HEALTH_OPEN);
	/* And who has not begun yet need not. */
	ck_assert(!health_may_begin(&held[1]));
	empty_places();
}
END_TEST

START_TEST(nobody_waits_for_one_that_hangs)
{
	struct health_call late;

	fill_places();
	now += 1001;
	ck_assert_int_eq(queue(&late), HEALTH_FULL);
	for (size_t i = 0; i < 3; i++)
		ck_assert(health_unqueue(a, &queued[i]));
	empty_places();
}
END_TEST

START_TEST(nobody_waits_for_places_that_are_kept_for_turns)
{
	struct health_call late;

	s.config.on_free(&s.config);
	s.providers[0].rate =
	    (struct postern_rate){ .count = 2, .per_ms = 1000 };
	ck_assert_int_eq(health_configure(&s.config, NULL), 0);
	a = s.providers[0].account;
	for (size_t i = 0; i < PLACES; i++) {
		memset(&held[i], 0, sizeof(held[i]));
		held[i].turn_ms = 10000;
		ck_assert_int_eq(health_enter(a, &held[i], now), HEALTH_GO);
	}
	ck_assert_int_eq(queue(&late), HEALTH_PACED);
	ck_assert_uint_gt(late.again_ms, now + 1000);
	empty_places();
}
END_TEST

START_TEST(a_trial_needs_no_place)
{
	struct health_call trial;
	struct health_view v;

	s.config.on_free(&s.config);
	s.providers[0].concurrency = 20;
	ck_assert_int_eq(health_configure(&s.config, NULL), 0);
	a = s.providers[0].account;
	/* These hang and say nothing. */
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(enter(&held[i]), HEALTH_GO);
	open_it();
	health_look(a, now, &v);
	now = v.again_ms;
	ck_assert_int_eq(enter(&trial), HEALTH_GO);
	leave(&trial, POSTERN_ACCEPTED, 0);
	for (size_t i = 0; i < 3; i++)
		leave(&held[i], POSTERN_UNKNOWN, 0);
	health_look(a, now, &v);
	ck_assert_int_eq(v.state, BREAKER_HALF);
}
END_TEST

START_TEST(recovery_begins_slowly)
{
	struct health_view v;
	struct health_call c = { .has_choice = true, .turn_ms = 1000 };
	unsigned n = 0;

	open_it();
	health_look(a, now, &v);
	now = v.again_ms;
	for (int i = 0; i < 4; i++)
		call(POSTERN_ACCEPTED);
	health_look(a, now, &v);
	ck_assert_int_eq(v.state, BREAKER_CLOSED);
	ck_assert(v.per_second > 0);
	/* And who can go elsewhere does not wait for that. */
	for (int i = 0; i < 100; i++) {
		if (health_enter(a, &c, now) != HEALTH_GO)
			continue;
		leave(&c, POSTERN_ACCEPTED, 0);
		n++;
	}
	ck_assert_uint_ge(n, 1);
	ck_assert_uint_le(n, 3);
}
END_TEST

/* --- reloads --- */

START_TEST(an_account_outlives_a_reload_that_leaves_it_alone)
{
	struct snapshot next;
	struct health_call c;
	struct health_view v;

	open_it();
	make(&next);
	next.providers[0].concurrency = 2;
	ck_assert_int_eq(health_configure(&next.config, &s.config), 0);
	ck_assert_ptr_eq(next.providers[0].account, a);
	ck_assert_int_eq(enter(&c), HEALTH_OPEN);
	health_look(a, now, &v);
	ck_assert_uint_le(v.limit, 2);
	next.config.on_free(&next.config);
	ck_assert_int_eq(enter(&c), HEALTH_OPEN);
}
END_TEST

START_TEST(a_new_key_begins_afresh)
{
	struct snapshot next;
	struct health_call c;

	open_it();
	make(&next);
	(void)snprintf(next.providers[0].hash, CONFIG_HASH_SIZE, "other");
	ck_assert_int_eq(health_configure(&next.config, &s.config), 0);
	ck_assert_ptr_ne(next.providers[0].account, a);
	ck_assert_ptr_eq(next.providers[1].account, s.providers[1].account);
	a = next.providers[0].account;
	ck_assert_int_eq(enter(&c), HEALTH_GO);
	health_cancel(&c, now);
	next.config.on_free(&next.config);
}
END_TEST

/* --- what it may spend --- */

static void limit_budget(struct snapshot *of, int64_t per_day)
{
	of->providers[0].budget.per_day = per_day;
	s.config.on_free(&s.config);
	ck_assert_int_eq(health_configure(&of->config, NULL), 0);
	a = of->providers[0].account;
}

static enum health_gate enter_with(struct health_call *c, uint64_t recipients)
{
	memset(c, 0, sizeof(*c));
	c->recipients = recipients;
	return health_enter(a, c, now);
}

START_TEST(a_budget_is_taken_before_the_call)
{
	struct health_call first, second, third;
	struct health_view v;

	limit_budget(&s, 10);
	ck_assert_int_eq(enter_with(&first, 7), HEALTH_GO);
	ck_assert_int_eq(enter_with(&second, 7), HEALTH_GO);
	ck_assert_uint_eq(second.share.count, 3);
	/* The others may give back what they have. */
	ck_assert_int_eq(enter_with(&third, 1), HEALTH_FULL);
	ck_assert_uint_le(third.again_ms, now + 1000);
	leave(&first, POSTERN_TRANSIENT, 0);
	leave(&second, POSTERN_UNKNOWN, 0);
	ck_assert_uint_eq(health_spent_today(a), 3);
	ck_assert_int_eq(enter_with(&third, 8), HEALTH_GO);
	ck_assert_uint_eq(third.share.count, 7);
	leave(&third, POSTERN_ACCEPTED, 0);
	ck_assert_int_eq(enter_with(&third, 1), HEALTH_SPENT);
	ck_assert_uint_gt(third.again_ms, now);
	ck_assert_uint_le(third.again_ms, now + UINT64_C(24) * 3600 * 1000);
	ck_assert_ptr_nonnull(
	    strstr(explain(&third), "budget of 10 recipients per day"));
	health_look(a, now, &v);
	ck_assert(v.spend.is_out);
	ck_assert_int_eq(v.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(who_waits_for_a_place_takes_nothing_of_it)
{
	struct health_call taken[PLACES], waiting;

	limit_budget(&s, PLACES + 5);
	for (size_t i = 0; i < PLACES; i++)
		ck_assert_int_eq(enter_with(&taken[i], 1), HEALTH_GO);
	memset(&waiting, 0, sizeof(waiting));
	waiting.recipients = 50;
	waiting.wake = on_wake;
	waiting.place_ms = 1000;
	ck_assert_int_eq(health_enter(a, &waiting, now), HEALTH_QUEUED);
	ck_assert_uint_eq(health_spent_today(a), PLACES);
	leave(&taken[0], POSTERN_ACCEPTED, 0);
	ck_assert_int_eq(waiting.gate, HEALTH_GO);
	ck_assert_uint_eq(waiting.share.count, 5);
	health_cancel(&waiting, now);
	for (size_t i = 1; i < PLACES; i++)
		health_cancel(&taken[i], now);
	ck_assert_uint_eq(health_spent_today(a), 1);
}
END_TEST

START_TEST(a_new_key_spends_of_the_same_budget)
{
	struct snapshot next;
	struct health_call c;

	limit_budget(&s, 10);
	ck_assert_int_eq(enter_with(&c, 8), HEALTH_GO);
	make(&next);
	(void)snprintf(
	    next.providers[0].hash, sizeof(next.providers[0].hash), "new");
	next.providers[0].budget.per_day = 9;
	ck_assert_int_eq(health_configure(&next.config, &s.config), 0);
	ck_assert_ptr_ne(next.providers[0].account, a);
	a = next.providers[0].account;
	leave(&c, POSTERN_ACCEPTED, 0);
	ck_assert_int_eq(enter_with(&c, 8), HEALTH_GO);
	ck_assert_uint_eq(c.share.count, 1);
	health_cancel(&c, now);
	next.config.on_free(&next.config);
}
END_TEST

START_TEST(what_the_store_remembers_is_spent)
{
	struct health_call c;

	limit_budget(&s, 10);
	health_restore_spent(
	    &s.config, SPAN("mailgun"), date_day(clock_wall_ms()), 9);
	health_restore_spent(
	    &s.config, SPAN("gone"), date_day(clock_wall_ms()), 9);
	ck_assert_int_eq(enter_with(&c, 8), HEALTH_GO);
	ck_assert_uint_eq(c.share.count, 1);
	health_cancel(&c, now);
}
END_TEST

/* --- what the account says of itself --- */

static struct postern_inquiry facts(void)
{
	return (struct postern_inquiry){ .result = POSTERN_ACCEPTED,
		.per_second = 14,
		.counts_recipients = true,
		.has_quota = true,
		.quota = 200,
		.quota_left = 50 };
}

START_TEST(its_rate_is_of_recipients)
{
	struct postern_inquiry told = facts();
	struct health_call first, second;

	health_told(a, &told, now);
	ck_assert_int_eq(enter_with(&first, 28), HEALTH_GO);
	ck_assert_int_eq(enter_with(&second, 1), HEALTH_PACED);
	ck_assert_uint_ge(second.again_ms, now + 2000 - 100);
	health_cancel(&first, now);
	ck_assert_int_eq(enter_with(&second, 1), HEALTH_GO);
	health_cancel(&second, now);
}
END_TEST

START_TEST(a_used_up_quota_is_a_pause_until_it_is_asked_again)
{
	struct postern_inquiry told = facts();
	struct health_call c;
	uint64_t again_ms;

	told.quota_left = 0;
	ck_assert(health_may_ask(a, now, &again_ms));
	health_told(a, &told, now);
	ck_assert(!health_may_ask(a, now, &again_ms));
	ck_assert_int_eq(enter_with(&c, 1), HEALTH_PACED);
	ck_assert_uint_eq(c.again_ms, again_ms);
	now = again_ms;
	ck_assert(health_may_ask(a, now, &again_ms));
	ck_assert_int_eq(enter_with(&c, 1), HEALTH_GO);
	health_cancel(&c, now);
}
END_TEST

START_TEST(a_closed_account_wakes_who_waits)
{
	struct health_call taken[PLACES], waiting;
	struct postern_inquiry told = facts();

	for (size_t i = 0; i < PLACES; i++)
		ck_assert_int_eq(enter_with(&taken[i], 1), HEALTH_GO);
	memset(&waiting, 0, sizeof(waiting));
	waiting.wake = on_wake;
	waiting.place_ms = 1000;
	ck_assert_int_eq(health_enter(a, &waiting, now), HEALTH_QUEUED);
	told.is_closed = true;
	health_told(a, &told, now);
	ck_assert_int_eq(waiting.gate, HEALTH_OPEN);
	for (size_t i = 0; i < PLACES; i++) {
		ck_assert(!health_may_begin(&taken[i]));
		health_cancel(&taken[i], now);
	}
}
END_TEST

/* --- threads --- */

enum {
	THREADS = 4,
	CALLS = 5000
};

struct waiter {
	struct health_call call;
	atomic_bool is_woken;
};

static atomic_uint under_way, most;

static void on_thread_wake(struct health_call *c)
{
	struct waiter *w = container_of(c, struct waiter, call);

	atomic_store(&w->is_woken, true);
}

static void note_most(void)
{
	unsigned n = atomic_fetch_add(&under_way, 1) + 1;
	unsigned seen = atomic_load(&most);

	while (n > seen && !atomic_compare_exchange_weak(&most, &seen, n))
		;
}

static void *run_calls(void *arg)
{
	const unsigned *seed = arg;
	struct postern_outcome o = { .result = POSTERN_ACCEPTED };

	for (unsigned i = 0; i < CALLS; i++) {
		struct waiter w = { .call.wake = on_thread_wake,
			.call.place_ms = 1000 };
		enum health_gate gate = health_enter(a, &w.call, now);

		if (gate == HEALTH_QUEUED &&
		    ((i + *seed) % 7 != 0 || !health_unqueue(a, &w.call))) {
			while (!atomic_load(&w.is_woken))
				(void)sched_yield();
			gate = w.call.gate;
		}
		if (gate != HEALTH_GO)
			continue;
		note_most();
		atomic_fetch_sub(&under_way, 1);
		if ((i + *seed) % 11 == 0)
			health_cancel(&w.call, now);
		else
			health_leave(&w.call, &o, now);
	}
	return NULL;
}

START_TEST(places_hold_among_threads_and_none_is_lost)
{
	pthread_t threads[THREADS];
	unsigned seeds[THREADS];
	struct health_view v;

	atomic_store(&most, 0);
	for (unsigned i = 0; i < THREADS; i++) {
		seeds[i] = i;
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, run_calls, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	health_look(a, now, &v);
	ck_assert_uint_eq(v.held, 0);
	ck_assert_uint_eq(v.queued, 0);
	ck_assert_uint_le(atomic_load(&most), 2);
}
END_TEST

static void setup_narrow(void)
{
	setup();
	s.config.on_free(&s.config);
	make(&s);
	s.providers[0].concurrency = 2;
	ck_assert_int_eq(health_configure(&s.config, NULL), 0);
	a = s.providers[0].account;
}

static Suite *make_suite(void)
{
	Suite *suite = suite_create("health/account");
	TCase *c = tcase_create("account");
	TCase *t = tcase_create("threads");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, waits_when_nothing_is_left);
	tcase_add_test(c, says_why_it_is_shut);
	tcase_add_test(c, a_refused_account_says_what_the_provider_said);
	tcase_add_test(t, a_refused_sender_leaves_the_account_alone);
	tcase_add_test(c, retry_after_shuts_the_gate_that_long);
	tcase_add_test(c, no_provider_shuts_it_for_more_than_an_hour);
	tcase_add_test(c, accounts_are_apart);
	tcase_add_test(c, retries_have_a_budget);
	tcase_add_test(c, a_free_place_goes_to_who_came_first);
	tcase_add_test(c, who_gives_up_waiting_is_not_woken);
	tcase_add_test(c, all_who_wait_hear_that_it_opened);
	tcase_add_test(c, nobody_waits_for_one_that_hangs);
	tcase_add_test(c, nobody_waits_for_places_that_are_kept_for_turns);
	tcase_add_test(c, a_trial_needs_no_place);
	tcase_add_test(c, recovery_begins_slowly);
	tcase_add_test(c, an_account_outlives_a_reload_that_leaves_it_alone);
	tcase_add_test(c, a_new_key_begins_afresh);
	tcase_add_test(c, a_budget_is_taken_before_the_call);
	tcase_add_test(c, who_waits_for_a_place_takes_nothing_of_it);
	tcase_add_test(c, a_new_key_spends_of_the_same_budget);
	tcase_add_test(c, its_rate_is_of_recipients);
	tcase_add_test(c, a_used_up_quota_is_a_pause_until_it_is_asked_again);
	tcase_add_test(c, a_closed_account_wakes_who_waits);
	tcase_add_test(c, what_the_store_remembers_is_spent);
	tcase_add_checked_fixture(t, setup_narrow, teardown);
	tcase_add_test(t, places_hold_among_threads_and_none_is_lost);
	suite_add_tcase(suite, c);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
