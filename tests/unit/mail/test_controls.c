/* Fields that steer: which they are, and what they may say. */
#include <support/unit.h>

#include <base/buf.h>
#include <mail/controls.h>

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	enum control_kind kind;
} names[] = {
	{ "x-postern-TAG", CONTROL_TAG },
	{ "X-Postern-Metadata-Order", CONTROL_METADATA },
	{ "X-Postern-Track", CONTROL_TRACK },
	{ "X-Postern-Schedule", CONTROL_SCHEDULE },
	{ "X-Postern-Provider", CONTROL_PROVIDER },
	{ "X-Postern-Tags", CONTROL_UNKNOWN },
	{ "X-Postern-", CONTROL_UNKNOWN },
	{ "X-SMTPAPI", CONTROL_NATIVE },
	{ "x-pm-metadata-order", CONTROL_NATIVE },
	{ "Resend-Idempotency-Key", CONTROL_NATIVE },
	{ "X-MS-AcsEmail-Ignore-Duplicate-Content-Id", CONTROL_NATIVE },
	{ "X-Postern", CONTROL_NONE },
	{ "X-Mailer", CONTROL_NONE },
	{ "Received", CONTROL_NONE },
	{ "Subject", CONTROL_NONE },
	{ "", CONTROL_NONE },
};

START_TEST(knows_them_by_name)
{
	ck_assert_int_eq(control_kind(span_of(names[_i].name)), names[_i].kind);
}
END_TEST

static const struct {
	const char *value;
	int rc;
	struct control_track track;
} tracks[] = {
	{ "yes", 0, { CONTROL_YES, CONTROL_YES } },
	{ " No ", 0, { CONTROL_NO, CONTROL_NO } },
	{ "opens", 0, { CONTROL_YES, CONTROL_UNSAID } },
	{ "opens=no", 0, { CONTROL_NO, CONTROL_UNSAID } },
	{ "Opens,\r\n clicks = no", 0, { CONTROL_YES, CONTROL_NO } },
	{ "yes, clicks=no", 0, { CONTROL_YES, CONTROL_NO } },
	{ "", -EINVAL, { 0 } },
	{ "opens=maybe", -EINVAL, { 0 } },
	{ "opens=", -EINVAL, { 0 } },
	{ "true", -EINVAL, { 0 } },
};

START_TEST(reads_what_to_track)
{
	struct control_track t;

	ck_assert_int_eq(
	    control_read_track(span_of(tracks[_i].value), &t), tracks[_i].rc);
	if (tracks[_i].rc < 0)
		return;
	ck_assert_int_eq(t.opens, tracks[_i].track.opens);
	ck_assert_int_eq(t.clicks, tracks[_i].track.clicks);
}
END_TEST

START_TEST(reads_a_header)
{
	struct err why = { 0 };
	struct controls c;

	ck_assert_int_eq(
	    controls_read(SPAN("Subject: x\r\n"
			       "X-PM-Tag: a\r\nX-SES-Y: b\r\n"
			       "X-Postern-Schedule: 2026-12-01T08:00:00+01:00"
			       "\r\nX-Postern-Tag: a, b\r\n"
			       "X-Postern-Provider: main, other\r\n"
			       "X-Postern-Metadata-A: 1\r\n"
			       "X-Postern-Metadata-B: 1\r\n\r\n"),
		&c, &why),
	    0);
	ck_assert_uint_eq(c.kinds,
	    CONTROL_BIT(CONTROL_NATIVE) | CONTROL_BIT(CONTROL_SCHEDULE) |
		CONTROL_BIT(CONTROL_TAG) | CONTROL_BIT(CONTROL_PROVIDER) |
		CONTROL_BIT(CONTROL_METADATA));
	ck_assert(span_eq(c.native, SPAN("X-PM-Tag")));
	ck_assert_int_eq(c.schedule_ms, 1796108400000);
	ck_assert(span_eq(span_trim(c.providers), SPAN("main, other")));
}
END_TEST

