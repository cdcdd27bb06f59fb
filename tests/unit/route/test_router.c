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

/* Each route before the one that was found says why it is not the one. */
static void expect_reasons(const struct config *config,
    const struct router_ask *ask, const struct config_route *found)
{
	const struct config_route *all = config->routes.items;

	for (size_t i = 0; i < config->routes.count; i++) {
		const char *why = router_misfit(config, i, ask);

		if (found == &all[i]) {
			ck_assert_ptr_null(why);
			return;
		}
		ck_assert_ptr_nonnull(why);
	}
}

START_TEST(first_match_decides)
{
	struct config config = { .routes = { .items = routes,
				     .count =
					 sizeof(routes) / sizeof(routes[0]) } };
	const struct router_ask ask = { .user = span_of(cases[_i].user),
		.sender = span_of(cases[_i].sender),
		.recipient = span_of(cases[_i].recipient) };
	const struct config_route *found = router_find(&config, &ask);

	expect_reasons(&config, &ask, found);
	if (cases[_i].route) {
		ck_assert_ptr_nonnull(found);
		ck_assert_str_eq(found->name, cases[_i].route);
	} else {
		ck_assert_ptr_null(found);
	}
}
END_TEST

static const struct router_ask somebody = { .user = { "u", 1 },
	.sender = { "a@b.example", 11 },
	.recipient = { "c@d.example", 11 } };

START_TEST(no_routes_match_nothing)
{
	struct config config = { .routes = { .count = 0 } };

	ck_assert_ptr_null(router_find(&config, &somebody));
}
END_TEST

/* --- of the message --- */

static struct config_route by_message[] = {
	{ .name = "tagged",
	    .match = { .header = LIST("X-Tag: news", "X-Other") } },
	{ .name = "held", .match = { .content = LIST("calendar", "dkim") } },
	{ .name = "large", .match = { .min_size = 1000 } },
	{ .name = "middle",
	    .match = { .recipient = LIST("@d.example"),
		.min_size = 100,
		.max_size = 200 } },
	{ .name = "rest" },
};

static const struct {
	const char *header;
	uint64_t size;
	const char *route;
	unsigned traits;
} messages[] = {
	{ "X-Tag: News\r\n\r\n", 5000, "tagged", 0 },
	{ "X-Tag: New\r\nX-Other: 1\r\n\r\n", 5000, "tagged", 0 },
	{ "X-Tag: New\r\n\r\n", 1000, "large", 0 },
	{ "\r\n", 999, "rest", 0 },
	{ "\r\n", 201, "rest", 0 },
	{ "\r\n", 200, "middle", 0 },
	{ "\r\n", 100, "middle", 0 },
	{ "\r\n", 99, "rest", 0 },
	{ "\r\n", 9, "held", POSTERN_CARRIES_CALENDAR },
	{ "\r\n", 9, "held",
	    POSTERN_CARRIES_DATE_AND_ID | POSTERN_CARRIES_SIGNED },
	{ "\r\n", 9, "rest", POSTERN_CARRIES_SIGNED },
};

static const struct config of_message = { .routes = { by_message, 5 } };

START_TEST(the_message_decides)
{
	struct router_message m = { .header = span_of(messages[_i].header),
		.size = messages[_i].size,
		.traits = messages[_i].traits };
	struct router_ask ask = somebody;

	ask.message = &m;
	for (int again = 0; again < 2; again++)
		ck_assert_str_eq(
		    router_find(&of_message, &ask)->name, messages[_i].route);
	expect_reasons(&of_message, &ask, router_find(&of_message, &ask));
}
END_TEST

START_TEST(a_route_says_which_condition_is_not_met)
{
	static const char *const why[] = { "header", "content", "min_size",
		"max_size", NULL };
	struct router_message m = { .header = SPAN("\r\n"), .size = 999 };
	struct router_ask ask = somebody;

	ask.message = &m;
	for (size_t i = 0; i < 5; i++) {
		const char *got = router_misfit(&of_message, i, &ask);

		if (why[i])
			ck_assert_str_eq(got, why[i]);
		else
			ck_assert_ptr_null(got);
	}
	ask.recipient = SPAN("x@elsewhere.example");
	ck_assert_str_eq(router_misfit(&of_message, 3, &ask), "recipient");
}
END_TEST

