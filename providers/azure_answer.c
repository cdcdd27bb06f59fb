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
/* Azure alone is strict about it: for others it may be good. */
static const struct verdict not_here = { BAD, .result = POSTERN_ACCOUNT,
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
	if (str_istarts(property, STR("attachments")) ||
	    str_istarts(property, STR("headers")))
		return &not_here;
	return &bad_message;
}

static const struct verdict *judge(
    struct postern_str code, struct postern_str text)
{
	return str_ieq(code, STR("BadRequest")) ? judge_property(text)
						: verdict_find(verdicts, code);
}

/* Of "https://.../emails/operations/ID?api-version=..."; empty without one. */
static struct postern_str operation_of(const struct postern_response *response)
{
	const struct postern_str before = STR("/operations/");
	struct postern_str at =
	    str_ifind(answer_header(response, "Operation-Location"), before);
	struct postern_str id = str_from(at, before.len);
	const char *end = id.len > 0 ? memchr(id.ptr, '?', id.len) : NULL;

	return end ? str_make(id.ptr, (size_t)(end - id.ptr)) : id;
}

static void classify_error(const struct postern_response *response,
    const json_t *error, struct postern_outcome *out)
{
	struct postern_str code = answer_member(error, "code");
	struct postern_str text = answer_member(error, "message");
	const struct verdict *v;

	if (code.len == 0)
		code = answer_header(response, "x-ms-error-code");
	v = judge(code, text);
	/* The id is of this call alone, so an earlier try has begun it. */
	if (response->is_repeat && response->status == 409) {
		answer_set(out, POSTERN_ACCEPTED, code, text);
		answer_set_id(out, operation_of(response));
	} else if (response->is_repeat && v == &untold) {
		/* Of the id, or of the message: it does not say. */
		answer_set(out, POSTERN_UNKNOWN, code, text);
	} else if (v) {
		verdict_give(v, response, text, out);
	} else {
		answer_set(out, out->result, code, text);
	}
}

static bool has_ended(const json_t *body)
{
	struct postern_str status = answer_member(body, "status");

	return str_ieq(status, STR("Failed")) ||
	       str_ieq(status, STR("Canceled"));
}

/*
 * It may have ended already, and then nothing is sent: who else may send it is
 * told by a code that is known; without one it is not the message's fault.
 */
static void classify_operation(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *error = json_object_get(body, "error");
	struct postern_str code = answer_member(error, "code");
	struct postern_str text = answer_member(error, "message");
	struct postern_str id = operation_of(response);
	const struct verdict *v = judge(code, text);

	answer_take(response, body, "id",
	    STR("not an answer of Azure: check url"), out);
	if (out->result == POSTERN_UNKNOWN && id.len > 0) {
		answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
		answer_set_id(out, id);
	}
	if (out->result != POSTERN_ACCEPTED || !has_ended(body))
		return;
	if (v && v != &untold)
		verdict_give(v, response, text, out);
	else
		answer_set(out, POSTERN_TRANSIENT,
		    code.len > 0 ? code : STR("status"),
		    code.len > 0 ? text : answer_member(body, "status"));
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
