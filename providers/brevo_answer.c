/*
 * What Brevo means by an answer: its code decides, for which status comes
 * with which code is not told.
 */
#include <brevo_answer.h>

#include <common/str.h>
#include <common/verdict.h>

static const struct verdict verdicts[] = {
	{ .code = "invalid_parameter", .result = POSTERN_REJECTED },
	{ .code = "missing_parameter", .result = POSTERN_REJECTED },
	{ .code = "out_of_range", .result = POSTERN_REJECTED },
	{ .code = "duplicate_parameter", .result = POSTERN_REJECTED },
	{ .code = "bad_request", .result = POSTERN_REJECTED },
	{ .code = "unprocessable_entity", .result = POSTERN_REJECTED },
	/* The key is of this call alone: an earlier try of it was taken. */
	{ .code = "duplicate_request", .result = POSTERN_ACCEPTED },
	{ .code = "not_enough_credits", .result = POSTERN_ACCOUNT },
	{ .code = "unauthorized", .result = POSTERN_ACCOUNT },
	{ .code = "permission_denied", .result = POSTERN_ACCOUNT },
	{ .code = "account_under_validation", .result = POSTERN_ACCOUNT },
	{ .code = "document_not_found", .result = POSTERN_ACCOUNT },
	{ .code = "method_not_allowed", .result = POSTERN_ACCOUNT },
	{ .code = "not_acceptable", .result = POSTERN_ACCOUNT },
	{ .code = NULL },
};

/* invalid_parameter, by what its words are about. */
static const struct verdict bad_sender = { .code = "invalid_parameter",
	.result = POSTERN_ACCOUNT,
	.is_about_sender = true };
static const struct verdict bad_recipient = { .code = "invalid_parameter",
	.result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_RECIPIENT,
	.is_unnamed = true };

/* "email is not valid in to", "in cc", "in bcc"; not in replyTo. */
static bool is_about_recipient(struct postern_str text)
{
	return str_has(text, "valid") && !str_has(text, "reply") &&
	       (str_has(text, " in to") || str_has(text, " in cc") ||
		   str_has(text, " in bcc"));
}

static const struct verdict *judge(
    struct postern_str code, struct postern_str text)
{
	if (!str_ieq(code, STR("invalid_parameter")))
		return verdict_find(verdicts, code);
	if (str_has(text, "sender"))
		return &bad_sender;
	return is_about_recipient(text) ? &bad_recipient
					: verdict_find(verdicts, code);
}

void brevo_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	struct postern_str text = answer_member(body, "message");
	struct postern_str code = answer_member(body, "code");
	const struct verdict *v = judge(code, text);
	int status = response->status;

	(void)settings;
	answer_default(response, out);
	answer_allowance(response, "x-sib-ratelimit-", out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status >= 200 && status < 300) {
		answer_take(out, body, "messageId",
		    STR("not an answer of Brevo: check url"));
	} else if (status == 429) {
		answer_set(out, POSTERN_THROTTLED, code, text);
		/* Seconds from now. */
		if (out->has_allowance)
			out->retry_after_ms = out->allowed_for_ms;
	} else if (v) {
		verdict_give(v, response, text, out);
	} else {
		/* An error of Brevo's own, not of a gateway before it. */
		if (status == 500 && code.len > 0)
			out->result = POSTERN_TRANSIENT;
		answer_set(out, out->result, code, text);
	}
	json_decref(body);
}
