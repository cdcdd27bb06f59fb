/* See faults.h. */
#include <sandbox/faults.h>

#include <stdlib.h>
#include <string.h>

#include <sandbox/fake.h>

enum {
	DELAY_MAX_MS = 10 * 60 * 1000
};

void faults_init(struct faults *f)
{
	list_init(&f->list);
	f->last_id = 0;
}

static void free_fault(struct fault *fault)
{
	list_remove(&fault->node);
	json_decref(fault->headers);
	free(fault->body);
	free(fault->match);
	free(fault);
}

void faults_remove(struct faults *f, const char *provider)
{
	list_for_each_safe (pos, next, &f->list) {
		struct fault *fault = container_of(pos, struct fault, node);

		if (!provider ||
		    (fault->provider && strcmp(fault->provider, provider) == 0))
			free_fault(fault);
	}
}

void faults_clear(struct faults *f)
{
	faults_remove(f, NULL);
}

/* -- reading a specification -- */

static const char *read_provider(struct fault *fault, const json_t *value)
{
	size_t i = fake_of_name(json_string_value(value));

	if (!value)
		return NULL;
	if (i == FAKES_ALL)
		return fakes_wrong;
	fault->provider = fakes[i]->name;
	return NULL;
}

static const char *read_numbers(struct fault *fault, const json_t *spec)
{
	const json_t *count = json_object_get(spec, "count");
	const json_t *status = json_object_get(spec, "status");
	json_int_t code = json_integer_value(status);

	fault->left = count ? json_integer_value(count) : 1;
	if ((count && !json_is_integer(count)) || fault->left < -1 ||
	    fault->left == 0)
		return "count is a number, or -1 for all requests";
	if (status && (!json_is_integer(status) || code < 200 || code > 599))
		return "status is a number from 200 to 599";
	fault->status = (int)code;
	return NULL;
}

static bool read_time(const json_t *value, uint64_t *out)
{
	*out = (uint64_t)json_integer_value(value);
	return !value || (json_is_integer(value) && *out <= DELAY_MAX_MS);
}

static const char *read_times(struct fault *fault, const json_t *spec)
{
	if (!read_time(json_object_get(spec, "delay_ms"), &fault->delay_ms) ||
	    !read_time(json_object_get(spec, "byte_ms"), &fault->byte_ms))
		return "delay_ms and byte_ms are numbers up to 600000";
	return NULL;
}

static const struct {
	const char *what, *when;
	enum fault_break how;
} breaks[] = {
	{ "hang", "before-body", FAULT_HANG_BEFORE_BODY },
	{ "hang", "after-body", FAULT_HANG_AFTER_BODY },
	{ "reset", "before-body", FAULT_RESET_BEFORE_BODY },
	{ "reset", "mid-body", FAULT_RESET_MID_BODY },
	{ "reset", "after-body", FAULT_RESET_AFTER_BODY },
};

static const char *read_break(struct fault *fault, const json_t *spec)
{
	const json_t *hang = json_object_get(spec, "hang");
	const json_t *reset = json_object_get(spec, "reset");
	const json_t *cut = json_object_get(spec, "cut");
	const char *when = json_string_value(hang ? hang : reset);

	if (cut && !json_is_boolean(cut))
		return "cut is true or false";
	if (json_is_true(cut))
		fault->how = FAULT_CUT_ANSWER;
	if (!hang && !reset)
		return NULL;
	if ((hang && reset) || json_is_true(cut))
		return "one of hang, reset and cut";
	for (size_t i = 0; when && i < sizeof(breaks) / sizeof(breaks[0]);
	     i++) {
		if (strcmp(breaks[i].what, hang ? "hang" : "reset") == 0 &&
		    strcmp(breaks[i].when, when) == 0)
			fault->how = breaks[i].how;
	}
	if (fault->how == FAULT_ANSWER)
		return "hang is before-body or after-body; reset too, or "
		       "mid-body";
	if (fault->status)
		return "a request that gets no answer has no status";
	return NULL;
}

