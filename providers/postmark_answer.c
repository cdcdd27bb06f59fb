/*
 * What Postmark means by an answer: its ErrorCode decides, whose numbers have
 * nothing to do with those of HTTP. Recipients it will not use are named in
 * the message, in lower case.
 */
#include <postmark_answer.h>

#include <common/str.h>
#include <common/verdict.h>

#include <stdio.h>

static const struct verdict verdicts[] = {
	{ .code = "10", .result = POSTERN_ACCOUNT },
	{ .code = "100", .result = POSTERN_TRANSIENT },
	/* Such a message is usually not processed, but may have been. */
	{ .code = "101", .result = POSTERN_UNKNOWN },
	{ .code = "300", .result = POSTERN_REJECTED },
	{ .code = "400", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = "401", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = "402", .result = POSTERN_REJECTED },
	{ .code = "403", .result = POSTERN_REJECTED },
	{ .code = "405", .result = POSTERN_ACCOUNT },
	{ .code = "409", .result = POSTERN_REJECTED },
	{ .code = "410", .result = POSTERN_REJECTED },
	{ .code = "411", .result = POSTERN_REJECTED },
	/* Not approved yet: recipients of the sender's own domain only. */
	{ .code = "412", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = "413", .result = POSTERN_ACCOUNT },
	{ .code = "422", .result = POSTERN_ACCOUNT },
	{ .code = "429", .result = POSTERN_THROTTLED },
	{ .code = "614", .result = POSTERN_ACCOUNT },
	/* The stream may have been named by the message. */
	{ .code = "1235", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = "1236", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = "1480", .result = POSTERN_ACCOUNT },
	{ .code = NULL },
};

/* 300 that may be about a recipient: nothing was taken, asked one by one. */
static const struct verdict untold = {
	.code = "300", .result = POSTERN_REJECTED, .is_unnamed = true
};

/* 300 with "Invalid 'To' ...", "Error parsing 'Cc' ...". */
static const struct verdict bad_recipient = { .code = "300",
	.result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_RECIPIENT,
	.is_unnamed = true };

static bool is_about_recipient(struct postern_str text)
{
	static const char *const lists[] = { "'To'", "'Cc'", "'Bcc'" };
	static const char *const words[] = { "Invalid ", "Error parsing " };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct postern_str rest = str_from(text, strlen(words[i]));
		for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
			if (str_istarts(text, str_of(words[i])) &&
			    str_istarts(rest, str_of(lists[k])))
				return true;
		}
	}
	return false;
}

/* Names a field that is the same for all recipients. */
static bool is_about_message(struct postern_str text)
{
	static const char *const fields[] = { "'From'", "'Reply-To'",
		"'ReplyTo'", "attachment", "metadata", "subject", "body",
		"header", "tag", "stream", NULL };

	for (size_t i = 0; fields[i]; i++) {
		if (str_has(text, fields[i]))
			return true;
	}
	return false;
}

/* --- "... inactive addresses: a@b, c@d. Inactive recipients are ..." --- */

static struct postern_str inactive_list(struct postern_str text)
{
	const struct postern_str before = STR("inactive addresses: ");
	struct postern_str list = str_ifind(text, before);
	struct postern_str after;

	list = str_from(list, before.len);
	after = str_ifind(list, STR("Inactive recipients"));
	list.len -= after.len;
	return list;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\r' || c == '\n' || c == '\t';
}

static struct postern_str trim(struct postern_str s)
{
	while (s.len > 0 && is_space(s.ptr[0]))
		s = str_from(s, 1);
	while (s.len > 0 && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* The full stop behind the last one is of the sentence. */
static bool is_listed(struct postern_str list, struct postern_str address)
{
	list = trim(list);
	if (list.len > 0 && list.ptr[list.len - 1] == '.')
		list.len--;
	while (list.len > 0) {
		const char *comma = memchr(list.ptr, ',', list.len);
		size_t len = comma ? (size_t)(comma - list.ptr) : list.len;
		if (str_ieq(trim(str_make(list.ptr, len)), address))
			return true;
		list = str_from(list, len + 1);
	}
	return false;
}

/* How many recipients the text names, refused from now on. */
static size_t reject_named(const struct postern_response *response,
    struct postern_str text, struct postern_outcome *out)
{
	struct postern_str list = inactive_list(text);
	size_t named = 0;

	if (!answer_names_recipients(response))
		return 0;
	for (size_t i = 0; i < response->recipient_count; i++) {
		if (!is_listed(list, response->recipients[i]))
			continue;
		answer_reject(out, i);
		named++;
	}
	return named;
}

/*
 * 406. When not all are named, nobody knows what became of the others: there
 * are reports that they got it.
 */
static void classify_inactive(const struct postern_response *response,
    struct postern_str text, struct postern_outcome *out)
{
	size_t named = reject_named(response, text, out);
	bool is_all = response->recipient_count == 1 ||
		      named == response->recipient_count;

	answer_set(
	    out, is_all ? POSTERN_REJECTED : POSTERN_UNKNOWN, STR("406"), text);
	if (is_all)
		out->refusal = POSTERN_REFUSED_SUPPRESSED;
}

/* --- all answers --- */

/* With 422 new codes of accounts came so far: no mail is to fail for one. */
static void classify_unlisted(const struct postern_response *response,
    struct postern_str code, struct postern_str text,
    struct postern_outcome *out)
{
	bool is_api_error = response->status == 422;

	answer_set(
	    out, is_api_error ? POSTERN_ACCOUNT : out->result, code, text);
	out->is_about_sender = is_api_error;
}

static void classify_code(const struct postern_response *response, int code,
    struct postern_str text, struct postern_outcome *out)
{
	const struct verdict *v;
	char digits[16];

	(void)snprintf(digits, sizeof(digits), "%d", code);
	v = verdict_find(verdicts, str_of(digits));
	if (code == 300 && is_about_recipient(text))
		v = &bad_recipient;
	else if (code == 300 && !is_about_message(text))
		v = &untold;
	if (code == 406)
		classify_inactive(response, text, out);
	else if (v)
		verdict_give(v, response, text, out);
	else
		classify_unlisted(response, str_of(digits), text, out);
}

static void classify_success(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	struct postern_str text = answer_member(body, "Message");
	struct postern_str id = answer_member(body, "MessageID");

	if (id.len == 0 && !str_has(text, "Message accepted")) {
		answer_foreign(
		    response, STR("not an answer of Postmark: check url"), out);
		return;
	}
	answer_set(out, POSTERN_ACCEPTED, STR(""), text);
	answer_set_id(out, id);
	(void)reject_named(response, text, out);
}

/* The one that says the message itself is wrong, else the first. */
static const json_t *worst_of(const json_t *errors)
{
	const json_t *worst = json_array_get(errors, 0), *error;
	size_t i;

	json_array_foreach(errors, i, error)
	{
		const json_t *code = json_object_get(error, "ErrorCode");
		json_int_t number = json_integer_value(code);
		if (number == 300 || (number >= 402 && number <= 403) ||
		    number == 411)
			return error;
	}
	return worst;
}

void postmark_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	const json_t *error = body;
	json_int_t code;

	(void)settings;
	if (json_array_size(json_object_get(body, "Errors")) > 0)
		error = worst_of(json_object_get(body, "Errors"));
	code = json_integer_value(json_object_get(error, "ErrorCode"));
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (code > 0 && code < 100000) {
		classify_code(
		    response, (int)code, answer_member(error, "Message"), out);
	} else if (response->status >= 200 && response->status < 300) {
		classify_success(response, body, out);
	}
	json_decref(body);
}
