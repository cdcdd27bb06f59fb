/*
 * The files of conf/ are what people begin with: they must be right, name
 * every key, and say its true default.
 */
#include "fake.h"

#include <config/tables.h>

#include <base/buf.h>

#include <support/unit.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct config_report report;
static struct buf sample;

static void read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "r");
	size_t n = 0;

	ck_assert_msg(file != NULL, "%s", path);
	do {
		ck_assert_int_eq(buf_reserve(out, 4096), 0);
		n = fread(buf_tail(out), 1, 4096, file);
		buf_commit(out, n);
	} while (n > 0);
	(void)fclose(file);
}

static void setup(void)
{
	(void)fake_directory_make();
	report = (struct config_report){ 0 };
	buf_init(&sample, 1024 * 1024);
	read_file("../conf/postern.yaml", &sample);
}

static void teardown(void)
{
	buf_finish(&sample);
	config_report_finish(&report);
	fake_directory_remove();
}

/* A key at the start of a line, whether in use, or commented out. */
static bool names_key(struct span text, const char *key)
{
	char wanted[80];
	int len = snprintf(wanted, sizeof(wanted), "%s:", key);

	while (text.ptr) {
		struct span line = span_cut(&text, '\n');

		while (line.len > 0 && strchr(" #-{", line.ptr[0]))
			line = span_from(line, 1);
		if (span_starts_with(line, span_make(wanted, (size_t)len)))
			return true;
	}
	return false;
}

static void assert_named(const struct postern_field *rows)
{
	for (; rows && rows->name; rows++) {
		bool is_named = names_key(buf_span(&sample), rows->name);

		ck_assert_msg(is_named, "%s is not explained", rows->name);
		ck_assert_msg(rows->doc && *rows->doc, "%s", rows->name);
		assert_named(rows->fields);
	}
}

START_TEST(sample_names_every_key)
{
	/* As NAME_file, of which the other form is told in words. */
	ck_assert(names_key(buf_span(&sample), "password_hash_file"));
	ck_assert(names_key(buf_span(&sample), "file")); /* of users */
	ck_assert_int_eq(buf_add_str(&sample, "\n#password_hash:\n"), 0);
	assert_named(tables_root);
}
END_TEST

/*
 * "#key" is a setting that is not in use, "# text" is for people. Files of
 * an installed system are replaced by those of the test.
 */
static void uncomment(struct span text, struct buf *out)
{
	while (text.ptr) {
		struct span line = span_cut(&text, '\n');
		ptrdiff_t hash = span_index(line, '#');
		struct span before =
		    span_first(line, hash < 0 ? 0 : (size_t)hash);

		if (hash >= 0 && span_trim(before).len == 0) {
			struct span rest = span_from(line, (size_t)hash + 1);

			if (!span_starts_with(rest, SPAN(" ")) ||
			    span_starts_with(rest, SPAN("  "))) {
				ck_assert_int_eq(buf_add_span(out, before), 0);
				line = rest;
			}
		}
		ck_assert_int_eq(buf_add_span(out, line), 0);
		ck_assert_int_eq(buf_add_str(out, "\n"), 0);
	}
}

static const char *const installed[] = {
	"/etc/postern/tls/tls.crt",
	"/etc/postern/tls/tls.key",
	"/etc/postern/tls/ca.pem",
	"/etc/postern/tls/clients.pem",
	"/etc/postern/tls/clients.crl",
	"/etc/postern/secrets/app.hash",
	"/etc/postern/secrets/sendgrid.key",
	"/etc/postern/secrets/webhook",
};

static void use_test_files(struct buf *b)
{
	static const char *const instead[] = { "cert.pem", "key.pem",
		"cert.pem", "cert.pem", "cert.pem", "demo.hash", "secret",
		"secret" };
	char *text = buf_take_cstr(b);

	for (size_t i = 0; i < sizeof(installed) / sizeof(installed[0]); i++) {
		char *at = strstr(text, installed[i]);
		char *next;

		/* The first lines of the file show them, too. */
		for (; at; at = next) {
			struct buf out;

			buf_init(&out, 1024 * 1024);
			ck_assert_int_eq(
			    buf_add(&out, text, (size_t)(at - text)), 0);
			ck_assert_int_eq(
			    buf_printf(&out, "${env:POSTERN_TEST_DIR}/%s%s",
				instead[i], at + strlen(installed[i])),
			    0);
			free(text);
			text = buf_take_cstr(&out);
			next = strstr(text, installed[i]);
		}
	}
	ck_assert_int_eq(buf_add_str(b, text), 0);
	free(text);
}

static struct config *load_text(struct span text)
{
	const char *path = fake_file("config.yaml", text.ptr, text.len);
	struct config *c = config_load(path, &fake_helpers, &report);

	if (report.count > 0)
		config_report_print(&report, stderr);
	return c;
}

START_TEST(sample_is_a_working_server)
{
	struct config *c;

	use_test_files(&sample);
	c = load_text(buf_span(&sample));
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(report.count, 0);
	config_unref(c);
}
END_TEST

/* Lines in use: the "twelve lines" the sample speaks of. */
START_TEST(sample_has_twelve_lines_in_use)
{
	struct span text = buf_span(&sample);
	size_t count = 0;

	while (text.ptr) {
		struct span line = span_trim(span_cut(&text, '\n'));

		count += line.len > 0 && line.ptr[0] != '#';
	}
	ck_assert_uint_eq(count, 12);
}
END_TEST

