/* Asking about the account: a module that does what the test wants. */
#include <support/unit.h>

#include <provider/provider.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int ask(const struct postern_host *host, struct postern_request *r)
{
	(void)host->method(r, "GET");
	return host->url(r, "https://api.example/account");
}

/* What inquire does is the first character of the settings. */
static int inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	const char *what = settings;

	switch (*what) {
	case 'a': /* asks for ever */
		return ask(host, r);
	case 'g':
		ck_assert_str_eq(host->grant(r).ptr, "key");
		q->result = POSTERN_ACCEPTED;
		return 0;
	case 'm':
		return -ENOMEM;
	case 't': /* tells what it was told */
		if (!q->response)
			return ask(host, r);
		q->result = POSTERN_ACCEPTED;
		q->per_second = strtod(q->response->body.ptr, NULL);
		q->quota = 5;
		q->quota_left = 7;
		memcpy(q->reason, "two\nlines", sizeof("two\nlines"));
		return 0;
	case 'x':
		return host->refuse(r, "two\nlines");
	default:
		return 0;
	}
}

static struct postern_provider module = { .abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "fake",
	.inquire = inquire };

static struct provider_inquiry *q;

static bool begin(const char *settings)
{
	q = provider_inquiry_new(&module, settings, NULL);
	ck_assert_ptr_nonnull(q);
	return provider_inquiry_step(q, 1000);
}

static bool answer(enum http_fault fault, const char *body)
{
	struct http_response response = {
		.fault = fault, .status = fault ? 0 : 200, .body = span_of(body)
	};

	provider_inquiry_answer(q, &response);
	return provider_inquiry_step(q, 1001);
}

static void expect(enum postern_class result, const char *reason)
{
	const struct postern_inquiry *told = provider_inquiry_told(q);

	ck_assert_int_eq(told->result, result);
	ck_assert_str_eq(told->reason, reason);
	provider_inquiry_free(q);
}

START_TEST(a_module_of_before_cannot_be_asked)
{
	struct postern_provider old = module;

	ck_assert(provider_inquires(&old));
	old.size = offsetof(struct postern_provider, inquire);
	ck_assert(!provider_inquires(&old));
	old.size = sizeof(old);
	old.inquire = NULL;
	ck_assert(!provider_inquires(&old));
}
END_TEST

START_TEST(what_it_says_is_told)
{
	struct http_call call;

	ck_assert(begin("t"));
	provider_inquiry_http(q, &call);
	ck_assert_str_eq(call.method, "GET");
	ck_assert_str_eq(call.url, "https://api.example/account");
	ck_assert_uint_eq(call.body_size, 0);
	ck_assert(!answer(HTTP_FAULT_NONE, "14.5"));
	ck_assert(provider_inquiry_told(q)->per_second == 14.5);
	ck_assert_uint_eq(provider_inquiry_told(q)->quota_left, 5);
	expect(POSTERN_ACCEPTED, "two lines");
}
END_TEST

START_TEST(numbers_that_are_none_are_not_believed)
{
	static const char *const odd[] = { "-1", "inf", "nan" };

	for (size_t i = 0; i < 3; i++) {
		ck_assert(begin("t"));
		ck_assert(!answer(HTTP_FAULT_NONE, odd[i]));
		ck_assert(provider_inquiry_told(q)->per_second == 0);
		provider_inquiry_free(q);
	}
}
END_TEST

START_TEST(without_an_answer_nothing_is_known)
{
	ck_assert(begin("t"));
	ck_assert(!answer(HTTP_FAULT_CONNECT, ""));
	expect(POSTERN_TRANSIENT, "connection failed");
}
END_TEST

START_TEST(endless_questions_end)
{
	unsigned steps = 0;

	for (bool asks = begin("a"); asks; asks = answer(HTTP_FAULT_NONE, ""))
		ck_assert_uint_lt(steps++, 10);
	expect(POSTERN_ACCOUNT, "the module asks too often");
}
END_TEST

START_TEST(the_grant_is_there)
{
	struct provider_grant *grant = calloc(1, sizeof(*grant));

	ck_assert_ptr_nonnull(grant);
	*grant = (struct provider_grant){ .refs = 1, .bytes = { "key", 3 } };
	q = provider_inquiry_new(&module, "g", grant);
	provider_grant_unref(grant);
	ck_assert(!provider_inquiry_step(q, 1000));
	expect(POSTERN_ACCEPTED, "");
}
END_TEST

START_TEST(who_cannot_ask_says_so)
{
	ck_assert(!begin("x"));
	expect(POSTERN_ACCOUNT, "two lines");
	ck_assert(!begin("m"));
	expect(POSTERN_TRANSIENT, "out of memory");
	ck_assert(!begin(""));
	expect(POSTERN_ACCOUNT, "the module neither asks nor has an answer");
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = { a_module_of_before_cannot_be_asked,
		what_it_says_is_told, numbers_that_are_none_are_not_believed,
		without_an_answer_nothing_is_known, endless_questions_end,
		the_grant_is_there, who_cannot_ask_says_so };
	Suite *s = suite_create("provider/inquire");
	TCase *t = tcase_create("inquire");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
