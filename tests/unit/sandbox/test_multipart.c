/* The strict form parser. */
#include <errno.h>

#include <sandbox/multipart.h>
#include <support/unit.h>

#define TYPE "multipart/form-data; boundary=X"

START_TEST(reads_fields_and_files)
{
	const struct span body =
	    SPAN("--X\r\n"
		 "Content-Disposition: form-data; name=\"to\"\r\n\r\n"
		 "a@b.example\r\n"
		 "--X\r\n"
		 "content-disposition: form-data; name=\"message\"; "
		 "filename=\"m;\\\"1\\\".eml\"\r\n"
		 "Content-Type: message/rfc822\r\n\r\n"
		 "From: a\r\n\r\n--Xnot yet\r\n-- X\r\n"
		 "\r\n--X\r\n"
		 "Content-Disposition: form-data; name=empty\r\n\r\n"
		 "\r\n--X--\r\n");
	struct multipart m;
	struct multipart_part p;

	ck_assert(multipart_begin(&m, TYPE, body));
	ck_assert_int_eq(multipart_next(&m, &p), 1);
	ck_assert(span_eq(p.name, SPAN("to")));
	ck_assert(span_eq(p.body, SPAN("a@b.example")));
	ck_assert(!p.is_file);
	/* "CRLF--X" inside a part ends it, whatever follows. */
	ck_assert_int_eq(multipart_next(&m, &p), 1);
	ck_assert(span_eq(p.name, SPAN("message")));
	ck_assert(span_eq(p.filename, SPAN("m;\\\"1\\\".eml")));
	ck_assert(span_eq(p.type, SPAN("message/rfc822")));
	ck_assert(p.is_file);
	ck_assert_int_eq(multipart_next(&m, &p), -EINVAL);
}
END_TEST

START_TEST(reads_an_empty_field_at_the_end)
{
	const struct span body =
	    SPAN("--X\r\n"
		 "Content-Disposition: form-data; name=a\r\n\r\n"
		 "\r\n--X--");
	struct multipart m;
	struct multipart_part p;

	ck_assert(multipart_begin(&m, TYPE, body));
	ck_assert_int_eq(multipart_next(&m, &p), 1);
	ck_assert(span_eq(p.name, SPAN("a")));
	ck_assert_uint_eq(p.body.len, 0);
	ck_assert_int_eq(multipart_next(&m, &p), 0);
}
END_TEST

START_TEST(reads_the_boundary)
{
	static const struct {
		const char *type, *boundary; /* NULL: refused */
	} cases[] = {
		{ "multipart/form-data; boundary=abc", "abc" },
		{ "Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"",
		    "a b" },
		{ "multipart/form-data", NULL },
		{ "multipart/form-data; boundary=", NULL },
		{ "multipart/form-data; boundary=\"abc", NULL },
		{ "multipart/form-datax; boundary=abc", NULL },
		{ "multipart/mixed; boundary=abc", NULL },
		{ "multipart/form-data; boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    NULL },
		{ NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct multipart m;
		bool ok = multipart_begin(&m, cases[i].type, SPAN(""));

		ck_assert_msg(ok == (cases[i].boundary != NULL), "%zu", i);
		if (ok)
			ck_assert(
			    span_eq(m.boundary, span_of(cases[i].boundary)));
	}
}
END_TEST

static const char *const malformed[] = {
	"",
	"--X",
	"preamble\r\n--X\r\n",
	"--Y\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--Y--",
	"--X\nContent-Disposition: form-data; name=a\n\n\n--X--",
	"--X\r\n\r\nno name\r\n--X--",
	"--X\r\nContent-Disposition: form-data\r\n\r\n\r\n--X--",
	"--X\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--X--",
	"--X\r\nContent-Disposition: form-data; name=\"a\r\n\r\n\r\n--X--",
	"--X\r\nContent-Disposition: form-data; name=a junk=\r\n\r\nx",
	"--X\r\nno colon\r\n\r\n\r\n--X--",
	"--X\r\nContent-Disposition: form-data; name=a\r\n\r\nunended",
	"--X\r\nContent-Disposition: form-data; name=a",
	"--X--\r\nepilogue",
};

START_TEST(refuses_what_is_malformed)
{
	struct multipart m;
	struct multipart_part p;

	ck_assert(multipart_begin(&m, TYPE, span_of(malformed[_i])));
	ck_assert_int_eq(multipart_next(&m, &p), -EINVAL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("sandbox/multipart");
	TCase *t = tcase_create("multipart");

	tcase_add_test(t, reads_fields_and_files);
	tcase_add_test(t, reads_an_empty_field_at_the_end);
	tcase_add_test(t, reads_the_boundary);
	tcase_add_loop_test(t, refuses_what_is_malformed, 0,
	    sizeof(malformed) / sizeof(malformed[0]));
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
