/* What `postern explain` says to people. */
#include <cli/explain.h>

#include <base/date.h>
#include <mail/header.h>
#include <mail/traits.h>
#include <provider/provider.h>
#include <smtp/user.h>

#include <inttypes.h>
#include <stdio.h>

enum {
	NAMES_MAX = 64,
	RECIPIENTS_SHOWN = 5,
	COMMAND_MAX = 64 * 1024 * 1024
};

static void line(const char *label)
{
	printf("%-10s ", label);
}

/* --- the message --- */

static bool has_name(struct span block, struct span name)
{
	struct message_field field;

	return header_find(block, name, &field);
}

size_t explain_only_in(
    struct span block, struct span other, struct span *names, size_t max)
{
	struct message_field field;
	size_t n = 0;

	while (n < max && header_next(&block, &field)) {
		bool is_new =
		    field.name.len > 0 && !has_name(other, field.name);

		for (size_t i = 0; is_new && i < n; i++)
			is_new = !span_ieq(names[i], field.name);
		if (is_new)
			names[n++] = field.name;
	}
	return n;
}

static void print_names(
    const char *label, const char *what, struct span block, struct span other)
{
	struct span names[NAMES_MAX];
	size_t n = explain_only_in(block, other, names, NAMES_MAX);

	if (n == 0)
		return;
	line(label);
	printf("%s", what);
	for (size_t i = 0; i < n; i++)
		printf("%s %.*s", i > 0 ? "," : "", SPAN_FMT(names[i]));
	printf("\n");
}

static void print_altered(const struct explain_letter *l)
{
	struct span now = message_header(l->message);

	print_names("header", "added:", now, l->before);
	print_names("header", "removed:", l->before, now);
	if (has_name(l->before, SPAN("Received")))
		printf("%-10s a Received of this server comes before those "
		       "there are\n",
		    "header");
	if (l->kept)
		printf("%-10s %s\n", "header", l->kept);
}

static void print_addresses(const struct span *at, size_t count)
{
	for (size_t i = 0; i < count && i < RECIPIENTS_SHOWN; i++)
		printf("%s%.*s", i > 0 ? ", " : "", SPAN_FMT(at[i]));
	if (count > RECIPIENTS_SHOWN)
		printf(" and %zu more", count - RECIPIENTS_SHOWN);
}

static void print_envelope(const struct explain_letter *l)
{
	const struct envelope *e = &l->envelope;

	line("from");
	printf("<%.*s>%s\n", SPAN_FMT(e->sender),
	    e->terms.is_utf8 ? " with SMTPUTF8" : "");
	line("to");
	printf("%zu recipient%s\n", e->recipient_count,
	    e->recipient_count == 1 ? "" : "s");
	for (size_t i = 0; i < l->shut_count; i++)
		printf("%-10s not <%.*s>: %s\n", "",
		    SPAN_FMT(l->shut[i].address), l->shut[i].why);
}

/* --- the user --- */

static const char *mode_name(enum config_mode mode)
{
	switch (mode) {
	case CONFIG_MODE_QUEUED:
		return "queued";
	case CONFIG_MODE_DIRECT:
		return "direct";
	case CONFIG_MODE_HYBRID:
	case CONFIG_MODE_INHERIT:
		break;
	}
	return "hybrid";
}

static const char *mode_promise(enum config_mode mode)
{
	switch (mode) {
	case CONFIG_MODE_QUEUED:
		return "250 once it is stored";
	case CONFIG_MODE_DIRECT:
		return "250 once a provider has taken it; nothing is stored";
	case CONFIG_MODE_HYBRID:
	case CONFIG_MODE_INHERIT:
		break;
	}
	return "stored, and the reply waits a while for the provider's verdict";
}

