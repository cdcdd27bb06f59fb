/* See budget.h. */
#include <health/budget.h>

enum {
	FIRST = 0, /* kinds of calls */
	RETRY,
	LENGTH_MS = 60 * 1000,
	SLOT_MS = LENGTH_MS / TALLY_SLOTS,
	FLOOR = 3 /* per second, which is a slot */
};

_Static_assert(SLOT_MS == 1000, "the floor is one per second");

void budget_init(struct budget *b, unsigned percent)
{
	b->percent = percent;
	tally_init(&b->calls, LENGTH_MS);
}

bool budget_may_retry(struct budget *b, uint64_t now_ms, uint64_t *at_ms)
{
	uint64_t first = tally_sum(&b->calls, FIRST, now_ms);
	uint64_t retries = tally_sum(&b->calls, RETRY, now_ms);

	*at_ms = (now_ms / SLOT_MS + 1) * SLOT_MS;
	return tally_recent(&b->calls, RETRY, 1, now_ms) < FLOOR ||
	       (retries + 1) * 100 <= first * b->percent;
}

void budget_note(struct budget *b, bool is_retry, uint64_t now_ms)
{
	tally_add(&b->calls, is_retry ? RETRY : FIRST, now_ms);
}
