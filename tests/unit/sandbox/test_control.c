/* What was accepted: lists, raw bytes, bounds, files. */
#include "rig.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <support/unit.h>

static void send_one(struct rig *r, const char *recipient)
{
	struct web_answer a = rig_send(r, recipient);

	ck_assert_int_eq(a.status, 202);
	web_answer_free(&a);
}

static size_t count_messages(struct rig *r, const char *target)
{
	json_t *list = rig_control(r, "GET", target, NULL);
	size_t n = json_array_size(list);

	json_decref(list);
	return n;
}

START_TEST(lists_what_was_accepted)
{
	struct rig r = { .port = 0 };

	rig_start(&r);
	send_one(&r, "ann@dest.example");
	send_one(&r, "bob@dest.example");
	send_one(&r, "carl@dest.example");
	ck_assert_uint_eq(count_messages(&r, "/_sandbox/messages"), 3);
	ck_assert_uint_eq(
	    count_messages(&r, "/_sandbox/messages?recipient=bob%40"), 1);
	ck_assert_uint_eq(
	    count_messages(&r, "/_sandbox/messages?provider=ses"), 0);
	json_t *list =
	    rig_control(&r, "GET", "/_sandbox/messages?limit=2", NULL);
	const char *first, *second, *subject, *text, *sender;
	ck_assert_int_eq(json_unpack(list, "[{s:[s], s:s, s:s, s:s}, {s:[s]}]",
			     "recipients", &first, "subject", &subject, "text",
			     &text, "sender", &sender, "recipients", &second),
	    0);
	ck_assert_str_eq(first, "bob@dest.example");
	ck_assert_str_eq(second, "carl@dest.example");
	ck_assert_str_eq(subject, "Order 42");
	ck_assert_str_eq(text, "Thanks.");
	ck_assert_str_eq(sender, "orders@shop.example");
	char path[64];
	(void)snprintf(path, sizeof(path), "/_sandbox/messages?after=%s",
	    json_string_value(json_object_get(json_array_get(list, 0), "id")));
	ck_assert_uint_eq(count_messages(&r, path), 1);
	json_decref(list);
	json_decref(rig_control(&r, "DELETE", "/_sandbox/messages", NULL));
	ck_assert_uint_eq(count_messages(&r, "/_sandbox/messages"), 0);
	rig_stop(&r);
}
END_TEST

START_TEST(limits_calls_and_says_so)
{
	struct rig r = { .port = 0 };
	struct web_answer a;

	rig_start(&r);
	ck_assert_int_eq(rig_status(&r, "POST", "/_sandbox/limits", NULL,
			     "{\"provider\":\"sendgrid\",\"calls\":0}"),
	    400);
	ck_assert_int_eq(
	    rig_status(&r, "POST", "/_sandbox/limits", NULL,
		"{\"provider\":\"nobody\",\"calls\":1,\"per_s\":1}"),
	    400);
	json_decref(rig_control(&r, "POST", "/_sandbox/limits",
	    "{\"provider\":\"sendgrid\",\"calls\":2,\"per_s\":86400}"));
	send_one(&r, "ann@dest.example");
	a = rig_send(&r, "bob@dest.example");
	ck_assert_int_eq(a.status, 202);
	ck_assert_ptr_nonnull(
	    strcasestr(a.head, "X-RateLimit-Remaining: 0\r\n"));
	web_answer_free(&a);
	a = rig_send(&r, "carl@dest.example");
	ck_assert_int_eq(a.status, 429);
	web_answer_free(&a);
	ck_assert_int_eq(rig_count(&r, "sendgrid", "limited"), 1);
	ck_assert_uint_eq(count_messages(&r, "/_sandbox/messages"), 2);
	json_decref(rig_control(&r, "DELETE", "/_sandbox/limits", NULL));
	send_one(&r, "carl@dest.example");
	rig_stop(&r);
}
END_TEST

START_TEST(gives_the_bytes_back)
{
	struct rig r = { .port = 0 };
	char path[128];

	rig_start(&r);
	struct web_answer a = rig_send(&r, "ann@dest.example");
	char id[64];
	(void)snprintf(id, sizeof(id), "%s", web_header(&a, "X-Message-Id"));
	web_answer_free(&a);
	(void)snprintf(path, sizeof(path), "/_sandbox/messages/%s/raw", id);
	a = rig_ask(&r, "GET", path, "", NULL);
	ck_assert_str_eq(a.body, rig_sendgrid_body("ann@dest.example"));
	web_answer_free(&a);
	(void)snprintf(path, sizeof(path), "/_sandbox/messages/%s", id);
	json_t *m = rig_control(&r, "GET", path, NULL);
	ck_assert_str_eq(
	    json_string_value(json_object_get(m, "provider_id")), id);
	json_decref(m);
	(void)snprintf(path, sizeof(path), "/_sandbox/messages/%s/body", id);
	ck_assert_int_eq(rig_status(&r, "GET", path, "", NULL), 404);
	rig_stop(&r);
}
END_TEST

