/*
 * What the account of the SES fake may send: told to who asks (GetAccount),
 * and kept to once somebody has set it. Counts recipients, as SES does. The
 * sandbox's loop.
 */
#pragma once

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

enum {
	SES_STATUS_SIZE = 16
};

/* Zeroed: an account with no limit that matters. */
struct ses_account {
	bool is_set;
	double rate;  /* recipients per second */
	double quota; /* of 24 hours; -1: none */
	bool is_disabled, is_in_sandbox;
	char status[SES_STATUS_SIZE]; /* EnforcementStatus */
	int fail;                     /* with this, rather than tell; 0 = no */
	double sent, spent;           /* in all; of the rate, not yet free */
	uint64_t spent_ms;            /* spent is that of then */
	uint64_t asked;
};

/*
 * Take over {"max_send_rate", "max_24_hour_send", "sending_enabled",
 * "production_access", "enforcement_status", "fail"}, each of which may be
 * missing. NULL, or what is wrong with it (static text).
 */
const char *ses_account_read(const json_t *spec, struct ses_account *out);
/* The answer of GetAccount; a new reference. */
json_t *ses_account_tell(const struct ses_account *a);

enum ses_verdict {
	SES_TAKEN = 0,
	SES_TOO_FAST,
	SES_QUOTA_USED,
	SES_PAUSED
};
/*
 * May a message for so many recipients be sent now? As long as anything of a
 * second's worth is free, it may, and counts.
 */
enum ses_verdict ses_account_take(
    struct ses_account *a, uint64_t recipients, uint64_t now_ms);
