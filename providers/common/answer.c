/*
 * The table of what a status means when a provider's own table is silent.
 * A gateway's error may hide an acceptance, hence 500, 502 and 504 are
 * unknown here; a module that knows better says so before it asks.
 */
#include <common/answer.h>

#include <common/date.h>
#include <common/str.h>

#include <stddef.h>
#include <stdio.h>

enum {
	RETRY_SECONDS_MAX = 7 * 24 * 3600,
	FIELD_NAME_MAX = 64,
	/* No wait is that long; a date of our time is later. */
	DATES_FROM = 1000000000,
	REASON_PART_MAX = 300
};

struct postern_str answer_header(
    const struct postern_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++) {
		if (str_ieq(response->headers[i].name, str_of(name)))
			return response->headers[i].value;
	}
	return STR("");
}

json_t *answer_json(const struct postern_response *response)
{
	return json_loadb(response->body.ptr, response->body.len, 0, NULL);
}

struct postern_str answer_text(const json_t *value)
{
	if (!json_is_string(value))
		return STR("");
	return str_make(json_string_value(value), json_string_length(value));
}

struct postern_str answer_member(const json_t *object, const char *name)
{
	return answer_text(json_object_get(object, name));
}

bool answer_number(struct postern_str s, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	if (s.len == 0 || s.len > 15)
		return false;
	*out = value;
	return true;
}

uint64_t answer_retry_after_ms(const struct postern_response *response)
{
	struct postern_str value = answer_header(response, "Retry-After");
	uint64_t seconds = 0;
	int64_t date;

	if (!answer_number(value, &seconds)) {
		if (!date_parse(value, &date) || date <= response->now)
			return 0;
		seconds = (uint64_t)(date - response->now);
	}
	if (seconds > RETRY_SECONDS_MAX)
		seconds = RETRY_SECONDS_MAX;
	return seconds * 1000;
}

static bool read_count(const struct postern_response *response,
    const char *prefix, const char *name, uint64_t *out)
{
	char field[FIELD_NAME_MAX];

	(void)snprintf(field, sizeof(field), "%s%s", prefix, name);
	return answer_number(answer_header(response, field), out);
}

void answer_allowance(const struct postern_response *response,
    const char *prefix, struct postern_outcome *out)
{
	uint64_t left, reset, now = (uint64_t)response->now;

	/* Older cores do not have these fields. */
	if (out->size < sizeof(*out) ||
	    !read_count(response, prefix, "Remaining", &left) ||
	    !read_count(response, prefix, "Reset", &reset))
		return;
	if (reset >= DATES_FROM)
		reset = reset > now ? reset - now : 0;
	out->has_allowance = true;
	out->allowed = left;
	if (!read_count(response, prefix, "Limit", &out->allowed_of))
		out->allowed_of = 0;
	out->allowed_for_ms = reset * 1000;
}

static enum postern_class class_of(int status)
{
	switch (status) {
	case 400:
	case 413:
	case 422:
		return POSTERN_REJECTED;
	case 408:
	case 409:
	case 421:
	case 425:
	case 503:
		return POSTERN_TRANSIENT;
	case 429:
		return POSTERN_THROTTLED;
	default:
		break;
	}
	if (status < 200 || status >= 500)
		return POSTERN_UNKNOWN;
	if (status < 300)
		return POSTERN_ACCEPTED;
	/* Redirects, refused keys, wrong paths: the account's settings. */
	return POSTERN_ACCOUNT;
}

bool answer_is_torn(const struct postern_response *response, const json_t *body)
{
	int status = response->status;
	bool needs_words =
	    (status >= 200 && status < 300) || status == 400 || status == 422;

	return response->is_cut && !body && needs_words;
}

void answer_default(
    const struct postern_response *response, struct postern_outcome *out)
{
	enum postern_class result = class_of(response->status);

	if (answer_is_torn(response, NULL)) {
		answer_set(out, POSTERN_UNKNOWN, STR(""),
		    STR("the answer was cut off"));
		return;
	}
	answer_set(out, result, STR(""), STR(""));
	if (response->status == 413)
		out->refusal = POSTERN_REFUSED_SIZE;
	if (result == POSTERN_THROTTLED || result == POSTERN_TRANSIENT)
		out->retry_after_ms = answer_retry_after_ms(response);
}

static struct postern_str shorten(struct postern_str s)
{
	return str_make(
	    s.ptr, s.len < REASON_PART_MAX ? s.len : REASON_PART_MAX);
}

void answer_set(struct postern_outcome *out, enum postern_class result,
    struct postern_str name, struct postern_str text)
{
	bool has_both = name.len > 0 && text.len > 0;

	name = shorten(name);
	text = shorten(text);
	out->result = result;
	(void)snprintf(out->reason, sizeof(out->reason), "%.*s%s%.*s",
	    STR_FMT(name), has_both ? ": " : "", STR_FMT(text));
}

void answer_set_id(struct postern_outcome *out, struct postern_str id)
{
	if (id.len >= 2 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>')
		id = str_make(id.ptr + 1, id.len - 2);
	if (id.len >= sizeof(out->provider_id))
		id.len = sizeof(out->provider_id) - 1;
	memcpy(out->provider_id, id.ptr, id.len);
	out->provider_id[id.len] = '\0';
}

void answer_add_id(struct postern_outcome *out, struct postern_str id)
{
	size_t used = strlen(out->provider_id);
	size_t room = sizeof(out->provider_id) - used;

	if (id.len + 2 > room)
		return;
	(void)snprintf(out->provider_id + used, room, "%s%.*s",
	    used > 0 ? "," : "", STR_FMT(id));
}

/* Whether it begins as JSON that is more than a word. */
static bool looks_like_json(struct postern_str body)
{
	while (body.len > 0 && strchr(" \t\r\n", body.ptr[0]))
		body = str_from(body, 1);
	return body.len > 0 && (body.ptr[0] == '{' || body.ptr[0] == '[');
}

void answer_foreign(const struct postern_response *response,
    struct postern_str foreign, struct postern_outcome *out)
{
	answer_set(out,
	    looks_like_json(response->body) ? POSTERN_UNKNOWN : POSTERN_ACCOUNT,
	    STR(""), foreign);
}

void answer_take(const struct postern_response *response, const json_t *body,
    const char *member, struct postern_str foreign, struct postern_outcome *out)
{
	struct postern_str id = answer_member(body, member);

	if (id.len > 0)
		answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
	else
		answer_foreign(response, foreign, out);
	answer_set_id(out, id);
}

static bool is_asked_for(
    const struct postern_response *response, struct postern_str address)
{
	for (size_t i = 0; i < response->recipient_count; i++) {
		if (str_ieq(response->recipients[i], address))
			return true;
	}
	return false;
}

const json_t *answer_row(const struct postern_response *response,
    const json_t *rows, const char *member, size_t i)
{
	const json_t *placed = json_array_get(rows, i), *row;
	size_t k;

	if (!answer_names_recipients(response))
		return placed;
	json_array_foreach(rows, k, row)
	{
		if (str_ieq(
			answer_member(row, member), response->recipients[i]))
			return row;
	}
	return is_asked_for(response, answer_member(placed, member)) ? NULL
								     : placed;
}

void answer_reject(struct postern_outcome *out, size_t i)
{
	out->rejected[i / 8] |= (uint8_t)(1u << i % 8);
}

bool answer_names_recipients(const struct postern_response *response)
{
	return response->size >= offsetof(struct postern_response, is_repeat) &&
	       response->recipients;
}