START_TEST(what_a_message_was_found_to_be_holds_for_all_recipients)
{
	struct router_message m = { .header = SPAN("X-Tag: news\r\n\r\n") };
	struct router_ask ask = somebody;

	ask.message = &m;
	ck_assert_str_eq(router_find(&of_message, &ask)->name, "tagged");
	m.header = SPAN("\r\n");
	ask.recipient = SPAN("other@d.example");
	ck_assert_str_eq(router_find(&of_message, &ask)->name, "tagged");
}
END_TEST

START_TEST(without_a_message_only_routes_that_ask_for_none_are_certain)
{
	ck_assert_str_eq(router_find(&of_message, &somebody)->name, "rest");
}
END_TEST

START_TEST(more_routes_than_are_remembered_do_no_harm)
{
	static struct config_route many[ROUTER_MEMO_MAX + 2];
	struct config config = { .routes = { many, ROUTER_MEMO_MAX + 2 } };
	struct router_message m = { .header = SPAN("A: 1\r\n\r\n"), .size = 7 };
	struct router_ask ask = somebody;

	for (size_t i = 0; i < ROUTER_MEMO_MAX + 2; i++)
		many[i].match.min_size = 8;
	many[ROUTER_MEMO_MAX + 1].match.min_size = 7;
	ask.message = &m;
	for (int again = 0; again < 2; again++)
		ck_assert_ptr_eq(
		    router_find(&config, &ask), &many[ROUTER_MEMO_MAX + 1]);
}
END_TEST

/* --- what providers can carry --- */

static struct config_provider providers[] = {
	{ .carries = POSTERN_CARRIES_DKIM },
	{ .carries = POSTERN_CARRIES_UTF8 },
	{ .carries = POSTERN_CARRIES_SIGNED },
	{ .carries = POSTERN_CARRIES_UTF8 },
};

static size_t indices[][4] = { { 0, 1, 2, 3 }, { 0, 2 }, { 1, 0 } };

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

static const struct span any = { "", 0 };

/* As listed. */
static const struct router_order *order_of(size_t route)
{
	static struct router_order order;

	router_arrange(&able[route], (struct id){ { 0 } }, any, NULL, &order);
	return &order;
}

START_TEST(passes_over_who_cannot_carry_it)
{
	const unsigned utf8 = POSTERN_CARRIES_UTF8;

	ck_assert_uint_eq(router_next(&mixed, order_of(0), 0, 0), 0);
	ck_assert_uint_eq(router_next(&mixed, order_of(0), 1, 0), 1);
	ck_assert_uint_eq(router_next(&mixed, order_of(0), 0, utf8), 1);
	ck_assert_uint_eq(router_next(&mixed, order_of(0), 2, utf8), 3);
	ck_assert_uint_eq(router_next(&mixed, order_of(0), 4, utf8), 4);
	ck_assert_uint_eq(router_next(&mixed, order_of(1), 0, utf8), 2);
	ck_assert_uint_eq(router_provider(order_of(1), 1), 2);
	ck_assert_uint_eq(router_count(&mixed, &able[0], any, utf8), 2);
	ck_assert_uint_eq(router_count(&mixed, &able[0], any, 0), 4);
	ck_assert_uint_eq(router_count(&mixed, &able[1], any, utf8), 0);
}
END_TEST

START_TEST(knows_what_is_missing)
{
	const unsigned utf8 = POSTERN_CARRIES_UTF8;
	const unsigned dkim = POSTERN_CARRIES_DKIM;
	const unsigned is_signed = POSTERN_CARRIES_SIGNED;

	/* All of them lack it. */
	ck_assert_uint_eq(
	    router_missing(&mixed, &able[1], any, utf8 | dkim), utf8);
	/* Each lacks another. */
	ck_assert_uint_eq(
	    router_missing(&mixed, &able[1], any, dkim | is_signed),
	    dkim | is_signed);
}
END_TEST

static const char *words[] = { "a", "b", "c", "d" };

/* The order of those of a, b, c, d that a message names. */
static void assert_named(const char *only, const char *expected)
{
	struct config_route route = { .providers = { words, 4 },
		.provider_index = indices[0] };
	struct router_order order;
	char got[5] = "";

	router_arrange(
	    &route, (struct id){ { 0 } }, span_of(only), NULL, &order);
	for (size_t i = 0; i < order.count; i++)
		got[i] = words[router_provider(&order, i)][0];
	ck_assert_str_eq(got, expected);
}

