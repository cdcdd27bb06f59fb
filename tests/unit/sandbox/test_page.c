/* Pages: what is escaped, where their paths are, who may change things. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sandbox/html.h>
#include <support/unit.h>

static const struct {
	const char *text, *html;
} escapes[] = {
	{ "plain\ttext\r\n", "plain\ttext\r\n" },
	{ "<b a='1' b=\"2\">&",
	    "&lt;b a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;" },
	{ "&lt;", "&amp;lt;" },
	{ "Gr\xc3\xbc\xc3\x9f"
	  "e \xe2\x82\xac",
	    "Gr\xc3\xbc\xc3\x9f"
	    "e \xe2\x82\xac" },
	{ "\xff<\xc3", "\xef\xbf\xbd&lt;\xef\xbf\xbd" },
	{ "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd" }, /* an overlong < */
	{ "\x1b[0m\x7f\xc2\x85", "\xef\xbf\xbd[0m\xef\xbf\xbd\xef\xbf\xbd" },
};

START_TEST(escapes_what_could_be_markup)
{
	struct html h;

	html_init(&h);
	html_text(&h, span_of(escapes[_i].text));
	ck_assert(!h.is_bad);
	ck_assert(span_eq(buf_span(&h.out), span_of(escapes[_i].html)));
	buf_finish(&h.out);
}
END_TEST

START_TEST(says_where_it_cuts)
{
	struct html h;

	html_init(&h);
	html_cut(&h, SPAN("abc"), 3);
	html_cut(&h, SPAN("x\xc3\xbcyz"), 2);
	ck_assert(span_eq(
	    buf_span(&h.out), SPAN("abcx\n[the first 1 B of 5 B are shown]")));
	buf_clear(&h.out);
	html_size(&h, 999);
	html_add(&h, " ");
	html_size(&h, 1500);
	html_add(&h, " ");
	html_size(&h, 25300000);
	ck_assert(span_eq(buf_span(&h.out), SPAN("999 B 1.5 kB 25.3 MB")));
	buf_finish(&h.out);
}
END_TEST

static char *page(struct rig *r, const char *target, int status)
{
	struct web_answer a = rig_ask(r, "GET", target, "", NULL);
	char *body = strdup(a.body);
	const char *policy = web_header(&a, "Content-Security-Policy");

	ck_assert_msg(a.status == status, "%s: %d", target, a.status);
	if (status == 200) {
		ck_assert_ptr_nonnull(policy);
		ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'"));
		ck_assert_str_eq(
		    web_header(&a, "X-Content-Type-Options"), "nosniff");
	}
	web_answer_free(&a);
	return body;
}

static void assert_has(
    struct rig *r, const char *target, const char *has, const char *has_not)
{
	char *body = page(r, target, 200);

	ck_assert_msg(strstr(body, has) != NULL, "%s: %s", target, body);
	ck_assert_msg(
	    !has_not || !strstr(body, has_not), "%s: %s", target, body);
	free(body);
}

/* Sends one with these members and sets id. */
static void send_raw(
    struct rig *r, const char *type, const char *body, char id[64])
{
	char header[128];
	json_t *answer;
	struct web_answer a;

	(void)snprintf(header, sizeof(header), "Content-Type: %s\r\n", type);
	a = rig_ask(r, "POST", "/raw", header, body);
	answer = json_loads(a.body, 0, NULL);
	(void)snprintf(
	    id, 64, "%s", json_string_value(json_object_get(answer, "id")));
	json_decref(answer);
	web_answer_free(&a);
}

START_TEST(shows_a_list_and_each_message)
{
	struct rig r = { .port = 0 };
	char id[64], path[128];

	rig_start(&r);
	assert_has(&r, "/", "None. Only those", NULL);
	send_raw(&r, "application/json",
	    "{\"to\":\"Ann <ann@dest.example>\",\"from\":\"<b>@shop.example\","
	    "\"subject\":\"<i>\\\"&\",\"text\":\"</pre><script>\","
	    "\"html\":\"<p>Hi\"}",
	    id);
	assert_has(&r, "/", "&lt;i&gt;&quot;&amp;</a>", "<i>");
	assert_has(&r, "/_sandbox/?live", "http-equiv=\"refresh\"", "<i>");
	assert_has(&r, "/?provider=ses", "None. Only those", id);
	(void)snprintf(path, sizeof(path), "/?before=%s", id);
	assert_has(&r, path, "None. Only those", "&lt;i&gt;");
	(void)snprintf(path, sizeof(path), "/_sandbox/page/%s", id);
	assert_has(&r, path, "&lt;/pre&gt;&lt;script&gt;", "<script>");
	assert_has(&r, path, "<iframe sandbox=\"\"", "<i>");
	(void)snprintf(path, sizeof(path), "/_sandbox/page/%s/html", id);
	assert_has(&r, path, "<p>Hi", NULL);
	assert_has(&r, "/_sandbox/style.css", "prefers-color-scheme", NULL);
	(void)snprintf(path, sizeof(path), "/_sandbox/page/%s/other", id);
	free(page(&r, path, 404));
	free(page(&r, "/_sandbox/page/none", 404));
	rig_stop(&r);
}
END_TEST

START_TEST(puts_pictures_into_the_html)
{
	struct rig r = { .port = 0 };
	char id[64], path[128], shown[512];

	rig_start(&r);
	send_raw(&r, "message/rfc822",
	    "From: a@shop.example\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/related; boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: text/html\r\n\r\n"
	    "<img src='cid:p@x'><img src=CID:p%40x><img src=cid:q>cid:\r\n"
	    "--b\r\nContent-Type: image/png\r\nContent-ID: <p@x>\r\n\r\n"
	    "png\r\n--b--\r\n",
	    id);
	(void)snprintf(path, sizeof(path), "/_sandbox/page/%s/html", id);
	(void)snprintf(shown, sizeof(shown),
	    "<img src='/_sandbox/messages/%s/parts/0'>"
	    "<img src=/_sandbox/messages/%s/parts/0>"
	    "<img src=cid:q>cid:",
	    id, id);
	assert_has(&r, path, shown, NULL);
	rig_stop(&r);
}
END_TEST

START_TEST(takes_no_changes_from_other_sites)
{
	static const struct {
		const char *headers;
		int status;
	} rows[] = {
		{ "", 200 },
		{ "Sec-Fetch-Site: same-origin\r\n", 200 },
		{ "Sec-Fetch-Site: none\r\n", 200 },
		{ "Sec-Fetch-Site: same-site\r\n", 403 },
		{ "Sec-Fetch-Site: cross-site\r\n", 403 },
		{ "Origin: null\r\n", 403 },
		{ "Origin: http://evil.example\r\n", 403 },
		{ "Origin: https://localhost\r\n", 403 },
	};
	struct rig r = { .port = 0 };

	rig_start(&r);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_int_eq(rig_status(&r, "DELETE", "/_sandbox/counts",
				     rows[i].headers, NULL),
		    rows[i].status);
	rig_stop(&r);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/page");
	TCase *t = tcase_create("page");

	tcase_add_loop_test(t, escapes_what_could_be_markup, 0,
	    sizeof(escapes) / sizeof(escapes[0]));
	tcase_add_test(t, says_where_it_cuts);
	tcase_add_test(t, shows_a_list_and_each_message);
	tcase_add_test(t, puts_pictures_into_the_html);
	tcase_add_test(t, takes_no_changes_from_other_sites);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
