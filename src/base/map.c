/*
 * Chained hash table under SipHash-1-3 (Aumasson and Bernstein) with a key of
 * its own, so that nobody outside can aim keys at one chain. Entries never
 * move; the table doubles at one entry per bucket and halves at one in eight,
 * so that a flood of keys does not hold memory after it has passed.
 */
#include <base/map.h>

#include <base/hash.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	BUCKETS_MIN = 16
};

struct entry {
	struct entry *next;
	uint64_t hash;
	void *value;
	size_t len;
	char key[];
};

struct map {
	struct entry **buckets;
	size_t size; /* of buckets, a power of two */
	size_t count;
	uint64_t seed[2];
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static uint64_t sip_hash(const uint64_t seed[2], struct span s)
{
	uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575,
		seed[1] ^ 0x646f72616e646f6d, seed[0] ^ 0x6c7967656e657261,
		seed[1] ^ 0x7465646279746573 };
	uint64_t word, last = (uint64_t)s.len << 56;
	size_t i = 0;

	for (; s.len - i >= 8; i += 8) {
		memcpy(&word, s.ptr + i, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	for (unsigned shift = 0; i < s.len; i++, shift += 8)
		last |= (uint64_t)(unsigned char)s.ptr[i] << shift;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int round = 0; round < 3; round++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct map *map_new(void)
{
	struct map *m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->buckets = calloc(BUCKETS_MIN, sizeof(struct entry *));
	if (!m->buckets) {
		free(m);
		return NULL;
	}
	m->size = BUCKETS_MIN;
	hash_random(m->seed, sizeof(m->seed));
	return m;
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->size; i++) {
		for (struct entry *e = m->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(m->buckets);
	free(m);
}

/* The link that points to key's entry, or the NULL that ends its chain. */
static struct entry **find(const struct map *m, struct span key, uint64_t hash)
{
	struct entry **link = &m->buckets[hash & (m->size - 1)];

	for (; *link; link = &(*link)->next) {
		const struct entry *e = *link;
		if (e->hash == hash && span_eq(span_make(e->key, e->len), key))
			break;
	}
	return link;
}

/* Without memory the old table stays: slower, never wrong. */
static void resize(struct map *m, size_t size)
{
	struct entry **buckets = calloc(size, sizeof(struct entry *));
	if (!buckets)
		return;
	for (size_t i = 0; i < m->size; i++) {
		for (struct entry *e = m->buckets[i], *next; e; e = next) {
			struct entry **first = &buckets[e->hash & (size - 1)];
			next = e->next;
			e->next = *first;
			*first = e;
		}
	}
	free(m->buckets);
	m->buckets = buckets;
	m->size = size;
}

int map_put(struct map *m, struct span key, void *value)
{
	uint64_t hash = sip_hash(m->seed, key);

	if (*find(m, key, hash))
		return -EEXIST;
	struct entry *e = malloc(sizeof(*e) + key.len);
	if (!e)
		return -ENOMEM;
	if (m->count >= m->size)
		resize(m, m->size * 2);
	struct entry **first = &m->buckets[hash & (m->size - 1)];
	*e = (struct entry){
		.next = *first, .hash = hash, .value = value, .len = key.len
	};
	if (key.len)
		memcpy(e->key, key.ptr, key.len);
	*first = e;
	m->count++;
	return 0;
}

void *map_get(const struct map *m, struct span key)
{
	const struct entry *e = *find(m, key, sip_hash(m->seed, key));
	return e ? e->value : NULL;
}

void *map_remove(struct map *m, struct span key)
{
	struct entry **link = find(m, key, sip_hash(m->seed, key));
	struct entry *e = *link;

	if (!e)
		return NULL;
	void *value = e->value;
	*link = e->next;
	free(e);
	m->count--;
	if (m->size > BUCKETS_MIN && m->count < m->size / 8)
		resize(m, m->size / 2);
	return value;
}

size_t map_count(const struct map *m)
{
	return m->count;
}

void map_each(const struct map *m,
    void (*fn)(struct span key, void *value, void *ctx), void *ctx)
{
	for (size_t i = 0; i < m->size; i++) {
		for (const struct entry *e = m->buckets[i]; e; e = e->next)
			fn(span_make(e->key, e->len), e->value, ctx);
	}
}