/* It may depend on the listener: then it is said for each. */
static void print_mode(const struct explain *x)
{
	const struct config *c = x->config;
	const struct config_user *u = x->letter.user;
	enum config_mode first = smtp_user_mode(
	    c, c->listeners.count ? c->listeners.items : NULL, u);
	bool is_same = true;

	for (size_t i = 0; i < c->listeners.count; i++) {
		const struct config_listener *l =
		    CONFIG_AT(c->listeners, struct config_listener, i);
		is_same = is_same && smtp_user_mode(c, l, u) == first;
	}
	line("mode");
	if (is_same)
		printf("%s: %s", mode_name(first), mode_promise(first));
	for (size_t i = 0; !is_same && i < c->listeners.count; i++) {
		const struct config_listener *l =
		    CONFIG_AT(c->listeners, struct config_listener, i);
		printf("%s%s at %s", i > 0 ? ", " : "",
		    mode_name(smtp_user_mode(c, l, u)), l->name);
	}
	printf("\n");
	if (x->letter.envelope.terms.release_ms > 0) {
		char time[DATE_RFC3339_SIZE];

		date_format_rfc3339_s(
		    x->letter.envelope.terms.release_ms, time);
		line("waits");
		printf("in the queue until %s\n", time);
	}
}

static void print_user(const struct explain *x)
{
	const struct config_user *u = x->letter.user;
	int64_t recipients = smtp_user_recipients(x->config, u);

	line("user");
	printf("%s, up to %" PRIu64 " bytes", u->name,
	    smtp_user_size(x->config, u));
	if (recipients > 0)
		printf(" and %" PRId64 " recipients", recipients);
	for (size_t i = 0; i < u->senders.count; i++)
		printf("%s%s", i > 0 ? ", " : ", as ",
		    CONFIG_STRING(u->senders, i));
	printf("\n");
	if (u->rate.count > 0 || u->daily > 0) {
		line("");
		if (u->rate.count > 0)
			printf("%" PRIu64 " messages in %" PRIu64 " s",
			    u->rate.count, u->rate.per_ms / 1000);
		if (u->daily > 0)
			printf("%s%" PRId64 " messages a day",
			    u->rate.count > 0 ? ", " : "", u->daily);
		printf("; how many are left only the running server knows\n");
	}
}

/* --- a provider --- */

static void print_traits(const char *before, unsigned traits)
{
	char what[TRAITS_TEXT_SIZE];

	traits_describe(traits, what);
	if (traits & POSTERN_CARRIES_UTF8)
		printf("%sit needs SMTPUTF8%s%s", before, *what ? ", and " : "",
		    what);
	else
		printf("%sthe message %s", before, what);
}

static void print_calls(const struct explain_offer *o)
{
	printf("%zu call%s", o->calls, o->calls == 1 ? "" : "s");
	if (o->calls > 1)
		printf(" of up to %zu recipient%s", o->batch,
		    o->batch == 1 ? "" : "s");
	printf(", %s, %" PRIu64 " bytes",
	    o->is_fields ? "as fields and files" : "the message itself",
	    o->body_size);
}

static void print_verdict(const struct explain_offer *o)
{
	switch (o->verdict) {
	case EXPLAIN_BUILT:
		print_calls(o);
		break;
	case EXPLAIN_LACKS:
		print_traits("passed over: ", o->lacks);
		printf(", which it does not keep intact");
		break;
	case EXPLAIN_REFUSED:
		printf("refuses: %s", o->why);
		break;
	case EXPLAIN_NO_KEYS:
		printf("has no credentials here: %s", o->why);
		break;
	case EXPLAIN_NO_SIGHT:
	case EXPLAIN_FAILED:
		printf("not shown: %s", o->why);
		break;
	}
	printf("\n");
}

static void print_losses(const struct explain_offer *o)
{
	if (o->altered && o->verdict != EXPLAIN_LACKS) {
		printf("%6s", "");
		print_traits("altered: ", o->altered);
		printf(" (allow_altering)\n");
	}
	if (o->is_recoded)
		printf("%6sre-encoded: parts with 8-bit text or lines over "
		       "998 octets\n",
		    "");
	if (o->gone_count > 0)
		printf("%6sheader fields that do not go on:", "");
	for (size_t i = 0; i < o->gone_count; i++)
		printf("%s %s", i > 0 ? "," : "", o->gone[i]);
	if (o->gone_count > 0)
		printf("\n");
	if (o->singly)
		printf("%6seach recipient alone: %s\n", "", o->singly);
}

static void print_limits(const struct explain_offer *o)
{
	const struct config_budget *b = &o->provider->budget;

	if (o->verdict == EXPLAIN_LACKS)
		return;
	if (b->per_day > 0 || b->per_month > 0 || b->cost_per_day > 0 ||
	    b->cost_per_month > 0)
		printf("%6sits budget may be spent: only the running server "
		       "knows\n",
		    "");
	if (o->source && *o->source)
		printf("%6scredentials from %s; none are fetched for this\n",
		    "", o->source);
}

