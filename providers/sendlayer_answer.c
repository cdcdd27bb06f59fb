/*
 * What SendLayer means by an answer: the code of the first error decides, for
 * which status comes with which code is not told.
 */
#include <sendlayer_answer.h>

#include <common/str.h>
#include <common/verdict.h>

#include <stdio.h>

enum {
	RATE_WAIT_S = 60,   /* limits are per minute, hour and day */
	QUOTA_WAIT_S = 3600 /* of the plan's e-mails */
};

/* Of several recipients it does not say which one it is about. */
static const struct verdict verdicts[] = {
	{ .code = "1", .result = POSTERN_ACCOUNT },
	{ .code = "2", .result = POSTERN_REJECTED },
	{ .code = "3", .result = POSTERN_REJECTED },
	{ .code = "4", .result = POSTERN_REJECTED },
	{ .code = "5", .result = POSTERN_REJECTED },
	{ .code = "6", .result = POSTERN_REJECTED },
	{ .code = "7",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "8", .result = POSTERN_REJECTED },
	{ .code = "9", .result = POSTERN_REJECTED },
	{ .code = "10", .result = POSTERN_REJECTED },
	{ .code = "11", .result = POSTERN_REJECTED },
	{ .code = "12", .result = POSTERN_ACCOUNT },
	{ .code = "13", .result = POSTERN_ACCOUNT },
	{ .code = "14",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SUPPRESSED,
	    .is_unnamed = true },
	{ .code = "15", .result = POSTERN_ACCOUNT },
	{ .code = "16", .result = POSTERN_ACCOUNT },
	{ .code = "17", .result = POSTERN_THROTTLED, .wait_s = QUOTA_WAIT_S },
	{ .code = "18",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "19",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "20", .result = POSTERN_REJECTED },
	{ .code = "21",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "22",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "23", .result = POSTERN_REJECTED },
	{ .code = "24", .result = POSTERN_REJECTED },
	{ .code = "25",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "26",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT,
	    .is_unnamed = true },
	{ .code = "27", .result = POSTERN_REJECTED },
	{ .code = "28", .result = POSTERN_REJECTED },
	{ .code = "29", .result = POSTERN_REJECTED },
	{ .code = "30", .result = POSTERN_REJECTED },
	{ .code = "31", .result = POSTERN_REJECTED },
	{ .code = "32", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = "429", .result = POSTERN_THROTTLED, .wait_s = RATE_WAIT_S },
	{ .code = NULL },
};

static void classify_error(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *error =
	    json_array_get(json_object_get(body, "Errors"), 0);
	json_int_t code = json_integer_value(json_object_get(error, "Code"));
	struct postern_str text = answer_member(error, "Message");
	const struct verdict *v;
	char digits[24];

	/* The other form in use. */
	if (!error)
		text = answer_member(body, "Error");
	if (code == 0 && response->status == 429)
		code = 429;
	(void)snprintf(digits, sizeof(digits), "%lld", (long long)code);
	v = verdict_find(verdicts, str_of(digits));
	if (v)
		verdict_give(v, response, text, out);
	else
		answer_set(out, out->result,
		    code != 0 ? str_of(digits) : STR(""), text);
}

void sendlayer_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status >= 200 && response->status < 300 &&
		   !json_object_get(body, "Errors")) {
		answer_take(response, body, "MessageID",
		    STR("not an answer of SendLayer: check url"), out);
	} else {
		classify_error(response, body, out);
	}
	json_decref(body);
}
