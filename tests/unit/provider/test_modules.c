/* What modules refuse that would be too large for a golden file. */
#include <support/unit.h>

#include <provider/request_internal.h>

#include <errno.h>
#include <stdlib.h>

static struct postern_request request;

/* One file of that size, to MailerSend; what build returns. */
static int build(uint64_t size)
{
	static const struct postern_address from = { { "", 0 },
		{ "a@shop.example", 14 } };
	static const struct postern_str to = { "ann@dest.example", 16 };
	static const struct postern_controls controls = { .tag_count = 0 };
	const struct postern_part part = { .type = { "application/pdf", 15 },
		.filename = { "a.pdf", 5 },
		.size = size };
	const struct postern_content content = {
		.from = &from, .from_count = 1, .parts = &part, .part_count = 1
	};
	const struct postern_mail mail = { .size = sizeof(mail),
		.id = "q-1",
		.recipients = &to,
		.recipient_count = 1,
		.content = &content,
		.controls = &controls };
	const struct postern_provider *p;
	struct err e;

	provider_set_directory(MODULE_DIR);
	p = provider_load("mailersend", &e);
	ck_assert_msg(p != NULL, "%s", e.text);
	void *settings = calloc(1, p->settings_size);
	ck_assert_ptr_nonnull(settings);
	request_init(&request, NULL);
	int rc = p->build(settings, &mail, &request_host, &request);
	free(settings);
	return rc;
}

START_TEST(mailersend_takes_25_mb_of_attachments)
{
	ck_assert_int_eq(build(25000001), -EINVAL);
	ck_assert_str_eq(request.refusal.text,
	    "MailerSend takes attachments of at most 25 MB");
	request_finish(&request);
	/* What is asked for next is the part itself, which is not there. */
	(void)build(25000000);
	ck_assert_int_eq(request.rc, -ERANGE);
	request_finish(&request);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider/modules");
	TCase *t = tcase_create("modules");

	tcase_add_test(t, mailersend_takes_25_mb_of_attachments);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
