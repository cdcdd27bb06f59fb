/* See tls_set.h. */
#include <net/tls_set.h>

#include <config/config.h>
#include <net/tls.h>

#include <errno.h>
#include <stdlib.h>

struct tls_set {
	struct tls_ctx *ctx[CONFIG_TLS_INHERIT][CONFIG_CLIENT_AUTH_INHERIT];
};

static int add(struct tls_set *s, const struct tls_files *files,
    const struct config *c, const struct config_listener *l, struct err *e)
{
	int policy = config_tls_policy(c, l);
	int client_auth = config_client_auth(c, l);
	struct tls_ctx **at = &s->ctx[policy][client_auth];

	if (l->tls != CONFIG_TLS_NONE && !*at) {
		*at = tls_ctx_make(files, policy, client_auth, e);
		if (!*at)
			return -EINVAL;
	}
	return 0;
}

struct tls_set *tls_set_new(
    const struct tls_files *files, const struct config *c, struct err *e)
{
	struct tls_set *s = calloc(1, sizeof(*s));

	if (!s) {
		(void)err_set(e, -ENOMEM, "no memory for TLS");
		return NULL;
	}
	for (size_t i = 0; i < c->listeners.count; i++) {
		const struct config_listener *l =
		    CONFIG_AT(c->listeners, struct config_listener, i);

		if (add(s, files, c, l, e) == 0)
			continue;
		tls_set_free(s);
		return NULL;
	}
	return s;
}

void tls_set_free(struct tls_set *s)
{
	if (!s)
		return;
	for (int p = 0; p < CONFIG_TLS_INHERIT; p++)
		for (int a = 0; a < CONFIG_CLIENT_AUTH_INHERIT; a++)
			tls_ctx_unref(s->ctx[p][a]);
	free(s);
}

struct tls_ctx *tls_set_find(const struct tls_set *s, const struct config *c,
    const struct config_listener *l)
{
	return s ? s->ctx[config_tls_policy(c, l)][config_client_auth(c, l)]
		 : NULL;
}
