/*
 * The cache of grants under a clock of the test's: a fake module that asks
 * for one request, and an http that answers when the test says.
 */
#include "steps.h"

#include <support/unit.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <provider/provider.h>

enum {
	WAITERS = 4,
	HOUR_S = 3600
};

static void pass_seconds(uint64_t s)
{
	mono_ms += s * 1000;
}

/* --- the module --- */

/* Written between fetches, read in the pool. */
static atomic_int lifetime_s, granted;

static int fake_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	char *key = host->alloc(r, 32);

	(void)settings;
	(void)snprintf(p->source, sizeof(p->source), "fake");
	if (!p->response) {
		(void)host->method(r, "GET");
		return host->url(r, "http://169.254.169.254/keys");
	}
	if (p->response->status != 200) {
		if (p->response->status == 503)
			p->refusal = POSTERN_TRANSIENT;
		return host->refuse(r, "fake: not now");
	}
	(void)snprintf(key, 32, "key-%d", atomic_fetch_add(&granted, 1));
	p->grant = (struct postern_secret){ key, strlen(key) };
	p->expires = lifetime_s != 0 ? p->now + lifetime_s : 0;
	return 0;
}

static const struct postern_provider module = { .abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "fake",
	.doc = "Fake.",
	.fields = fake_fields,
	.settings_size = sizeof(struct fake_settings),
	.build = fake_build,
	.classify = fake_classify,
	.prepare = fake_prepare,
	.state_size = 8 };

static const struct postern_provider *load_module(
    const char *type, struct err *e)
{
	(void)type;
	(void)e;
	return &module;
}

/* --- http --- */

static bool is_cancelled;

void http_cancel(struct http *h, struct http_call *call)
{
	(void)h;
	if (call == open_call)
		is_cancelled = true;
}

static struct grant_waiter waiters[WAITERS];
static bool is_done[WAITERS];
static void setup(void)
{
	lifetime_s = HOUR_S;
	granted = 0;
	is_cancelled = false;
	memset(waiters, 0, sizeof(waiters));
	memset(is_done, 0, sizeof(is_done));
	set_up(load_module, "{name: a, type: fake, mark: x}");
}

static void teardown(void)
{
	for (size_t i = 0; i < WAITERS; i++)
		provider_grant_unref(waiters[i].grant);
	tear_down();
}

static const struct config_provider *provider(void)
{
	return CONFIG_AT(config->providers, struct config_provider, 0);
}

static void on_done(struct grant_waiter *w)
{
	is_done[w - waiters] = true;
}

/* Whether the answer is there already. */
static bool ask(size_t i)
{
	provider_grant_unref(waiters[i].grant);
	waiters[i] = (struct grant_waiter){ .done = on_done };
	is_done[i] = grants_ask(grants, config, provider(), &waiters[i]);
	return is_done[i];
}

static void expect_key(size_t i, const char *key)
{
	ck_assert(is_done[i]);
	ck_assert_ptr_nonnull(waiters[i].grant);
	ck_assert_str_eq(waiters[i].grant->bytes.ptr, key);
}

/* --- steps --- */

static bool is_fetching(void)
{
	if (!is_asked())
		return false;
	ck_assert(open_call->is_direct);
	ck_assert(open_call->is_secret);
	return true;
}

static bool ask_first(void)
{
	ck_assert(!ask(0));
	return true;
}

static bool say_later(void)
{
	answer_with(HTTP_FAULT_NONE, 503);
	return true;
}

static bool is_idle(void)
{
	return grants_is_idle(grants);
}

#define FETCH ask_first, is_fetching, say_yes, is_idle
#define STEPS(...) run((const step_fn[]){ __VA_ARGS__, NULL })

/* --- tests --- */

static bool ask_all(void)
{
	for (size_t i = 0; i < WAITERS; i++)
		ck_assert(!ask(i));
	return true;
}

START_TEST(one_fetch_serves_all_who_wait)
{
	STEPS(ask_all, is_fetching, say_yes, is_idle);
	ck_assert_uint_eq(calls, 1);
	for (size_t i = 0; i < WAITERS; i++)
		expect_key(i, "key-0");
	ck_assert_uint_eq(
	    counter_get(&counters.providers[0].grants_fetched), 1);
}
END_TEST

static bool use_it_for_long(void)
{
	/* At the earliest five minutes and a quarter of that ahead. */
	pass_seconds(HOUR_S - 5 * 60 - 75 - 1);
	ck_assert(ask(1));
	expect_key(1, "key-0");
	ck_assert(grants_is_idle(grants));
	return true;
}

