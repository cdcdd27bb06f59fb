/* What a snapshot takes over from the one before. */
#include "fake.h"

#include <config/effective.h>
#include <config/tables.h>

#include <support/unit.h>

#include <base/counters.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TOP                                                                    \
	"hostname: a.example\n"                                                \
	"users:\n  - {name: app, password_hash: SCRAM-SHA-256$x}\n"
#define LISTENER(name, port)                                                   \
	"  - {name: " name ", address: \"127.0.0.1:" port "\", tls: none, "    \
	"allow_insecure: true}\n"
#define PROVIDER(name) "  - {name: " name ", type: bare}\n"
#define ONE_LISTENER "listeners:\n" LISTENER("in", "2525")

static struct config *load(const char *text)
{
	struct config_report report = { 0 };
	const char *path = fake_file("config.yaml", text, strlen(text));
	struct config *c = config_load(path, &fake_helpers, &report);

	if (!c)
		config_report_print(&report, stderr);
	config_report_finish(&report);
	ck_assert_ptr_nonnull(c);
	return c;
}

static size_t slot_of(const struct config *c, const char *provider)
{
	for (size_t i = 0; i < c->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(c->providers, struct config_provider, i);

		if (strcmp(p->name, provider) == 0)
			return p->slot;
	}
	ck_abort_msg("no provider %s", provider);
}

static struct config *follow(struct config *old, const char *text)
{
	struct config *c = load(text);
	struct err e = { 0 };

	ck_assert_msg(config_keep_slots(c, old, &e) == 0, "%s", e.text);
	return c;
}

START_TEST(slots_stay_with_names)
{
	struct config *a = load(
	    TOP ONE_LISTENER "providers:\n" PROVIDER("one") PROVIDER("two"));
	struct config *b = follow(a, TOP ONE_LISTENER
	    "providers:\n" PROVIDER("new") PROVIDER("two") PROVIDER("one"));

	ck_assert_uint_eq(slot_of(a, "one"), 0);
	ck_assert_uint_eq(a->new_slots.providers, 3);
	ck_assert_uint_eq(slot_of(b, "one"), 0);
	ck_assert_uint_eq(slot_of(b, "two"), 1);
	ck_assert_uint_eq(slot_of(b, "new"), 2);
	ck_assert_uint_eq(b->new_slots.providers, 4);
	ck_assert_uint_eq(b->new_slots.listeners, 0);
	config_unref(a);
	config_unref(b);
}
END_TEST

START_TEST(a_name_that_returns_finds_its_slot)
{
	struct config *a =
	    load(TOP ONE_LISTENER "providers:\n" PROVIDER("one"));
	struct config *b =
	    follow(a, TOP ONE_LISTENER "providers:\n" PROVIDER("two"));

	config_unref(a);
	struct config *c =
	    follow(b, TOP ONE_LISTENER "providers:\n" PROVIDER("one"));
	ck_assert_uint_eq(slot_of(c, "one"), 0);
	ck_assert_uint_eq(c->new_slots.providers, 0);
	config_unref(b);
	config_unref(c);
}
END_TEST

/* COUNTER_LISTENERS_MAX of them, named by a letter and a number. */
static const char *many(char letter)
{
	static char text[4096];
	int len = snprintf(text, sizeof(text), TOP "listeners:\n");

	for (int i = 0; i < COUNTER_LISTENERS_MAX; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len,
		    "  - {name: %c%d, address: \"127.0.0.1:%d\", tls: none, "
		    "allow_insecure: true}\n",
		    letter, i, 2000 + i);
	(void)snprintf(text + len, sizeof(text) - (size_t)len,
	    "providers:\n" PROVIDER("one"));
	return text;
}

START_TEST(a_slot_changes_hands_only_when_nobody_is_left)
{
	struct config *a = load(many('a'));
	struct config *b = load(many('b'));
	struct err e = { 0 };

	ck_assert_int_eq(config_keep_slots(b, a, &e), -EBUSY);
	ck_assert_ptr_nonnull(strstr(e.text, "try again later"));
	config_unref(b);
	config_unref(a);
}
END_TEST

static const char few[] =
    TOP "listeners:\n" LISTENER("a0", "2000") "providers:\n" PROVIDER("one");

