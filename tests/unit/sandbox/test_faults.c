/* Injected faults, seen from the client's side. */
#include "rig.h"

#include <errno.h>
#include <string.h>

#include <support/unit.h>

static void add(struct rig *r, const char *spec)
{
	json_decref(rig_control(r, "POST", "/_sandbox/faults", spec));
}

static int send_one(struct rig *r, const char *recipient)
{
	struct web_answer a = rig_send(r, recipient);

	web_answer_free(&a);
	return a.status;
}

/* A request that gets no answer; w stays open. */
static void begin_send(struct rig *r, struct web *w)
{
	const char *body = rig_sendgrid_body("a@b.example");

	web_open(w, r->port);
	web_print(w,
	    "POST /sendgrid/v3/mail/send HTTP/1.1\r\nHost: x\r\n%s"
	    "Content-Length: %zu\r\n\r\n%s",
	    rig_sendgrid_headers, strlen(body), body);
}

START_TEST(answers_with_a_status_as_often_as_told)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	add(&r, "{\"provider\":\"sendgrid\",\"count\":2,\"status\":503,"
		"\"headers\":{\"Retry-After\":\"2\"}}");
	struct web_answer a = rig_send(&r, "a@b.example");
	ck_assert_int_eq(a.status, 503);
	ck_assert_str_eq(web_header(&a, "Retry-After"), "2");
	ck_assert_ptr_nonnull(strstr(a.body, "{\"errors\":[{\"message\":"));
	web_answer_free(&a);
	ck_assert_int_eq(send_one(&r, "a@b.example"), 503);
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "requests"), 3);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "faulted"), 2);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 1);
	rig_stop(&r);
}
END_TEST

START_TEST(errors_look_like_the_providers_own)
{
	static const struct {
		const char *provider, *target, *says, *header;
		int status;
	} cases[] = {
		{ "ses", "/ses/v2/email/outbound-emails",
		    "{\"message\":", "TooManyRequestsException", 429 },
		{ "ses", "/ses/v2/email/outbound-emails",
		    "{\"message\":", "ServiceUnavailable", 503 },
		{ "mailgun", "/mailgun/v3/b.example/messages.mime",
		    "try again after 120 seconds", NULL, 429 },
		{ "mailgun", "/mailgun/v3/b.example/messages.mime", "Forbidden",
		    NULL, 401 },
		{ "sendgrid", "/sendgrid/v3/mail/send", "\"errors\"", NULL,
		    429 },
		{ "raw", "/raw", "\"error\"", NULL, 500 },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *spec = json_pack("{s:s, s:i}", "provider",
		    cases[i].provider, "status", cases[i].status);
		char *text = json_dumps(spec, 0);

		add(&r, text);
		struct web_answer a =
		    rig_ask(&r, "POST", cases[i].target, "", "{}");
		ck_assert_int_eq(a.status, cases[i].status);
		ck_assert_msg(
		    strstr(a.body, cases[i].says) != NULL, "%s", a.body);
		if (cases[i].header)
			ck_assert_str_eq(web_header(&a, "x-amzn-ErrorType"),
			    cases[i].header);
		web_answer_free(&a);
		free(text);
		json_decref(spec);
	}
	rig_stop(&r);
}
END_TEST

START_TEST(sends_the_body_it_was_given)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	add(&r, "{\"status\":200,\"body\":\"<html>\"}");
	add(&r, "{\"status\":502,\"body\":{\"a\":1}}");
	struct web_answer a = rig_send(&r, "a@b.example");
	ck_assert_int_eq(a.status, 200);
	ck_assert_str_eq(a.body, "<html>");
	web_answer_free(&a);
	a = rig_send(&r, "a@b.example");
	ck_assert_int_eq(a.status, 502);
	ck_assert_str_eq(web_header(&a, "Content-Type"), "application/json");
	web_answer_free(&a);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 0);
	rig_stop(&r);
}
END_TEST

