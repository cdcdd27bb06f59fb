/* What Mailgun's answers to messages.mime mean. */
#include <mailgun_answer.h>

#include <common/answer.h>
#include <common/date.h>
#include <common/str.h>

/* "... try again after 120 seconds", or after a date. */
static uint64_t wait_ms(
    const struct postern_response *response, struct postern_str text)
{
	struct postern_str after = str_ifind(text, STR("try again after "));
	uint64_t seconds = 0;
	int64_t date;
	size_t digits = 0;

	after = str_from(after, strlen("try again after "));
	while (digits < after.len && after.ptr[digits] >= '0' &&
	       after.ptr[digits] <= '9')
		digits++;
	if (str_istarts(str_from(after, digits), STR(" second")) &&
	    answer_number(str_make(after.ptr, digits), &seconds))
		return seconds * 1000;
	if (date_parse(after, &date) && date > response->now)
		return (uint64_t)(date - response->now) * 1000;
	return answer_retry_after_ms(response);
}

static void classify_bad_request(const struct postern_response *response,
    struct postern_str text, struct postern_outcome *out)
{
	bool is_address =
	    str_has(text, "parameter is not a valid address") &&
	    (str_istarts(text, STR("to ")) || str_istarts(text, STR("'to'")) ||
		str_istarts(text, STR("cc ")) ||
		str_istarts(text, STR("bcc ")));

	out->try_singly = is_address && response->recipient_count > 1;
	if (is_address)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	answer_set(out,
	    str_has(text, "not allowed to send") ? POSTERN_ACCOUNT
						 : POSTERN_REJECTED,
	    STR(""), text);
}

static void classify_success(const struct postern_response *response,
    const json_t *body, struct postern_str text, struct postern_outcome *out)
{
	struct postern_str id = answer_member(body, "id");

	if (str_istarts(text, STR("Queued")) || id.len > 0) {
		answer_set(out, POSTERN_ACCEPTED, STR(""), text);
		answer_set_id(out, id);
	} else {
		answer_foreign(response,
		    STR("not an answer to messages.mime: check url and "
			"domain"),
		    out);
	}
}

void mailgun_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	struct postern_str text = answer_member(body, "message");
	int status = response->status;

	(void)settings;
	if (!body)
		text = response->body;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status >= 200 && status < 300) {
		classify_success(response, body, text, out);
	} else if (status == 400) {
		classify_bad_request(response, text, out);
	} else {
		if (status >= 500)
			out->result = POSTERN_TRANSIENT;
		if (status == 429)
			out->retry_after_ms = wait_ms(response, text);
		answer_set(out, out->result, STR(""), text);
	}
	json_decref(body);
}
