/*
 * See certificates.h. A deployment writes a certificate and then its key, so a
 * pair that does not match is tried again for a while before anybody is told.
 * After that it is tried every minute, and told again only if the reason is
 * another one.
 */
#include <server/certificates.h>

#include <base/clock.h>
#include <base/list.h>
#include <base/log.h>
#include <config/config.h>
#include <loop/files.h>
#include <loop/loop.h>
#include <net/tls.h>
#include <net/tls_set.h>
#include <server/worker.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 10 * 1000,
	AGAIN_MS = 500,
	LATER_MS = 60 * 1000
};

struct certificates {
	struct loop *loop;
	struct config *config;
	struct tls_files *files; /* in use; NULL without TLS */
	struct loop_files *watch;
	struct worker *const *workers;
	unsigned worker_count;
	struct loop_timer again;
	uint64_t since_ms; /* when the present trouble began; 0 = none */
	struct err told;   /* the last trouble that was logged */
	struct admin_certificate *list; /* what status shows */
	struct admin_tls status;
};

/* --- what is in use --- */

static void log_doubt(void *ctx, const char *file, const char *what)
{
	(void)ctx;
	log_warn("certificate_not_valid", LOG_STR("file", file),
	    LOG_STR("what", what));
}

/* Takes files over. */
static int use(struct certificates *c, struct tls_files *files)
{
	size_t n = files ? tls_files_count(files) : 0;
	struct admin_certificate *list = calloc(n + 1, sizeof(*list));

	if (!list) {
		tls_files_free(files);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		const struct tls_certificate *t = tls_files_at(files, i);

		list[i] = (struct admin_certificate){ .name = t->name,
			.file = t->file,
			.not_after_s = t->not_after_s };
	}
	free(c->list);
	c->status.certificates = c->list = list;
	c->status.count = n;
	c->status.is_current = true;
	tls_files_free(c->files);
	c->files = files;
	if (files)
		tls_files_doubts(files, clock_wall_ms(), log_doubt, NULL);
	return 0;
}

/* --- making new ones --- */

struct judgement {
	const struct tls_files *present, *wanted;
	struct err *e;
};

static const struct tls_certificate *find(
    const struct tls_files *files, const char *file)
{
	for (size_t i = 0; i < tls_files_count(files); i++)
		if (strcmp(tls_files_at(files, i)->file, file) == 0)
			return tls_files_at(files, i);
	return NULL;
}

/* One that is in use and has expired must not keep others from being used. */
static void judge(void *ctx, const char *file, const char *what)
{
	const struct judgement *j = ctx;
	const struct tls_certificate *wanted = find(j->wanted, file);
	const struct tls_certificate *present =
	    j->present ? find(j->present, file) : NULL;

	if (wanted && (!present || memcmp(wanted->digest, present->digest,
				       sizeof(wanted->digest)) != 0))
		(void)err_set(j->e, -EINVAL, "%s %s", file, what);
}

int certificates_judge(
    const struct certificates *c, const struct tls_files *files, struct err *e)
{
	struct judgement j = { .present = c->files, .wanted = files, .e = e };

	tls_files_doubts(files, clock_wall_ms(), judge, &j);
	return e->code;
}

static void free_sets(struct tls_set **sets, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		tls_set_free(sets[i]);
	free(sets);
}

/* Contexts for all workers, or none. */
static struct tls_set **make_sets(
    const struct certificates *c, const struct tls_files *files, struct err *e)
{
	struct tls_set **sets =
	    calloc(c->worker_count, sizeof(struct tls_set *));

	if (!sets)
		(void)err_set(e, -ENOMEM, "no memory for TLS");
	for (unsigned i = 0; sets && i < c->worker_count; i++) {
		sets[i] = tls_set_new(files, c->config, e);
		if (!sets[i]) {
			free_sets(sets, i);
			sets = NULL;
		}
	}
	return sets;
}

static void log_loaded(const struct admin_tls *status)
{
	for (size_t i = 0; i < status->count; i++) {
		const struct admin_certificate *a = &status->certificates[i];

		log_info("certificate_loaded", LOG_STR("file", a->file),
		    LOG_STR("name", a->name),
		    LOG_NUM("not_after", a->not_after_s));
	}
}

/* 0, or a negative errno with e filled: all is as it was. */
static int reload(struct certificates *c, struct err *e)
{
	struct tls_files *files = tls_files_read(&c->config->tls, e);
	struct tls_set **sets = NULL;
	int rc = 0;

	if (!files)
		return e->code;
	if (tls_files_are_same(files, c->files)) {
		tls_files_free(files);
		return 0;
	}
	if (certificates_judge(c, files, e) == 0)
		sets = make_sets(c, files, e);
	if (!sets) {
		tls_files_free(files);
		return e->code;
	}
	for (unsigned i = 0; i < c->worker_count; i++)
		if (worker_set_tls(c->workers[i], sets[i]) != 0)
			rc = -ENOMEM;
	free(sets);
	/* Memory only: then all of them get it again. */
	if (rc != 0)
		tls_files_free(files);
	else
		rc = use(c, files);
	if (rc != 0)
		return err_set(e, -ENOMEM, "no memory for TLS");
	tls_files_drop(files);
	log_loaded(&c->status);
	return 0;
}