static void print_offer(const struct explain_offer *o, size_t number)
{
	char label[16];

	(void)snprintf(label, sizeof(label), number ? "%zu." : "-", number);
	printf("  %3s %-12s ", label, o->provider->name);
	print_verdict(o);
	print_losses(o);
	print_limits(o);
}

static void print_request(const struct explain_offer *o)
{
	struct buf text;

	buf_init(&text, COMMAND_MAX);
	if (curl_command(o, &text) < 0) {
		printf("the request cannot be shown: out of memory\n");
	} else {
		printf("\n# %s%s; secrets are " POSTERN_MASK "%s\n%.*s",
		    o->provider->name, o->calls > 1 ? ", the first call" : "",
		    o->is_shortened ? ", the body is shortened" : "",
		    SPAN_FMT(buf_span(&text)));
	}
	buf_finish(&text);
}

/* --- ways --- */

static void print_misfits(
    const struct explain *x, const struct explain_group *g)
{
	for (size_t i = 0; i < g->index; i++) {
		const struct config_route *r =
		    CONFIG_AT(x->config->routes, struct config_route, i);

		printf("%-10s not routes[%zu]%s%s: match.%s\n", "", i,
		    r->name ? " " : "", r->name ? r->name : "",
		    g->misfits[i] ? g->misfits[i] : "");
	}
}

static const char *order_text(const struct config_route *r)
{
	switch (r->strategy) {
	case CONFIG_STRATEGY_WEIGHTED:
		return "weighted: drawn anew for each message, here is one "
		       "draw";
	case CONFIG_STRATEGY_LEAST_USED:
		return "least_used: the order of a day on which nothing was "
		       "sent yet";
	default:
		return "in this order, as long as one cannot take it";
	}
}

static void print_route(const struct explain *x, const struct explain_group *g)
{
	line("route");
	if (g->route) {
		printf("routes[%zu]%s%s, for ", g->index,
		    g->route->name ? " " : "",
		    g->route->name ? g->route->name : "");
		print_addresses(g->recipients, g->count);
		printf("\n");
	} else {
		printf("none matches for ");
		print_addresses(g->recipients, g->count);
		printf(": the message is refused (451 4.3.5)\n");
	}
	print_misfits(x, g);
	if (g->route)
		printf("%-10s %s\n", "providers", order_text(g->route));
}

/* Who would be asked first gets number 1, and its request is shown. */
static void print_group(const struct explain *x, const struct explain_group *g)
{
	const struct explain_offer *first = NULL;
	bool is_choice = !x->options.is_all && !x->options.provider;
	size_t number = 0;

	if (is_choice)
		print_route(x, g);
	else
		printf("%-10s of all recipients, whatever the routes say\n",
		    "providers");
	for (size_t i = 0; i < g->offer_count; i++) {
		const struct explain_offer *o = &g->offers[i];
		bool is_asked = o->verdict != EXPLAIN_LACKS;

		number += is_asked;
		print_offer(o, is_asked && is_choice ? number : 0);
		if (!first && o->verdict == EXPLAIN_BUILT)
			first = o;
	}
	if (g->is_unnamed)
		printf("%-10s X-Postern-Provider names none of them: it is "
		       "refused (550 5.7.1)\n",
		    "");
	else if (g->route && number == 0)
		printf("%-10s none keeps the message intact: it is refused "
		       "(554 5.6.3)\n",
		    "");
	if (first && !x->options.is_all)
		print_request(first);
}

void explain_print(const struct explain *x)
{
	const struct explain_letter *l = &x->letter;

	line("message");
	if (l->message)
		printf("%" PRIu64 " bytes, as %s\n", message_size(l->message),
		    l->id_text);
	else
		printf("not taken: %s\n", l->refusal);
	if (l->envelope.sender.ptr)
		print_envelope(l);
	print_user(x);
	if (!l->message)
		return;
	print_mode(x);
	if (l->needs) {
		line("content");
		print_traits("", l->needs);
		printf("\n");
	}
	print_altered(l);
	for (size_t i = 0; i < x->group_count; i++) {
		printf("\n");
		print_group(x, &x->groups[i]);
	}
	printf("\nWhether a provider is left alone just now, and what of rates "
	       "and quotas is used\nup, only the running server knows: "
	       "postern stats.\n");
}
