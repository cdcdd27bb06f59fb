/* See ses_account.h. */
#include <sandbox/ses_account.h>

#include <stdio.h>
#include <string.h>

static const double default_rate = 100000, rate_max = 1e6;

static double rate_of(const struct ses_account *a)
{
	return a->rate > 0 ? a->rate : default_rate;
}

static bool is_within(const json_t *value, double least, double most)
{
	return !value ||
	       (json_is_number(value) && json_number_value(value) >= least &&
		   json_number_value(value) <= most);
}

static bool is_flag(const json_t *value)
{
	return !value || json_is_boolean(value);
}

const char *ses_account_read(const json_t *spec, struct ses_account *out)
{
	const json_t *rate = json_object_get(spec, "max_send_rate");
	const json_t *quota = json_object_get(spec, "max_24_hour_send");
	const json_t *sending = json_object_get(spec, "sending_enabled");
	const json_t *production = json_object_get(spec, "production_access");
	const json_t *status = json_object_get(spec, "enforcement_status");
	const json_t *fail = json_object_get(spec, "fail");

	if (!json_is_object(spec) || !is_within(rate, 0.1, rate_max) ||
	    !is_within(quota, -1, 1e12) || !is_within(fail, 400, 599))
		return "max_send_rate, max_24_hour_send and fail are numbers";
	if (!is_flag(sending) || !is_flag(production))
		return "sending_enabled and production_access are true or "
		       "false";
	if (status && (!json_is_string(status) ||
			  json_string_length(status) >= SES_STATUS_SIZE))
		return "enforcement_status is HEALTHY, PROBATION or SHUTDOWN";
	*out = (struct ses_account){ .is_set = true,
		.rate = json_number_value(rate),
		.quota = quota ? json_number_value(quota) : -1,
		.is_disabled = json_is_false(sending),
		.is_in_sandbox = json_is_false(production),
		.fail = (int)json_number_value(fail) };
	(void)snprintf(out->status, sizeof(out->status), "%s",
	    status ? json_string_value(status) : "HEALTHY");
	return NULL;
}

json_t *ses_account_tell(const struct ses_account *a)
{
	return json_pack("{s:b, s:s, s:b, s:b, s:{s:f, s:f, s:f}}",
	    "DedicatedIpAutoWarmupEnabled", 0, "EnforcementStatus",
	    a->is_set ? a->status : "HEALTHY", "ProductionAccessEnabled",
	    !a->is_in_sandbox, "SendingEnabled", !a->is_disabled, "SendQuota",
	    "Max24HourSend", a->is_set ? a->quota : -1.0, "MaxSendRate",
	    rate_of(a), "SentLast24Hours", a->sent);
}

enum ses_verdict ses_account_take(
    struct ses_account *a, uint64_t recipients, uint64_t now_ms)
{
	double free_again = (double)(now_ms - a->spent_ms) * rate_of(a) / 1000;
	double second = rate_of(a) > 1 ? rate_of(a) : 1;

	a->spent = a->spent > free_again ? a->spent - free_again : 0;
	a->spent_ms = now_ms;
	if (a->is_disabled || strcmp(a->status, "SHUTDOWN") == 0)
		return SES_PAUSED;
	if (a->is_set && a->quota >= 0 && a->sent >= a->quota)
		return SES_QUOTA_USED;
	if (a->is_set && a->spent >= second)
		return SES_TOO_FAST;
	a->sent += (double)recipients;
	a->spent += (double)recipients;
	return SES_TAKEN;
}
