/*
 * What SMTP2GO means by an answer: a success counts recipients, and its
 * failures name those it did not take. An error is at the top of the body or
 * under data.
 */
#include <smtp2go_answer.h>

#include <common/answer.h>
#include <common/str.h>

/* --- errors --- */

static struct postern_str member_of(
    const json_t *data, const json_t *body, const char *name)
{
	struct postern_str value = answer_member(data, name);

	return value.len > 0 ? value : answer_member(body, name);
}

enum {
	FAILURE_MAX = 1024 /* bytes */
};

static bool is_list_of_recipients(struct postern_str field)
{
	return str_ieq(field, STR("to")) || str_ieq(field, STR("cc")) ||
	       str_ieq(field, STR("bcc"));
}

/* 400 and 422: which field it is about is told, but not always. */
static void classify_bad_request(const struct postern_response *response,
    struct postern_str field, struct postern_str text,
    struct postern_outcome *out)
{
	bool is_recipient = is_list_of_recipients(field);

	if (str_ieq(field, STR("sender")) ||
	    (field.len == 0 && str_has(text, "sender"))) {
		out->result = POSTERN_ACCOUNT;
		out->is_about_sender = true;
		return;
	}
	out->result = POSTERN_REJECTED;
	if (is_recipient)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	/* Nothing was taken: asked one by one. */
	out->try_singly =
	    (is_recipient || field.len == 0) && response->recipient_count > 1;
}

static void classify_error(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *data = json_object_get(body, "data");
	const json_t *errors = json_object_get(data, "field_validation_errors");
	struct postern_str text = member_of(data, body, "error");
	struct postern_str code = member_of(data, body, "error_code");

	if (json_is_array(errors))
		errors = json_array_get(errors, 0);
	if (text.len == 0)
		text = answer_member(errors, "message");
	if (response->status == 400 || response->status == 422)
		classify_bad_request(
		    response, answer_member(errors, "fieldname"), text, out);
	answer_set(out, out->result, code, text);
}

/* --- success --- */

static bool is_of_address(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || strchr("!#$%&*+-/=?^_{|}~@", c);
}

/* Whether text holds this address, and not one that ends or begins with it. */
static bool names(struct postern_str text, struct postern_str address)
{
	struct postern_str at = str_ifind(text, address);

	while (at.len > 0) {
		struct postern_str rest = str_from(at, address.len);
		bool is_end = rest.len == 0 || !is_of_address(rest.ptr[0]);
		/* A full stop ends a sentence, or is part of a domain. */
		if (rest.len > 1 && rest.ptr[0] == '.' &&
		    is_of_address(rest.ptr[1]))
			is_end = false;
		if (is_end &&
		    (at.ptr == text.ptr ||
			(!is_of_address(at.ptr[-1]) && at.ptr[-1] != '.')))
			return true;
		at = str_ifind(str_from(at, 1), address);
	}
	return false;
}

/* Whom failures name; how many. Of a long one the beginning is looked at. */
static size_t reject_named(const struct postern_response *response,
    const json_t *failures, struct postern_outcome *out)
{
	size_t named = 0;

	for (size_t i = 0; i < response->recipient_count; i++) {
		const json_t *failure;
		size_t k;
		bool is_named = false;

		json_array_foreach(failures, k, failure)
		{
			struct postern_str text =
			    str_make(json_string_value(failure),
				json_string_length(failure));
			if (text.len > FAILURE_MAX)
				text.len = FAILURE_MAX;
			is_named |= names(text, response->recipients[i]);
		}
		if (is_named)
			answer_reject(out, i);
		named += is_named;
	}
	return named;
}

static void classify_counts(const struct postern_response *response,
    const json_t *data, struct postern_outcome *out)
{
	const json_t *failures = json_object_get(data, "failures");
	const json_t *first = json_array_get(failures, 0);
	struct postern_str text =
	    str_make(json_string_value(first), json_string_length(first));
	json_int_t taken =
	    json_integer_value(json_object_get(data, "succeeded"));
	json_int_t failed = json_integer_value(json_object_get(data, "failed"));

	answer_set_id(out, answer_member(data, "email_id"));
	out->refusal = POSTERN_REFUSED_RECIPIENT;
	if (taken == 0 && failed > 0) {
		answer_set(out, POSTERN_REJECTED, STR(""), text);
		return;
	}
	answer_set(out, POSTERN_ACCEPTED, STR(""), text);
	if (taken > 0 && failed == 0)
		return;
	if (taken > 0 && answer_names_recipients(response) &&
	    reject_named(response, failures, out) == (size_t)failed)
		return;
	memset(out->rejected, 0, (response->recipient_count + 7) / 8);
	answer_set(out, POSTERN_UNKNOWN,
	    STR("what became of each recipient is not told"), text);
}

static void classify_success(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *data = json_object_get(body, "data");

	if (json_is_integer(json_object_get(data, "succeeded"))) {
		classify_counts(response, data, out);
	} else if (member_of(data, body, "error").len > 0) {
		struct postern_response told = *response;
		told.status = 400;
		answer_default(&told, out);
		classify_error(&told, body, out);
	} else {
		answer_foreign(
		    response, STR("not an answer of SMTP2GO: check url"), out);
	}
}

void smtp2go_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status >= 200 && response->status < 300) {
		classify_success(response, body, out);
	} else {
		classify_error(response, body, out);
	}
	json_decref(body);
}