START_TEST(hits_only_the_recipient_that_matches)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	add(&r, "{\"provider\":\"sendgrid\",\"count\":-1,\"status\":500,"
		"\"match\":\"bad@\"}");
	ck_assert_int_eq(send_one(&r, "good@b.example"), 202);
	ck_assert_int_eq(send_one(&r, "bad@b.example"), 500);
	ck_assert_int_eq(send_one(&r, "bad@b.example"), 500);
	rig_stop(&r);
}
END_TEST

START_TEST(leaves_other_providers_alone)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	add(&r, "{\"provider\":\"ses\",\"count\":-1,\"status\":500}");
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	rig_stop(&r);
}
END_TEST

START_TEST(delays_the_real_answer)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	add(&r, "{\"delay_ms\":30}");
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	add(&r, "{\"delay_ms\":30,\"status\":503}");
	ck_assert_int_eq(send_one(&r, "a@b.example"), 503);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 1);
	rig_stop(&r);
}
END_TEST

START_TEST(resets_before_or_after_the_body)
{
	static const char *const specs[] = {
		"{\"reset\":\"before-body\"}",
		"{\"reset\":\"mid-body\"}",
		"{\"reset\":\"after-body\"}",
		"{\"reset\":\"after-body\",\"delay_ms\":20}",
	};
	struct rig r = { .port = 0 };
	struct web w;
	struct web_answer a;

	rig_start(&r);
	for (size_t i = 0; i < 4; i++) {
		add(&r, specs[i]);
		begin_send(&r, &w);
		ck_assert(!web_receive(&w, false, &a));
		ck_assert_int_eq(w.error, ECONNRESET);
		web_close(&w);
	}
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 1);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "requests"), 5);
	rig_stop(&r);
}
END_TEST

START_TEST(ends_in_the_middle_of_the_answer)
{
	struct rig r = { .port = 0 };
	struct web w;
	struct web_answer a;

	rig_start(&r);
	add(&r, "{\"cut\":true,\"status\":200,"
		"\"body\":\"0123456789\"}");
	begin_send(&r, &w);
	ck_assert(!web_receive(&w, false, &a));
	ck_assert_int_eq(a.status, 200);
	ck_assert_uint_eq(w.len, 5);
	web_close(&w);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 0);
	add(&r, "{\"cut\":true}");
	begin_send(&r, &w);
	ck_assert(web_receive(&w, false, &a)); /* half of nothing */
	web_answer_free(&a);
	web_close(&w);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 1);
	rig_stop(&r);
}
END_TEST

START_TEST(answers_byte_by_byte)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	add(&r, "{\"byte_ms\":1}");
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	add(&r, "{\"byte_ms\":1,\"delay_ms\":5,\"status\":503}");
	ck_assert_int_eq(send_one(&r, "a@b.example"), 503);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 1);
	rig_stop(&r);
}
END_TEST

START_TEST(takes_the_message_although_the_answer_is_lost)
{
	struct rig r = { .port = 0 };
	struct web w;
	struct web_answer a;

	rig_start(&r);
	add(&r, "{\"reset\":\"after-body\",\"accept\":true}");
	begin_send(&r, &w);
	ck_assert(!web_receive(&w, false, &a));
	web_close(&w);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "accepted"), 1);
	rig_stop(&r);
}
END_TEST

START_TEST(hangs_until_the_client_gives_up)
{
	struct rig r = { .port = 0 };
	struct web first, second;

	rig_start(&r);
	add(&r, "{\"hang\":\"after-body\"}");
	add(&r, "{\"hang\":\"before-body\"}");
	begin_send(&r, &first);
	begin_send(&r, &second);
	/* Both requests are in, and others are served meanwhile. */
	while (rig_count(&r, "sendgrid", "faulted") < 2)
		;
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	web_close(&first);
	rig_stop(&r); /* with the second still waiting */
	ck_assert(web_is_ended(&second));
	web_close(&second);
}
END_TEST

