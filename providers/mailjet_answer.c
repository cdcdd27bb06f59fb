/*
 * What Mailjet means by an answer: the code of the message's first error
 * decides, or that of the whole call; the status does not, as an error may
 * come with 200.
 */
#include <mailjet_answer.h>

#include <common/str.h>
#include <common/verdict.h>

#include <stdio.h>

static const struct verdict verdicts[] = {
	{ .code = "mj-0001", .result = POSTERN_ACCOUNT },
	{ .code = "mj-0002", .result = POSTERN_REJECTED },
	{ .code = "mj-0003", .result = POSTERN_REJECTED },
	{ .code = "mj-0004", .result = POSTERN_REJECTED },
	{ .code = "mj-0005", .result = POSTERN_REJECTED },
	{ .code = "mj-0006", .result = POSTERN_REJECTED },
	{ .code = "mj-0007", .result = POSTERN_REJECTED },
	{ .code = "mj-0008", .result = POSTERN_REJECTED },
	{ .code = "mj-0011",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SIZE },
	{ .code = "mj-0012", .result = POSTERN_REJECTED },
	{ .code = "mj-0013", .result = POSTERN_REJECTED },
	{ .code = "mj-0015", .result = POSTERN_ACCOUNT },
	{ .code = "send-0003", .result = POSTERN_REJECTED },
	{ .code = "send-0004", .result = POSTERN_REJECTED },
	{ .code = "send-0006",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "send-0007",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "send-0008",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "send-0010", .result = POSTERN_REJECTED },
	{ .code = "send-0011", .result = POSTERN_REJECTED },
	{ .code = "send-0012", .result = POSTERN_REJECTED },
	{ .code = "send-0013", .result = POSTERN_REJECTED },
	{ .code = "send-0015", .result = POSTERN_REJECTED },
	{ .code = "send-0016", .result = POSTERN_REJECTED },
	{ .code = NULL },
};

/* An address of a list, or one it does not tell: nothing was sent. */
static const struct verdict bad_recipient = { .code = "mj-0013",
	.result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_RECIPIENT,
	.is_unnamed = true };
static const struct verdict untold = {
	.code = "mj-0013", .result = POSTERN_REJECTED, .is_unnamed = true
};

/* "To[0].Email", "Cc[1].Email", "Bcc[2].Email". */
static bool is_in_list(struct postern_str place)
{
	static const char *const lists[] = { "To", "Cc", "Bcc", NULL };

	for (const char *const *list = lists; *list; list++) {
		struct postern_str name = str_of(*list);
		if (str_istarts(place, name) && place.len > name.len &&
		    place.ptr[name.len] == '[')
			return true;
	}
	return false;
}

/* NULL when its code is not listed. */
static const struct verdict *judge(const json_t *error)
{
	struct postern_str code = answer_member(error, "ErrorCode");
	struct postern_str place = answer_text(
	    json_array_get(json_object_get(error, "ErrorRelatedTo"), 0));

	if (str_ieq(code, STR("mj-0013")) && place.len == 0)
		return &untold;
	if (str_ieq(code, STR("mj-0013")) && is_in_list(place))
		return &bad_recipient;
	return verdict_find(verdicts, code);
}

/* How much it decides beside others. */
static int weight(const struct verdict *v)
{
	if (v && v->result == POSTERN_ACCOUNT)
		return 2;
	return v && v->is_unnamed ? 0 : 1;
}

static const json_t *find_worst(const json_t *errors)
{
	const json_t *worst = json_array_get(errors, 0), *error;
	size_t i;

	json_array_foreach(errors, i, error)
	{
		if (weight(judge(error)) > weight(judge(worst)))
			worst = error;
	}
	return worst;
}

/* By the status, or by the error's own where that of the answer is 2xx. */
static void classify_unlisted(const struct postern_response *response,
    const json_t *error, struct postern_outcome *out)
{
	json_int_t status =
	    json_integer_value(json_object_get(error, "StatusCode"));
	struct postern_response told = *response;

	if (response->status < 300)
		told.status = status >= 400 && status < 600 ? (int)status : 400;
	answer_default(&told, out);
	answer_set(out, out->result, answer_member(error, "ErrorCode"),
	    answer_member(error, "ErrorMessage"));
}

static void classify_error(const struct postern_response *response,
    const json_t *error, struct postern_outcome *out)
{
	const struct verdict *v = judge(error);

	if (v)
		verdict_give(
		    v, response, answer_member(error, "ErrorMessage"), out);
	else
		classify_unlisted(response, error, out);
}

/* One for each recipient; numbers that a double does not hold. */
static void take_ids(const json_t *message, struct postern_outcome *out)
{
	static const char *const lists[] = { "To", "Cc", "Bcc", NULL };
	const json_t *recipient;
	size_t i;

	for (const char *const *list = lists; *list; list++) {
		json_array_foreach(
		    json_object_get(message, *list), i, recipient)
		{
			const json_t *id =
			    json_object_get(recipient, "MessageID");
			char digits[24];
			(void)snprintf(digits, sizeof(digits), "%lld",
			    (long long)json_integer_value(id));
			if (json_is_integer(id))
				answer_add_id(out, str_of(digits));
		}
	}
}

/* Without an error: taken when it says so, or has ids for it. */
static bool classify_message(const struct postern_response *response,
    const json_t *message, struct postern_outcome *out)
{
	struct postern_str status = answer_member(message, "Status");
	bool is_success = str_ieq(status, STR("success"));

	take_ids(message, out);
	if (!is_success &&
	    (response->status >= 300 || out->provider_id[0] == '\0'))
		return false;
	answer_set(
	    out, POSTERN_ACCEPTED, STR(""), is_success ? STR("") : status);
	return true;
}

/* True when it says what became of the message, or of the call. */
static bool classify_body(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *message =
	    json_array_get(json_object_get(body, "Messages"), 0);
	const json_t *errors = json_object_get(message, "Errors");

	if (json_array_size(errors) > 0 ||
	    str_ieq(answer_member(message, "Status"), STR("error"))) {
		classify_error(response, find_worst(errors), out);
	} else if (answer_member(body, "ErrorCode").len > 0 ||
		   answer_member(body, "ErrorMessage").len > 0) {
		classify_error(response, body, out);
	} else {
		return classify_message(response, message, out);
	}
	return true;
}

void mailjet_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	answer_default(response, out);
	if (!answer_is_torn(response, body) &&
	    !classify_body(response, body, out) && response->status >= 200 &&
	    response->status < 300)
		answer_foreign(
		    response, STR("not an answer of Mailjet: check url"), out);
	json_decref(body);
}