static const char *read_headers(struct fault *fault, json_t *headers)
{
	const char *name;
	json_t *value;

	if (!headers)
		return NULL;
	if (!json_is_object(headers) ||
	    json_object_size(headers) > FAKE_HEADERS_MAX / 2)
		return "headers is an object of at most 8 strings";
	json_object_foreach(headers, name, value)
	{
		if (!json_is_string(value))
			return "headers is an object of at most 8 strings";
	}
	fault->headers = json_incref(headers);
	return NULL;
}

/* A string is sent as it is, anything else as JSON. */
static const char *read_body(struct fault *fault, const json_t *body)
{
	if (!body)
		return NULL;
	fault->type = json_is_string(body) ? "text/plain" : "application/json";
	fault->body = json_is_string(body) ? strdup(json_string_value(body))
					   : json_dumps(body, JSON_ENCODE_ANY);
	return fault->body ? NULL : "out of memory";
}

/* Of mail by SMTP: the command, when it is not the message. */
static const char *read_at(struct fault *fault, const json_t *spec)
{
	static const char *const commands[] = { "connect", "EHLO", "AUTH",
		"MAIL", "RCPT", "DATA", NULL };
	const json_t *at = json_object_get(spec, "at");
	const char *const *command = commands;
	bool is_smtp = fault->provider == fakes[FAKE_smtp]->name;

	if (is_smtp && fault->headers)
		return "replies of smtp have no headers";
	if (!at)
		return NULL;
	while (*command && (!json_is_string(at) ||
			       strcmp(*command, json_string_value(at)) != 0))
		command++;
	if (!is_smtp || !*command)
		return "at is of smtp: connect, EHLO, AUTH, MAIL, RCPT or DATA";
	fault->at = *command;
	if (!fault->status || fault->how != FAULT_ANSWER || fault->byte_ms)
		return "at goes with status, and perhaps body, delay_ms, match";
	return NULL;
}

static const char *read_rest(struct fault *fault, const json_t *spec)
{
	const json_t *match = json_object_get(spec, "match");
	const json_t *accept = json_object_get(spec, "accept");

	if (accept && !json_is_boolean(accept))
		return "accept is true or false";
	fault->is_accepting = json_is_true(accept);
	if (!match)
		return NULL;
	if (json_string_length(match) == 0)
		return "match is part of a recipient's address";
	if (fault_is_early(fault) ||
	    (fault->at && strcmp(fault->at, "RCPT") != 0))
		return "before the body no recipient is known to match";
	fault->match = strdup(json_string_value(match));
	return fault->match ? NULL : "out of memory";
}

static const char *check_names(json_t *spec)
{
	static const char *const known[] = { "provider", "count", "status",
		"headers", "body", "delay_ms", "byte_ms", "hang", "reset",
		"cut", "match", "accept", "at", NULL };
	const char *name;
	json_t *value;

	json_object_foreach(spec, name, value)
	{
		const char *const *k = known;

		while (*k && strcmp(*k, name) != 0)
			k++;
		if (!*k)
			return "known are provider, count, status, headers, "
			       "body, delay_ms, byte_ms, hang, reset, cut, "
			       "match, accept, at";
	}
	return NULL;
}

static const char *read_fault(struct fault *fault, json_t *spec)
{
	const char *wrong = check_names(spec);

	if (!wrong)
		wrong = read_provider(fault, json_object_get(spec, "provider"));
	if (!wrong)
		wrong = read_numbers(fault, spec);
	if (!wrong)
		wrong = read_times(fault, spec);
	if (!wrong)
		wrong = read_break(fault, spec);
	if (!wrong)
		wrong = read_headers(fault, json_object_get(spec, "headers"));
	if (!wrong)
		wrong = read_body(fault, json_object_get(spec, "body"));
	if (!wrong)
		wrong = read_at(fault, spec);
	if (!wrong)
		wrong = read_rest(fault, spec);
	if (!wrong && fault->how == FAULT_ANSWER && !fault->status &&
	    !fault->delay_ms && !fault->byte_ms)
		wrong = "a fault needs status, delay_ms, byte_ms, hang, reset "
			"or cut";
	return wrong;
}