static void tell(struct certificates *c, const struct err *e)
{
	bool is_refused = e->code == -EACCES || e->code == -EPERM;

	c->status.is_current = false;
	if (strcmp(c->told.text, e->text) == 0)
		return;
	c->told = *e;
	log_error("certificate_reload_failed", LOG_STR("reason", e->text),
	    LOG_STR("hint",
		is_refused
		    ? "the server is not root any more: let its account "
		      "read the file (chgrp and chmod 640), or restart it"
		    : "the certificates of before stay in use"));
}

static void attempt(struct certificates *c)
{
	struct err e = { 0 };
	uint64_t now = loop_now(c->loop);

	if (reload(c, &e) == 0) {
		c->since_ms = 0;
		c->told = e;
		c->status.is_current = true;
		loop_timer_stop(c->loop, &c->again);
		return;
	}
	if (c->since_ms == 0)
		c->since_ms = now;
	bool is_early = now - c->since_ms < PATIENCE_MS;
	if (!is_early)
		tell(c, &e);
	loop_timer_start(c->loop, &c->again, is_early ? AGAIN_MS : LATER_MS);
}

static void on_again(struct loop_timer *t)
{
	attempt(container_of(t, struct certificates, again));
}

static void on_change(void *ctx)
{
	struct certificates *c = ctx;

	/* Another change, another chance, and another complaint. */
	c->since_ms = 0;
	c->told = (struct err){ .code = 0 };
	attempt(c);
}

/* --- which files --- */

/* NULL for memory, else as many as *count says. */
static struct loop_file *list_files(const struct config_tls *tls, size_t *count)
{
	struct loop_file *files =
	    calloc(2 * tls->certificates.count + 2, sizeof(*files));
	size_t n = 0;

	for (size_t i = 0; files && i < tls->certificates.count; i++) {
		const struct config_certificate *pair =
		    CONFIG_AT(tls->certificates, struct config_certificate, i);

		files[n++].path = pair->cert;
		files[n++].path = pair->key;
	}
	if (files && tls->client_ca)
		files[n++].path = tls->client_ca;
	if (files && tls->crl)
		files[n++].path = tls->crl;
	*count = n;
	return files;
}

static int watch_files(struct certificates *c)
{
	size_t count;
	struct loop_file *files = list_files(&c->config->tls, &count);
	int rc = files ? loop_files_watch(c->watch, files, count) : -ENOMEM;

	free(files);
	return rc;
}

static void warn_of_unreadable(const struct certificates *c)
{
	size_t count;
	struct loop_file *files = list_files(&c->config->tls, &count);

	for (size_t i = 0; files && i < count; i++)
		if (access(files[i].path, R_OK) != 0 && errno == EACCES)
			log_warn("certificate_not_readable",
			    LOG_STR("file", files[i].path),
			    LOG_STR("hint",
				"it was read as root; when it is renewed the "
				"server needs a restart, unless its account "
				"may read the file (chgrp, chmod 640)"));
	free(files);
}

/* --- life --- */

struct certificates *certificates_new(
    struct loop *l, struct config *config, struct err *e)
{
	struct certificates *c = calloc(1, sizeof(*c));
	bool has_tls = config->tls.certificates.count > 0;
	struct tls_files *files = NULL;

	if (c) {
		c->loop = l;
		c->config = config_ref(config);
		loop_timer_init(&c->again, on_again);
		c->watch = loop_files_new(l, on_change, c);
	}
	/* In this order: what changes in between is seen. */
	if (!c || !c->watch || (has_tls && watch_files(c) != 0)) {
		(void)err_set(e, -ENOMEM, "no memory for certificates");
		goto failed;
	}
	if (has_tls && !(files = tls_files_read(&config->tls, e)))
		goto failed;
	if (use(c, files) == 0)
		return c;
	(void)err_set(e, -ENOMEM, "no memory for certificates");
failed:
	if (c)
		certificates_stop(c);
	certificates_free(c);
	return NULL;
}

int certificates_make(
    const struct certificates *c, struct tls_set **out, struct err *e)
{
	*out = c->files ? tls_set_new(c->files, c->config, e) : NULL;
	return *out || !c->files ? 0 : -EINVAL;
}

void certificates_start(
    struct certificates *c, struct worker *const *workers, unsigned count)
{
	c->workers = workers;
	c->worker_count = count;
	if (!c->files)
		return;
	tls_files_drop(c->files);
	warn_of_unreadable(c);
}

void certificates_follow(
    struct certificates *c, struct config *config, struct tls_files *files)
{
	struct config *old = c->config;

	c->config = config_ref(config);
	config_unref(old);
	if (files)
		tls_files_drop(files);
	if (watch_files(c) != 0 || use(c, files) != 0)
		log_error("certificate_watch_failed",
		    LOG_STR("reason", "out of memory"));
	/* What changed since they were read is found now. */
	if (files)
		on_change(c);
}

const struct admin_tls *certificates_status(const struct certificates *c)
{
	return &c->status;
}

void certificates_stop(struct certificates *c)
{
	loop_timer_stop(c->loop, &c->again);
	loop_files_close(c->watch);
	c->watch = NULL;
}

void certificates_free(struct certificates *c)
{
	if (!c)
		return;
	tls_files_free(c->files);
	config_unref(c->config);
	free(c->list);
	free(c);
}
