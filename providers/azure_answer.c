/*
 * What Azure means by an answer: 202 begins an operation, whose id is the one
 * that was sent along; errors have a code, and one of the request's body names
 * the property.
 */
#include <azure_answer.h>

#include <common/str.h>
#include <common/verdict.h>

static const struct verdict verdicts[] = {
	{ .code = "Denied", .result = POSTERN_ACCOUNT },
	{ .code = "Unauthorized", .result = POSTERN_ACCOUNT },
	{ .code = "Forbidden", .result = POSTERN_ACCOUNT },
	{ .code = "SubscriptionBlocked", .result = POSTERN_ACCOUNT },
	{ .code = "ResourceNotFound", .result = POSTERN_ACCOUNT },
	{ .code = "DomainNotLinked",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "InvalidSenderUserName",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "InvalidEmailAddress",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "EmailDroppedAllRecipientsSuppressed",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SUPPRESSED },
	{ .code = "EmailDropped", .result = POSTERN_REJECTED },
	{ .code = "TooManyRequests", .result = POSTERN_THROTTLED },
	{ .code = NULL },
};

/* BadRequest, by the property it names. */
#define BAD .code = "BadRequest"
static const struct verdict bad_message = { BAD, .result = POSTERN_REJECTED };
static const struct verdict bad_sender = { BAD, .result = POSTERN_ACCOUNT,
	.is_about_sender = true };
static const struct verdict bad_recipient = { BAD, .result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_RECIPIENT, .is_unnamed = true };
/* May be one of the recipients: nothing was taken, so asked one by one. */
static const struct verdict untold = { BAD, .result = POSTERN_REJECTED,
	.is_unnamed = true };

/* "Request body validation error. See property 'recipients.to[0]'" */
static const struct verdict *judge_property(struct postern_str text)
{
	const struct postern_str before = STR("property '");
	struct postern_str at = str_ifind(text, before);
	struct postern_str property = str_from(at, before.len);

	if (at.len == 0)
		return &untold;
	if (str_istarts(property, STR("senderAddress")))
		return &bad_sender;
	if (str_istarts(property, STR("recipients")))
		return &bad_recipient;
	return &bad_message;
}

static void classify_error(const struct postern_response *response,
    const json_t *error, struct postern_outcome *out)
{
	struct postern_str code = answer_member(error, "code");
	struct postern_str text = answer_member(error, "message");
	const struct verdict *v;

	if (code.len == 0)
		code = answer_header(response, "x-ms-error-code");
	v = str_ieq(code, STR("BadRequest")) ? judge_property(text)
					     : verdict_find(verdicts, code);
	/* Perhaps it is the operation's id, which an earlier try has used. */
	if (response->is_repeat && (response->status == 409 || v == &untold))
		answer_set(out, POSTERN_UNKNOWN, code, text);
	else if (v)
		verdict_give(v, response, text, out);
	else
		answer_set(out, out->result, code, text);
}

static bool has_ended(const json_t *body)
{
	struct postern_str status = answer_member(body, "status");

	return str_ieq(status, STR("Failed")) ||
	       str_ieq(status, STR("Canceled"));
}

/* It may have ended already, and then nothing is sent. */
static void classify_operation(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *error = json_object_get(body, "error");

	answer_take(response, body, "id",
	    STR("not an answer of Azure: check url"), out);
	if (out->result != POSTERN_ACCEPTED || !has_ended(body))
		return;
	answer_set(out, POSTERN_REJECTED, STR("status"),
	    answer_member(body, "status"));
	if (json_is_object(error))
		classify_error(response, error, out);
}

void azure_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status >= 200 && response->status < 300) {
		classify_operation(response, body, out);
	} else {
		classify_error(response, json_object_get(body, "error"), out);
	}
	json_decref(body);
}
