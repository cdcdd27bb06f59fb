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

/* May be one of the recipients: nothing was taken, so asked one by one. */
static const struct verdict untold = { .code = "invalid_parameter",
	.result = POSTERN_REJECTED,
	.is_unnamed = true };

/* "email is not valid in to", "in cc", "in bcc"; not in replyTo. */
static bool is_about_recipient(struct postern_str text)
{
	return str_has(text, "valid") && !str_has(text, "reply") &&
	       (str_has(text, " in to") || str_has(text, " in cc") ||
		   str_has(text, " in bcc"));
}

/* Names a field that is the same for all recipients. */
static bool is_about_message(struct postern_str text)
{
	static const char *const fields[] = { "reply", "subject", "content",
		"attachment", "header", "tag", "param", "template", "schedule",
		"batch", NULL };

	for (size_t i = 0; fields[i]; i++) {
		if (str_has(text, fields[i]))
			return true;
	}
	return false;
}

/*
 * The key is of this call alone. If what became of an earlier try is not
 * known, it was taken. If none was taken, Brevo keeps keys of calls it has
 * refused, too, and until it forgets this one it takes nothing.
 */
static const struct verdict *judge_duplicate(
    const struct postern_response *response)
{
	static const struct verdict taken = { .code = "duplicate_request",
		.result = POSTERN_ACCEPTED };
	static const struct verdict refused = { .code = "duplicate_request",
		.result = POSTERN_TRANSIENT };
	static const struct verdict unknown = { .code = "duplicate_request",
		.result = POSTERN_UNKNOWN };

	/* Older cores do not say. */
	if (response->size < sizeof(*response))
		return &unknown;
	return response->is_repeat ? &taken : &refused;
}

static const struct verdict *judge(const struct postern_response *response,
    struct postern_str code, struct postern_str text)
{
	if (str_ieq(code, STR("duplicate_request")))
		return judge_duplicate(response);
	if (!str_ieq(code, STR("invalid_parameter")))
		return verdict_find(verdicts, code);
	if (str_has(text, "sender"))
		return &bad_sender;
	if (is_about_recipient(text))
		return &bad_recipient;
	return is_about_message(text) ? verdict_find(verdicts, code) : &untold;
}

void brevo_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	struct postern_str text = answer_member(body, "message");
	struct postern_str code = answer_member(body, "code");
	const struct verdict *v = judge(response, code, text);
	int status = response->status;

	(void)settings;
	answer_default(response, out);
	answer_allowance(response, "x-sib-ratelimit-", out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status >= 200 && status < 300) {
		answer_take(response, body, "messageId",
		    STR("not an answer of Brevo: check url"), out);
	} else if (status == 429) {
		answer_set(out, POSTERN_THROTTLED, code, text);
		/* Seconds from now. */
		if (out->has_allowance)
			out->retry_after_ms = out->allowed_for_ms;
	} else if (v) {
		verdict_give(v, response, text, out);
	} else {
		answer_set(out, out->result, code, text);
	}
	json_decref(body);
}
