/*
 * Sets of four entries in shards of their own lock. Entries are keyed hashes
 * (HMAC with a key of this process), so neither a memory image without the
 * key nor chosen passwords help anybody; who reads the key too can guess
 * passwords fast, which is why the process disables core dumps.
 */
#include <auth/cache.h>
#include <base/clock.h>

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
	SHARDS = 16,
	SETS = 64, /* per shard */
	WAYS = 4   /* entries a tag can be in */
};

struct entry {
	struct cache_tag tag;
	uint64_t expires_at; /* clock_mono_ms; 0 = free */
	enum cache_verdict verdict;
};

struct shard {
	pthread_mutex_t lock; /* guards the rest */
	struct entry sets[SETS][WAYS];
};

struct cache {
	uint8_t key[HASH_SHA256_SIZE];
	struct shard shards[SHARDS];
};

struct cache *cache_new(void)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	hash_random(c->key, sizeof(c->key));
	for (size_t i = 0; i < SHARDS; i++)
		(void)pthread_mutex_init(&c->shards[i].lock, NULL);
	return c;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < SHARDS; i++)
		(void)pthread_mutex_destroy(&c->shards[i].lock);
	hash_cleanse(c, sizeof(*c));
	free(c);
}

/* Lengths first, so that no two different triples look alike. */
static size_t add_field(char *buf, size_t at, struct span field)
{
	uint32_t len = (uint32_t)field.len;

	assert(
	    at + sizeof(len) + field.len <= CACHE_INPUT_MAX + 3 * sizeof(len));
	memcpy(buf + at, &len, sizeof(len));
	if (field.len)
		memcpy(buf + at + sizeof(len), field.ptr, field.len);
	return at + sizeof(len) + field.len;
}

struct cache_tag cache_tag(const struct cache *c, struct span name,
    struct span record, struct span password)
{
	char input[CACHE_INPUT_MAX + 3 * sizeof(uint32_t)];
	struct cache_tag tag = { .bytes = { 0 } };
	size_t len = 0;

	len = add_field(input, len, name);
	len = add_field(input, len, record);
	len = add_field(input, len, password);
	hash_hmac_sha256(span_make(c->key, sizeof(c->key)),
	    span_make(input, len), tag.bytes);
	hash_cleanse(input, len);
	return tag;
}

static struct shard *shard_of(struct cache *c, const struct cache_tag *tag)
{
	return &c->shards[tag->bytes[0] % SHARDS];
}

static struct entry *set_of(struct shard *s, const struct cache_tag *tag)
{
	return s->sets[tag->bytes[1] % SETS];
}

static bool is_entry_of(const struct entry *e, const struct cache_tag *tag)
{
	return hash_eq(e->tag.bytes, tag->bytes, sizeof(tag->bytes));
}

enum cache_verdict cache_find(struct cache *c, const struct cache_tag *tag)
{
	struct shard *s = shard_of(c, tag);
	const struct entry *set = set_of(s, tag);
	enum cache_verdict verdict = CACHE_MISS;
	uint64_t now = clock_mono_ms();

	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < WAYS; i++)
		if (set[i].expires_at > now && is_entry_of(&set[i], tag))
			verdict = set[i].verdict;
	(void)pthread_mutex_unlock(&s->lock);
	return verdict;
}

/* How willingly an entry gives way; the expired first, then the bad. */
static uint64_t keep_rank(const struct entry *e, uint64_t now)
{
	if (e->expires_at <= now)
		return 0;
	return e->verdict == CACHE_GOOD ? e->expires_at | 1ull << 63
					: e->expires_at;
}

/* The tag's own entry if there is one, else the first to go. */
static struct entry *choose(
    struct entry *set, const struct cache_tag *tag, uint64_t now)
{
	struct entry *best = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (is_entry_of(&set[i], tag))
			return &set[i];
		if (keep_rank(&set[i], now) < keep_rank(best, now))
			best = &set[i];
	}
	return best;
}

void cache_put(struct cache *c, const struct cache_tag *tag,
    enum cache_verdict verdict, uint64_t ttl_ms)
{
	struct shard *s = shard_of(c, tag);
	uint64_t now = clock_mono_ms();
	struct entry *e;

	if (ttl_ms == 0)
		return;
	(void)pthread_mutex_lock(&s->lock);
	e = choose(set_of(s, tag), tag, now);
	if (verdict == CACHE_GOOD || e->verdict != CACHE_GOOD ||
	    e->expires_at <= now)
		*e = (struct entry){ .tag = *tag,
			.expires_at = now + ttl_ms,
			.verdict = verdict };
	(void)pthread_mutex_unlock(&s->lock);
}