START_TEST(a_message_may_name_some)
{
	const struct config_route route = { .providers = { words, 4 },
		.provider_index = indices[0] };
	const unsigned utf8 = POSTERN_CARRIES_UTF8;

	assert_named(" d ,b", "bd");
	assert_named("c", "c");
	assert_named("e", "");
	assert_named("e, c", "c");
	assert_named("", "abcd");
	ck_assert(router_names_any(&route, SPAN("e,a")));
	ck_assert(!router_names_any(&route, SPAN("e")));
	ck_assert_uint_eq(router_count(&mixed, &route, SPAN("a,b"), utf8), 1);
	ck_assert_uint_eq(router_count(&mixed, &route, SPAN("a"), utf8), 0);
	ck_assert_uint_eq(
	    router_missing(&mixed, &route, SPAN("a"), utf8), utf8);
}
END_TEST

/* Before the recipient and the message are known. */
static bool may_carry(const char *user, unsigned needs)
{
	const struct router_ask ask = { .user = span_of(user),
		.sender = SPAN("\xc3\xa9@x.example") };

	return router_may_carry(&mixed, &ask, needs);
}

START_TEST(knows_of_a_sender_whom_nobody_carries)
{
	ck_assert(may_carry("app", POSTERN_CARRIES_UTF8));
	/* Its mail never comes beyond the route that takes everything. */
	ck_assert(!may_carry("other", POSTERN_CARRIES_UTF8));
	ck_assert(may_carry("other", 0));
}
END_TEST

START_TEST(an_unknown_message_may_fit)
{
	static struct config_route one[] = {
		{ .name = "large",
		    .match = { .min_size = 1 },
		    .providers = { .count = 2 },
		    .provider_index = indices[2] },
		{ .name = "rest",
		    .providers = { .count = 2 },
		    .provider_index = indices[1] },
	};
	const struct config config = { .providers = { providers, 4 },
		.routes = { one, 2 } };
	struct router_message empty = { .header = SPAN("\r\n") };
	struct router_ask ask = somebody;

	ck_assert(router_may_carry(&config, &ask, POSTERN_CARRIES_UTF8));
	ask.message = &empty;
	ck_assert(!router_may_carry(&config, &ask, POSTERN_CARRIES_UTF8));
}
END_TEST

/* --- the order of providers --- */

enum {
	IDS = 10000
};

/* A time and something like chance, but the same in every run. */
static struct id nth_id(uint32_t n)
{
	struct id id = { { 1, 0x8f, 0x2a, 0, (uint8_t)(n >> 8), 7 } };
	uint64_t x = n + 1;

	for (size_t i = 6; i < sizeof(id.bytes); i++) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		id.bytes[i] = (uint8_t)(x >> 56);
	}
	return id;
}

static size_t first_for(const struct config_route *route, uint32_t n)
{
	struct router_order order;

	router_arrange(route, nth_id(n), any, NULL, &order);
	return router_provider(&order, 0);
}

/* Within five standard deviations. */
static void assert_share(size_t count, double share)
{
	double mean = IDS * share, off = (double)count - mean;

	ck_assert_msg(off * off <= 25 * mean * (1 - share),
	    "%zu of %d is not a share of %.2f", count, (int)IDS, share);
}

START_TEST(weights_are_shares_of_first_places)
{
	uint32_t weight[] = { 70, 0, 25, 5 };
	struct config_route route = { .providers = { .count = 4 },
		.provider_index = indices[0],
		.strategy = CONFIG_STRATEGY_WEIGHTED,
		.weight = weight };
	size_t count[4] = { 0 };

	for (uint32_t n = 0; n < IDS; n++)
		count[first_for(&route, n)]++;
	assert_share(count[0], 0.70);
	ck_assert_uint_eq(count[1], 0);
	assert_share(count[2], 0.25);
	assert_share(count[3], 0.05);
}
END_TEST

START_TEST(weights_are_shares_of_what_the_first_leaves)
{
	uint32_t weight[] = { 60, 30, 0, 10 };
	struct config_route route = { .providers = { .count = 4 },
		.provider_index = indices[0],
		.strategy = CONFIG_STRATEGY_WEIGHTED,
		.weight = weight };
	size_t count[4] = { 0 }, all = 0;

	for (uint32_t n = 0; all < IDS; n++) {
		struct router_order order;

		router_arrange(&route, nth_id(n), any, NULL, &order);
		ck_assert_uint_eq(router_provider(&order, 3), 2);
		if (router_provider(&order, 0) != 0)
			continue;
		count[router_provider(&order, 1)]++;
		all++;
	}
	assert_share(count[1], 0.75);
	assert_share(count[3], 0.25);
}
END_TEST