START_TEST(lists_and_removes_faults)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	add(&r, "{\"provider\":\"ses\",\"status\":500}");
	add(&r, "{\"provider\":\"sendgrid\",\"status\":500,\"count\":5}");
	(void)send_one(&r, "a@b.example");
	json_t *list = rig_control(&r, "GET", "/_sandbox/faults", NULL);
	json_t *second = json_array_get(list, 1);
	int left, fired;
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_int_eq(
	    json_unpack(second, "{s:i, s:i}", "left", &left, "fired", &fired),
	    0);
	ck_assert_int_eq(left, 4);
	ck_assert_int_eq(fired, 1);
	json_decref(list);
	json_decref(rig_control(
	    &r, "DELETE", "/_sandbox/faults?provider=sendgrid", NULL));
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	list = rig_control(&r, "GET", "/_sandbox/faults", NULL);
	ck_assert_uint_eq(json_array_size(list), 1);
	json_decref(list);
	json_decref(rig_control(&r, "DELETE", "/_sandbox/faults", NULL));
	list = rig_control(&r, "GET", "/_sandbox/faults", NULL);
	ck_assert_uint_eq(json_array_size(list), 0);
	json_decref(list);
	rig_stop(&r);
}
END_TEST

static const char *const wrong[] = {
	"",
	"[]",
	"{}",
	"{\"provider\":\"sendgrid\"}",
	"{\"provider\":\"nobody\",\"status\":500}",
	"{\"provider\":1,\"status\":500}",
	"{\"status\":99}",
	"{\"status\":600}",
	"{\"status\":4294967796}", /* 500 in 32 bits */
	"{\"status\":\"500\"}",
	"{\"status\":500,\"count\":0}",
	"{\"status\":500,\"count\":-2}",
	"{\"status\":500,\"count\":\"x\"}",
	"{\"delay_ms\":-1}",
	"{\"delay_ms\":99999999}",
	"{\"byte_ms\":\"1\"}",
	"{\"hang\":\"mid-body\"}",
	"{\"hang\":true}",
	"{\"reset\":\"later\"}",
	"{\"cut\":1}",
	"{\"cut\":true,\"hang\":\"after-body\"}",
	"{\"hang\":\"after-body\",\"reset\":\"after-body\"}",
	"{\"hang\":\"after-body\",\"status\":500}",
	"{\"reset\":\"before-body\",\"match\":\"a\"}",
	"{\"hang\":\"before-body\",\"match\":\"a\"}",
	"{\"status\":500,\"match\":\"\"}",
	"{\"status\":500,\"headers\":[]}",
	"{\"status\":500,\"headers\":{\"A\":1}}",
	"{\"status\":500,\"accept\":1}",
	"{\"status\":500,\"statsu\":1}",
};

START_TEST(refuses_a_fault_that_makes_no_sense)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	ck_assert_int_eq(
	    rig_status(&r, "POST", "/_sandbox/faults", "", wrong[_i]), 400);
	ck_assert_int_eq(send_one(&r, "a@b.example"), 202);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/faults");
	TCase *t = tcase_create("faults");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, answers_with_a_status_as_often_as_told);
	tcase_add_test(t, errors_look_like_the_providers_own);
	tcase_add_test(t, sends_the_body_it_was_given);
	tcase_add_test(t, hits_only_the_recipient_that_matches);
	tcase_add_test(t, leaves_other_providers_alone);
	tcase_add_test(t, delays_the_real_answer);
	tcase_add_test(t, resets_before_or_after_the_body);
	tcase_add_test(t, ends_in_the_middle_of_the_answer);
	tcase_add_test(t, answers_byte_by_byte);
	tcase_add_test(t, takes_the_message_although_the_answer_is_lost);
	tcase_add_test(t, hangs_until_the_client_gives_up);
	tcase_add_test(t, lists_and_removes_faults);
	tcase_add_loop_test(t, refuses_a_fault_that_makes_no_sense, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
