/*
 * What MailerSend means by an answer. A success is 202 and has an id in its
 * header; whom it does not mail to is a warning. Errors are named by a code
 * at the end of a sentence, "... #MS42207", under the field they are about.
 */
#include <mailersend_answer.h>

#include <common/date.h>
#include <common/str.h>
#include <common/verdict.h>

enum {
	CODE_SIZE = 8 /* "MS42207" and NUL */
};

static const struct verdict verdicts[] = {
	{ .code = "MS40301", .result = POSTERN_ACCOUNT },
	{ .code = "MS40302", .result = POSTERN_ACCOUNT },
	{ .code = "MS40303", .result = POSTERN_ACCOUNT },
	{ .code = "MS40304", .result = POSTERN_ACCOUNT },
	{ .code = "MS40305", .result = POSTERN_ACCOUNT },
	{ .code = "MS42204", .result = POSTERN_ACCOUNT },
	/* Too many recipients for this account: fewer at a time. */
	{ .code = "MS42205", .result = POSTERN_REJECTED, .is_unnamed = true },
	{ .code = "MS42206",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SIZE },
	{ .code = "MS42207",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	/* The plan lacks what this message needs: header fields, mostly. */
	{ .code = "MS42216",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "MS42222", .result = POSTERN_ACCOUNT },
	{ .code = "MS42225", .result = POSTERN_ACCOUNT },
	{ .code = "MS42226",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = NULL },
};

/* No field is named, perhaps no code: it may be one of the recipients. */
static const struct verdict untold = {
	.code = "", .result = POSTERN_REJECTED, .is_unnamed = true
};

/* MS42208 under to, cc or bcc: nothing was sent, asked one by one. */
static const struct verdict bad_recipient = { .code = "MS42208",
	.result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_RECIPIENT,
	.is_unnamed = true };

/* --- errors --- */

static bool is_digits(const char *s, size_t count)
{
	while (count > 0 && *s >= '0' && *s <= '9') {
		s++;
		count--;
	}
	return count == 0;
}

/* "MS42207" of "... #MS42207"; empty without one. */
static void find_code(struct postern_str text, char out[CODE_SIZE])
{
	struct postern_str at = str_ifind(text, STR("#MS"));

	out[0] = '\0';
	if (at.len < CODE_SIZE || !is_digits(at.ptr + 3, 5))
		return;
	memcpy(out, at.ptr + 1, CODE_SIZE - 1);
	out[CODE_SIZE - 1] = '\0';
}

/* "to.0.email", "cc.1.email". */
static bool is_list_of_recipients(const char *field)
{
	struct postern_str name = str_of(field);

	return str_istarts(name, STR("to.")) || str_istarts(name, STR("cc.")) ||
	       str_istarts(name, STR("bcc."));
}

struct complaint {
	struct postern_str text;
	char code[CODE_SIZE];
	const struct verdict *verdict; /* NULL: by the status */
	/* Which of several decides. */
	enum {
		OF_NOTHING = 0, /* no field is named */
		OF_RECIPIENT,
		OF_MESSAGE,
		OF_ACCOUNT
	} subject;
};

/* field is NULL for the words above all of them. */
static struct complaint complaint_of(const char *field, struct postern_str text)
{
	struct complaint c = { .text = text };

	find_code(text, c.code);
	c.verdict = verdict_find(verdicts, str_of(c.code));
	c.subject = field ? OF_MESSAGE : OF_NOTHING;
	if (c.verdict && c.verdict->result == POSTERN_ACCOUNT) {
		c.subject = OF_ACCOUNT;
	} else if (field && is_list_of_recipients(field) &&
		   strcmp(c.code, bad_recipient.code) == 0) {
		c.subject = OF_RECIPIENT;
		c.verdict = &bad_recipient;
	}
	return c;
}

static void take_worse(
    struct complaint *worst, const char *field, const json_t *text)
{
	struct complaint c = complaint_of(field, answer_text(text));

	if (c.text.len > 0 && c.subject > worst->subject)
		*worst = c;
}

static struct complaint find_worst(json_t *body)
{
	json_t *errors = json_object_get(body, "errors"), *list;
	struct complaint worst =
	    complaint_of(NULL, answer_member(body, "message"));
	const char *field;

	json_object_foreach(errors, field, list)
	{
		take_worse(&worst, field, list);
		for (size_t i = 0; i < json_array_size(list); i++)
			take_worse(&worst, field, json_array_get(list, i));
	}
	return worst;
}

/* Until when calls of this day are used up. */
static uint64_t until_quota_ms(const struct postern_response *response)
{
	int64_t reset;

	if (!date_parse_iso(
		answer_header(response, "x-apiquota-reset"), &reset) ||
	    reset <= response->now)
		return answer_retry_after_ms(response);
	return (uint64_t)(reset - response->now) * 1000;
}

static void classify_error(const struct postern_response *response,
    json_t *body, struct postern_outcome *out)
{
	struct complaint c = find_worst(body);

	/* "An error on our system": as of a 500, it may have been taken. */
	if (response->status == 408)
		out->result = POSTERN_UNKNOWN;
	if (!c.verdict && c.subject == OF_NOTHING &&
	    (response->status == 400 || response->status == 422))
		c.verdict = &untold;
	if (c.verdict)
		verdict_give(c.verdict, response, c.text, out);
	else
		answer_set(out, out->result, str_of(c.code), c.text);
	if (strcmp(c.code, "MS42901") == 0)
		out->retry_after_ms = until_quota_ms(response);
}

/* --- success --- */

/* Those of ours; an address may be told in another form than ours. */
static void reject_named(const struct postern_response *response,
    const json_t *warning, struct postern_outcome *out)
{
	const json_t *list = json_object_get(warning, "recipients"), *item;
	size_t at;

	if (!answer_names_recipients(response))
		return;
	json_array_foreach(list, at, item)
	{
		struct postern_str email = answer_member(item, "email");
		for (size_t i = 0; i < response->recipient_count; i++) {
			if (str_ieq(response->recipients[i], email))
				answer_reject(out, i);
		}
	}
}

static void heed_warnings(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *list = json_object_get(body, "warnings"), *warning;
	size_t i;

	json_array_foreach(list, i, warning)
	{
		struct postern_str type = answer_member(warning, "type");
		answer_set(
		    out, out->result, type, answer_member(warning, "warning"));
		if (str_ieq(type, STR("SOME_SUPPRESSED"))) {
			out->refusal = POSTERN_REFUSED_SUPPRESSED;
			reject_named(response, warning, out);
		} else if (str_ieq(type, STR("ALL_SUPPRESSED"))) {
			out->result = POSTERN_REJECTED;
			out->refusal = POSTERN_REFUSED_SUPPRESSED;
		}
	}
}

/*
 * The head says it all, but for the warnings, which say of several recipients
 * who gets nothing. When they name none of ours, and while sending is paused,
 * mail is taken as well; asked again it would be taken once more.
 */
static void classify_accepted(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	struct postern_str id = answer_header(response, "X-Message-Id");

	answer_set(out, id.len > 0 ? POSTERN_ACCEPTED : POSTERN_UNKNOWN,
	    STR(""),
	    id.len > 0 ? STR("") : STR("202 without the id of a message"));
	answer_set_id(out, id);
	if (id.len > 0 && answer_is_torn(response, body) &&
	    response->recipient_count > 1)
		answer_set(out, POSTERN_UNKNOWN, STR(""),
		    STR("the warnings were cut off"));
	heed_warnings(response, body, out);
	if (out->result == POSTERN_ACCEPTED &&
	    str_ieq(answer_header(response, "x-send-paused"), STR("true")))
		answer_set(out, POSTERN_ACCEPTED, STR(""),
		    STR("taken, but sending is paused at MailerSend"));
}

void mailersend_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	answer_default(response, out);
	answer_allowance(response, "x-ratelimit-", out);
	if (response->status == 202 ||
	    (response->status < 300 &&
		answer_header(response, "X-Message-Id").len > 0)) {
		classify_accepted(response, body, out);
	} else if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status >= 200 && response->status < 300) {
		answer_foreign(response,
		    STR("not an answer of MailerSend: check url"), out);
	} else {
		classify_error(response, body, out);
	}
	json_decref(body);
}