const char *faults_add(struct faults *f, json_t *spec, uint64_t *out_id)
{
	struct fault *fault;

	if (!json_is_object(spec))
		return "a fault is a JSON object";
	fault = calloc(1, sizeof(*fault));
	if (!fault)
		return "out of memory";
	list_init(&fault->node);
	const char *wrong = read_fault(fault, spec);
	if (wrong) {
		free_fault(fault);
		return wrong;
	}
	fault->id = ++f->last_id;
	list_append(&f->list, &fault->node);
	*out_id = fault->id;
	return NULL;
}

/* -- use -- */

static bool is_for(const struct fault *fault, const char *provider)
{
	return fault->left != 0 &&
	       (!fault->provider || strcmp(fault->provider, provider) == 0);
}

static const struct fault *fire(struct fault *fault)
{
	fault->fired++;
	if (fault->left > 0)
		fault->left--;
	return fault;
}

const struct fault *faults_take_head(struct faults *f, const char *provider)
{
	list_for_each (pos, &f->list) {
		struct fault *fault = container_of(pos, struct fault, node);

		if (!is_for(fault, provider) || fault->match || fault->at)
			continue;
		return fault_is_early(fault) ? fire(fault) : NULL;
	}
	return NULL;
}

static bool matches(const struct fault *fault, struct span recipients)
{
	return !fault->match || memmem(recipients.ptr, recipients.len,
				    fault->match, strlen(fault->match)) != NULL;
}

const struct fault *faults_take(
    struct faults *f, const char *provider, struct span recipients)
{
	list_for_each (pos, &f->list) {
		struct fault *fault = container_of(pos, struct fault, node);

		if (is_for(fault, provider) && !fault->at &&
		    matches(fault, recipients))
			return fire(fault);
	}
	return NULL;
}

const struct fault *faults_take_command(struct faults *f, const char *provider,
    const char *command, struct span args)
{
	list_for_each (pos, &f->list) {
		struct fault *fault = container_of(pos, struct fault, node);

		if (is_for(fault, provider) && fault->at &&
		    strcmp(fault->at, command) == 0 && matches(fault, args))
			return fire(fault);
	}
	return NULL;
}

static json_t *text_or_null(const char *text)
{
	return text ? json_string(text) : json_null();
}

static json_t *describe(const struct fault *fault)
{
	static const char *const how[] = { [FAULT_ANSWER] = "answer",
		[FAULT_RESET_BEFORE_BODY] = "reset before-body",
		[FAULT_RESET_MID_BODY] = "reset mid-body",
		[FAULT_HANG_BEFORE_BODY] = "hang before-body",
		[FAULT_RESET_AFTER_BODY] = "reset after-body",
		[FAULT_HANG_AFTER_BODY] = "hang after-body",
		[FAULT_CUT_ANSWER] = "cut" };

	return json_pack(
	    "{s:I, s:o, s:I, s:I, s:i, s:I, s:I, s:s, s:b, s:o, s:o}", "id",
	    (json_int_t)fault->id, "provider", text_or_null(fault->provider),
	    "left", (json_int_t)fault->left, "fired", (json_int_t)fault->fired,
	    "status", fault->status, "delay_ms", (json_int_t)fault->delay_ms,
	    "byte_ms", (json_int_t)fault->byte_ms, "how", how[fault->how],
	    "accept", (int)fault->is_accepting, "match",
	    text_or_null(fault->match), "at", text_or_null(fault->at));
}

json_t *faults_list(const struct faults *f)
{
	json_t *list = json_array();

	list_for_each (pos, &f->list)
		(void)json_array_append_new(
		    list, describe(container_of(pos, struct fault, node)));
	return list;
}
