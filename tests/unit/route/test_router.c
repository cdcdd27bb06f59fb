#include <support/unit.h>

#include <config/config.h>
#include <postern/provider.h>
#include <route/router.h>

#define LIST(...)                                                              \
	{                                                                      \
		.items = (const char *[]){ __VA_ARGS__ },                      \
		.count =                                                       \
		    sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *)   \
	}

static struct config_route routes[] = {
	{ .name = "vip", .match = { .user = LIST("Boss", "deputy") } },
	{ .name = "news",
	    .match = { .sender = LIST("news@example.com", "@list.example") } },
	{ .name = "local",
	    .match = { .user = LIST("app"),
		.recipient = LIST("@example.com") } },
	{ .name = "bounces",
	    .match = { .sender = LIST("*"),
		.recipient = LIST("x@y.example") } },
	{ .name = "rest", .match = { .user = LIST("app", "boss") } },
};

static const struct {
	const char *user, *sender, *recipient;
	const char *route; /* NULL: none */
} cases[] = {
	{ "boss", "a@b.example", "c@d.example", "vip" },
	{ "BOSS", "news@example.com", "c@d.example", "vip" },
	{ "app", "news@example.com", "c@d.example", "news" },
	{ "other", "NEWS@EXAMPLE.COM", "c@d.example", "news" },
	{ "app", "anyone@list.example", "c@example.com", "news" },
	{ "app", "a@b.example", "c@example.com", "local" },
	{ "app", "a@b.example", "c@sub.example.com", "rest" },
	{ "other", "a@b.example", "c@example.com", NULL },
	{ "other", "a@b.example", "x@y.example", "bounces" },
	{ "app", "", "c@d.example", "rest" },
	{ "bos", "a@b.example", "c@d.example", NULL },
};

START_TEST(first_match_decides)
{
	struct config config = { .routes = { .items = routes,
				     .count =
					 sizeof(routes) / sizeof(routes[0]) } };
	const struct config_route *found =
	    router_find(&config, span_of(cases[_i].user),
		span_of(cases[_i].sender), span_of(cases[_i].recipient));

	if (cases[_i].route) {
		ck_assert_ptr_nonnull(found);
		ck_assert_str_eq(found->name, cases[_i].route);
	} else {
		ck_assert_ptr_null(found);
	}
}
END_TEST

START_TEST(no_routes_match_nothing)
{
	struct config config = { .routes = { .count = 0 } };

	ck_assert_ptr_null(router_find(
	    &config, SPAN("u"), SPAN("a@b.example"), SPAN("c@d.example")));
}
END_TEST

/* --- what providers can carry --- */

static const struct postern_provider ascii = { .flags = 0 };
static const struct postern_provider unicode = { .flags =
						     POSTERN_CARRIES_UTF8 };

static struct config_provider providers[] = { { .module = &ascii },
	{ .module = &unicode }, { .module = &ascii }, { .module = &unicode } };

static size_t indices[][4] = { { 0, 1, 2, 3 }, { 0, 2 } };

static struct config_route able[] = {
	{ .name = "ours",
	    .match = { .user = LIST("app"), .recipient = LIST("@x.example") },
	    .providers = { .count = 4 },
	    .provider_index = indices[0] },
	{ .name = "rest",
	    .providers = { .count = 2 },
	    .provider_index = indices[1] },
	{ .name = "never",
	    .providers = { .count = 4 },
	    .provider_index = indices[0] },
};

static const struct config mixed = { .providers = { providers, 4 },
	.routes = { able, 3 } };

START_TEST(passes_over_who_cannot_carry_it)
{
	const unsigned utf8 = POSTERN_CARRIES_UTF8;

	ck_assert_uint_eq(router_next(&mixed, &able[0], 0, 0), 0);
	ck_assert_uint_eq(router_next(&mixed, &able[0], 1, 0), 1);
	ck_assert_uint_eq(router_next(&mixed, &able[0], 0, utf8), 1);
	ck_assert_uint_eq(router_next(&mixed, &able[0], 2, utf8), 3);
	ck_assert_uint_eq(router_next(&mixed, &able[0], 4, utf8), 4);
	ck_assert_uint_eq(router_next(&mixed, &able[1], 0, utf8), 2);
	ck_assert_uint_eq(router_count(&mixed, &able[0], utf8), 2);
	ck_assert_uint_eq(router_count(&mixed, &able[0], 0), 4);
	ck_assert_uint_eq(router_count(&mixed, &able[1], utf8), 0);
}
END_TEST

START_TEST(knows_of_a_sender_whom_nobody_carries)
{
	struct span sender = SPAN("\xc3\xa9@x.example");
	const unsigned utf8 = POSTERN_CARRIES_UTF8;

	ck_assert(router_may_carry(&mixed, SPAN("app"), sender, utf8));
	/* Its mail never comes beyond the route that takes everything. */
	ck_assert(!router_may_carry(&mixed, SPAN("other"), sender, utf8));
	ck_assert(router_may_carry(&mixed, SPAN("other"), sender, 0));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("route/router");
	TCase *t = tcase_create("router");

	tcase_add_loop_test(
	    t, first_match_decides, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, no_routes_match_nothing);
	tcase_add_test(t, passes_over_who_cannot_carry_it);
	tcase_add_test(t, knows_of_a_sender_whom_nobody_carries);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
