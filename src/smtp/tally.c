/*
 * What metrics say of sessions. A refusal is counted as what its enhanced code
 * says, so that the figures cannot say anything else than the clients were
 * told.
 */
#include <smtp/session_internal.h>

#include <auth/auth.h>

#include <string.h>

struct reason {
	const char *enhanced; /* or its first digits */
	enum counter_reject reason;
};

/* The first that fits. */
static const struct reason reasons[] = {
	{ "5.2.3", COUNTER_REJECT_SIZE },
	{ "5.3.4", COUNTER_REJECT_SIZE },
	{ "4.3.1", COUNTER_REJECT_STORAGE },
	{ "4.3.0", COUNTER_REJECT_STORAGE },
	{ "4.3.5", COUNTER_REJECT_CONFIG },
	{ "5.4.6", COUNTER_REJECT_LOOP },
	{ "4.4.", COUNTER_REJECT_PROVIDER },
	{ "4.5.3", COUNTER_REJECT_RECIPIENT },
	{ "5.5.", COUNTER_REJECT_SYNTAX },
	{ "5.6.7", COUNTER_REJECT_SENDER },
	{ "5.6.", COUNTER_REJECT_SYNTAX },
	{ "5.1.", COUNTER_REJECT_SENDER },
	{ "5.7.1", COUNTER_REJECT_SENDER },
};

enum counter_reject smtp_tally_reason(
    enum counter_stage stage, const char *enhanced)
{
	enum counter_reject found = COUNTER_REJECT_POLICY;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		size_t len = strlen(reasons[i].enhanced);

		if (strncmp(enhanced, reasons[i].enhanced, len) != 0)
			continue;
		found = reasons[i].reason;
		break;
	}
	/* At RCPT an address is the recipient's. */
	if (stage == COUNTER_STAGE_RCPT && found == COUNTER_REJECT_SENDER)
		found = COUNTER_REJECT_RECIPIENT;
	return found;
}

static enum counter_stage stage_of(enum counter_verb verb)
{
	switch (verb) {
	case COUNTER_VERB_MAIL:
		return COUNTER_STAGE_MAIL;
	case COUNTER_VERB_RCPT:
		return COUNTER_STAGE_RCPT;
	case COUNTER_VERB_DATA:
	case COUNTER_VERB_BDAT:
		return COUNTER_STAGE_DATA;
	default:
		return COUNTER_STAGES;
	}
}

void smtp_tally_reply(
    struct smtp_session *s, unsigned code, const char *enhanced)
{
	struct counters *c = s->service->counters;
	enum counter_stage stage = stage_of(s->verb);

	if (s->verb == COUNTER_VERBS || code < 200)
		return;
	counter_add(&c->replies[s->verb][code / 100 - 2], 1);
	if (code < 400 || stage == COUNTER_STAGES)
		return;
	enum counter_reject reason = s->reject;
	if (reason == COUNTER_REJECTS)
		reason = smtp_tally_reason(stage, enhanced ? enhanced : "");
	s->reject = COUNTER_REJECTS;
	counter_add(&c->rejects[stage][reason], 1);
}

void smtp_tally_login(struct smtp_session *s, enum counter_login result)
{
	unsigned mechanism = COUNTER_MECHANISM_OTHER;

	if (s->auth)
		mechanism = counter_label_find(counter_mechanism_names,
		    COUNTER_MECHANISMS, auth_session_mechanism(s->auth),
		    COUNTER_MECHANISM_OTHER);
	counter_add(&s->service->counters->logins[mechanism][result], 1);
}

void smtp_tally_end(const struct smtp_session *s, const char *reason)
{
	counter_add(&s->counts->ended[counter_label_find(counter_end_names,
			COUNTER_ENDS, reason, COUNTER_END_OTHER)],
	    1);
}
