/*
 * What SMTP2GO means by an answer: a success counts recipients, and its
 * failures name those it did not take. An error is at the top of the body or
 * under data.
 */
#include <smtp2go_answer.h>

#include <common/answer.h>
#include <common/str.h>

enum {
	WORDS_MAX = 32 * 1024 /* bytes of failures that are looked at */
};

/* --- words --- */

static bool is_of_address(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') ||
	       (c && strchr("!#$%&'*+-/=?^_{|}~@.", c));
}

/* An address, or a word, without what is around it; empty at the end. */
static struct postern_str cut_word(struct postern_str *text)
{
	struct postern_str word;
	size_t len = 0;

	while (text->len > 0 && !is_of_address(text->ptr[0]))
		*text = str_from(*text, 1);
	while (len < text->len && is_of_address(text->ptr[len]))
		len++;
	word = str_make(text->ptr, len);
	*text = str_from(*text, len);
	while (word.len > 1 && strchr("'.", word.ptr[0]))
		word = str_from(word, 1);
	while (word.len > 1 && strchr("'.", word.ptr[word.len - 1]))
		word.len--;
	return word;
}

/* "sender", "sender's", but not as part of an address. */
static bool speaks_of_sender(struct postern_str text)
{
	struct postern_str word = cut_word(&text);

	while (word.len > 0) {
		if (str_istarts(word, STR("sender")) &&
		    !memchr(word.ptr, '@', word.len) &&
		    !memchr(word.ptr, '.', word.len))
			return true;
		word = cut_word(&text);
	}
	return false;
}

/* --- errors --- */

static struct postern_str member_of(
    const json_t *data, const json_t *body, const char *name)
{
	struct postern_str value = answer_member(data, name);

	return value.len > 0 ? value : answer_member(body, name);
}

static bool is_list_of_recipients(struct postern_str field)
{
	return str_ieq(field, STR("to")) || str_ieq(field, STR("cc")) ||
	       str_ieq(field, STR("bcc"));
}

/* Nothing was taken. Which field it is about is told, but not always. */
static void classify_refusal(const struct postern_response *response,
    struct postern_str field, struct postern_str text,
    struct postern_outcome *out)
{
	bool is_recipient = is_list_of_recipients(field);

	if (str_ieq(field, STR("sender")) ||
	    (field.len == 0 && speaks_of_sender(text))) {
		out->result = POSTERN_ACCOUNT;
		out->is_about_sender = true;
		return;
	}
	out->result = POSTERN_REJECTED;
	if (is_recipient)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	/* Asked one by one it will tell. */
	out->try_singly =
	    (is_recipient || field.len == 0) && response->recipient_count > 1;
}

/* What is said of a field says more than that the request is not valid. */
static void classify_error(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *data = json_object_get(body, "data");
	const json_t *errors = json_object_get(data, "field_validation_errors");
	struct postern_str code = member_of(data, body, "error_code");
	struct postern_str text;

	if (json_is_array(errors))
		errors = json_array_get(errors, 0);
	text = answer_member(errors, "message");
	if (text.len == 0)
		text = member_of(data, body, "error");
	if (response->status == 400 || response->status == 422)
		classify_refusal(
		    response, answer_member(errors, "fieldname"), text, out);
	answer_set(out, out->result, code, text);
}

/* --- success --- */

static bool is_rejected(const struct postern_outcome *out, size_t i)
{
	return out->rejected[i / 8] & (1u << i % 8);
}

/* Whom one of them names; how many. */
static size_t reject_named(const struct postern_response *response,
    struct postern_str text, struct postern_outcome *out)
{
	struct postern_str word = cut_word(&text);
	size_t named = 0;

	for (; word.len > 0; word = cut_word(&text)) {
		for (size_t i = 0; i < response->recipient_count; i++) {
			if (!str_ieq(response->recipients[i], word) ||
			    is_rejected(out, i))
				continue;
			answer_reject(out, i);
			named++;
		}
	}
	return named;
}

static json_int_t reject_failed(const struct postern_response *response,
    const json_t *failures, struct postern_outcome *out)
{
	size_t room = WORDS_MAX, i;
	json_int_t named = 0;
	const json_t *failure;

	json_array_foreach(failures, i, failure)
	{
		struct postern_str text = answer_text(failure);
		if (text.len > room)
			text.len = room;
		room -= text.len;
		named += (json_int_t)reject_named(response, text, out);
	}
	return named;
}

static void classify_counts(const struct postern_response *response,
    const json_t *data, struct postern_outcome *out)
{
	const json_t *failures = json_object_get(data, "failures");
	struct postern_str text = answer_text(json_array_get(failures, 0));
	struct postern_str id = answer_member(data, "email_id");
	json_int_t taken =
	    json_integer_value(json_object_get(data, "succeeded"));
	json_int_t failed = json_integer_value(json_object_get(data, "failed"));
	json_int_t named = 0;

	answer_set_id(out, id);
	out->refusal = POSTERN_REFUSED_RECIPIENT;
	if (taken == 0 && failed > 0) {
		out->is_about_sender = speaks_of_sender(text);
		answer_set(out,
		    out->is_about_sender ? POSTERN_ACCOUNT : POSTERN_REJECTED,
		    STR(""), text);
		return;
	}
	answer_set(out, POSTERN_ACCEPTED, STR(""), text);
	if (taken > 0 && failed == 0)
		return;
	if (answer_names_recipients(response))
		named = reject_failed(response, failures, out);
	if (taken > 0 && named == failed)
		return;
	/* The sentences name others, too. */
	if (named > failed)
		memset(out->rejected, 0, (response->recipient_count + 7) / 8);
	answer_set(out,
	    taken > 0 || id.len > 0 ? POSTERN_ACCEPTED : POSTERN_UNKNOWN,
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
