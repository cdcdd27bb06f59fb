/*
 * The envelope: an arena and an array of recipients in it. Few recipients are
 * compared one by one; many are found through a map, so that the thousandth
 * costs what the first did.
 */
#include <mail/envelope.h>

#include <base/map.h>

#include <errno.h>

enum {
	ENVELOPE_ARENA_MAX = 32 * 1024 * 1024,
	FIRST_CAP = 8,
	INDEX_ABOVE = 16, /* recipients compared without a map */
	KEY_MAX = 512     /* above any address a session lets through */
};

void envelope_init(struct envelope *e)
{
	*e = (struct envelope){ .declared_size = 0 };
	arena_init(&e->arena, ENVELOPE_ARENA_MAX);
}

void envelope_finish(struct envelope *e)
{
	map_free(e->seen);
	arena_finish(&e->arena);
	envelope_init(e);
}

static int grow(struct envelope *e)
{
	size_t cap = e->recipient_cap ? e->recipient_cap * 2 : FIRST_CAP;
	struct envelope_recipient *grown =
	    arena_alloc(&e->arena, cap * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	if (e->recipient_count > 0)
		memcpy(
		    grown, e->recipients, e->recipient_count * sizeof(*grown));
	e->recipients = grown;
	e->recipient_cap = cap;
	return 0;
}

/* Letters of either case are one. */
static struct span key_of(struct span address, char out[KEY_MAX])
{
	address = span_first(address, KEY_MAX);
	for (size_t i = 0; i < address.len; i++) {
		char c = address.ptr[i];
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	return span_make(out, address.len);
}

static int index_add(struct envelope *e, struct span address)
{
	char key[KEY_MAX];
	int rc = map_put(e->seen, key_of(address, key), e);

	return rc == -EEXIST ? 0 : rc;
}

static int index_all(struct envelope *e)
{
	int rc = 0;

	e->seen = map_new();
	if (!e->seen)
		return -ENOMEM;
	for (size_t i = 0; rc == 0 && i < e->recipient_count; i++)
		rc = index_add(e, e->recipients[i].address);
	if (rc < 0) {
		map_free(e->seen);
		e->seen = NULL;
	}
	return rc;
}

static bool is_there(const struct envelope *e, struct span address)
{
	char key[KEY_MAX];

	if (e->seen)
		return map_get(e->seen, key_of(address, key)) != NULL;
	for (size_t i = 0; i < e->recipient_count; i++) {
		if (span_ieq(e->recipients[i].address, address))
			return true;
	}
	return false;
}

/* Room for one more in the array, and in the map when there is one. */
static int make_room(struct envelope *e)
{
	int rc = 0;

	if (e->recipient_count == e->recipient_cap)
		rc = grow(e);
	if (rc == 0 && !e->seen && e->recipient_count >= INDEX_ABOVE)
		rc = index_all(e);
	return rc;
}

int envelope_add_recipient(
    struct envelope *e, const struct envelope_recipient *r)
{
	struct envelope_recipient copy = *r;
	int rc;

	if (r->address.len > KEY_MAX)
		return -EMSGSIZE;
	/* First: one that is said over and over takes no memory. */
	if (is_there(e, r->address))
		return 0;
	rc = make_room(e);
	if (rc < 0)
		return rc;
	copy.address = arena_span(&e->arena, r->address);
	copy.orcpt = arena_span(&e->arena, r->orcpt);
	if (!copy.address.ptr || !copy.orcpt.ptr)
		return -ENOMEM;
	rc = e->seen ? index_add(e, copy.address) : 0;
	if (rc == 0)
		e->recipients[e->recipient_count++] = copy;
	return rc;
}
