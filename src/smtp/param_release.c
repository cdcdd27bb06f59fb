/* When a message may leave (RFC 4865): in so many seconds, or at a time. */
#include <smtp/param_internal.h>

#include <base/date.h>

enum {
	MS_PER_SECOND = 1000,
	SECONDS_MAX = 999999999 /* nine digits */
};

/* Takes the time; t->why says what is wrong with it. */
static bool release_at(struct smtp_param_taker *t, int64_t at_ms)
{
	const struct smtp_param_rules *rules = t->rules;

	if (t->mail->terms.release_ms != 0)
		t->why = "HOLDFOR and HOLDUNTIL exclude each other";
	else if (!rules->is_stored)
		t->why = "nothing is stored here, so it cannot wait";
	else if (at_ms <= rules->now_ms)
		t->why = "that time is over";
	else if ((uint64_t)(at_ms - rules->now_ms) > rules->max_hold_ms)
		t->why = "later than is offered";
	else
		t->mail->terms.release_ms = at_ms;
	return !t->why;
}

bool smtp_param_take_holdfor(
    struct smtp_param_taker *t, const struct smtp_param *p)
{
	unsigned long long seconds;

	if (p->value.len > 9 || span_starts_with(p->value, SPAN("0")) ||
	    !span_parse_u64(p->value, SECONDS_MAX, &seconds))
		return false;
	return release_at(
	    t, t->rules->now_ms + (int64_t)seconds * MS_PER_SECOND);
}

bool smtp_param_take_holduntil(
    struct smtp_param_taker *t, const struct smtp_param *p)
{
	int64_t at_ms;

	return date_parse_rfc3339(p->value, &at_ms) == 0 &&
	       release_at(t, at_ms);
}
