/*
 * A client that never saw our 250 sends its message again: the same user, the
 * same Message-ID, the same recipients. What is compared is made here; the
 * store finds the first one, in the transaction that would accept the second.
 */
#include <deliver/deliver_internal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/hash.h>
#include <base/log.h>
#include <mail/header.h>

static enum config_duplicate_policy policy_of(const struct delivery *d)
{
	const struct config_user *u = config_find_user(d->config, d->user);
	int policy = u ? u->duplicates : CONFIG_DUPLICATES_INHERIT;

	if (policy == CONFIG_DUPLICATES_INHERIT)
		policy = d->config->duplicates.policy;
	return (enum config_duplicate_policy)policy;
}

static int by_bytes(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t len = x->len < y->len ? x->len : y->len;
	int order = len ? memcmp(x->ptr, y->ptr, len) : 0;

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void add(struct hash_sha256 *h, struct span s)
{
	hash_sha256_add(h, &s.len, sizeof(s.len));
	hash_sha256_add(h, s.ptr, s.len);
}

/* Each address once, in an order of their own. 0 or -ENOMEM. */
static int add_recipients(struct hash_sha256 *h, const struct delivery *d)
{
	struct span *to = calloc(d->count, sizeof(*to));

	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < d->count; i++)
		to[i] = d->recipients[i].address;
	qsort(to, d->count, sizeof(*to), by_bytes);
	for (size_t i = 0; i < d->count; i++) {
		if (i == 0 || !span_eq(to[i], to[i - 1]))
			add(h, to[i]);
	}
	free(to);
	return 0;
}

/* 0 without memory: it is sent then, perhaps twice. */
static uint64_t make_key(const struct delivery *d, struct span message_id)
{
	uint8_t digest[HASH_SHA256_SIZE];
	uint64_t key = 0;
	struct hash_sha256 *h = hash_sha256_new();

	if (!h)
		return 0;
	add(h, d->user);
	add(h, message_id);
	int rc = add_recipients(h, d);
	hash_sha256_end(h, digest);
	if (rc == 0)
		memcpy(&key, digest, sizeof(key));
	return key;
}

void duplicate_prepare(const struct delivery *d, struct store_guard *out)
{
	enum config_duplicate_policy policy = policy_of(d);
	struct message_field field;

	*out = (struct store_guard){ .key = 0 };
	if (policy == CONFIG_DUPLICATES_OFF ||
	    !header_find(
		message_header(d->message), SPAN("Message-ID"), &field))
		return;
	out->key = make_key(d, span_trim(field.value));
	out->window_ms = d->config->duplicates.window_ms;
	out->is_strict = policy == CONFIG_DUPLICATES_DROP;
	out->wants_verdict = delivery_is_direct(d);
}

void duplicate_tell(const struct delivery *d, const struct store_accept *a)
{
	struct counters *c = d->owner->services.counters;
	enum counter_duplicate action = a->request.result == -EALREADY
					    ? COUNTER_DUPLICATE_DROPPED
					    : COUNTER_DUPLICATE_LOGGED;
	char first[ID_TEXT_SIZE];

	id_format(a->first.id, first);
	counter_add(&c->duplicates[action], 1);
	log_warn("duplicate", LOG_STR("queue_id", d->id_text),
	    LOG_STR("first", first),
	    LOG_STR("action", counter_duplicate_names[action]),
	    LOG_SPAN("messaging.message.id", d->entry.message_id),
	    LOG_NUM("nrcpt", d->count), LOG_SPAN("user", d->user));
}
