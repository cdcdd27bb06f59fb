/* When accounts are asked, and what becomes of the question. */
#include "steps.h"

#include <support/unit.h>

#include <stdio.h>
#include <string.h>

#include <deliver/inquiries.h>
#include <health/health.h>

enum {
	MINUTE_MS = 60 * 1000
};

/* --- a module that can be asked; "k" needs a grant for it --- */

static int fake_prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	(void)settings;
	(void)host;
	(void)r;
	p->grant = (struct postern_secret){ "key", 3 };
	return 0;
}

static int fake_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	const struct fake_settings *s = settings;

	if (!q->response) {
		ck_assert(s->mark[0] != 'k' || host->grant(r).len == 3);
		(void)host->method(r, "GET");
		return host->url(r, "https://api.example/account");
	}
	q->result =
	    q->response->status == 200 ? POSTERN_ACCEPTED : POSTERN_ACCOUNT;
	q->per_second = 14;
	q->is_closed = s->mark[0] == 'c';
	(void)snprintf(q->reason, sizeof(q->reason), "as it says");
	return 0;
}

static const struct postern_provider plain = { .abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "plain",
	.fields = fake_fields,
	.settings_size = sizeof(struct fake_settings),
	.build = fake_build,
	.classify = fake_classify,
	.inquire = fake_inquire };

static struct postern_provider keyed;

static const struct postern_provider *load_module(
    const char *type, struct err *e)
{
	(void)e;
	keyed = plain;
	keyed.prepare = fake_prepare;
	return strcmp(type, "keyed") == 0 ? &keyed : &plain;
}

/* --- http --- */

void http_cancel(struct http *h, struct http_call *call)
{
	(void)h;
	if (call == open_call)
		answer_with(HTTP_FAULT_CANCELLED, 0);
}

/* --- two workers, as far as this goes --- */

static struct inquiries *workers[2];

static void setup(const char *providers)
{
	set_up(load_module, providers);
	for (size_t i = 0; i < 2; i++)
		workers[i] =
		    inquiries_new(&(struct inquiries_services){ .loop = loop,
				      .grants = grants,
				      .on_settled = on_settled },
			config);
	ck_assert(workers[0] && workers[1]);
}

static void teardown(void)
{
	for (size_t i = 0; i < 2; i++) {
		inquiries_drain(workers[i]);
		ck_assert(inquiries_is_idle(workers[i]));
		inquiries_free(workers[i]);
	}
	tear_down();
}

static struct health_view look(void)
{
	const struct config_provider *p = config->providers.items;
	struct health_view v;

	health_look(p->account, mono_ms, &v);
	return v;
}

/* --- steps --- */

static bool look_for_a_while(void)
{
	static unsigned since;

	if (since == 0)
		since = ticks;
	ck_assert_ptr_null(open_call);
	inquiries_look(workers[0]);
	inquiries_look(workers[1]);
	if (ticks < since + 20)
		return false;
	since = 0;
	return true;
}

static bool let_time_pass(void)
{
	mono_ms += 15 * MINUTE_MS;
	inquiries_look(workers[1]);
	return true;
}

START_TEST(asked_at_once_and_by_one)
{
	static const step_fn steps[] = { is_asked, say_yes, look_for_a_while,
		NULL };

	setup("{name: a, type: plain, mark: x}");
	run(steps);
	ck_assert_uint_eq(calls, 1);
	ck_assert(look().is_told);
	ck_assert(look().ceiling == 14);
	ck_assert_int_eq(look().state, BREAKER_CLOSED);
	teardown();
}
END_TEST

START_TEST(asked_again_after_a_while)
{
	static const step_fn steps[] = { is_asked, say_yes, look_for_a_while,
		let_time_pass, is_asked, say_no, look_for_a_while, NULL };

	setup("{name: a, type: plain, mark: x}");
	run(steps);
	ck_assert_uint_eq(calls, 2);
	/* What was known holds. */
	ck_assert(look().is_told);
	ck_assert(look().ceiling == 14);
	ck_assert_str_eq(look().trouble, "as it says");
	ck_assert_int_eq(look().state, BREAKER_CLOSED);
	teardown();
}
END_TEST

/* A call that was throttled, of the test's own. */
static bool be_throttled(void)
{
	const struct config_provider *p = config->providers.items;
	struct postern_outcome o = { .result = POSTERN_THROTTLED };
	struct health_call c = { .recipients = 1 };

	ck_assert_int_eq(health_enter(p->account, &c, mono_ms), HEALTH_GO);
	health_leave(&c, &o, mono_ms);
	return true;
}

static bool let_a_minute_pass(void)
{
	mono_ms += MINUTE_MS;
	inquiries_look(workers[1]);
	return true;
}

START_TEST(asked_sooner_when_it_wants_less_but_not_all_the_time)
{
	static const step_fn steps[] = { is_asked, say_yes, be_throttled,
		look_for_a_while, let_a_minute_pass, is_asked, say_yes,
		be_throttled, look_for_a_while, NULL };

	setup("{name: a, type: plain, mark: x}");
	run(steps);
	ck_assert_uint_eq(calls, 2);
	teardown();
}
END_TEST

START_TEST(an_account_that_is_closed_is_left_alone)
{
	static const step_fn steps[] = { is_asked, say_yes, look_for_a_while,
		NULL };

	setup("{name: a, type: plain, mark: c}");
	run(steps);
	ck_assert_int_eq(look().state, BREAKER_OPEN);
	ck_assert_ptr_nonnull(strstr(look().reason, "as it says"));
	teardown();
}
END_TEST

START_TEST(keys_are_fetched_for_it)
{
	static const step_fn steps[] = { is_asked, say_yes, look_for_a_while,
		NULL };

	setup("{name: a, type: keyed, mark: k}");
	run(steps);
	ck_assert(look().is_told);
	teardown();
}
END_TEST

START_TEST(a_drain_ends_the_question)
{
	static const step_fn steps[] = { is_asked, NULL };

	setup("{name: a, type: plain, mark: x}");
	run(steps);
	teardown();
	ck_assert_uint_eq(calls, 1);
	ck_assert_ptr_null(open_call);
}
END_TEST

START_TEST(who_is_not_to_be_asked_is_not)
{
	static const step_fn steps[] = { look_for_a_while, NULL };

	setup("{name: a, type: plain, mark: x, ask_account: false}");
	run(steps);
	ck_assert_uint_eq(calls, 0);
	ck_assert_uint_eq(look().asked_ms, 0);
	teardown();
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { asked_at_once_and_by_one,
		asked_again_after_a_while,
		asked_sooner_when_it_wants_less_but_not_all_the_time,
		an_account_that_is_closed_is_left_alone,
		keys_are_fetched_for_it, a_drain_ends_the_question,
		who_is_not_to_be_asked_is_not };
	Suite *s = suite_create("deliver/inquiries");
	TCase *t = tcase_create("inquiries");

	tcase_set_timeout(t, 60);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
