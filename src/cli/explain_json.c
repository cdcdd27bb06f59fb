/* What `postern explain` says to programs: one object. */
#include <cli/explain.h>

#include <mail/traits.h>

#include <jansson.h>
#include <stdio.h>

static json_t *text(struct span s)
{
	json_t *t = json_stringn(s.ptr ? s.ptr : "", s.len);

	return t ? t : json_string("(not UTF-8)");
}

static json_t *texts(const struct span *at, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, text(at[i]));
	return list;
}

static json_t *strings(const char *const *at, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, text(span_of(at[i])));
	return list;
}

static json_t *traits(unsigned bits)
{
	char what[TRAITS_TEXT_SIZE];

	traits_describe(bits, what);
	return json_sprintf("%s%s%s",
	    bits & POSTERN_CARRIES_UTF8 ? "needs SMTPUTF8" : "",
	    bits & POSTERN_CARRIES_UTF8 && *what ? " and " : "", what);
}

static json_t *request(const struct explain_offer *o)
{
	size_t count = 0;

	if (o->verdict != EXPLAIN_BUILT)
		return NULL;
	while (o->headers[count])
		count++;
	return json_pack("{s:s, s:s, s:o, s:I, s:s, s:b}", "method", o->method,
	    "url", o->url, "headers", strings(o->headers, count), "body_bytes",
	    (json_int_t)o->body_size, "body", o->body, "shortened",
	    (int)o->is_shortened);
}

static json_t *offer(const struct explain_offer *o)
{
	static const char *const verdicts[] = { "built", "not_carried",
		"refused", "no_credentials", "not_shown", "failed" };

	return json_pack(
	    "{s:s, s:s, s:s, s:s*, s:o, s:o, s:b, s:o, s:s*, s:s*, s:I, "
	    "s:o*}",
	    "provider", o->provider->name, "type", o->provider->type, "verdict",
	    verdicts[o->verdict], "reason", o->why, "not_carried",
	    traits(o->lacks), "altered", traits(o->altered), "reencoded",
	    (int)o->is_recoded, "dropped_fields",
	    strings(o->gone, o->gone_count), "credentials", o->source, "singly",
	    o->singly, "calls", (json_int_t)o->calls, "request", request(o));
}

static json_t *group(const struct explain *x, const struct explain_group *g)
{
	json_t *offers = json_array(), *misfits = json_array();
	bool is_choice = !x->options.is_all && !x->options.provider;

	for (size_t i = 0; i < g->offer_count; i++)
		(void)json_array_append_new(offers, offer(&g->offers[i]));
	for (size_t i = 0; g->misfits && i < g->index; i++)
		(void)json_array_append_new(
		    misfits, text(span_of(g->misfits[i])));
	return json_pack("{s:o, s:s*, s:o*, s:o, s:o}", "recipients",
	    texts(g->recipients, g->count), "route",
	    g->route && g->route->name ? g->route->name : NULL, "index",
	    is_choice && g->route ? json_integer((json_int_t)g->index) : NULL,
	    "routes_before", misfits, "providers", offers);
}

static json_t *shut(const struct explain_letter *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->shut_count; i++)
		(void)json_array_append_new(list,
		    json_pack("{s:o, s:s}", "address", text(l->shut[i].address),
			"reason", l->shut[i].why));
	return list;
}

static void add_header(const struct explain_letter *l, json_t *to)
{
	struct span names[64], now = message_header(l->message);
	size_t n = explain_only_in(now, l->before, names, 64);

	(void)json_object_set_new(to, "added_fields", texts(names, n));
	n = explain_only_in(l->before, now, names, 64);
	(void)json_object_set_new(to, "removed_fields", texts(names, n));
	(void)json_object_set_new(to, "holds", traits(l->needs));
	(void)json_object_set_new(
	    to, "size", json_integer((json_int_t)message_size(l->message)));
}

void explain_print_json(const struct explain *x)
{
	const struct explain_letter *l = &x->letter;
	json_t *groups = json_array(), *root;

	for (size_t i = 0; i < x->group_count; i++)
		(void)json_array_append_new(groups, group(x, &x->groups[i]));
	root = json_pack("{s:b, s:s*, s:s, s:o, s:o, s:o}", "accepted",
	    (int)(l->message != NULL), "reason", l->message ? NULL : l->refusal,
	    "user", l->user->name, "sender", text(l->envelope.sender),
	    "refused_recipients", shut(l), "ways", groups);
	if (root && l->message)
		add_header(l, root);
	if (!root || json_dumpf(root, stdout, JSON_COMPACT) < 0)
		(void)fprintf(stderr, "postern explain: out of memory\n");
	(void)printf("\n");
	json_decref(root);
}
