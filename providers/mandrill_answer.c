/*
 * What Mandrill means by an answer. A success is a list with what became of
 * each recipient; an error has a name, and comes with status 500 whatever it
 * is about. After GeneralError it was perhaps taken.
 */
#include <mandrill_answer.h>

#include <common/str.h>
#include <common/verdict.h>

static const struct verdict errors[] = {
	{ .code = "Invalid_Key", .result = POSTERN_ACCOUNT },
	{ .code = "PaymentRequired", .result = POSTERN_ACCOUNT },
	{ .code = "PoorReputation", .result = POSTERN_ACCOUNT },
	{ .code = "Unknown_Subaccount", .result = POSTERN_ACCOUNT },
	{ .code = "ValidationError", .result = POSTERN_REJECTED },
	/* X-MC-Template of the message. */
	{ .code = "Unknown_Template", .result = POSTERN_REJECTED },
	{ .code = "Invalid_Template", .result = POSTERN_REJECTED },
	{ .code = "ServiceUnavailable", .result = POSTERN_TRANSIENT },
	{ .code = "GeneralError", .result = POSTERN_UNKNOWN },
	{ .code = NULL },
};

/* By `status`, and where that is rejected by `reject_reason`. */
static const struct verdict fates[] = {
	{ .code = "sent", .result = POSTERN_ACCEPTED },
	{ .code = "queued", .result = POSTERN_ACCEPTED },
	{ .code = "scheduled", .result = POSTERN_ACCEPTED },
	{ .code = "invalid",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT },
	{ .code = NULL },
};
static const struct verdict reasons[] = {
	{ .code = "hard-bounce",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SUPPRESSED },
	{ .code = "soft-bounce",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SUPPRESSED },
	{ .code = "spam",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SUPPRESSED },
	{ .code = "unsub",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SUPPRESSED },
	{ .code = "custom",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_SUPPRESSED },
	{ .code = "invalid",
	    .result = POSTERN_REJECTED,
	    .refusal = POSTERN_REFUSED_RECIPIENT },
	{ .code = "unsigned",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "invalid-sender",
	    .result = POSTERN_ACCOUNT,
	    .is_about_sender = true },
	{ .code = "test-mode-limit", .result = POSTERN_ACCOUNT },
	{ .code = "rule", .result = POSTERN_ACCOUNT, .is_about_sender = true },
	{ .code = NULL },
};
/* A reason that is not documented is the recipient's until it is known. */
static const struct verdict other = { .code = "rejected",
	.result = POSTERN_REJECTED,
	.refusal = POSTERN_REFUSED_SUPPRESSED };
/* A status that is not documented, of a message that has an id. */
static const struct verdict taken = { .code = "", .result = POSTERN_ACCEPTED };

static const struct verdict *fate_of(const json_t *row)
{
	struct postern_str status = answer_member(row, "status");
	const struct verdict *v;

	if (!str_ieq(status, STR("rejected"))) {
		v = verdict_find(fates, status);
		return v || answer_member(row, "_id").len == 0 ? v : &taken;
	}
	v = verdict_find(reasons, answer_member(row, "reject_reason"));
	return v ? v : &other;
}

struct tally {
	size_t accepted, rejected, account;
	const struct verdict *refusal; /* the last one */
	struct postern_str id;         /* of the first that was taken */
	struct postern_str status;     /* one that is not documented */
};

/*
 * False when something is not told of one of them. Who is refused for reasons
 * of the account is rejected where others were taken: the outcome of a call
 * has no class for each, and without one his mail would come to them again.
 */
static bool count(const struct postern_response *response, const json_t *rows,
    struct tally *t, struct postern_outcome *out)
{
	for (size_t i = 0; i < response->recipient_count; i++) {
		const json_t *row = answer_row(response, rows, "email", i);
		const struct verdict *v = row ? fate_of(row) : NULL;

		if (!v)
			return false;
		if (v->result == POSTERN_ACCEPTED) {
			if (t->accepted++ == 0)
				t->id = answer_member(row, "_id");
			if (v == &taken)
				t->status = answer_member(row, "status");
			continue;
		}
		t->rejected += v->result == POSTERN_REJECTED;
		t->account += v->result == POSTERN_ACCOUNT;
		t->refusal = v;
		answer_reject(out, i);
	}
	return true;
}

static void classify_rows(const struct postern_response *response,
    const json_t *rows, struct postern_outcome *out)
{
	struct tally t = { .id = STR(""), .status = STR("") };

	if (!count(response, rows, &t, out)) {
		memset(out->rejected, 0, (response->recipient_count + 7) / 8);
		answer_set(out, POSTERN_UNKNOWN, STR(""),
		    STR("what became of each recipient is not told"));
		return;
	}
	if (t.accepted > 0) {
		answer_set(out, POSTERN_ACCEPTED, STR(""),
		    t.refusal ? str_of(t.refusal->code) : t.status);
		answer_set_id(out, t.id);
		return;
	}
	memset(out->rejected, 0, (response->recipient_count + 7) / 8);
	verdict_give(t.refusal, response, STR(""), out);
	/* Nothing was taken, for more than one reason: each will hear his. */
	if (t.rejected > 0 && t.account > 0) {
		out->result = POSTERN_REJECTED;
		out->is_about_sender = false;
		out->try_singly = true;
	}
}

void mandrill_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	struct postern_str name = answer_member(body, "name");
	struct postern_str text = answer_member(body, "message");
	const struct verdict *v = verdict_find(errors, name);
	int status = response->status;

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (v && (status < 300 || status >= 400)) {
		verdict_give(v, response, text, out);
	} else if (status < 200 || status >= 300) {
		answer_set(out, out->result, name, text);
	} else if (json_array_size(body) > 0) {
		classify_rows(response, body, out);
	} else {
		answer_foreign(
		    response, STR("not an answer of Mandrill: check url"), out);
	}
	json_decref(body);
}
