#include <config/effective.h>

#include <config/tables.h>

#include <base/b64.h>
#include <base/hash.h>
#include <base/netaddr.h>
#include <postern/provider.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	KEY_MAX = 256
};

/* --- values as bytes: no two different ones give the same --- */

/* Into a digest and nowhere else: secrets are among them. */

static void add(struct hash_sha256 *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct hash_sha256 *out, const char *fmt, ...)
{
	char text[128];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	hash_sha256_add(out, text, strlen(text));
}

static void add_text(struct hash_sha256 *out, const char *s, size_t len)
{
	if (!s) {
		add(out, "-;");
		return;
	}
	add(out, "%zu:", len);
	hash_sha256_add(out, s, len);
}

static void add_string(struct hash_sha256 *out, const char *s)
{
	add_text(out, s, s ? strlen(s) : 0);
}

static void add_strings(
    struct hash_sha256 *out, const struct postern_list *list)
{
	add(out, "%zu[", list->count);
	for (size_t i = 0; i < list->count; i++)
		add_string(out, CONFIG_STRING(*list, i));
}

static void add_networks(
    struct hash_sha256 *out, const struct postern_list *list)
{
	char text[NETADDR_TEXT_SIZE];

	add(out, "%zu[", list->count);
	for (size_t i = 0; i < list->count; i++) {
		const struct network *n = CONFIG_AT(*list, struct network, i);

		add(out, "%s/%u;", netaddr_format(&n->base, text),
		    (unsigned)n->bits);
	}
}

static void add_rows(struct hash_sha256 *out, const struct postern_field *rows,
    const void *block);

static void add_list(
    struct hash_sha256 *out, const struct postern_field *row, const void *at)
{
	const struct postern_list *list = at;

	add(out, "%zu[", list->count);
	for (size_t i = 0; i < list->count; i++)
		add_rows(out, row->fields,
		    (const char *)list->items + i * row->size);
}

static void add_value(
    struct hash_sha256 *out, const struct postern_field *row, const void *at)
{
	const struct postern_secret *secret = at;
	const struct postern_rate *rate = at;
	const struct postern_share *share = at;

	switch (row->type) {
	case POSTERN_TYPE_STRING:
	case POSTERN_TYPE_URL:
	case POSTERN_TYPE_SMTP_URL:
		add_string(out, *(const char *const *)at);
		break;
	case POSTERN_TYPE_SECRET:
		add_text(out, secret->ptr, secret->len);
		break;
	case POSTERN_TYPE_BOOL:
		add(out, "%d;", *(const bool *)at);
		break;
	case POSTERN_TYPE_ENUM:
		add(out, "%d;", *(const int *)at);
		break;
	case POSTERN_TYPE_INT:
	case POSTERN_TYPE_PERCENT:
		add(out, "%" PRId64 ";", *(const int64_t *)at);
		break;
	case POSTERN_TYPE_DURATION:
	case POSTERN_TYPE_SIZE:
		add(out, "%" PRIu64 ";", *(const uint64_t *)at);
		break;
	case POSTERN_TYPE_RATE:
		add(out, "%" PRIu64 "/%" PRIu64 ";", rate->count, rate->per_ms);
		break;
	case POSTERN_TYPE_SHARE:
		add(out, "%" PRIu64 "%%%" PRIu64 ";", share->percent,
		    share->bytes);
		break;
	case POSTERN_TYPE_STRINGS:
		add_strings(out, at);
		break;
	case POSTERN_TYPE_NETWORKS:
		add_networks(out, at);
		break;
	case POSTERN_TYPE_MAP:
		add_rows(out, row->fields, at);
		break;
	case POSTERN_TYPE_LIST:
		add_list(out, row, at);
		break;
	}
}

static void add_rows(struct hash_sha256 *out, const struct postern_field *rows,
    const void *block)
{
	for (; rows && rows->name; rows++)
		add_value(out, rows, (const char *)block + rows->offset);
}

/* --- the digest --- */

/* Settings of modules stand beside our own keys; see check_routes.c. */
static void add_modules(struct hash_sha256 *out, const struct config *c)
{
	for (size_t i = 0; i < c->providers.count; i++) {
		const struct config_provider *p =
		    CONFIG_AT(c->providers, struct config_provider, i);

		if (p->module && p->settings)
			add_rows(out, p->module->fields, p->settings);
	}
}