START_TEST(grant_is_at_hand_until_near_its_end)
{
	STEPS(FETCH, use_it_for_long);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

/* Old enough to be fetched anew, not so old that it must be. */
static bool use_it_ahead(void)
{
	pass_seconds(HOUR_S - 5 * 60 + 1);
	ck_assert(ask(1));
	expect_key(1, "key-0");
	return true;
}

static bool old_one_still_serves(void)
{
	ck_assert(ask(2));
	expect_key(2, "key-0");
	return true;
}

static bool new_one_serves(void)
{
	ck_assert(ask(3));
	expect_key(3, "key-1");
	return true;
}

START_TEST(fetched_anew_ahead_while_the_old_one_serves)
{
	STEPS(FETCH, use_it_ahead, is_fetching, old_one_still_serves, say_yes,
	    is_idle, new_one_serves);
	ck_assert_uint_eq(calls, 2);
}
END_TEST

static bool need_it_late(void)
{
	pass_seconds(HOUR_S - 59);
	ck_assert(!ask(1));
	return true;
}

START_TEST(waits_for_a_new_one_in_the_last_minute)
{
	STEPS(FETCH, need_it_late, is_fetching, say_yes, is_idle);
	expect_key(1, "key-1");
}
END_TEST

START_TEST(old_one_serves_to_its_very_end_when_there_is_no_new_one)
{
	STEPS(FETCH, need_it_late, is_fetching, say_later, is_idle);
	expect_key(1, "key-0");
}
END_TEST

static bool no_fetch_begins(void)
{
	ck_assert(grants_is_idle(grants));
	return true;
}

static bool wait_a_minute(void)
{
	pass_seconds(61);
	return true;
}

START_TEST(failed_refresh_keeps_the_old_one_and_pauses)
{
	STEPS(FETCH, use_it_ahead, is_fetching, say_no, is_idle,
	    old_one_still_serves, no_fetch_begins, wait_a_minute,
	    old_one_still_serves, is_fetching, say_yes, is_idle,
	    new_one_serves);
	ck_assert_uint_eq(calls, 3);
	ck_assert_uint_eq(counter_get(&counters.providers[0].grants_failed), 1);
}
END_TEST

static bool is_refused(void)
{
	ck_assert(is_done[0]);
	ck_assert_ptr_null(waiters[0].grant);
	ck_assert_int_eq(waiters[0].result, POSTERN_ACCOUNT);
	ck_assert_str_eq(waiters[0].reason, "no credentials: fake: not now");
	return true;
}

static bool is_refused_at_once(void)
{
	ck_assert(ask(0));
	return is_refused();
}

START_TEST(without_any_it_fails_and_does_not_ask_again_at_once)
{
	STEPS(ask_first, is_fetching, say_no, is_idle, is_refused,
	    is_refused_at_once, no_fetch_begins, wait_a_minute, FETCH);
	ck_assert_uint_eq(calls, 2);
	expect_key(0, "key-0");
}
END_TEST

START_TEST(trouble_that_may_pass_is_transient)
{
	STEPS(ask_first, is_fetching, say_later, is_idle);
	ck_assert_ptr_null(waiters[0].grant);
	ck_assert_int_eq(waiters[0].result, POSTERN_TRANSIENT);
}
END_TEST

static unsigned pauses;

/* The pause doubles to a minute: ten failures take more than two of them. */
static bool fail_ten_times(void)
{
	if (open_call)
		answer_with(HTTP_FAULT_NONE, 503);
	if (!grants_is_idle(grants) || pauses == 10)
		return pauses == 10 && grants_is_idle(grants);
	if (calls > pauses)
		pauses = calls;
	else
		mono_ms += 500;
	(void)ask(0);
	return false;
}

START_TEST(pauses_grow)
{
	uint64_t begin = mono_ms;

	pauses = 0;
	STEPS(fail_ten_times);
	ck_assert_uint_ge(mono_ms - begin, 120 * 1000);
}
END_TEST

static bool expired_at_once(void)
{
	pass_seconds(10);
	answer_with(HTTP_FAULT_NONE, 200);
	return true;
}

START_TEST(what_comes_expired_is_a_failure)
{
	lifetime_s = -10;
	STEPS(ask_first, is_fetching, expired_at_once, is_idle);
	ck_assert_ptr_null(waiters[0].grant);
	ck_assert_int_eq(waiters[0].result, POSTERN_TRANSIENT);
}
END_TEST

static bool minutes_serve(void)
{
	pass_seconds(40);
	ck_assert(ask(1));
	expect_key(1, "key-0");
	ck_assert(grants_is_idle(grants));
	pass_seconds(25);
	ck_assert(ask(1));
	ck_assert(!grants_is_idle(grants));
	return true;
}

START_TEST(short_lives_are_halved)
{
	lifetime_s = 120;
	STEPS(FETCH, minutes_serve, is_fetching, say_yes, is_idle);
	ck_assert(ask(3));
	expect_key(3, "key-1");
}
END_TEST

static bool clock_jumps(void)
{
	/* The wall clock goes with it here: only what was told counts. */
	pass_seconds(UINT64_C(1000) * HOUR_S);
	ck_assert(ask(1));
	expect_key(1, "key-0");
	return true;
}

START_TEST(what_never_ends_is_kept)
{
	lifetime_s = 0;
	STEPS(FETCH, clock_jumps);
	ck_assert(!grants_renew(grants, provider(), waiters[0].grant));
}
END_TEST

/* --- stale ones --- */

static struct provider_grant *stale;

static bool call_it_stale(void)
{
	stale = provider_grant_ref(waiters[0].grant);
	ck_assert(grants_renew(grants, provider(), stale));
	return true;
}

static bool others_come_late(void)
{
	/* Whose call left with the old one before: there is a new one. */
	ck_assert(grants_renew(grants, provider(), stale));
	ck_assert(ask(1));
	expect_key(1, "key-1");
	return true;
}

static bool new_one_is_stale_too(void)
{
	ck_assert(!grants_renew(grants, provider(), waiters[1].grant));
	ck_assert(ask(2));
	expect_key(2, "key-1");
	provider_grant_unref(stale);
	return true;
}

static bool later_it_may(void)
{
	pass_seconds(61);
	ck_assert(grants_renew(grants, provider(), waiters[1].grant));
	return true;
}

START_TEST(stale_one_is_replaced_once_a_minute)
{
	STEPS(FETCH, call_it_stale, FETCH, others_come_late,
	    new_one_is_stale_too, later_it_may);
	ck_assert_uint_eq(calls, 2);
}
END_TEST

/* --- configurations --- */

#define MARKED(mark) "{name: a, type: fake, mark: " mark "}"

static void change_config(const char *providers)
{
	struct config *c = load_config(load_module, providers);

	config_unref(config);
	config = c;
	grants_set_config(grants, c);
}

static bool same_settings(void)
{
	change_config(MARKED("x"));
	ck_assert(ask(1));
	expect_key(1, "key-0");
	return true;
}

static bool other_settings(void)
{
	change_config(MARKED("y"));
	return true;
}

START_TEST(reload_keeps_what_has_the_same_settings)
{
	STEPS(FETCH, same_settings, other_settings, FETCH);
	expect_key(0, "key-1");
}
END_TEST

static bool reload_twice(void)
{
	change_config(MARKED("y"));
	change_config(MARKED("z"));
	return true;
}

START_TEST(fetch_under_way_outlives_its_configuration)
{
	STEPS(ask_first, is_fetching, reload_twice, say_yes, is_idle);
	expect_key(0, "key-0");
}
END_TEST

/* --- the end --- */

static bool drain(void)
{
	grants_drain(grants);
	return true;
}

static bool is_called_off(void)
{
	ck_assert(is_cancelled);
	answer_with(HTTP_FAULT_CANCELLED, 0);
	return true;
}

START_TEST(drain_ends_what_nobody_waits_for)
{
	STEPS(FETCH, use_it_ahead, is_fetching, drain, is_called_off, is_idle);
}
END_TEST

START_TEST(drain_in_the_pool_ends_there)
{
	STEPS(FETCH, use_it_ahead, drain, is_idle);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(drain_lets_those_who_wait_have_it)
{
	STEPS(ask_first, is_fetching, drain, say_yes, is_idle);
	ck_assert(!is_cancelled);
	expect_key(0, "key-0");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("deliver.grants");
	TCase *t = tcase_create("grants");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_fetch_serves_all_who_wait);
	tcase_add_test(t, grant_is_at_hand_until_near_its_end);
	tcase_add_test(t, fetched_anew_ahead_while_the_old_one_serves);
	tcase_add_test(t, waits_for_a_new_one_in_the_last_minute);
	tcase_add_test(
	    t, old_one_serves_to_its_very_end_when_there_is_no_new_one);
	tcase_add_test(t, failed_refresh_keeps_the_old_one_and_pauses);
	tcase_add_test(t, without_any_it_fails_and_does_not_ask_again_at_once);
	tcase_add_test(t, trouble_that_may_pass_is_transient);
	tcase_add_test(t, pauses_grow);
	tcase_add_test(t, what_comes_expired_is_a_failure);
	tcase_add_test(t, short_lives_are_halved);
	tcase_add_test(t, what_never_ends_is_kept);
	tcase_add_test(t, stale_one_is_replaced_once_a_minute);
	tcase_add_test(t, reload_keeps_what_has_the_same_settings);
	tcase_add_test(t, fetch_under_way_outlives_its_configuration);
	tcase_add_test(t, drain_ends_what_nobody_waits_for);
	tcase_add_test(t, drain_in_the_pool_ends_there);
	tcase_add_test(t, drain_lets_those_who_wait_have_it);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
