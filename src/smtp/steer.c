/* See steer.h. */
#include <smtp/steer.h>

#include <mail/controls.h>

#include <stdio.h>

enum {
	SHOWN_FIELD_MAX = 60
};

/* What the user lacks, as the name of a field; ptr NULL: nothing. */
static struct span find_forbidden(
    const struct controls *c, const struct config_user *user)
{
	static const struct {
		enum control_kind kind;
		unsigned bit;
		const char *field;
	} known[] = {
		{ CONTROL_TAG, CONFIG_CONTROL_TAG, "X-Postern-Tag" },
		{ CONTROL_METADATA, CONFIG_CONTROL_METADATA,
		    "X-Postern-Metadata" },
		{ CONTROL_TRACK, CONFIG_CONTROL_TRACK, "X-Postern-Track" },
		{ CONTROL_SCHEDULE, CONFIG_CONTROL_SCHEDULE,
		    "X-Postern-Schedule" },
		{ CONTROL_PROVIDER, CONFIG_CONTROL_PROVIDER,
		    "X-Postern-Provider" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (c->kinds & CONTROL_BIT(known[i].kind) &&
		    !(user->may_control & known[i].bit))
			return span_of(known[i].field);
	}
	if (!(user->may_control & CONFIG_CONTROL_NATIVE))
		return c->native;
	return (struct span){ NULL, 0 };
}

static bool refuse(struct smtp_steer_refusal *out, unsigned code,
    const char *enhanced, const char *text)
{
	out->code = code;
	out->enhanced = enhanced;
	(void)snprintf(out->text, sizeof(out->text), "%.*s",
	    (int)sizeof(out->text) - 1, text);
	return false;
}

static bool refuse_field(struct smtp_steer_refusal *out, struct span field)
{
	char text[SHOWN_FIELD_MAX + 64];

	field = span_first(field, SHOWN_FIELD_MAX);
	(void)snprintf(text, sizeof(text),
	    "Field %.*s not allowed for user: leave it out", SPAN_FMT(field));
	return refuse(out, 550, "5.7.1", text);
}

/*
 * As FUTURERELEASE, but a time that is over is no error: a mail server in
 * between may have kept the message for a while.
 */
static bool schedule(int64_t at_ms, const struct smtp_param_rules *rules,
    struct envelope_terms *terms, struct smtp_steer_refusal *out)
{
	if (at_ms <= rules->now_ms)
		return true;
	if (terms->release_ms != 0)
		return refuse(out, 550, "5.5.4",
		    "X-Postern-Schedule and HOLDFOR or HOLDUNTIL exclude each "
		    "other");
	if (!rules->is_stored)
		return refuse(out, 550, "5.5.4",
		    "X-Postern-Schedule: nothing is stored here, so it cannot "
		    "wait");
	if ((uint64_t)(at_ms - rules->now_ms) > rules->max_hold_ms)
		return refuse(out, 550, "5.5.4",
		    "X-Postern-Schedule is later than mail is kept here");
	terms->release_ms = at_ms;
	return true;
}

bool smtp_steer(const struct config_user *user, struct span header,
    const struct smtp_param_rules *rules, struct envelope_terms *terms,
    struct smtp_steer_refusal *out)
{
	struct err why = { .code = 0 };
	struct controls c;

	if (controls_read(header, &c, &why) != 0)
		return refuse(out, 554, "5.6.0", why.text);
	struct span forbidden = find_forbidden(&c, user);
	if (forbidden.ptr)
		return refuse_field(out, forbidden);
	return schedule(c.schedule_ms, rules, terms, out);
}
