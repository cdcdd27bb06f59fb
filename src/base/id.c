/*
 * Ids from the wall clock and 80 random bits. Random bytes are fetched for
 * many ids at once into a pool of the thread, since a system call per message
 * would show in the rate of accepting.
 */
#include <base/id.h>

#include <base/clock.h>
#include <base/hash.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

enum {
	TIME_SIZE = 6,
	RANDOM_SIZE = 10,
	POOL_SIZE = 51 * RANDOM_SIZE
};

static _Thread_local uint8_t pool[POOL_SIZE];
static _Thread_local size_t pool_left;

/* A child must not hand out the ids its parent is about to make. */
static void drop_pool(void)
{
	pool_left = 0;
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL, drop_pool);
}

static const uint8_t *take_random(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (pool_left == 0) {
		(void)pthread_once(&once, watch_forks);
		hash_random(pool, sizeof(pool));
		pool_left = sizeof(pool);
	}
	pool_left -= RANDOM_SIZE;
	return pool + pool_left;
}

struct id id_make(void)
{
	uint64_t now = (uint64_t)clock_wall_ms();
	struct id id;

	for (int i = 0; i < TIME_SIZE; i++)
		id.bytes[i] = (uint8_t)(now >> (8 * (TIME_SIZE - 1 - i)));
	memcpy(id.bytes + TIME_SIZE, take_random(), RANDOM_SIZE);
	return id;
}

struct id id_derive(struct id from, struct span salt)
{
	uint8_t digest[HASH_SHA256_SIZE];
	struct id id = from;

	hash_hmac_sha256(
	    span_make(from.bytes, sizeof(from.bytes)), salt, digest);
	memcpy(id.bytes + TIME_SIZE, digest, RANDOM_SIZE);
	return id;
}

/*
 * 26 characters of 5 bits hold 130: two zero bits are in front, so the first
 * character is at most 7 and text sorts as the bytes do.
 */
void id_format(struct id id, char out[ID_TEXT_SIZE])
{
	static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
	unsigned bits = 0, held = 2;
	size_t at = 0;

	for (size_t i = 0; i < sizeof(id.bytes); i++) {
		bits = (bits << 8 | id.bytes[i]) & 0xffff;
		for (held += 8; held >= 5; held -= 5)
			out[at++] = alphabet[bits >> (held - 5) & 31];
	}
	out[at] = '\0';
}

/* The value of a character, or -1: i, l, o and u are not in the alphabet. */
static int value_of(char c)
{
	static const int8_t letters[26] = { 10, 11, 12, 13, 14, 15, 16, 17, -1,
		18, 19, -1, 20, 21, -1, 22, 23, 24, 25, 26, -1, 27, 28, 29, 30,
		31 };

	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return letters[c - 'a'];
	if (c >= 'A' && c <= 'Z')
		return letters[c - 'A'];
	return -1;
}

int id_parse(struct span s, struct id *out)
{
	struct id id;
	unsigned bits = 0, held = 0;
	size_t at = 0;

	if (s.len != ID_TEXT_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		int value = value_of(s.ptr[i]);
		if (value < 0 || (i == 0 && value > 7))
			return -EINVAL;
		bits = (bits << 5 | (unsigned)value) & 0xffff;
		held += i == 0 ? 3 : 5;
		if (held >= 8) {
			held -= 8;
			id.bytes[at++] = (uint8_t)(bits >> held);
		}
	}
	*out = id;
	return 0;
}

bool id_eq(struct id a, struct id b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

/* The random part is even already: time would favour some loops for a ms. */
uint64_t id_hash(struct id id)
{
	uint64_t hash = 0;

	for (size_t i = sizeof(id.bytes) - 8; i < sizeof(id.bytes); i++)
		hash = hash << 8 | id.bytes[i];
	return hash;
}
