/*
 * What Amazon SES means by an answer. The name of an error is in a header or
 * in the body, depending on which part of AWS speaks.
 */
#include <ses_answer.h>

#include <common/answer.h>
#include <common/str.h>

enum {
	PACE_MS = 2000,
	QUOTA_MS = 600000
};

/* Names of errors, each followed by a space. */
static const struct {
	enum postern_class result;
	uint64_t retry_after_ms;
	const char *names;
} ses_errors[] = {
	{ POSTERN_REJECTED, 0,
	    "MessageRejected BadRequestException ValidationError "
	    "SerializationException MalformedHttpRequestException "
	    "UnknownOperationException RequestEntityTooLargeException " },
	{ POSTERN_ACCOUNT, 0,
	    "MailFromDomainNotVerifiedException AccountSuspendedException "
	    "SendingPausedException NotFoundException AccessDenied "
	    "AccessDeniedException NotAuthorized OptInRequired "
	    "UnrecognizedClientException InvalidClientTokenId "
	    "MissingAuthenticationToken MissingAuthenticationTokenException "
	    "SignatureDoesNotMatch InvalidSignatureException "
	    "IncompleteSignature IncompleteSignatureException ExpiredToken "
	    "ExpiredTokenException RequestExpired " },
	{ POSTERN_THROTTLED, PACE_MS,
	    "ThrottlingException Throttling TooManyRequestsException " },
	{ POSTERN_THROTTLED, QUOTA_MS, "LimitExceededException " },
	{ POSTERN_TRANSIENT, 0,
	    "RequestTimeoutException RequestAbortedException " },
};

/* Those of keys that have ended, or have been taken away; likewise. */
static const char stale_names[] =
    "ExpiredToken ExpiredTokenException UnrecognizedClientException "
    "InvalidClientTokenId ";

static bool is_listed(const char *names, struct postern_str name)
{
	for (; *names; names = strchr(names, ' ') + 1) {
		if (str_ieq(str_make(names, strcspn(names, " ")), name))
			return true;
	}
	return false;
}

/* "ns#Name:http://..." names Name. */
static struct postern_str bare_name(struct postern_str s)
{
	const char *colon = s.len > 0 ? memchr(s.ptr, ':', s.len) : NULL;
	const char *hash;

	if (colon)
		s.len = (size_t)(colon - s.ptr);
	hash = s.len > 0 ? memrchr(s.ptr, '#', s.len) : NULL;
	return hash ? str_from(s, (size_t)(hash - s.ptr) + 1) : s;
}

static struct postern_str error_name(
    const struct postern_response *response, const json_t *body)
{
	static const char *const members[] = { "code", "Code", "__type" };
	struct postern_str name = answer_header(response, "x-amzn-ErrorType");

	for (size_t i = 0; name.len == 0 && i < 3; i++)
		name = answer_member(body, members[i]);
	return bare_name(name);
}

/*
 * One malformed address has the whole message refused, and SES does not say
 * whose it is; "Missing final '@domain'" is one of its sentences.
 */
static bool is_about_address(struct postern_str name, struct postern_str text)
{
	return str_ieq(name, STR("BadRequestException")) &&
	       (str_has(text, "address") || str_has(text, "domain"));
}

/* What the text adds to a name that stands for several things. */
static void refine(struct postern_str name, struct postern_str text,
    struct postern_outcome *out)
{
	if (str_ieq(name, STR("MessageRejected")) &&
	    str_has(text, "not verified"))
		out->result = POSTERN_ACCOUNT;
	out->is_about_sender =
	    out->result == POSTERN_ACCOUNT &&
	    (str_ieq(name, STR("MessageRejected")) ||
		str_ieq(name, STR("MailFromDomainNotVerifiedException")));
	if (out->result == POSTERN_THROTTLED &&
	    str_has(text, "Daily message quota exceeded"))
		out->retry_after_ms = QUOTA_MS;
	if (str_has(text, "Signature expired") ||
	    str_has(text, "not yet current"))
		out->result = POSTERN_ACCOUNT;
}

static void classify_error(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	struct postern_str name = error_name(response, body);
	struct postern_str text = answer_member(body, "message");

	if (text.len == 0)
		text = answer_member(body, "Message");
	answer_default(response, out);
	/* AWS retries its own 5xx: the operation was not carried out. */
	if (response->status >= 500)
		out->result = POSTERN_TRANSIENT;
	for (size_t i = 0; i < sizeof(ses_errors) / sizeof(ses_errors[0]);
	     i++) {
		if (response->status >= 500 ||
		    !is_listed(ses_errors[i].names, name))
			continue;
		out->result = ses_errors[i].result;
		out->retry_after_ms = ses_errors[i].retry_after_ms;
	}
	if (response->status < 500)
		refine(name, text, out);
	out->is_grant_stale =
	    out->result == POSTERN_ACCOUNT && is_listed(stale_names, name);
	out->try_singly = out->result == POSTERN_REJECTED &&
			  response->recipient_count > 1 &&
			  is_about_address(name, text);
	answer_set(out, out->result, name, text);
}

static void classify_success(const json_t *body, struct postern_outcome *out)
{
	struct postern_str id = answer_member(body, "MessageId");

	if (id.len > 0) {
		answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
		answer_set_id(out, id);
	} else {
		answer_set(out, POSTERN_ACCOUNT, STR(""),
		    STR("not an answer of Amazon SES: check url and region"));
	}
}

void ses_classify(const void *settings, const struct postern_response *response,
    struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	if (answer_is_torn(response, body))
		answer_default(response, out);
	else if (response->status >= 200 && response->status < 300)
		classify_success(body, out);
	else
		classify_error(response, body, out);
	json_decref(body);
}
