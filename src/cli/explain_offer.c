/*
 * What one provider would make of a message: first what is known from the
 * configuration, then the request itself, built by the module as the server
 * has it built. Secrets are taken out of the settings before, so none can be
 * in what is shown; credentials that would be fetched are not.
 */
#include <cli/explain.h>

#include <base/clock.h>
#include <deliver/batch.h>
#include <mail/controls.h>
#include <mail/header.h>
#include <mail/traits.h>
#include <provider/provider.h>

#include <errno.h>
#include <jansson.h>

enum {
	BODY_MAX = 256 * 1024 * 1024
};

static void fail(struct explain_offer *o, const char *why)
{
	o->verdict = EXPLAIN_FAILED;
	o->why = why;
}

/* --- credentials --- */

/* A grant that is none. False: there is a verdict. */
static bool rehearse(struct explain_offer *o, const void *settings,
    struct arena *a, struct provider_grant **out)
{
	struct provider_preparation *c = provider_preparation_new(
	    o->provider->module, settings, &provider_world_real);
	enum provider_step step;

	if (!c) {
		fail(o, "out of memory");
		return false;
	}
	provider_preparation_rehearse(c);
	step = provider_preparation_step(c, clock_wall_ms() / 1000);
	o->source = arena_str(a, span_of(provider_preparation_source(c)));
	if (step == PROVIDER_STEP_REFUSED) {
		o->verdict = EXPLAIN_NO_KEYS;
		o->why = arena_str(a, span_of(provider_preparation_reason(c)));
	} else if (step == PROVIDER_STEP_SEND ||
		   !provider_preparation_is_stand_in(c)) {
		o->verdict = EXPLAIN_NO_SIGHT;
		o->why = "its request needs credentials, which are not "
			 "fetched here, and its module has nothing that "
			 "stands in for them";
	} else {
		*out = provider_preparation_grant(c);
		if (!*out)
			fail(o, "out of memory");
	}
	provider_preparation_free(c);
	return *out != NULL;
}

/* --- what does not go on --- */

/* Whether a name is in a JSON text, as a key or as a whole string. */
static bool speaks_of(json_t *node, struct span name)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(node))
		return span_ieq(span_make(json_string_value(node),
				    json_string_length(node)),
		    name);
	json_array_foreach(node, i, value)
	{
		if (speaks_of(value, name))
			return true;
	}
	json_object_foreach(node, key, value)
	{
		if (span_ieq(span_of(key), name) || speaks_of(value, name))
			return true;
	}
	return false;
}

/*
 * Those that every API has fields of its own for, or makes itself; and those
 * that steer, of which it is said elsewhere who has no place for them.
 */
static bool is_mapped(struct span name)
{
	static const char *const names[] = { "From", "To", "Cc", "Subject",
		"Reply-To", "MIME-Version" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (span_ieq(name, span_of(names[i])))
			return true;
	}
	return span_istarts_with(name, SPAN("Content-")) ||
	       control_kind(name) != CONTROL_NONE;
}

static bool is_listed(const struct explain_offer *o, struct span name)
{
	for (size_t i = 0; i < o->gone_count; i++) {
		if (span_ieq(span_of(o->gone[i]), name))
			return true;
	}
	return false;
}

static size_t count_fields(struct span header)
{
	struct message_field field;
	size_t n = 0;

	while (header_next(&header, &field))
		n++;
	return n;
}

/* root: of the request, or NULL. */
static bool is_gone(
    const struct explain_offer *o, struct span name, json_t *root)
{
	if (control_kind(name) == CONTROL_NATIVE)
		return !provider_knows_field(o->provider->module, name);
	return root && !is_mapped(name) && !speaks_of(root, name);
}

/*
 * Fields of the header that do not reach the provider: those that steer others,
 * and of an API that takes JSON those of which the request does not speak; what
 * else there may be is not looked into.
 */
static void find_gone(struct explain_offer *o, struct span header,
    struct span body, struct arena *a)
{
	json_t *root = NULL;
	struct message_field field;

	if (o->is_fields)
		root = json_loadb(body.ptr, body.len, 0, NULL);
	o->gone = arena_alloc(a, (count_fields(header) + 1) * sizeof(*o->gone));
	while (o->gone && header_next(&header, &field)) {
		if (is_listed(o, field.name) || !is_gone(o, field.name, root))
			continue;
		o->gone[o->gone_count] = arena_str(a, field.name);
		if (o->gone[o->gone_count])
			o->gone_count++;
	}
	json_decref(root);
}

/* --- the request --- */

static const char **copy_headers(const char *const *from, struct arena *a)
{
	size_t n = 0;

	while (from[n])
		n++;
	const char **to = arena_alloc(a, (n + 1) * sizeof(*to));
	for (size_t i = 0; to && i < n; i++)
		to[i] = arena_str(a, span_of(from[i]));
	return to;
}

