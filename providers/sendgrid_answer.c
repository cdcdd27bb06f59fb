/*
 * What SendGrid means by an answer: the status decides, but for addresses it
 * refuses, which are named by their place in the request.
 */
#include <sendgrid_answer.h>

#include <common/answer.h>
#include <common/str.h>

/* Whether an error is about an address of personalizations.N.to, cc, bcc. */
static bool is_about_recipient(const json_t *error)
{
	struct postern_str field = answer_member(error, "field");

	return str_istarts(field, STR("personalizations.")) &&
	       (str_has(field, ".to") || str_has(field, ".cc") ||
		   str_has(field, ".bcc"));
}

static void classify_bad_request(const struct postern_response *response,
    const json_t *errors, struct postern_outcome *out)
{
	const json_t *first = json_array_get(errors, 0);
	bool is_recipient = json_array_size(errors) > 0;

	for (size_t i = 0; i < json_array_size(errors); i++)
		is_recipient = is_recipient &&
			       is_about_recipient(json_array_get(errors, i));
	out->try_singly = is_recipient && response->recipient_count > 1;
	if (is_recipient)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	answer_set(out, POSTERN_REJECTED, answer_member(first, "field"),
	    answer_member(first, "message"));
}

/* Seconds since 1970 when the limit is lifted. */
static uint64_t until_reset_ms(const struct postern_response *response)
{
	uint64_t reset, now = (uint64_t)response->now;

	if (!answer_number(
		answer_header(response, "X-RateLimit-Reset"), &reset))
		return answer_retry_after_ms(response);
	return reset > now ? (reset - now) * 1000 : 1000;
}

/* 200 with nothing: the message was checked, as asked for, and not sent. */
static bool is_sandbox_answer(const struct postern_response *response)
{
	return response->status == 200 && response->body.len == 0 &&
	       !response->is_cut;
}

void sendgrid_classify(bool is_sandbox, const struct postern_response *response,
    struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	const json_t *errors = json_object_get(body, "errors");
	struct postern_str text =
	    answer_member(json_array_get(errors, 0), "message");
	int status = response->status;

	answer_default(response, out);
	if (status == 202 || (is_sandbox && is_sandbox_answer(response))) {
		/* The status alone says so, whatever became of the rest. */
		answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
		answer_set_id(out, answer_header(response, "X-Message-Id"));
	} else if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status == 400) {
		classify_bad_request(response, errors, out);
	} else if (status >= 200 && status < 300) {
		answer_set(out, POSTERN_ACCOUNT, STR(""),
		    STR("not an answer of SendGrid: check url"));
	} else {
		/* SendGrid documents its 5xx as not processed. */
		if (status >= 500)
			out->result = POSTERN_TRANSIENT;
		if (status == 415)
			out->result = POSTERN_REJECTED;
		if (status == 403)
			out->is_about_sender = str_ieq(
			    answer_member(json_array_get(errors, 0), "field"),
			    STR("from"));
		if (status == 429)
			out->retry_after_ms = until_reset_ms(response);
		answer_set(out, out->result, STR(""), text);
	}
	answer_allowance(response, "X-RateLimit-", out);
	json_decref(body);
}