START_TEST(a_free_slot_gets_another_name_and_starts_from_zero)
{
	struct config *a = load(many('a'));
	struct config *b = follow(a, few);

	config_unref(a); /* the last that used a1, a2, ... */
	struct config *c = follow(b,
	    TOP "listeners:\n" LISTENER("new", "1")
		LISTENER("a0", "2000") "providers:\n" PROVIDER("one"));
	ck_assert_uint_eq(
	    CONFIG_AT(c->listeners, struct config_listener, 0)->slot, 1);
	ck_assert_uint_eq(c->new_slots.listeners, 2);
	config_unref(b);
	config_unref(c);
}
END_TEST

static char changed[256];

static void note(const char *key, void *ctx)
{
	(void)ctx;
	strncat(changed, key, sizeof(changed) - strlen(changed) - 2);
	strncat(changed, " ", 2);
}

START_TEST(fixed_values_stay_and_are_named)
{
	struct config *a = load(
	    TOP ONE_LISTENER "spool: {path: /a}\nproviders:\n" PROVIDER("one"));
	struct config *b = load(TOP ONE_LISTENER
	    "spool: {path: /b}\nthreads: 7\nqueue: {mode: queued}\n"
	    "stats: {address: \"127.0.0.1:1\"}\nproviders:\n" PROVIDER("one"));

	changed[0] = '\0';
	ck_assert_int_eq(config_keep_fixed(b, a, note, NULL), 0);
	ck_assert_str_eq(changed, "threads spool.path stats.address ");
	ck_assert_str_eq(b->spool.path, "/a");
	ck_assert_int_eq(b->threads, 0);
	ck_assert_int_eq(b->queue.mode, CONFIG_MODE_QUEUED);
	config_unref(a);
	ck_assert_str_eq(b->spool.path, "/a");
	config_unref(b);
}
END_TEST

START_TEST(the_digest_is_of_values_not_of_spelling)
{
	struct config *a = load(TOP ONE_LISTENER "providers:\n" PROVIDER("o"));
	struct config *b =
	    load("# a comment\nqueue: {mode: hybrid}\n" TOP ONE_LISTENER
		 "providers:\n" PROVIDER("o"));
	struct config *c = load("queue: {mode: queued}\n" TOP ONE_LISTENER
				"providers:\n" PROVIDER("o"));

	ck_assert_str_eq(a->hash, b->hash);
	ck_assert_str_ne(a->hash, c->hash);
	config_unref(a);
	config_unref(b);
	config_unref(c);
}
END_TEST

/* A list is taken as a whole. */
static void check_elements(const struct postern_field *rows)
{
	for (; rows && rows->name; rows++) {
		if (rows->type == POSTERN_TYPE_MAP)
			check_elements(rows->fields);
		else
			ck_assert_msg(rows->flags & POSTERN_FIELD_RELOAD, "%s",
			    rows->name);
	}
}

static void check_rows(const struct postern_field *rows)
{
	for (; rows && rows->name; rows++) {
		if (rows->type == POSTERN_TYPE_MAP)
			check_rows(rows->fields);
		else if (rows->type == POSTERN_TYPE_LIST)
			check_elements(rows->fields);
		else if (!(rows->flags & POSTERN_FIELD_RELOAD))
			ck_assert_msg(
			    effective_can_keep(rows), "%s", rows->name);
	}
}

START_TEST(every_value_can_be_changed_or_kept)
{
	check_rows(tables_root);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config.reload");
	TCase *t = tcase_create("reload");

	tcase_add_test(t, slots_stay_with_names);
	tcase_add_test(t, a_name_that_returns_finds_its_slot);
	tcase_add_test(t, a_slot_changes_hands_only_when_nobody_is_left);
	tcase_add_test(t, a_free_slot_gets_another_name_and_starts_from_zero);
	tcase_add_test(t, fixed_values_stay_and_are_named);
	tcase_add_test(t, the_digest_is_of_values_not_of_spelling);
	tcase_add_test(t, every_value_can_be_changed_or_kept);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	(void)fake_directory_make();
	SRunner *runner = srunner_create(make_suite());
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	fake_directory_remove();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
