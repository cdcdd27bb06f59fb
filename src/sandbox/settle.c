/*
 * What becomes of a request once it is checked, whichever protocol brought
 * it: limits, faults, counts, and the archive.
 */
#include <base/clock.h>
#include <base/log.h>
#include <sandbox/sandbox_internal.h>

/* The answer of a fault with a status: its own, or the provider's. */
static void answer_fault(
    const struct fault *fault, const struct fake *fake, struct fake_answer *a)
{
	const char *name;
	json_t *value;

	fake_answer_reset(a);
	if (fault->body) {
		a->status = fault->status;
		a->content_type = fault->type;
		(void)buf_add_str(&a->body, fault->body);
	} else {
		fake->fail(a, fault->status);
	}
	json_object_foreach(fault->headers, name, value)
	    fake_answer_header(a, "%s: %s", name, json_string_value(value));
}

static void keep_letter(
    struct sandbox *s, struct sandbox_counts *c, struct fake_answer *a)
{
	struct letter *l = a->letter;

	a->letter = NULL;
	c->accepted++;
	int rc = archive_add(&s->archive, l);
	if (rc)
		log_warn("sandbox_archive_failed", LOG_NUM("code", rc));
}

/* Where there is a limit: whether it is within it, and what is left. */
static void apply_limit(struct sandbox *s, size_t index, struct fake_answer *a)
{
	const struct fake *fake = fakes[index];
	struct limit *l = &s->limits[index];
	uint64_t now_s = (uint64_t)clock_wall_ms() / 1000;

	if (l->calls == 0)
		return;
	if (!limit_take(l, now_s)) {
		s->counts[index].limited++;
		letter_free(a->letter);
		a->letter = NULL;
		fake_answer_reset(a);
		fake->fail(a, 429);
	}
	if (fake->tell_limit)
		fake->tell_limit(a, l, now_s);
}

const struct fault *settle(
    struct sandbox *s, size_t index, struct fake_answer *a)
{
	const struct fake *fake = fakes[index];
	struct sandbox_counts *c = &s->counts[index];
	const struct fault *fault = NULL;

	c->requests++;
	apply_limit(s, index, a);
	if (!faults_is_empty(&s->faults))
		fault = faults_take(&s->faults, fake->name,
		    a->letter ? buf_span(&a->letter->recipients) : SPAN(""));
	c->faulted += fault != NULL;
	c->rejected += !fault && a->status >= 300;
	/* A fault that only delays, or cuts, leaves the answer as it is. */
	bool is_real =
	    !fault || fault->is_accepting ||
	    (fault->status == 0 &&
		(fault->how == FAULT_ANSWER || fault->how == FAULT_CUT_ANSWER));
	if (a->letter && is_real)
		keep_letter(s, c, a);
	if (fault && fault->status)
		answer_fault(fault, fake, a);
	return fault;
}

static const struct fault *count(
    struct sandbox *s, size_t index, const struct fault *fault)
{
	s->counts[index].requests += fault != NULL;
	s->counts[index].faulted += fault != NULL;
	return fault;
}

const struct fault *settle_head(struct sandbox *s, size_t index)
{
	return count(
	    s, index, faults_take_head(&s->faults, fakes[index]->name));
}

const struct fault *settle_command(struct sandbox *s, size_t index,
    const char *command, struct span args, struct fake_answer *a)
{
	const struct fault *fault = count(s, index,
	    faults_take_command(&s->faults, fakes[index]->name, command, args));

	if (fault)
		answer_fault(fault, fakes[index], a);
	return fault;
}