START_TEST(raw_takes_anything)
{
	static const struct {
		const char *headers, *body;
		size_t recipients;
	} cases[] = {
		{ "Content-Type: application/json\r\n",
		    "{\"recipients\":[\"a@b.example\",\"c@b.example\"]}", 2 },
		{ "Content-Type: application/json\r\n", "{broken", 0 },
		{ "Content-Type: message/rfc822\r\n"
		  "X-Postern-Sender: s@b.example\r\n"
		  "X-Postern-Recipients: a@b.example, c@b.example\r\n",
		    "From: a@b.example\r\n\r\nx\r\n", 2 },
		{ "Content-Type: message/rfc822\r\n",
		    "From: a@b.example\r\nSubject: x\r\n\r\ny\r\n", 0 },
		{ "", "\xff\xfe", 0 },
		{ "", "", 0 },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct web_answer a = rig_ask(
		    &r, "POST", "/raw", cases[i].headers, cases[i].body);
		json_t *list;

		ck_assert_int_eq(a.status, 202);
		ck_assert_ptr_nonnull(strstr(a.body, "{\"id\":\""));
		web_answer_free(&a);
		list =
		    rig_control(&r, "GET", "/_sandbox/messages?limit=1", NULL);
		ck_assert_uint_eq(json_array_size(json_object_get(
				      json_array_get(list, 0), "recipients")),
		    cases[i].recipients);
		json_decref(list);
	}
	rig_stop(&r);
}
END_TEST

START_TEST(keeps_no_more_than_the_limits)
{
	struct rig by_count = { .settings.max_messages = 2 };
	struct rig by_bytes = { .settings.max_bytes = 1 };

	rig_start(&by_count);
	for (int i = 0; i < 5; i++)
		send_one(&by_count, "a@b.example");
	ck_assert_uint_eq(count_messages(&by_count, "/_sandbox/messages"), 2);
	rig_stop(&by_count);
	rig_start(&by_bytes);
	for (int i = 0; i < 3; i++)
		send_one(&by_bytes, "a@b.example");
	ck_assert_uint_eq(count_messages(&by_bytes, "/_sandbox/messages"), 1);
	rig_stop(&by_bytes);
}
END_TEST

START_TEST(writes_each_message_to_its_file)
{
	char dir[] = "/tmp/postern-test-XXXXXX";
	char path[300];
	struct rig r = { .port = 0 };
	const struct dirent *entry;
	int files = 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	r.settings.archive = dir;
	rig_start(&r);
	send_one(&r, "a@b.example");
	ck_assert_int_eq(
	    rig_status(&r, "POST", "/raw", "Content-Type: message/rfc822\r\n",
		"From: a@b.example\r\n\r\nx\r\n"),
	    202);
	rig_stop(&r);
	DIR *d = opendir(dir);
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		ck_assert(strstr(entry->d_name, "-sendgrid.json") ||
			  strstr(entry->d_name, "-raw.eml"));
		(void)snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		(void)unlink(path);
		files++;
	}
	(void)closedir(d);
	(void)rmdir(dir);
	ck_assert_int_eq(files, 2);
}
END_TEST

START_TEST(says_what_it_does_not_have)
{
	static const struct {
		const char *method, *target;
		int status;
	} cases[] = {
		{ "PUT", "/", 404 },
		{ "GET", "/_sandbox", 404 },
		{ "GET", "/_sandbox/nothing", 404 },
		{ "GET", "/_sandbox/messages/nobody", 404 },
		{ "GET", "/_sandbox/messages/", 404 },
		{ "GET", "/_sandbox/messages?limit=x", 400 },
		{ "POST", "/_sandbox/messages", 405 },
		{ "PUT", "/_sandbox/faults", 405 },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_int_eq(
		    rig_status(&r, cases[i].method, cases[i].target, "", NULL),
		    cases[i].status);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/control");
	TCase *t = tcase_create("control");

	tcase_add_test(t, limits_calls_and_says_so);
	tcase_add_test(t, lists_what_was_accepted);
	tcase_add_test(t, gives_the_bytes_back);
	tcase_add_test(t, raw_takes_anything);
	tcase_add_test(t, keeps_no_more_than_the_limits);
	tcase_add_test(t, writes_each_message_to_its_file);
	tcase_add_test(t, says_what_it_does_not_have);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
