#include <config/slots.h>

#include <base/counters.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_SIZE = 65, /* what check_name allows */
	MOST = COUNTER_PROVIDERS_MAX,
	NONE = MOST
};

_Static_assert((int)COUNTER_LISTENERS_MAX <= (int)MOST, "one is enough");
_Static_assert((int)MOST <= 64, "struct config_new_slots has 64 bits");

struct slot {
	char name[NAME_SIZE]; /* "" = never used; main thread */
	atomic_size_t refs;   /* snapshots that use it; any thread */
};

struct slots {
	atomic_size_t refs; /* snapshots */
	struct slot listeners[COUNTER_LISTENERS_MAX];
	struct slot providers[COUNTER_PROVIDERS_MAX];
};

/* The names of one kind in one snapshot, and the places they get. */
struct claim {
	struct slot *slots;
	size_t slot_count;
	const char *names[MOST];
	size_t count;
	size_t place[MOST];
	uint64_t taken, fresh; /* bits */
};

static int claim_listeners(
    struct slots *s, const struct config *c, struct claim *out)
{
	*out = (struct claim){ .slots = s->listeners,
		.slot_count = COUNTER_LISTENERS_MAX,
		.count = c->listeners.count };
	if (out->count > out->slot_count)
		return -EBUSY;
	for (size_t i = 0; i < out->count; i++)
		out->names[i] =
		    CONFIG_AT(c->listeners, struct config_listener, i)->name;
	return 0;
}

static int claim_providers(
    struct slots *s, const struct config *c, struct claim *out)
{
	*out = (struct claim){ .slots = s->providers,
		.slot_count = COUNTER_PROVIDERS_MAX,
		.count = c->providers.count };
	if (out->count > out->slot_count)
		return -EBUSY;
	for (size_t i = 0; i < out->count; i++)
		out->names[i] =
		    CONFIG_AT(c->providers, struct config_provider, i)->name;
	return 0;
}

static void find_known(struct claim *k)
{
	for (size_t i = 0; i < k->count; i++) {
		k->place[i] = NONE;
		for (size_t j = 0; j < k->slot_count; j++) {
			if (strcmp(k->slots[j].name, k->names[i]) != 0)
				continue;
			k->place[i] = j;
			k->taken |= UINT64_C(1) << j;
		}
	}
}

/* One never used first: whose name returns should find its numbers. */
static size_t find_free(const struct claim *k)
{
	size_t best = NONE;

	for (size_t j = 0; j < k->slot_count; j++) {
		const struct slot *s = &k->slots[j];

		if (k->taken & UINT64_C(1) << j)
			continue;
		if (s->name[0] == '\0')
			return j;
		if (best == NONE && atomic_load(&s->refs) == 0)
			best = j;
	}
	return best;
}

static int find_places(struct claim *k)
{
	find_known(k);
	for (size_t i = 0; i < k->count; i++) {
		if (k->place[i] != NONE)
			continue;
		k->place[i] = find_free(k);
		if (k->place[i] == NONE)
			return -EBUSY;
		k->taken |= UINT64_C(1) << k->place[i];
		k->fresh |= UINT64_C(1) << k->place[i];
	}
	return 0;
}

static void settle(struct claim *k)
{
	for (size_t i = 0; i < k->count; i++) {
		struct slot *s = &k->slots[k->place[i]];

		if (k->fresh & UINT64_C(1) << k->place[i])
			(void)snprintf(
			    s->name, sizeof(s->name), "%s", k->names[i]);
		atomic_fetch_add(&s->refs, 1);
	}
}

int slots_take(struct slots *s, struct config *c)
{
	struct config_listener *listeners = c->listeners.items;
	struct config_provider *providers = c->providers.items;
	struct claim l, p;
	int rc = claim_listeners(s, c, &l);

	if (rc == 0)
		rc = claim_providers(s, c, &p);
	if (rc == 0)
		rc = find_places(&l);
	if (rc == 0)
		rc = find_places(&p);
	if (rc)
		return rc;
	settle(&l);
	settle(&p);
	for (size_t i = 0; i < l.count; i++)
		listeners[i].slot = l.place[i];
	for (size_t i = 0; i < p.count; i++)
		providers[i].slot = p.place[i];
	c->new_slots = (struct config_new_slots){ l.fresh, p.fresh };
	atomic_fetch_add(&s->refs, 1);
	return 0;
}

struct slots *slots_new(void)
{
	return calloc(1, sizeof(struct slots));
}

void slots_free(struct slots *s)
{
	free(s);
}

void slots_leave(struct slots *s, const struct config *c)
{
	const struct config_listener *listeners = c->listeners.items;
	const struct config_provider *providers = c->providers.items;

	for (size_t i = 0; i < c->listeners.count; i++)
		atomic_fetch_sub(&s->listeners[listeners[i].slot].refs, 1);
	for (size_t i = 0; i < c->providers.count; i++)
		atomic_fetch_sub(&s->providers[providers[i].slot].refs, 1);
	if (atomic_fetch_sub(&s->refs, 1) == 1)
		free(s);
}
