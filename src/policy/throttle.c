/* The place of a key is drawn with a seed that nobody outside knows. */
#include <policy/throttle.h>

#include <base/hash.h>
#include <policy/window.h>

#include <pthread.h>
#include <stdlib.h>

enum {
	PLACES = 4096
};

struct throttle {
	uint64_t seed;
	pthread_mutex_t lock; /* guards places */
	struct window places[PLACES];
};

struct throttle *throttle_new(void)
{
	struct throttle *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	hash_random(&t->seed, sizeof(t->seed));
	(void)pthread_mutex_init(&t->lock, NULL);
	return t;
}

void throttle_free(struct throttle *t)
{
	if (!t)
		return;
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct window *place_of(struct throttle *t, struct span key)
{
	uint8_t digest[HASH_SHA256_SIZE];

	hash_hmac_sha256(span_make(&t->seed, sizeof(t->seed)), key, digest);
	return &t->places[(digest[0] << 8 | digest[1]) % PLACES];
}

bool throttle_take(struct throttle *t, struct span key,
    const struct postern_rate *rate, uint64_t now_ms)
{
	struct window *w = place_of(t, key);
	bool is_fine = true;

	if (rate->count == 0)
		return true;
	(void)pthread_mutex_lock(&t->lock);
	is_fine = window_count(w, rate->per_ms, now_ms) < rate->count;
	if (is_fine)
		window_add(w, rate->per_ms, now_ms);
	(void)pthread_mutex_unlock(&t->lock);
	return is_fine;
}
