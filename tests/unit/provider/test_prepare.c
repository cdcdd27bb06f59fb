/*
 * Preparations of a module that does what the test wants, and the real world
 * they look at. Where requests may go is in the golden files of SES.
 */
#include <support/unit.h>

#include <provider/provider.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int rc_of_file;
static char content[8];

static int read_file(struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	struct postern_str text;

	rc_of_file = host->file(r, p->state, &text);
	(void)snprintf(
	    content, sizeof(content), "%.*s", (int)text.len, text.ptr);
	return host->refuse(r, "read");
}

/* What prepare does is the first character of the settings. */
static int prepare(const void *settings, struct postern_preparation *p,
    const struct postern_host *host, struct postern_request *r)
{
	const char *what = settings;

	switch (*what) {
	case 'a': /* asks for ever */
		(void)host->method(r, "GET");
		return host->url(r, "https://keys.example/");
	case 'f':
		memcpy(p->state, what + 1, strlen(what));
		return read_file(p, host, r);
	case 'g':
		p->grant = (struct postern_secret){ "key", 3 };
		return 0;
	case 'm':
		return -ENOMEM;
	case 'r':
		p->is_stand_in = p->is_rehearsal;
		p->grant = (struct postern_secret){ "none", 4 };
		return 0;
	case 'u':
		(void)snprintf(p->source, sizeof(p->source), "here");
		(void)host->method(r, "GET");
		return host->url(r, what + 1);
	case 'x':
		p->refusal = POSTERN_ACCEPTED;
		return host->refuse(r, "two\nlines");
	default:
		return 0;
	}
}

static struct postern_provider module = { .abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_provider),
	.name = "fake",
	.prepare = prepare,
	.state_size = 256 };

static struct provider_preparation *c;

static enum provider_step begin(const char *settings)
{
	c = provider_preparation_new(&module, settings, &provider_world_real);
	ck_assert_ptr_nonnull(c);
	return provider_preparation_step(c, 1000);
}

static void expect_refusal(enum postern_class result, const char *reason)
{
	ck_assert_int_eq(provider_preparation_class(c), result);
	ck_assert_str_eq(provider_preparation_reason(c), reason);
	provider_preparation_free(c);
}

START_TEST(grants_are_copied)
{
	ck_assert_int_eq(begin("g"), PROVIDER_STEP_GRANTED);
	struct provider_grant *g = provider_preparation_grant(c);
	provider_preparation_free(c);
	ck_assert_str_eq(g->bytes.ptr, "key");
	ck_assert_uint_eq(g->bytes.len, 3);
	provider_grant_unref(provider_grant_ref(g));
	provider_grant_unref(g);
	provider_grant_unref(NULL);
}
END_TEST

START_TEST(a_rehearsal_tells_what_stands_in_from_what_is_real)
{
	static const struct {
		const char *settings;
		bool is_stand_in;
	} asked[] = { { "r", true }, { "g", false } };

	for (size_t i = 0; i < 2; i++) {
		c = provider_preparation_new(
		    &module, asked[i].settings, &provider_world_real);
		provider_preparation_rehearse(c);
		ck_assert_int_eq(
		    provider_preparation_step(c, 1), PROVIDER_STEP_GRANTED);
		ck_assert(provider_preparation_is_stand_in(c) ==
			  asked[i].is_stand_in);
		provider_preparation_free(c);
	}
	ck_assert_int_eq(begin("r"), PROVIDER_STEP_GRANTED);
	ck_assert(!provider_preparation_is_stand_in(c));
	provider_preparation_free(c);
}
END_TEST

START_TEST(endless_steps_end)
{
	struct http_response response = { .status = 200, .body = SPAN("") };
	enum provider_step step = begin("a");
	unsigned steps = 0;

	while (step == PROVIDER_STEP_SEND) {
		struct http_call call;

		ck_assert_uint_lt(steps++, 100);
		provider_preparation_http(c, &call);
		ck_assert_str_eq(call.url, "https://keys.example/");
		ck_assert(!call.is_direct && call.is_secret);
		provider_preparation_answer(c, &response);
		step = provider_preparation_step(c, 1000);
	}
	expect_refusal(
	    POSTERN_ACCOUNT, "the module asks for too many requests");
}
END_TEST