static void assert_same_numbers(const struct config *a, const struct config *b)
{
	ck_assert_int_eq(a->threads, b->threads);
	ck_assert_int_eq(a->tls.policy, b->tls.policy);
	ck_assert_int_eq(a->tls.client_auth, b->tls.client_auth);
	ck_assert_mem_eq(&a->queue, &b->queue, sizeof(a->queue));
	ck_assert_mem_eq(&a->log, &b->log, sizeof(a->log));
	ck_assert_mem_eq(&a->shutdown, &b->shutdown, sizeof(a->shutdown));
	ck_assert_mem_eq(
	    &a->spool.min_free, &b->spool.min_free, sizeof(a->spool.min_free));
	ck_assert_str_eq(a->spool.path, b->spool.path);
	ck_assert_str_eq(a->stats.address, b->stats.address);
	ck_assert_str_eq(a->smtp.banner, b->smtp.banner);
	ck_assert_uint_eq(
	    a->http.connect_timeout_ms, b->http.connect_timeout_ms);
	ck_assert_uint_eq(a->smtp.exempt.count, b->smtp.exempt.count);
	/* All of smtp but the pointers it begins with. */
	ck_assert_mem_eq(&a->smtp.max_message_size, &b->smtp.max_message_size,
	    offsetof(struct config_smtp, null_sender) -
		offsetof(struct config_smtp, max_message_size));
	ck_assert_int_eq(a->auth.workers, b->auth.workers);
	ck_assert_int_eq(a->auth.max_failures, b->auth.max_failures);
	ck_assert_uint_eq(a->auth.failure_delay_ms, b->auth.failure_delay_ms);
	ck_assert_int_eq(
	    a->auth.failures_per_minute, b->auth.failures_per_minute);
	ck_assert_int_eq(a->auth.failures_per_day, b->auth.failures_per_day);
	ck_assert_uint_eq(a->auth.cache_ttl_ms, b->auth.cache_ttl_ms);
	ck_assert_uint_eq(a->auth.mechanisms.count, b->auth.mechanisms.count);
}

static void assert_same_provider(
    const struct config_provider *a, const struct config_provider *b)
{
	ck_assert_uint_eq(a->timeout_ms, b->timeout_ms);
	ck_assert_int_eq(a->concurrency, b->concurrency);
	ck_assert_uint_eq(a->rate.count, b->rate.count);
	ck_assert_mem_eq(&a->breaker, &b->breaker, sizeof(a->breaker));
	ck_assert_int_eq(a->max_recipients, b->max_recipients);
}

static void make_user_file(void)
{
	static const char text[] =
	    "- {name: listed, password_hash: SCRAM-SHA-256$x}\n";
	const char *path = fake_file("users.yaml", text, strlen(text));

	ck_assert_int_eq(chmod(path, 0600), 0);
}

START_TEST(sample_shows_true_defaults)
{
	struct config *defaults, *shown;
	struct buf all;

	buf_init(&all, 1024 * 1024);
	use_test_files(&sample);
	defaults = load_text(buf_span(&sample));
	ck_assert_ptr_nonnull(defaults);
	config_report_finish(&report);
	/* Skip the prose at the top, which shows the twelve lines. */
	uncomment(span_from(buf_span(&sample),
		      (size_t)(strstr(sample.data + sample.start, "\n\n") -
			       (sample.data + sample.start))),
	    &all);
	make_user_file();
	shown = load_text(buf_span(&all));
	ck_assert_ptr_nonnull(shown);
	assert_same_numbers(defaults, shown);
	assert_same_provider(
	    CONFIG_AT(defaults->providers, struct config_provider, 0),
	    CONFIG_AT(shown->providers, struct config_provider, 0));
	ck_assert_ptr_nonnull(config_find_user(shown, SPAN("listed")));
	ck_assert_uint_eq(shown->listeners.count, 5);
	for (size_t i = 0; i < defaults->listeners.count; i++) {
		const struct config_listener *a =
		    CONFIG_AT(defaults->listeners, struct config_listener, i);
		const struct config_listener *b =
		    CONFIG_AT(shown->listeners, struct config_listener, i);

		ck_assert_str_eq(a->name, b->name);
		ck_assert_str_eq(a->address, b->address);
		ck_assert_int_eq(a->tls, b->tls);
		ck_assert_int_eq(a->mode, b->mode);
		ck_assert_int_eq(a->tls_policy, b->tls_policy);
		ck_assert_int_eq(a->client_auth, b->client_auth);
	}
	config_unref(defaults);
	config_unref(shown);
	buf_finish(&all);
}
END_TEST

START_TEST(sandbox_is_right)
{
	struct config *c;

	(void)setenv("POSTERN_DEMO_DIR", getenv("POSTERN_TEST_DIR"), 1);
	c = config_load("../conf/sandbox.yaml", &fake_helpers, &report);
	config_report_print(&report, stderr);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(report.count, 0);
	ck_assert_uint_eq(c->providers.count, 3);
	ck_assert_ptr_nonnull(config_find_user(c, SPAN("demo")));
	config_unref(c);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.sample");
	TCase *t = tcase_create("conf");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, sample_names_every_key);
	tcase_add_test(t, sample_is_a_working_server);
	tcase_add_test(t, sample_has_twelve_lines_in_use);
	tcase_add_test(t, sample_shows_true_defaults);
	tcase_add_test(t, sandbox_is_right);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
