/* Settings without secrets: every one of them, wherever it stands. */
#include <support/unit.h>

#include <base/arena.h>
#include <provider/provider.h>

#include <stddef.h>
#include <string.h>

struct key {
	const char *name;
	struct postern_secret value;
};

struct settings {
	const char *url;
	struct postern_secret set, unset;
	struct key one;
	struct postern_list many;
};

static const struct postern_field key_fields[] = {
	{ .name = "name",
	    .type = POSTERN_TYPE_STRING,
	    .offset = offsetof(struct key, name) },
	{ .name = "value",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct key, value) },
	{ .name = NULL },
};

static const struct postern_field fields[] = {
	{ .name = "url",
	    .type = POSTERN_TYPE_URL,
	    .offset = offsetof(struct settings, url) },
	{ .name = "set",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct settings, set) },
	{ .name = "unset",
	    .type = POSTERN_TYPE_SECRET,
	    .offset = offsetof(struct settings, unset) },
	{ .name = "one",
	    .type = POSTERN_TYPE_MAP,
	    .offset = offsetof(struct settings, one),
	    .fields = key_fields },
	{ .name = "many",
	    .type = POSTERN_TYPE_LIST,
	    .offset = offsetof(struct settings, many),
	    .fields = key_fields,
	    .size = sizeof(struct key) },
	{ .name = NULL },
};

static const struct postern_provider module = { .fields = fields,
	.settings_size = sizeof(struct settings) };

static void expect_masked(struct postern_secret s)
{
	ck_assert_str_eq(s.ptr, POSTERN_MASK);
	ck_assert_uint_eq(s.len, strlen(POSTERN_MASK));
}

START_TEST(no_secret_is_left_and_nothing_else_changes)
{
	struct key keys[] = { { "a", { "secret1", 7 } }, { "b", { NULL, 0 } } };
	const struct settings real = { .url = "https://a.example",
		.set = { "secret2", 7 },
		.one = { "c", { "secret3", 7 } },
		.many = { keys, 2 } };
	struct arena a;

	arena_init(&a, 4096);
	const struct settings *s = provider_mask_settings(&module, &real, &a);
	ck_assert_ptr_nonnull(s);
	const struct key *masked = s->many.items;
	expect_masked(s->set);
	expect_masked(s->one.value);
	expect_masked(masked[0].value);
	ck_assert_ptr_null(s->unset.ptr);
	ck_assert_ptr_null(masked[1].value.ptr);
	ck_assert_str_eq(s->url, real.url);
	ck_assert_str_eq(masked[1].name, "b");
	/* What the server has is untouched. */
	ck_assert_str_eq(real.set.ptr, "secret2");
	ck_assert_str_eq(keys[0].value.ptr, "secret1");
	arena_finish(&a);
}
END_TEST

START_TEST(without_memory_there_is_nothing_to_show)
{
	const struct settings real = { .url = "x" };
	struct arena a;

	arena_init(&a, 1);
	ck_assert_ptr_null(provider_mask_settings(&module, &real, &a));
	arena_finish(&a);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("provider.mask");
	TCase *t = tcase_create("mask");

	tcase_add_test(t, no_secret_is_left_and_nothing_else_changes);
	tcase_add_test(t, without_memory_there_is_nothing_to_show);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