START_TEST(faults_of_a_module_are_refusals)
{
	ck_assert_int_eq(begin(""), PROVIDER_STEP_REFUSED);
	expect_refusal(POSTERN_ACCOUNT,
	    "the module neither asks for credentials nor has them");
	ck_assert_int_eq(begin("m"), PROVIDER_STEP_REFUSED);
	expect_refusal(POSTERN_TRANSIENT, "out of memory");
	ck_assert_int_eq(begin("x"), PROVIDER_STEP_REFUSED);
	expect_refusal(POSTERN_ACCOUNT, "two lines");
}
END_TEST

static const struct {
	const char *url;
	bool may, is_near;
} places[] = {
	{ "https://sts.example/", true, false },
	{ "https://127.0.0.1:1/", true, true },
	{ "http://127.0.0.1", true, true },
	{ "http://127.9.9.9:8080/x?y", true, true },
	{ "http://[::1]:1/", true, true },
	{ "http://LOCALHOST:1/", true, true },
	{ "http://169.254.169.254/", true, true },
	{ "http://169.254.170.2/", true, true },
	{ "http://169.254.170.23/", true, true },
	{ "http://[fd00:ec2::254]/", true, true },
	{ "http://[FD00:EC2:0::23]:80/", true, true },
	{ "http://169.254.169.253/", false, false },
	{ "http://10.0.0.1/", false, false },
	{ "http://[fd00:ec2::25]/", false, false },
	{ "http://[::1/", false, false },
	{ "http://127.1/", false, false },
	{ "http://0x7f000001/", false, false },
	{ "http://127.0.0.1.keys.example/", false, false },
	{ "http://localhost.keys.example/", false, false },
	{ "http://127.0.0.1@keys.example/", false, false },
	{ "http://keys.example#@127.0.0.1/", false, false },
	{ "http://127.0.0.1:80:80/", false, false },
	{ "http://", false, false },
	{ "ftp://127.0.0.1/", false, false },
	{ "file:///etc/passwd", false, false },
	{ "127.0.0.1/", false, false },
};

START_TEST(plain_requests_stay_near)
{
	char settings[128];
	struct http_call call;

	(void)snprintf(settings, sizeof(settings), "u%s", places[_i].url);
	enum provider_step step = begin(settings);
	ck_assert_int_eq(
	    step, places[_i].may ? PROVIDER_STEP_SEND : PROVIDER_STEP_REFUSED);
	if (places[_i].may) {
		provider_preparation_http(c, &call);
		ck_assert_int_eq(call.is_direct, places[_i].is_near);
		ck_assert_uint_eq(
		    call.timeout_ms, places[_i].is_near ? 2000 : 10000);
	} else {
		ck_assert_int_eq(
		    strncmp(provider_preparation_reason(c), "here: ", 6), 0);
	}
	provider_preparation_free(c);
}
END_TEST

static char folder[] = "/tmp/postern-prepare-XXXXXX";

static int read_as(const char *path)
{
	char settings[128];

	(void)snprintf(settings, sizeof(settings), "f%s", path);
	ck_assert_int_eq(begin(settings), PROVIDER_STEP_REFUSED);
	provider_preparation_free(c);
	return rc_of_file;
}

static void write_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < size; i++)
		ck_assert_int_ne(fputc('x', f), EOF);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(only_files_of_a_size_are_read)
{
	char path[64];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/file", folder);
	ck_assert_int_eq(read_as(path), -ENOENT);
	write_file(path, 0);
	ck_assert_int_eq(read_as(path), 0);
	ck_assert_str_eq(content, "");
	write_file(path, 3);
	ck_assert_int_eq(read_as(path), 0);
	ck_assert_str_eq(content, "xxx");
	write_file(path, 64 * 1024);
	ck_assert_int_eq(read_as(path), -EFBIG);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(read_as(path), -EINVAL);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(read_as(folder), -EINVAL);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(tables_of_before_prepare_have_none)
{
	struct postern_provider old = module;

	ck_assert(provider_prepares(&module));
	old.size = offsetof(struct postern_provider, prepare);
	ck_assert(!provider_prepares(&old));
	old.size = sizeof(old);
	old.prepare = NULL;
	ck_assert(!provider_prepares(&old));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.prepare");
	TCase *t = tcase_create("prepare");

	tcase_add_test(t, grants_are_copied);
	tcase_add_test(t, a_rehearsal_tells_what_stands_in_from_what_is_real);
	tcase_add_test(t, endless_steps_end);
	tcase_add_test(t, faults_of_a_module_are_refusals);
	tcase_add_loop_test(
	    t, plain_requests_stay_near, 0, sizeof(places) / sizeof(places[0]));
	tcase_add_test(t, only_files_of_a_size_are_read);
	tcase_add_test(t, tables_of_before_prepare_have_none);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
