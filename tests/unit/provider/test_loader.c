/* Only modules that are ours to run are run. */
#include <support/unit.h>

#include <provider/provider.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(loads_a_module_once)
{
	struct err e = { .code = 0 };
	const struct postern_provider *p;

	provider_set_directory(MODULE_DIR);
	p = provider_load("raw", &e);
	ck_assert_msg(p != NULL, "%s", e.text);
	ck_assert_str_eq(p->name, "raw");
	provider_set_directory("/nowhere");
	ck_assert_ptr_eq(provider_load("raw", &e), p);
}
END_TEST

START_TEST(refuses_what_is_no_name)
{
	static const char too_long[] =
	    "0123456789012345678901234567890123456789"
	    "0123456789012345678901234567890123456789";
	static const char *const names[] = { "", "../raw", "a/b", "RAW", "a.so",
		too_long };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct err e = { .code = 0 };
		ck_assert_ptr_null(provider_load(names[i], &e));
		ck_assert_int_lt(e.code, 0);
	}
}
END_TEST

START_TEST(refuses_faulty_modules)
{
	static const char *const cases[][2] = {
		{ "faulty_abi", "interface" },
		{ "faulty_old", "interface 1" },
		{ "faulty_size", "bytes" },
		{ "faulty_name", "calls itself another" },
		{ "faulty_table", "empty table" },
		{ "faulty_symbol", "exports no" },
		{ "faulty_missing", "faulty_missing.so" },
	};

	provider_set_directory(FAULTY_DIR);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { .code = 0 };
		ck_assert_ptr_null(provider_load(cases[i][0], &e));
		ck_assert_msg(
		    strstr(e.text, cases[i][1]) != NULL, "%s", e.text);
	}
}
END_TEST

/* A copy of a file that anybody may write. */
static void make_writable_copy(const char *from, const char *to)
{
	char bytes[65536];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	size_t n;

	ck_assert(in && out);
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	ck_assert_int_eq(fclose(in), 0);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(chmod(to, 0666), 0);
}

START_TEST(refuses_what_others_can_write)
{
	char dir[] = "/tmp/postern-loader-XXXXXX", path[128];
	struct err e = { .code = 0 };

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/copy.so", dir);
	make_writable_copy(FAULTY_DIR "/faulty_name.so", path);
	provider_set_directory(dir);
	ck_assert_ptr_null(provider_load("copy", &e));
	ck_assert_msg(strstr(e.text, "by others") != NULL, "%s", e.text);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_ptr_null(provider_load("copy", &e));
	ck_assert_msg(strstr(e.text, "by others") != NULL, "%s", e.text);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_ptr_null(provider_load("copy", &e));
	ck_assert_msg(strstr(e.text, "calls itself") != NULL, "%s", e.text);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.loader");
	TCase *t = tcase_create("loader");

	tcase_add_test(t, loads_a_module_once);
	tcase_add_test(t, refuses_what_is_no_name);
	tcase_add_test(t, refuses_faulty_modules);
	tcase_add_test(t, refuses_what_others_can_write);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
