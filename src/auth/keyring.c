/*
 * One lock guards the state; it is never held while reading. Two threads may
 * read at the same time and do no harm, and the verifier sees to it that they
 * do not.
 */
#include <auth/keyring.h>

#include <base/buf.h>
#include <base/clock.h>
#include <base/log.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_CHECK_MS = 1000,   /* between two looks at the file */
	FETCH_PAUSE_MS = 10000, /* between two requests, whatever tokens say */
	AWAY_PAUSE_MS = 5 * 60 * 1000 /* when they failed, and can wait */
};

/* Issuers may be away for a while; for ever is a way to keep a stolen key. */
#define TRUST_MS (UINT64_C(24) * 60 * 60 * 1000)

struct keyring {
	const struct config *config;
	pthread_mutex_t lock; /* guards the rest */
	struct jwk_set *keys; /* a reference, or NULL */
	bool has_tried;
	uint64_t tried_ms, read_ms; /* monotonic */
	struct stat file;           /* as it was when it was read */
};

static const struct config_oauth *settings(const struct keyring *k)
{
	return &k->config->auth.oauth;
}

struct keyring *keyring_new(const struct config *config)
{
	struct keyring *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->config = config;
	(void)pthread_mutex_init(&k->lock, NULL);
	return k;
}

void keyring_free(struct keyring *k)
{
	if (!k)
		return;
	jwk_set_unref(k->keys);
	(void)pthread_mutex_destroy(&k->lock);
	free(k);
}

static uint64_t trust_ms(const struct keyring *k)
{
	uint64_t twice = 2 * settings(k)->refresh_ms;

	return twice > TRUST_MS ? twice : TRUST_MS;
}

struct jwk_set *keyring_keys(struct keyring *k)
{
	struct jwk_set *keys = NULL;

	(void)pthread_mutex_lock(&k->lock);
	if (k->keys && clock_mono_ms() - k->read_ms < trust_ms(k))
		keys = jwk_set_ref(k->keys);
	(void)pthread_mutex_unlock(&k->lock);
	return keys;
}

/*
 * Under lock. An issuer that is away lets every login wait that asks it: those
 * the old keys are good enough for ask seldom.
 */
static bool is_url_due(
    const struct keyring *k, bool is_key_missing, uint64_t now)
{
	bool has_failed = k->tried_ms != k->read_ms;
	uint64_t pause = FETCH_PAUSE_MS;

	if (k->keys && !is_key_missing) {
		if (now - k->read_ms < settings(k)->refresh_ms)
			return false;
		if (has_failed)
			pause = AWAY_PAUSE_MS;
	}
	return now - k->tried_ms >= pause;
}

bool keyring_is_due(struct keyring *k, bool is_key_missing)
{
	bool is_file = settings(k)->jwks_file != NULL;
	uint64_t now = clock_mono_ms();
	bool is_due;

	(void)pthread_mutex_lock(&k->lock);
	if (!k->has_tried)
		is_due = true;
	else if (is_file)
		is_due = now - k->tried_ms >= FILE_CHECK_MS;
	else
		is_due = is_url_due(k, is_key_missing, now);
	(void)pthread_mutex_unlock(&k->lock);
	return is_due;
}

/* Take the new keys, or NULL: what was there then stays. */
static void settle(
    struct keyring *k, struct jwk_set *keys, const struct stat *file)
{
	struct jwk_set *old = NULL;

	(void)pthread_mutex_lock(&k->lock);
	k->has_tried = true;
	k->tried_ms = clock_mono_ms();
	if (keys) {
		old = k->keys;
		k->keys = keys;
		k->read_ms = k->tried_ms;
		if (file)
			k->file = *file;
	}
	(void)pthread_mutex_unlock(&k->lock);
	jwk_set_unref(old);
}

static void report(
    const struct keyring *k, const struct jwk_set *keys, const struct err *e)
{
	const struct config_oauth *o = settings(k);
	const char *from = o->jwks_file ? o->jwks_file : o->jwks_url;

	if (keys)
		log_info("issuer_keys", LOG_STR("from", from),
		    LOG_NUM("keys", jwk_set_count(keys)));
	else
		log_warn("issuer_keys_failed", LOG_STR("from", from),
		    LOG_STR("reason", e->text));
}

static void refresh_from_url(struct keyring *k, auth_fetch *fetch)
{
	const char *url = settings(k)->jwks_url;
	struct jwk_set *keys = NULL;
	struct err e = { .code = 0 };
	struct buf body;

	buf_init(&body, JWK_SET_BYTES_MAX);
	if (!fetch)
		(void)err_set(&e, -ENOSYS, "nothing fetches URLs here");
	else if (fetch(k->config, url, &body, &e) == 0)
		keys = jwk_set_parse(buf_span(&body), &e);
	buf_finish(&body);
	report(k, keys, &e);
	settle(k, keys, NULL);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* 0 or a negative errno, with e set. */
static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	ssize_t n;

	do {
		if (buf_reserve(out, 4096) < 0)
			return err_set(e, -EMSGSIZE, "%s is too large", path);
		n = read(fd, buf_tail(out), 4096);
		if (n < 0 && errno != EINTR)
			return err_errno(e, -errno, "cannot read %s", path);
		if (n > 0)
			buf_commit(out, (size_t)n);
	} while (n != 0);
	return 0;
}

/* Whether the file is the one that was read last, and still believed. */
static bool is_known(struct keyring *k, const struct stat *st)
{
	bool is_known;

	(void)pthread_mutex_lock(&k->lock);
	is_known = k->keys && is_same_file(st, &k->file);
	if (is_known)
		k->read_ms = k->tried_ms = clock_mono_ms();
	(void)pthread_mutex_unlock(&k->lock);
	return is_known;
}

static void refresh_from_file(struct keyring *k)
{
	const char *path = settings(k)->jwks_file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct jwk_set *keys = NULL;
	struct err e = { .code = 0 };
	struct stat st = { 0 };
	struct buf text;

	buf_init(&text, JWK_SET_BYTES_MAX + 4096);
	if (fd < 0 || fstat(fd, &st) != 0)
		(void)err_errno(&e, -errno, "cannot read %s", path);
	else if (is_known(k, &st))
		goto out;
	else if (read_all(fd, path, &text, &e) == 0)
		keys = jwk_set_parse(buf_span(&text), &e);
	report(k, keys, &e);
	settle(k, keys, &st);
out:
	buf_finish(&text);
	if (fd >= 0)
		(void)close(fd);
}

void keyring_refresh(struct keyring *k, auth_fetch *fetch)
{
	if (settings(k)->jwks_file)
		refresh_from_file(k);
	else
		refresh_from_url(k, fetch);
}