static const struct {
	const char *header, *why;
} bad[] = {
	{ "X-Postern-Tag: , \r\n\r\n", "names no tag" },
	{ "X-Postern-Tags: a\r\n\r\n", "fields that begin with" },
	{ "X-Postern-Metadata-: a\r\n\r\n", "a name has 1 to 64" },
	{ "X-Postern-Metadata-a.b: a\r\n\r\n", "a name has 1 to 64" },
	{ "X-Postern-Metadata-a: a\r\nX-Postern-Metadata-A: b\r\n\r\n",
	    "there twice" },
	{ "X-Postern-Track: perhaps\r\n\r\n", "is yes, no, or a list" },
	{ "X-Postern-Track: yes\r\nX-Postern-Track: no\r\n\r\n", "twice" },
	{ "X-Postern-Schedule: tomorrow\r\n\r\n", "RFC 3339" },
	{ "X-Postern-Schedule: 2026-12-01T08:00:00Z\r\n"
	  "X-Postern-Schedule: 2026-12-01T08:00:00Z\r\n\r\n",
	    "is one date" },
	{ "X-Postern-Provider: a\r\nX-Postern-Provider: b\r\n\r\n", "twice" },
	{ "X-Postern-Provider: ,\r\n\r\n", "names no provider" },
	{ "DKIM-Signature: h=from:x-pm-tag\r\nX-PM-Tag: a\r\n\r\n",
	    "a DKIM signature covers" },
	{ "X-Postern-Tag: a\r\nDKIM-Signature: h=X-Postern-Tag;b=\r\n\r\n",
	    "a DKIM signature covers" },
};

START_TEST(says_what_is_wrong)
{
	struct err why = { 0 };
	struct controls c;

	ck_assert_int_eq(
	    controls_read(span_of(bad[_i].header), &c, &why), -EINVAL);
	ck_assert_msg(strstr(why.text, bad[_i].why), "%s", why.text);
}
END_TEST

/* A header of count fields with a value of so many bytes. */
static int read_many(const char *name, size_t count, size_t bytes)
{
	struct err why = { 0 };
	struct controls c;
	struct buf header;
	char value[2048];
	int rc;

	memset(value, 'v', bytes);
	buf_init(&header, 1024 * 1024);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(buf_printf(&header, "%s%zu: %.*s\r\n", name, i,
				     (int)bytes, value),
		    0);
	ck_assert_int_eq(buf_add(&header, "\r\n", 2), 0);
	rc = controls_read(buf_span(&header), &c, &why);
	buf_finish(&header);
	return rc;
}

START_TEST(has_limits)
{
	static const char name[] = "X-Postern-Metadata-";
	char tag[256] = "X-Postern-Tag: a, ";
	struct err why = { 0 };
	struct controls c;

	/* A signature may name fields that are not there. */
	ck_assert_int_eq(
	    controls_read(SPAN("DKIM-Signature: h=x-pm-tag:from\r\n"
			       "From: a\r\n\r\n"),
		&c, &why),
	    0);
	ck_assert_int_eq(read_many(name, 32, 1), 0);
	ck_assert_int_eq(read_many(name, 33, 1), -EINVAL);
	ck_assert_int_eq(read_many(name, 1, 1023), 0);
	ck_assert_int_eq(read_many(name, 1, 1024), -EINVAL);
	memset(tag + strlen(tag), 't', 128);
	ck_assert_int_eq(controls_read(span_of(tag), &c, &why), 0);
	tag[strlen(tag)] = 't';
	ck_assert_int_eq(controls_read(span_of(tag), &c, &why), -EINVAL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("mail/controls");
	TCase *t = tcase_create("controls");

	tcase_add_loop_test(
	    t, knows_them_by_name, 0, sizeof(names) / sizeof(names[0]));
	tcase_add_loop_test(
	    t, reads_what_to_track, 0, sizeof(tracks) / sizeof(tracks[0]));
	tcase_add_test(t, reads_a_header);
	tcase_add_loop_test(
	    t, says_what_is_wrong, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, has_limits);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
