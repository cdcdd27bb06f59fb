/* See fake_verify.h. */
#include "fake_verify.h"

#include "fuzz.h"

#include <auth/verify.h>
#include <loop/loop.h>

struct fake_verify fake_verify;

struct verifier {
	int unused;
};

struct verifier *verifier_new(unsigned threads)
{
	static struct verifier v;

	(void)threads;
	return &v;
}

void verifier_free(struct verifier *v)
{
	(void)v;
}

static enum verify_verdict judge(const struct verify_question *q)
{
	bool is_good = !q->is_decoy && span_eq(q->password, SPAN("secret"));

	if (fake_verify.is_busy)
		return VERIFY_BUSY;
	fake_verify.said_good |= is_good;
	return is_good ? VERIFY_GOOD : VERIFY_BAD;
}

enum verify_verdict verify_begin(
    struct verifier *v, const struct verify_question *q, struct verify_wait *w)
{
	(void)v;
	w->verdict = judge(q);
	if (!fake_verify.is_slow)
		return w->verdict;
	loop_post(w->loop, &w->task);
	return VERIFY_PENDING;
}

bool verify_cancel(struct verifier *v, struct verify_wait *w)
{
	(void)v;
	(void)w;
	return false; /* the task has been posted */
}

uint64_t verify_hashes(const struct verifier *v)
{
	(void)v;
	return 0;
}
