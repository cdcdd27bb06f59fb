/* See rates.h. */
#include <admin/rates.h>

#include <string.h>

enum {
	RING = RATES_STEPS + 1,
	STEPS_PER_MINUTE = 60 * 1000 / RATES_STEP_MS
};

void rates_add(struct rates *r, const uint64_t totals[RATES_KINDS])
{
	memcpy(r->samples[r->next], totals, sizeof(r->samples[0]));
	r->next = (r->next + 1) % RING;
	if (r->count < RING)
		r->count++;
}

double rates_per_second(
    const struct rates *r, enum rates_kind kind, unsigned minutes)
{
	size_t steps = (size_t)minutes * STEPS_PER_MINUTE;

	if (r->count < 2)
		return 0;
	if (steps > r->count - 1)
		steps = r->count - 1;
	size_t newest = (r->next + RING - 1) % RING;
	size_t oldest = (newest + RING - steps) % RING;
	uint64_t events = r->samples[newest][kind] - r->samples[oldest][kind];
	return (double)events * 1000 / ((double)steps * RATES_STEP_MS);
}
