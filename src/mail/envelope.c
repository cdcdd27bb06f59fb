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

/* 0, -EEXIST, or -ENOMEM. */
static int index_add(struct envelope *e, struct span address)
{
	char key[KEY_MAX];
	size_t len = address.len < sizeof(key) ? address.len : sizeof(key);

	for (size_t i = 0; i < len; i++) {
		char c = address.ptr[i];
		key[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	/* What does not fit in a key is kept, were it there twice. */
	if (address.len > sizeof(key))
		return 0;
	return map_put(e->seen, span_make(key, len), e);
}

static int index_all(struct envelope *e)
{
	e->seen = map_new();
	if (!e->seen)
		return -ENOMEM;
	for (size_t i = 0; i < e->recipient_count; i++) {
		int rc = index_add(e, e->recipients[i].address);
		if (rc < 0 && rc != -EEXIST) {
			map_free(e->seen);
			e->seen = NULL;
			return rc;
		}
	}
	return 0;
}

/* 0 when new, -EEXIST, or -ENOMEM. */
static int check_new(struct envelope *e, struct span address)
{
	if (!e->seen && e->recipient_count >= INDEX_ABOVE) {
		int rc = index_all(e);
		if (rc < 0)
			return rc;
	}
	if (e->seen)
		return index_add(e, address);
	for (size_t i = 0; i < e->recipient_count; i++) {
		if (span_ieq(e->recipients[i].address, address))
			return -EEXIST;
	}
	return 0;
}

int envelope_add_recipient(
    struct envelope *e, const struct envelope_recipient *r)
{
	struct envelope_recipient copy = *r;
	int rc;

	if (e->recipient_count == e->recipient_cap) {
		rc = grow(e);
		if (rc < 0)
			return rc;
	}
	copy.address = arena_span(&e->arena, r->address);
	copy.orcpt = arena_span(&e->arena, r->orcpt);
	if (!copy.address.ptr || !copy.orcpt.ptr)
		return -ENOMEM;
	rc = check_new(e, copy.address);
	if (rc == -EEXIST)
		return 0;
	if (rc < 0)
		return rc;
	e->recipients[e->recipient_count++] = copy;
	return 0;
}

struct span address_domain(struct span address)
{
	ptrdiff_t at = span_rindex(address, '@');

	if (at < 0)
		return span_make("", 0);
	return span_from(address, (size_t)at + 1);
}
