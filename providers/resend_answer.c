/*
 * What Resend means by an answer: the name of the error decides. Calls carry
 * a key, so one whose end is not known is best made again here.
 */
#include <resend_answer.h>

#include <common/str.h>
#include <common/verdict.h>

enum {
	QUOTA_WAIT_S = 3600 /* a day's or a month's is used up */
};

static const struct verdict verdicts[] = {
	{ .code = "validation_error", .result = POSTERN_REJECTED },
	{ .code = "missing_required_field", .result = POSTERN_REJECTED },
	{ .code = "invalid_parameter", .result = POSTERN_REJECTED },
	{ .code = "invalid_attachment", .result = POSTERN_REJECTED },
	{ .code = "invalid_from_address", .result = POSTERN_REJECTED },
	/* A fault of ours, which no message should suffer for. */
	{ .code = "invalid_idempotency_key", .result = POSTERN_ACCOUNT },
	{ .code = "invalid_access", .result = POSTERN_ACCOUNT },
	{ .code = "invalid_region", .result = POSTERN_ACCOUNT },
	{ .code = "missing_api_key", .result = POSTERN_ACCOUNT },
	{ .code = "restricted_api_key", .result = POSTERN_ACCOUNT },
	{ .code = "invalid_api_key", .result = POSTERN_ACCOUNT },
	{ .code = "invalid_permission", .result = POSTERN_ACCOUNT },
	{ .code = "suspended_api_key", .result = POSTERN_ACCOUNT },
	{ .code = "not_found", .result = POSTERN_ACCOUNT },
	{ .code = "method_not_allowed", .result = POSTERN_ACCOUNT },
	{ .code = "security_error", .result = POSTERN_ACCOUNT },
	/* An earlier try of this call is under way, or was a different one. */
	{ .code = "concurrent_idempotent_requests", .result = POSTERN_UNKNOWN },
	{ .code = "invalid_idempotent_request", .result = POSTERN_UNKNOWN },
	{ .code = "resource_locked", .result = POSTERN_UNKNOWN },
	{ .code = "rate_limit_exceeded", .result = POSTERN_THROTTLED },
	{ .code = "daily_quota_exceeded",
	    .result = POSTERN_THROTTLED,
	    .wait_s = QUOTA_WAIT_S },
	{ .code = "monthly_quota_exceeded",
	    .result = POSTERN_THROTTLED,
	    .wait_s = QUOTA_WAIT_S },
	{ .code = "application_error", .result = POSTERN_UNKNOWN },
	{ .code = "internal_server_error", .result = POSTERN_UNKNOWN },
	{ .code = "service_unavailable", .result = POSTERN_TRANSIENT },
	{ .code = NULL },
};

/* validation_error: with 403 of the domain, else by what it quotes. */
static const struct verdict bad_sender = { .code = "validation_error",
	.result = POSTERN_ACCOUNT,
	.is_about_sender = true };
static const struct verdict bad_recipient = { .code = "validation_error",
	.result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_RECIPIENT,
	.is_unnamed = true };

/* May be one of the recipients: nothing was taken, so asked one by one. */
static const struct verdict untold = { .code = "validation_error",
	.result = POSTERN_REJECTED,
	.is_unnamed = true };

static const struct verdict *judge(
    int status, struct postern_str name, struct postern_str text)
{
	if (!str_ieq(name, STR("validation_error")))
		return verdict_find(verdicts, name);
	if (status == 403)
		return &bad_sender;
	if (str_has(text, "`to`") || str_has(text, "`cc`") ||
	    str_has(text, "`bcc`"))
		return &bad_recipient;
	/* Which field it is about is quoted, when it is told. */
	return str_has(text, "`") ? verdict_find(verdicts, name) : &untold;
}

void resend_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	struct postern_str text = answer_member(body, "message");
	struct postern_str name = answer_member(body, "name");
	const struct verdict *v = judge(response->status, name, text);

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status >= 200 && response->status < 300) {
		answer_take(response, body, "id",
		    STR("not an answer of Resend: check url"), out);
	} else if (v) {
		verdict_give(v, response, text, out);
	} else {
		answer_set(out, out->result, name, text);
	}
	answer_allowance(response, "ratelimit-", out);
	json_decref(body);
}