void effective_hash(const struct config *c, char out[CONFIG_HASH_SIZE])
{
	uint8_t digest[HASH_SHA256_SIZE] = { 0 };
	struct hash_sha256 *h = hash_sha256_new();

	if (h) {
		add_rows(h, tables_root, c);
		add_modules(h, c);
		hash_sha256_end(h, digest);
	}
	hex_encode(digest, (CONFIG_HASH_SIZE - 1) / 2, out);
}

void effective_hash_providers(struct config *c)
{
	struct config_provider *providers = c->providers.items;

	for (size_t i = 0; i < c->providers.count; i++) {
		struct config_provider *p = &providers[i];
		uint8_t digest[HASH_SHA256_SIZE] = { 0 };
		struct hash_sha256 *h = hash_sha256_new();

		if (h && p->module && p->settings)
			add_rows(h, p->module->fields, p->settings);
		if (h)
			hash_sha256_end(h, digest);
		hex_encode(digest, (CONFIG_HASH_SIZE - 1) / 2, p->hash);
	}
}

/* --- what a reload cannot change --- */

struct keep {
	struct arena *arena;
	void (*fn)(const char *key, void *ctx);
	void *ctx;
	int rc;
};

static bool is_equal(
    const struct postern_field *row, const void *old, const void *now)
{
	uint8_t digests[2][HASH_SHA256_SIZE];
	const void *values[] = { old, now };

	for (size_t i = 0; i < 2; i++) {
		struct hash_sha256 *h = hash_sha256_new();

		if (!h)
			return false;
		add_value(h, row, values[i]);
		hash_sha256_end(h, digests[i]);
	}
	return memcmp(digests[0], digests[1], sizeof(digests[0])) == 0;
}

/* Size of a value that holds nothing else; 0: it is no such value. */
static size_t plain_size(enum postern_type type)
{
	switch (type) {
	case POSTERN_TYPE_BOOL:
		return sizeof(bool);
	case POSTERN_TYPE_ENUM:
		return sizeof(int);
	case POSTERN_TYPE_INT:
	case POSTERN_TYPE_PERCENT:
	case POSTERN_TYPE_DURATION:
	case POSTERN_TYPE_SIZE:
		return sizeof(int64_t);
	case POSTERN_TYPE_RATE:
		return sizeof(struct postern_rate);
	case POSTERN_TYPE_SHARE:
		return sizeof(struct postern_share);
	case POSTERN_TYPE_STRING:
	case POSTERN_TYPE_URL:
	case POSTERN_TYPE_SMTP_URL:
	case POSTERN_TYPE_SECRET:
	case POSTERN_TYPE_STRINGS:
	case POSTERN_TYPE_NETWORKS:
	case POSTERN_TYPE_MAP:
	case POSTERN_TYPE_LIST:
		break;
	}
	return 0;
}

bool effective_can_keep(const struct postern_field *row)
{
	return row->type == POSTERN_TYPE_STRING ||
	       row->type == POSTERN_TYPE_URL || plain_size(row->type) > 0;
}

static void keep_value(struct keep *k, const struct postern_field *row,
    const char *const *old, const char **now)
{
	size_t size = plain_size(row->type);

	if (size > 0) {
		memcpy(now, old, size);
		return;
	}
	*now = *old ? arena_str(k->arena, span_of(*old)) : NULL;
	if (*old && !*now)
		k->rc = -ENOMEM;
}

static void keep_rows(struct keep *k, const char *prefix,
    const struct postern_field *rows, const void *old, void *now)
{
	char key[KEY_MAX];

	for (; rows->name; rows++) {
		const void *from = (const char *)old + rows->offset;
		void *to = (char *)now + rows->offset;

		(void)snprintf(key, sizeof(key), "%s%s%s", prefix,
		    *prefix ? "." : "", rows->name);
		if (rows->type == POSTERN_TYPE_MAP) {
			keep_rows(k, key, rows->fields, from, to);
		} else if (!(rows->flags & POSTERN_FIELD_RELOAD) &&
			   !is_equal(rows, from, to)) {
			k->fn(key, k->ctx);
			keep_value(k, rows, from, to);
		}
	}
}

int effective_keep_fixed(struct config *c, const struct config *old,
    struct arena *arena, void (*fn)(const char *key, void *ctx), void *ctx)
{
	struct keep k = { .arena = arena, .fn = fn, .ctx = ctx };

	keep_rows(&k, "", tables_root, old, c);
	return k.rc;
}