START_TEST(without_weights_all_are_alike)
{
	struct config_route route = { .providers = { .count = 4 },
		.provider_index = indices[0],
		.strategy = CONFIG_STRATEGY_WEIGHTED };
	size_t count[4] = { 0 };

	for (uint32_t n = 0; n < IDS; n++)
		count[first_for(&route, n)]++;
	for (size_t i = 0; i < 4; i++)
		assert_share(count[i], 0.25);
}
END_TEST

START_TEST(an_order_has_each_provider_once_and_stays)
{
	struct config_route route = { .providers = { .count = 4 },
		.provider_index = indices[0],
		.strategy = CONFIG_STRATEGY_WEIGHTED };

	for (uint32_t n = 0; n < 100; n++) {
		struct router_order order, again;
		unsigned seen = 0;

		router_arrange(&route, nth_id(n), any, NULL, &order);
		router_arrange(&route, nth_id(n), any, NULL, &again);
		for (size_t i = 0; i < order.count; i++) {
			seen |= 1u << router_provider(&order, i);
			ck_assert_uint_eq(order.at[i], again.at[i]);
		}
		ck_assert_uint_eq(seen, 0xf);
	}
}
END_TEST

START_TEST(failover_keeps_the_list)
{
	struct config_route route = { .providers = { .count = 2 },
		.provider_index = indices[2] };

	for (uint32_t n = 0; n < 100; n++)
		ck_assert_uint_eq(first_for(&route, n), 1);
}
END_TEST

static const struct {
	uint64_t used[4];
	uint32_t weight[4];
	size_t order[4];
} uses[] = {
	{ { 0, 0, 0, 0 }, { 1, 1, 1, 1 }, { 0, 1, 2, 3 } },
	{ { 5, 4, 3, 4 }, { 1, 1, 1, 1 }, { 2, 1, 3, 0 } },
	{ { 70, 29, 0, 0 }, { 70, 30, 0, 0 }, { 1, 0, 2, 3 } },
	{ { 70, 31, 0, 0 }, { 70, 30, 0, 0 }, { 0, 1, 2, 3 } },
	{ { 9, 0, 8, 0 }, { 1, 0, 1, 0 }, { 2, 0, 1, 3 } },
	{ { 1000000000000, 1000000000001, 999999, 1000000 },
	    { 1000000, 1000000, 1, 1 }, { 2, 0, 3, 1 } },
};

START_TEST(who_had_the_least_for_its_weight_is_first)
{
	uint32_t weight[4];
	struct config_route route = { .providers = { .count = 4 },
		.provider_index = indices[0],
		.strategy = CONFIG_STRATEGY_LEAST_USED,
		.weight = weight };
	struct router_order order;

	for (size_t i = 0; i < 4; i++)
		weight[i] = uses[_i].weight[i];
	router_arrange(&route, nth_id(0), any, uses[_i].used, &order);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(
		    router_provider(&order, i), uses[_i].order[i]);
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
	tcase_add_test(t, knows_what_is_missing);
	tcase_add_test(t, a_message_may_name_some);
	tcase_add_test(t, knows_of_a_sender_whom_nobody_carries);
	tcase_add_loop_test(
	    t, the_message_decides, 0, sizeof(messages) / sizeof(messages[0]));
	tcase_add_test(t, a_route_says_which_condition_is_not_met);
	tcase_add_test(
	    t, what_a_message_was_found_to_be_holds_for_all_recipients);
	tcase_add_test(
	    t, without_a_message_only_routes_that_ask_for_none_are_certain);
	tcase_add_test(t, more_routes_than_are_remembered_do_no_harm);
	tcase_add_test(t, an_unknown_message_may_fit);
	tcase_add_test(t, weights_are_shares_of_first_places);
	tcase_add_test(t, weights_are_shares_of_what_the_first_leaves);
	tcase_add_test(t, without_weights_all_are_alike);
	tcase_add_test(t, an_order_has_each_provider_once_and_stays);
	tcase_add_test(t, failover_keeps_the_list);
	tcase_add_loop_test(t, who_had_the_least_for_its_weight_is_first, 0,
	    sizeof(uses) / sizeof(uses[0]));
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(make_suite)