/* The envelope as lines; its spans outlive the call. NULL for memory. */
static const char **envelope_lines(const struct http_smtp *how, struct arena *a)
{
	size_t count = how->recipient_count;
	const char **to = arena_alloc(a, (count + 2) * sizeof(*to));

	if (!to)
		return NULL;
	to[0] = arena_printf(a, "MAIL FROM:<%.*s>", SPAN_FMT(how->sender));
	for (size_t i = 0; i < count; i++)
		to[i + 1] = arena_printf(
		    a, "RCPT TO:<%.*s>", SPAN_FMT(how->recipients[i]));
	to[count + 1] = NULL;
	return to;
}

static const struct http_smtp *copy_smtp(
    const struct http_smtp *from, struct arena *a)
{
	struct http_smtp *to = arena_copy(a, from, sizeof(*from));

	if (to && to->user) {
		to->user = arena_str(a, span_of(from->user));
		to->password = arena_str(a, span_of(from->password));
	}
	return to && (!from->user || (to->user && to->password)) ? to : NULL;
}

static void take_request(struct explain_offer *o,
    const struct explain_letter *l, struct provider_call *call, struct arena *a)
{
	struct http_call http = { .body_size = 0 };
	struct buf body;

	provider_call_http(call, &http);
	o->is_fields = !provider_call_sends_message(call);
	o->is_recoded = provider_call_is_recoded(call);
	o->method = arena_str(a, span_of(http.method ? http.method : ""));
	o->url = arena_str(a, span_of(http.url));
	o->headers = http.smtp ? envelope_lines(http.smtp, a)
			       : copy_headers(http.headers, a);
	o->smtp = http.smtp ? copy_smtp(http.smtp, a) : NULL;
	o->body_size = http.body_size;
	buf_init(&body, BODY_MAX);
	if (provider_call_body(call, &body) < 0) {
		fail(o, "the request cannot be read");
	} else {
		o->body = curl_body_text(buf_span(&body), a, &o->is_shortened);
		find_gone(o, message_header(l->message), buf_span(&body), a);
		if (!o->method || !o->url || !o->headers || !o->body ||
		    (http.smtp && !o->smtp))
			fail(o, "out of memory");
	}
	buf_finish(&body);
}

/* As attempt.c does; the result of provider_call_build. */
static int build(struct explain_offer *o, const struct explain_letter *l,
    const struct provider_input *input, const void *settings, struct arena *a)
{
	struct provider_call *call = provider_call_new(input);
	struct err e = { .code = 0 };
	int rc;

	if (!call) {
		fail(o, "out of memory");
		return -ENOMEM;
	}
	rc = provider_call_build(call, o->provider->module, settings, &e);
	if (rc == 0) {
		take_request(o, l, call, a);
	} else if (rc == -E2BIG) {
		o->singly = arena_str(a, span_of(e.text));
	} else {
		o->verdict = rc == -EINVAL || rc == -EMSGSIZE ? EXPLAIN_REFUSED
							      : EXPLAIN_FAILED;
		o->why = arena_str(a, span_of(e.text));
	}
	provider_call_free(call);
	return rc;
}

static void build_batch(struct explain_offer *o, const struct explain_letter *l,
    const struct span *recipients, size_t count,
    const struct provider_grant *grant, struct arena *a)
{
	const struct config_provider *p = o->provider;
	const void *settings =
	    provider_mask_settings(p->module, p->settings, a);
	struct provider_input input = { .message = l->message,
		.id = l->id_text,
		.now = clock_wall_ms() / 1000,
		.sender = l->envelope.sender,
		.recipients = recipients,
		.grant = grant };
	char key_text[BATCH_KEY_SIZE];
	size_t limit = batch_limit(p);

	if (!settings) {
		fail(o, "out of memory");
		return;
	}
	for (o->batch = count < limit ? count : limit;; o->batch = 1) {
		struct batch_key key = { .digest = { 0 } };

		for (size_t i = 0; i < o->batch; i++)
			batch_key_add(&key, recipients[i], 0);
		batch_key_text(&key, l->id_text, p->name, key_text);
		input.attempt_key = key_text;
		input.recipient_count = o->batch;
		/* One alone is never asked to go alone. */
		if (build(o, l, &input, settings, a) != -E2BIG)
			break;
	}
	if (o->batch > 0)
		o->calls = (count + o->batch - 1) / o->batch;
}

void explain_offer_make(struct explain_offer *o, const struct explain_letter *l,
    const struct config_provider *p, const struct span *recipients,
    size_t count, struct arena *a)
{
	struct provider_grant *grant = NULL;

	*o = (struct explain_offer){ .provider = p,
		.lacks = l->needs & ~p->carries,
		.altered = l->needs & p->carries & ~p->module->flags };
	for (size_t i = 0; i < count; i++)
		o->lacks |= traits_needed_for(
				l->needs, &l->envelope.terms, recipients[i]) &
			    ~p->carries;
	if (o->lacks) {
		o->verdict = EXPLAIN_LACKS;
		return;
	}
	if (provider_prepares(p->module)) {
		const void *settings =
		    provider_mask_settings(p->module, p->settings, a);

		if (!settings)
			fail(o, "out of memory");
		if (!settings || !rehearse(o, settings, a, &grant))
			return;
	}
	build_batch(o, l, recipients, count, grant, a);
	provider_grant_unref(grant);
}
