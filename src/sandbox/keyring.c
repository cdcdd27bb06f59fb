/* See keyring.h. */
#include <sandbox/keyring.h>

#include <stdbool.h>
#include <string.h>

#include <base/hash.h>

const struct keyring_key *keyring_at(const struct keyring *k, size_t i)
{
	if (i >= k->count || i >= KEYRING_KEYS)
		return NULL;
	return &k->keys[(k->count - 1 - i) % KEYRING_KEYS];
}

/* Where a key of that id goes. */
static struct keyring_key *place_of(struct keyring *k, const char *key_id)
{
	for (size_t i = 0; i < KEYRING_KEYS && i < k->count; i++) {
		if (strcmp(k->keys[i].key_id, key_id) == 0)
			return &k->keys[i];
	}
	return &k->keys[k->count++ % KEYRING_KEYS];
}

static bool take(const json_t *spec, const char *name, char *out, size_t size)
{
	const json_t *value = json_object_get(spec, name);
	size_t len = json_string_length(value);

	if (len == 0 || len >= size)
		return false;
	memcpy(out, json_string_value(value), len + 1);
	return true;
}

const char *keyring_add(struct keyring *k, const json_t *spec, int64_t now_ms)
{
	const json_t *expires = json_object_get(spec, "expires_in_ms");
	struct keyring_key key = { .expires_ms = 0 };

	if (!take(spec, "key_id", key.key_id, sizeof(key.key_id)) ||
	    !take(spec, "secret", key.secret, sizeof(key.secret)) ||
	    !take(spec, "token", key.token, sizeof(key.token)) ||
	    !json_is_integer(expires))
		return "a key is {key_id, secret, token, expires_in_ms}";
	key.expires_ms = now_ms + json_integer_value(expires);
	*place_of(k, key.key_id) = key;
	return NULL;
}

void keyring_clear(struct keyring *k)
{
	hash_cleanse(k, sizeof(*k));
}
