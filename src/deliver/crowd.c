/*
 * The spread grows with each who joins and passes with the time from the
 * opening on. A gate that says "soon" again and again, as all its places are
 * taken, has opened in that sense when the first "soon" is over.
 */
#include <deliver/crowd.h>

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void pass(struct crowd *c, uint64_t opens_ms, uint64_t now_ms)
{
	if (now_ms > c->since_ms) {
		c->spread_ms -= least(c->spread_ms, now_ms - c->since_ms);
		c->since_ms = now_ms;
	}
	if (c->spread_ms == 0 || opens_ms < c->since_ms)
		c->since_ms = opens_ms > now_ms ? opens_ms : now_ms;
}

uint64_t crowd_join(struct crowd *c, const struct crowd_gate *g,
    uint64_t now_ms, uint64_t random)
{
	uint64_t cap_ms = g->cap_ms > g->base_ms ? g->cap_ms : g->base_ms;

	pass(c, g->opens_ms, now_ms);
	uint64_t place_ms = c->spread_ms;
	c->spread_ms = least(place_ms + g->each_ms, cap_ms);
	if (place_ms + g->base_ms > cap_ms)
		return random % (cap_ms + 1);
	return place_ms + random % (g->base_ms + 1);
}
