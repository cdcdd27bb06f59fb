/*
 * What the Gmail API means by an answer: the reason of the first error decides
 * (developers.google.com/gmail/api/guides/handle-errors). Of its own errors
 * Google does not say that nothing was sent, but for 503, which means, as
 * anywhere, that the request was not served.
 */
#include <gmail_answer.h>

#include <common/date.h>
#include <common/str.h>
#include <common/verdict.h>

enum {
	QUOTA_WAIT_S = 3600, /* what a day allows is used up */
	RATE_WAIT_S = 60     /* limits are per minute */
};

static const struct verdict verdicts[] = {
	{ .code = "badRequest", .result = POSTERN_REJECTED },
	{ .code = "invalidArgument", .result = POSTERN_REJECTED },
	{ .code = "uploadTooLarge",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SIZE },
	/* The user has no mailbox, or the account may not act for him. */
	{ .code = "failedPrecondition", .result = POSTERN_ACCOUNT },
	{ .code = "authError", .result = POSTERN_ACCOUNT },
	{ .code = "domainPolicy", .result = POSTERN_ACCOUNT },
	{ .code = "forbidden", .result = POSTERN_ACCOUNT },
	{ .code = "insufficientPermissions", .result = POSTERN_ACCOUNT },
	{ .code = "accessNotConfigured", .result = POSTERN_ACCOUNT },
	{ .code = "dailyLimitExceeded",
	    .result = POSTERN_THROTTLED,
	    .wait_s = QUOTA_WAIT_S },
	{ .code = "userRateLimitExceeded",
	    .result = POSTERN_THROTTLED,
	    .wait_s = RATE_WAIT_S },
	{ .code = "rateLimitExceeded",
	    .result = POSTERN_THROTTLED,
	    .wait_s = RATE_WAIT_S },
	{ .code = NULL },
};

/* Which recipient it is about is not told. */
static const struct verdict bad_recipient = { .code = "invalidArgument",
	.result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_RECIPIENT,
	.is_unnamed = true };

static const struct verdict *judge(
    struct postern_str reason, struct postern_str text)
{
	/* "Invalid To header", Cc, Bcc. */
	if (str_ieq(reason, STR("invalidArgument")) &&
	    (str_has(text, "Invalid To header") ||
		str_has(text, "Invalid Cc header") ||
		str_has(text, "Invalid Bcc header")))
		return &bad_recipient;
	return verdict_find(verdicts, reason);
}

/* "User-rate limit exceeded.  Retry after 2026-11-22T10:00:00.123Z" */
static uint64_t wait_ms(
    const struct postern_response *response, struct postern_str text)
{
	const struct postern_str before = STR("Retry after ");
	struct postern_str date = str_ifind(text, before);
	int64_t until;
	size_t len = 0;

	date = str_from(date, before.len);
	while (len < date.len && date.ptr[len] > ' ' && date.ptr[len] != ')')
		len++;
	if (!date_parse_iso(str_make(date.ptr, len), &until) ||
	    until <= response->now)
		return 0;
	return (uint64_t)(until - response->now) * 1000;
}

static void classify_error(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *error = json_object_get(body, "error");
	const json_t *first =
	    json_array_get(json_object_get(error, "errors"), 0);
	struct postern_str text = answer_member(error, "message");
	struct postern_str reason = answer_member(first, "reason");
	const struct verdict *v = judge(reason, text);
	uint64_t wait = wait_ms(response, text);

	if (v && response->status < 500)
		verdict_give(v, response, text, out);
	else
		answer_set(out, out->result, reason, text);
	if (out->result == POSTERN_THROTTLED && wait > 0 &&
	    answer_retry_after_ms(response) == 0)
		out->retry_after_ms = wait;
	/* With the scope missing it is as well: a fresh one tells. */
	out->is_grant_stale = response->status == 401;
}

void gmail_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status >= 200 && response->status < 300) {
		answer_take(response, body, "id",
		    STR("not an answer of Gmail: check url"), out);
	} else {
		classify_error(response, body, out);
	}
	json_decref(body);
}
