/*
 * What SparkPost means by an answer: the code of the first error decides,
 * with the status where a code stands for several things. A success counts
 * recipients, and names those it did not take when it can.
 */
#include <sparkpost_answer.h>

#include <common/str.h>
#include <common/verdict.h>

enum {
	HOUR_WAIT_S = 900,   /* an hour's limit is told after it is reached */
	QUOTA_WAIT_S = 3600, /* a day's or a month's */
	RATE_WAIT_S = 5
};

static const struct verdict verdicts[] = {
	{ .code = "1101", .result = POSTERN_ACCOUNT },
	{ .code = "1102", .result = POSTERN_ACCOUNT },
	{ .code = "1103", .result = POSTERN_ACCOUNT },
	{ .code = "1200", .result = POSTERN_REJECTED },
	{ .code = "1301", .result = POSTERN_REJECTED },
	{ .code = "1303", .result = POSTERN_ACCOUNT },
	{ .code = "1304", .result = POSTERN_ACCOUNT },
	{ .code = "1305", .result = POSTERN_REJECTED },
	{ .code = "1400", .result = POSTERN_REJECTED },
	{ .code = "1401", .result = POSTERN_REJECTED },
	/* It says of these that nothing was taken. */
	{ .code = "1500", .result = POSTERN_TRANSIENT },
	{ .code = "1501", .result = POSTERN_TRANSIENT },
	{ .code = "1502", .result = POSTERN_TRANSIENT },
	{ .code = "1600", .result = POSTERN_ACCOUNT },
	{ .code = "1601", .result = POSTERN_ACCOUNT },
	{ .code = "1602", .result = POSTERN_TRANSIENT },
	{ .code = "1603", .result = POSTERN_REJECTED },
	{ .code = "1700", .result = POSTERN_ACCOUNT },
	{ .code = "1800", .result = POSTERN_ACCOUNT },
	{ .code = "1900", .result = POSTERN_TRANSIENT },
	{ .code = "1901", .result = POSTERN_REJECTED },
	{ .code = "1902", .result = POSTERN_REJECTED },
	{ .code = "1910", .result = POSTERN_REJECTED },
	{ .code = "2002", .result = POSTERN_REJECTED },
	{ .code = "2007", .result = POSTERN_REJECTED },
	{ .code = "2008", .result = POSTERN_REJECTED },
	{ .code = "2101", .result = POSTERN_THROTTLED, .wait_s = HOUR_WAIT_S },
	{ .code = "2102", .result = POSTERN_THROTTLED, .wait_s = QUOTA_WAIT_S },
	{ .code = "2103", .result = POSTERN_THROTTLED, .wait_s = QUOTA_WAIT_S },
	{ .code = "2105", .result = POSTERN_THROTTLED, .wait_s = QUOTA_WAIT_S },
	{ .code = "3000", .result = POSTERN_REJECTED },
	{ .code = "3001", .result = POSTERN_REJECTED },
	{ .code = "3002", .result = POSTERN_REJECTED },
	{ .code = "3010", .result = POSTERN_REJECTED },
	{ .code = "3020", .result = POSTERN_REJECTED },
	{ .code = "3040", .result = POSTERN_REJECTED },
	{ .code = "3050", .result = POSTERN_REJECTED },
	{ .code = "5002",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT },
	{ .code = "7000", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	/* Also for more than one address in From. */
	{ .code = "7001", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = NULL },
};

static const struct verdict *judge(
    int status, struct postern_str code, struct postern_str text)
{
	static const struct verdict forbidden = { .code = "1100",
		.result = POSTERN_ACCOUNT };
	/* The key was named by the message. */
	static const struct verdict bad_key = { .code = "1100",
		.result = POSTERN_REJECTED };
	static const struct verdict invalid = { .code = "1300",
		.result = POSTERN_REJECTED };
	static const struct verdict bad_recipient = { .code = "1300",
		.result = POSTERN_REJECTED,
		.refusal = POSTERN_REFUSED_RECIPIENT,
		.is_unnamed = true };
	static const struct verdict limit = {
		.code = "", .result = POSTERN_THROTTLED, .wait_s = HOUR_WAIT_S
	};
	static const struct verdict rate = {
		.code = "", .result = POSTERN_THROTTLED, .wait_s = RATE_WAIT_S
	};
	const struct verdict *v;

	if (str_ieq(code, STR("1100")))
		return str_has(text, "DKIM key") ? &bad_key : &forbidden;
	if (str_ieq(code, STR("1300")))
		return str_has(text, "recipient") ? &bad_recipient : &invalid;
	v = verdict_find(verdicts, code);
	if (v || (status != 420 && status != 429))
		return v;
	return status == 420 ? &limit : &rate;
}

/* "description", which says more, else "message". */
static struct postern_str words_of(const json_t *error)
{
	struct postern_str text = answer_member(error, "description");

	return text.len > 0 ? text : answer_member(error, "message");
}

static void classify_error(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *error =
	    json_array_get(json_object_get(body, "errors"), 0);
	struct postern_str code = answer_member(error, "code");
	struct postern_str text = words_of(error);
	const struct verdict *v = judge(response->status, code, text);

	if (v)
		verdict_give(v, response, text, out);
	else
		answer_set(out, out->result, code, text);
}

/* --- success --- */

/* "invalid recipient address.email: nobody@" */
static void reject_named(const struct postern_response *response,
    struct postern_str text, struct postern_outcome *out)
{
	const struct postern_str before = STR("address.email: ");
	struct postern_str named = str_ifind(text, before);

	named = str_from(named, before.len);
	if (named.len == 0 || !answer_names_recipients(response))
		return;
	for (size_t i = 0; i < response->recipient_count; i++) {
		if (str_ieq(response->recipients[i], named))
			answer_reject(out, i);
	}
}

/* Those it does not name are not told from the others: its events will. */
static void classify_results(const struct postern_response *response,
    const json_t *body, const json_t *results, struct postern_outcome *out)
{
	const json_t *errors = json_object_get(body, "errors");
	const json_t *refused = json_object_get(results, "rcpt_to_errors");
	const json_t *taken =
	    json_object_get(results, "total_accepted_recipients");
	const json_t *first = json_array_get(errors, 0), *error;
	size_t i;

	answer_set(out, POSTERN_ACCEPTED, answer_member(first, "code"),
	    words_of(first));
	answer_set_id(out, answer_member(results, "id"));
	if (json_is_integer(taken) && json_integer_value(taken) == 0) {
		out->result = POSTERN_REJECTED;
		out->refusal = POSTERN_REFUSED_RECIPIENT;
		return;
	}
	json_array_foreach(refused, i, error)
	    reject_named(response, words_of(error), out);
}

static void classify_success(const struct postern_response *response,
    const json_t *body, struct postern_outcome *out)
{
	const json_t *results = json_object_get(body, "results");

	if (json_is_integer(
		json_object_get(results, "total_accepted_recipients")) ||
	    answer_member(results, "id").len > 0) {
		classify_results(response, body, results, out);
	} else if (json_object_get(body, "errors")) {
		out->result = POSTERN_UNKNOWN; /* unless a code says more */
		classify_error(response, body, out);
	} else {
		answer_foreign(response,
		    STR("not an answer of SparkPost: check url"), out);
	}
}

void sparkpost_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (response->status >= 200 && response->status < 300) {
		classify_success(response, body, out);
	} else {
		classify_error(response, body, out);
	}
	json_decref(body);
}
