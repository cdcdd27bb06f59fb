/*
 * Full jitter: many messages that failed together must not come back
 * together. No state, no clock; randomness is an argument so that tests can
 * choose it.
 */
#include <route/retry.h>

enum {
	FLOOR_MAX_MS = 60 * 60 * 1000
};

/* base doubled `times` times, at most cap. */
static uint64_t grown(uint64_t base, uint64_t cap, uint32_t times)
{
	for (uint32_t i = 0; i < times && base < cap; i++) {
		if (base > cap / 2)
			return cap;
		if (base == 0)
			return 0;
		base *= 2;
	}
	return base < cap ? base : cap;
}

/* Spread over [0, max]; the bias of the remainder is below 2^-30 here. */
static uint64_t spread(uint64_t random, uint64_t max)
{
	return max == UINT64_MAX ? random : random % (max + 1);
}

uint64_t retry_delay_ms(uint64_t base_ms, uint64_t cap_ms, uint32_t attempts,
    uint64_t floor_ms, uint64_t random)
{
	uint32_t doublings = attempts > 1 ? attempts - 1 : 0;
	uint64_t delay = spread(random, grown(base_ms, cap_ms, doublings));
	uint64_t floor = floor_ms < FLOOR_MAX_MS ? floor_ms : FLOOR_MAX_MS;

	/* The high half of random, so that it does not repeat the delay. */
	floor += spread(random >> 32, floor / 10);
	return delay > floor ? delay : floor;
}
