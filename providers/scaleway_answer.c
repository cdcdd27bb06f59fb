/*
 * What Scaleway means by an answer: errors have a type, and one of
 * invalid_arguments names the member. A success lists an e-mail for each
 * recipient, with what became of it so far.
 */
#include <scaleway_answer.h>

#include <common/str.h>
#include <common/verdict.h>

#include <stdio.h>

enum {
	QUOTA_WAIT_S = 3600, /* of a month is used up */
	TEXT_SIZE = 256
};

/* The standard errors of Scaleway's APIs. */
static const struct verdict verdicts[] = {
	{ .code = "denied_authentication", .result = POSTERN_ACCOUNT },
	{ .code = "permissions_denied", .result = POSTERN_ACCOUNT },
	{ .code = "not_found", .result = POSTERN_ACCOUNT },
	{ .code = "locked", .result = POSTERN_ACCOUNT },
	{ .code = "resource_expired", .result = POSTERN_ACCOUNT },
	{ .code = "precondition_failed", .result = POSTERN_ACCOUNT },
	{ .code = "quotas_exceeded",
	    .result = POSTERN_THROTTLED,
	    .wait_s = QUOTA_WAIT_S },
	{ .code = "transient_state", .result = POSTERN_TRANSIENT },
	{ .code = "out_of_stock", .result = POSTERN_TRANSIENT },
	{ .code = NULL },
};

/* invalid_arguments, by the member it is about. */
#define INVALID .code = "invalid_arguments"
/* What Scaleway alone is strict about: for others it may be good. */
static const struct verdict not_here = { INVALID, .result = POSTERN_ACCOUNT,
	.is_about_sender = true };
static const struct verdict bad_message = { INVALID,
	.result = POSTERN_REJECTED };
static const struct verdict bad_sender = { INVALID, .result = POSTERN_ACCOUNT,
	.is_about_sender = true };
static const struct verdict bad_account = { INVALID,
	.result = POSTERN_ACCOUNT };
static const struct verdict bad_recipient = { INVALID,
	.result = POSTERN_REJECTED, .refusal = POSTERN_REFUSED_RECIPIENT,
	.is_unnamed = true };
/* A quota of something in one message, not of the account's e-mails. */
static const struct verdict too_much = { .code = "quotas_exceeded",
	.result = POSTERN_ACCOUNT,
	.is_about_sender = true };
/* May be one of the recipients: nothing was taken, so asked one by one. */
static const struct verdict untold = { INVALID, .result = POSTERN_REJECTED,
	.is_unnamed = true };

/* Whether argument is member, or something in it: "to[0].email". */
static bool is_in(struct postern_str argument, const char *member)
{
	struct postern_str rest = str_from(argument, strlen(member));

	return str_istarts(argument, str_of(member)) &&
	       (rest.len == 0 || strchr(".[", rest.ptr[0]));
}

/* Formats and limits of its own, the least length among them. */
static bool is_of_scaleway(struct postern_str argument)
{
	return is_in(argument, "subject") || is_in(argument, "text") ||
	       is_in(argument, "html") || is_in(argument, "attachments") ||
	       is_in(argument, "additional_headers");
}

static const struct verdict *judge_argument(struct postern_str argument)
{
	if (argument.len == 0)
		return &untold;
	if (is_in(argument, "from"))
		return &bad_sender;
	if (is_in(argument, "project_id") || is_in(argument, "region"))
		return &bad_account;
	if (is_in(argument, "to") || is_in(argument, "cc") ||
	    is_in(argument, "bcc"))
		return &bad_recipient;
	return is_of_scaleway(argument) ? &not_here : &bad_message;
}

static const struct verdict *judge(
    struct postern_str type, const json_t *detail)
{
	struct postern_str resource = answer_member(detail, "resource");

	if (str_ieq(type, STR("invalid_arguments")))
		return judge_argument(answer_member(detail, "argument_name"));
	if (str_ieq(type, STR("quotas_exceeded")) && resource.len > 0 &&
	    !str_ieq(resource, STR("emails")))
		return &too_much;
	return verdict_find(verdicts, type);
}

static void classify_error(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *detail =
	    json_array_get(json_object_get(body, "details"), 0);
	struct postern_str type = answer_member(body, "type");
	struct postern_str argument = answer_member(detail, "argument_name");
	struct postern_str help = answer_member(detail, "help_message");
	struct postern_str message = answer_member(body, "message");
	const struct verdict *v = judge(type, detail);
	char text[TEXT_SIZE];

	/* "subject: must be longer" says more than "invalid argument(s)". */
	if (help.len == 0)
		help = argument.len > 0 ? answer_member(detail, "reason")
					: answer_member(body, "help_message");
	if (help.len > 0) {
		(void)snprintf(text, sizeof(text), "%.*s%s%.*s",
		    STR_FMT(argument), argument.len > 0 ? ": " : "",
		    STR_FMT(help));
		message = str_of(text);
	}
	if (v)
		verdict_give(v, response, message, out);
	else
		answer_set(out, out->result, type, message);
}

/* --- success --- */

static bool has_failed(const json_t *email)
{
	struct postern_str status = answer_member(email, "status");

	return str_ieq(status, STR("failed")) ||
	       str_ieq(status, STR("canceled"));
}

static void take_ids(const json_t *emails, struct postern_outcome *out)
{
	const json_t *email;
	size_t i;

	json_array_foreach(emails, i, email)
	{
		struct postern_str id = answer_member(email, "id");
		if (id.len > 0)
			answer_add_id(out, id);
	}
}

/* Of a recipient who is not listed nobody knows whether he was taken. */
static void classify_emails(const struct postern_response *response,
    const json_t *emails, struct postern_outcome *out)
{
	size_t count = response->recipient_count, failed = 0;
	struct postern_str why = STR("");
	bool is_told = true;

	take_ids(emails, out);
	for (size_t i = 0; i < count; i++) {
		const json_t *email =
		    answer_row(response, emails, "mail_rcpt", i);
		is_told = is_told && email;
		if (!has_failed(email))
			continue;
		if (failed++ == 0)
			why = answer_member(email, "status_details");
		answer_reject(out, i);
	}
	answer_set(out, failed < count ? POSTERN_ACCEPTED : POSTERN_REJECTED,
	    STR(""), why);
	/* An operator may have canceled it, or a server refused it. */
	if (str_has(why, "block") || str_has(why, "suppress"))
		out->refusal = POSTERN_REFUSED_SUPPRESSED;
	if (!is_told || failed == count)
		memset(out->rejected, 0, (count + 7) / 8);
	if (!is_told)
		answer_set(out, POSTERN_UNKNOWN,
		    STR("what became of each recipient is not told"), why);
}

void scaleway_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	const json_t *emails = json_object_get(body, "emails");

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status < 200 || response->status >= 300) {
		classify_error(response, body, out);
	} else if (answer_member(json_array_get(emails, 0), "id").len > 0) {
		classify_emails(response, emails, out);
	} else {
		answer_foreign(
		    response, STR("not an answer of Scaleway: check url"), out);
	}
	answer_allowance(response, "x-ratelimit-", out);
	json_decref(body);
}
