/* See tally.h. */
#include <health/tally.h>

#include <string.h>

void tally_init(struct tally *t, uint64_t length_ms)
{
	*t = (struct tally){ .slot_ms = length_ms / TALLY_SLOTS };
	if (t->slot_ms == 0)
		t->slot_ms = 1;
}

/* Forget what has become too old. */
static void advance(struct tally *t, uint64_t now_ms)
{
	uint64_t now = now_ms / t->slot_ms;

	if (now >= t->slot + TALLY_SLOTS) {
		memset(t->counts, 0, sizeof(t->counts));
		memset(t->sums, 0, sizeof(t->sums));
		t->slot = now;
	}
	while (t->slot < now) {
		uint32_t *oldest = t->counts[++t->slot % TALLY_SLOTS];

		for (unsigned k = 0; k < TALLY_KINDS; k++) {
			t->sums[k] -= oldest[k];
			oldest[k] = 0;
		}
	}
}

void tally_add(struct tally *t, unsigned kind, uint64_t now_ms)
{
	advance(t, now_ms);
	t->counts[t->slot % TALLY_SLOTS][kind]++;
	t->sums[kind]++;
}

uint64_t tally_sum(struct tally *t, unsigned kind, uint64_t now_ms)
{
	advance(t, now_ms);
	return t->sums[kind];
}

uint64_t tally_recent(
    struct tally *t, unsigned kind, unsigned slots, uint64_t now_ms)
{
	uint64_t sum = 0;

	advance(t, now_ms);
	for (unsigned i = 0; i < slots && i <= t->slot; i++)
		sum += t->counts[(t->slot - i) % TALLY_SLOTS][kind];
	return sum;
}
