/*
 * The service: one verifier for all loops, and a view of each configuration
 * that somebody still uses. A view is found by the address of its
 * configuration, which cannot be reused while the view holds a reference to it.
 */
#include <auth/auth_internal.h>
#include <auth/exchange.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A list of mechanisms handed out; there are few different ones. */
struct offer {
	struct offer *next;
	char mechanisms[VIEW_MECHANISMS_SIZE];
};

struct auth {
	struct verifier *verifier;
	auth_fetch *fetch;    /* may be NULL */
	pthread_mutex_t lock; /* guards the rest */
	struct view *views;   /* references; latest first */
	struct offer *offers;
};

int auth_check_config(const struct config *config, struct err *e)
{
	const struct postern_list *names = &config->auth.mechanisms;

	for (size_t i = 0; i < names->count; i++) {
		const char *name = CONFIG_STRING(*names, i);
		if (!exchange_is_available(name))
			return err_set(e, -ENOENT,
			    "mechanism %s is configured but no plugin provides "
			    "it in %s (Debian: libsasl2-modules)",
			    name, exchange_plugin_dir());
	}
	return 0;
}

struct auth *auth_new(const struct config *config, struct err *e)
{
	struct auth *a;
	unsigned threads =
	    config->auth.workers > 0 ? (unsigned)config->auth.workers : 1;

	if (auth_check_config(config, e) < 0)
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a) {
		(void)err_errno(e, -ENOMEM, "cannot start authentication");
		return NULL;
	}
	(void)pthread_mutex_init(&a->lock, NULL);
	a->verifier = verifier_new(threads);
	if (!a->verifier) {
		(void)err_set(e, -ENOMEM,
		    "cannot start %u threads for password hashes", threads);
		auth_free(a);
		return NULL;
	}
	return a;
}

/* All of a list. */
static void drop_views(struct view *v)
{
	while (v) {
		struct view *next = v->next;

		view_unref(v);
		v = next;
	}
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	verifier_free(a->verifier);
	drop_views(a->views);
	while (a->offers) {
		struct offer *o = a->offers;
		a->offers = o->next;
		free(o);
	}
	(void)pthread_mutex_destroy(&a->lock);
	free(a);
}

void auth_set_fetch(struct auth *a, auth_fetch *fetch)
{
	a->fetch = fetch;
}

struct verifier *auth_verifier(struct auth *a)
{
	return a->verifier;
}

uint64_t auth_hashes(const struct auth *a)
{
	return verify_hashes(a->verifier);
}

/* Under lock. A reference, or NULL. */
static struct view *find_view(struct auth *a, const struct config *config)
{
	for (struct view *v = a->views; v; v = v->next)
		if (v->config == config)
			return view_ref(v);
	return NULL;
}

/* Under lock: those that nobody can ask for any more leave, as a list. */
static struct view *take_unused(struct auth *a)
{
	struct view **at = &a->views, *unused = NULL;

	while (*at) {
		struct view *v = *at;

		if (config_is_shared(v->config)) {
			at = &v->next;
			continue;
		}
		*at = v->next;
		v->next = unused;
		unused = v;
	}
	return unused;
}

/* Another thread may have made one meanwhile: then that one. */
static struct view *keep_view(struct auth *a, struct view *made)
{
	struct view *kept, *unused;

	(void)pthread_mutex_lock(&a->lock);
	kept = find_view(a, made->config);
	if (!kept) {
		kept = view_ref(made);
		made->next = a->views;
		a->views = view_ref(made);
	}
	unused = take_unused(a);
	(void)pthread_mutex_unlock(&a->lock);
	view_unref(made);
	drop_views(unused);
	return kept;
}

struct view *auth_view(struct auth *a, struct config *config)
{
	struct view *v;

	(void)pthread_mutex_lock(&a->lock);
	v = find_view(a, config);
	(void)pthread_mutex_unlock(&a->lock);
	if (v)
		return v;
	v = view_new(config, a->fetch);
	return v ? keep_view(a, v) : NULL;
}

/* One copy of each list for as long as a lives; "" for want of memory. */
static const char *intern(struct auth *a, const char *mechanisms)
{
	struct offer *o;

	(void)pthread_mutex_lock(&a->lock);
	for (o = a->offers; o; o = o->next)
		if (!strcmp(o->mechanisms, mechanisms))
			break;
	if (!o) {
		o = calloc(1, sizeof(*o));
		if (o) {
			memcpy(
			    o->mechanisms, mechanisms, strlen(mechanisms) + 1);
			o->next = a->offers;
			a->offers = o;
		}
	}
	(void)pthread_mutex_unlock(&a->lock);
	return o ? o->mechanisms : "";
}

const char *auth_mechanisms(
    struct auth *a, struct config *config, const struct auth_channel *channel)
{
	char offered[VIEW_MECHANISMS_SIZE];
	struct view *v = auth_view(a, config);

	if (!v)
		return "";
	view_list_mechanisms(v, channel, offered);
	view_unref(v);
	return intern(a, offered);
}
