/*
 * The service: one verifier for all loops, and the views of the two latest
 * configurations. A view is found by the address of its configuration, which
 * cannot be reused while the view holds a reference to it.
 */
#include <auth/auth_internal.h>
#include <auth/exchange.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	VIEWS = 2 /* the present one, and the one before for old sessions */
};

/* A list of mechanisms handed out; there are few different ones. */
struct offer {
	struct offer *next;
	char mechanisms[VIEW_MECHANISMS_SIZE];
};

struct auth {
	struct verifier *verifier;
	auth_fetch *fetch;         /* may be NULL */
	pthread_mutex_t lock;      /* guards the rest */
	struct view *views[VIEWS]; /* latest first */
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

void auth_free(struct auth *a)
{
	if (!a)
		return;
	verifier_free(a->verifier);
	for (size_t i = 0; i < VIEWS; i++)
		view_unref(a->views[i]);
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

/* A reference, or NULL. */
static struct view *find_view(struct auth *a, const struct config *config)
{
	struct view *found = NULL;

	(void)pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < VIEWS && !found; i++)
		if (a->views[i] && a->views[i]->config == config)
			found = view_ref(a->views[i]);
	(void)pthread_mutex_unlock(&a->lock);
	return found;
}

/*
 * Put v first. Two threads may both have made one for the same configuration;
 * the second takes the first's place in turn and does no harm.
 */
static void keep_view(struct auth *a, struct view *v)
{
	struct view *last;

	(void)pthread_mutex_lock(&a->lock);
	last = a->views[VIEWS - 1];
	for (size_t i = VIEWS - 1; i > 0; i--)
		a->views[i] = a->views[i - 1];
	a->views[0] = view_ref(v);
	(void)pthread_mutex_unlock(&a->lock);
	view_unref(last);
}

struct view *auth_view(struct auth *a, struct config *config)
{
	struct view *v = find_view(a, config);

	if (v)
		return v;
	v = view_new(config, a->fetch);
	if (v)
		keep_view(a, v);
	return v;
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
