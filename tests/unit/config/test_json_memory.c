/* JSON leaves nothing behind in memory that is freed. */
#include <support/freed.h>
#include <support/unit.h>

#include <config/json_memory.h>

#include <stdlib.h>

#include <jansson.h>

#define TEXT "{\"private_key\":\"" FREED_SECRET "\"}"

static void parse_and_drop(void)
{
	json_t *json = json_loads(TEXT, 0, NULL);

	ck_assert_str_eq(
	    json_string_value(json_object_get(json, "private_key")),
	    FREED_SECRET);
	json_decref(json);
}

START_TEST(a_secret_in_json_is_overwritten)
{
	json_malloc_t get;
	json_free_t release;
	char *memory;

	json_memory_init();
	parse_and_drop();
	/* Jansson's own calls are not seen here, but what it is given is. */
	json_get_alloc_funcs(&get, &release);
	memory = get(sizeof(FREED_SECRET));
	ck_assert_ptr_nonnull(memory);
	memcpy(memory, FREED_SECRET, sizeof(FREED_SECRET));
	release(memory);
	ck_assert_uint_eq(freed_secrets, 0);
	release(NULL);
}
END_TEST

START_TEST(what_is_dumped_is_freed_as_any_memory)
{
	json_t *json = json_pack("[s]", "a");
	char *text = json_dumps(json, 0);

	ck_assert_str_eq(text, "[\"a\"]");
	free(text);
	json_decref(json);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("config/json_memory");
	TCase *t = tcase_create("json_memory");

	tcase_add_test(t, a_secret_in_json_is_overwritten);
	tcase_add_test(t, what_is_dumped_is_freed_as_any_memory);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
