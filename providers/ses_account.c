/*
 * What an account of Amazon SES may send: GetAccount. Its rate and its quota
 * count recipients; the quota is of the last 24 hours at any moment. The key
 * needs ses:GetAccount for it, which one that only sends may not have.
 */
#include <ses_account.h>

#include <common/answer.h>
#include <common/str.h>
#include <ses_answer.h>
#include <ses_sign.h>

#include <stdio.h>
#include <string.h>

enum {
	QUOTA_MS = 24 * 60 * 60 * 1000
};

/* Beyond it no count of anything is meant. */
static const double number_max = 1e15;

static double number(const json_t *object, const char *name)
{
	double value = json_number_value(json_object_get(object, name));

	return value > 0 && value < number_max ? value : 0;
}

static void say(struct postern_inquiry *q, const char *text)
{
	(void)snprintf(q->reason, sizeof(q->reason), "%s", text);
}

/* What bears on all mail comes before what only restricts it. */
static void read_standing(const json_t *body, struct postern_inquiry *q)
{
	const json_t *sending = json_object_get(body, "SendingEnabled");
	const json_t *production =
	    json_object_get(body, "ProductionAccessEnabled");
	struct postern_str status = answer_member(body, "EnforcementStatus");

	q->is_closed = true;
	if (str_ieq(status, STR("SHUTDOWN"))) {
		say(q, "Amazon SES has paused sending for this account "
		       "(EnforcementStatus SHUTDOWN): AWS support must be "
		       "asked to resume it");
		return;
	}
	if (json_is_false(sending)) {
		say(q, "sending is switched off for this account in this "
		       "region (SendingEnabled false)");
		return;
	}
	q->is_closed = false;
	if (json_is_false(production))
		say(q, "the account is in the sandbox of Amazon SES in this "
		       "region: only verified addresses get mail");
	else if (str_ieq(status, STR("PROBATION")))
		say(q, "Amazon SES has the account under review "
		       "(EnforcementStatus PROBATION)");
}

static void read_quota(const json_t *quota, struct postern_inquiry *q)
{
	double sent = number(quota, "SentLast24Hours");
	double most = number(quota, "Max24HourSend");

	q->per_second = number(quota, "MaxSendRate");
	q->counts_recipients = true;
	/* -1: there is none. */
	if (most < 1)
		return;
	q->has_quota = true;
	q->quota = (uint64_t)most;
	q->quota_left = sent < most ? (uint64_t)(most - sent) : 0;
	q->quota_ms = QUOTA_MS;
}

static void read_error(const void *settings,
    const struct postern_response *response, struct postern_inquiry *q)
{
	struct postern_outcome o = { .size = sizeof(o) };

	ses_classify(settings, response, &o);
	q->result = o.result;
	memcpy(q->reason, o.reason, sizeof(q->reason));
	/* Others are about the key itself, or its signature. */
	q->is_send_only = strncmp(o.reason, "AccessDenied", 12) == 0;
}

static void read_answer(const void *settings,
    const struct postern_response *response, struct postern_inquiry *q)
{
	json_t *body = answer_json(response);
	const json_t *quota = json_object_get(body, "SendQuota");

	if (response->status != 200) {
		read_error(settings, response, q);
	} else if (!json_is_object(quota)) {
		q->result = POSTERN_ACCOUNT;
		say(q, "not an answer of Amazon SES: check url and "
		       "region");
	} else {
		q->result = POSTERN_ACCEPTED;
		read_standing(body, q);
		read_quota(quota, q);
	}
	json_decref(body);
}

int ses_inquire(const void *settings, struct postern_inquiry *q,
    const struct postern_host *host, struct postern_request *r)
{
	struct ses_call call = {
		.method = "GET", .path = "/v2/email/account", .now = q->now
	};
	int rc;

	if (q->response) {
		read_answer(settings, q->response, q);
		return 0;
	}
	rc = ses_begin(settings, &call, host, r);
	return rc < 0 ? rc : ses_sign(&call, host, r);
}
