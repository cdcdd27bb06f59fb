/*
 * What Microsoft Graph means by an answer: 202 is the only success and says
 * all; else the code of the error decides, which is Graph's own or one of
 * Exchange's (ResponseCode).
 */
#include <msgraph_answer.h>

#include <common/str.h>
#include <common/verdict.h>
#include <msgraph_settings.h>

enum {
	QUOTA_WAIT_S = 3600 /* messages or recipients of a day are used up */
};

static const struct verdict verdicts[] = {
	/* Graph's own. */
	{ .code = "InvalidAuthenticationToken", .result = POSTERN_ACCOUNT },
	{ .code = "Authorization_RequestDenied", .result = POSTERN_ACCOUNT },
	{ .code = "Request_ResourceNotFound",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "ResourceNotFound",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "TooManyRequests", .result = POSTERN_THROTTLED },
	{ .code = "ApplicationThrottled", .result = POSTERN_THROTTLED },
	{ .code = "activityLimitReached", .result = POSTERN_THROTTLED },
	{ .code = "quotaLimitReached",
	    .result = POSTERN_THROTTLED,
	    .wait_s = QUOTA_WAIT_S },
	{ .code = "serviceNotAvailable", .result = POSTERN_TRANSIENT },
	/* Of a mailbox, which other messages may not be of. */
	{ .code = "ErrorAccessDenied",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "ErrorSendAsDenied",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "ErrorInvalidUser",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "MailboxNotEnabledForRESTAPI",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "ErrorQuotaExceeded",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "ErrorExceededMessageLimit",
	    .result = POSTERN_THROTTLED,
	    .wait_s = QUOTA_WAIT_S },
	{ .code = "ErrorSubmissionQuotaExceeded",
	    .result = POSTERN_THROTTLED,
	    .wait_s = QUOTA_WAIT_S },
	{ .code = "ErrorServerBusy", .result = POSTERN_TRANSIENT },
	{ .code = "ErrorMailboxMoveInProgress", .result = POSTERN_TRANSIENT },
	/* Of the message. */
	{ .code = "ErrorMimeContentInvalidBase64String",
	    .result = POSTERN_REJECTED },
	{ .code = "ErrorInvalidRecipients",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "ErrorMessageSizeExceeded",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SIZE },
	{ .code = NULL },
};

void msgraph_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	const json_t *error = json_object_get(body, "error");
	const struct msgraph_settings *s = settings;
	struct postern_str code = answer_member(error, "code");
	struct postern_str text = answer_member(error, "message");
	const struct verdict *v = verdict_find(verdicts, code);
	int status = response->status;

	answer_default(response, out);
	if (status == 202) {
		answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
		/* It names no message; by this Microsoft finds the call. */
		answer_set_id(out, answer_header(response, "request-id"));
	} else if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status >= 200 && status < 300) {
		answer_foreign(response,
		    STR("not the 202 of Microsoft Graph: check url"), out);
	} else if (v) {
		verdict_give(v, response, text, out);
		/* All messages are of one mailbox; what is left is From. */
		if (s->user && !str_ieq(code, STR("ErrorSendAsDenied")))
			out->is_about_sender = false;
	} else {
		answer_set(out, out->result, code, text);
	}
	out->is_grant_stale = status == 401;
	json_decref(body);
}
