/*
 * What the files that know libsasl2 share. Private to auth/sasl*.c, the only
 * place where its types may appear.
 */
#pragma once

#include <auth/exchange.h>
#include <auth/name.h>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

enum {
	SASL_DETAIL_SIZE = 200
};

struct exchange {
	sasl_conn_t *conn;
	/* libsasl2 keeps the pointer; every context is this exchange. */
	sasl_callback_t callbacks[5];
	struct exchange_setup setup;
	bool awaits_client_first; /* SCRAM: its first message is yet to come */
	bool is_malformed;        /* our parsers: not a message at all */
	bool is_refused;          /* the challenge says so */
	struct name tried;        /* len 0: nobody yet */
	char detail[SASL_DETAIL_SIZE];
};

/* Plugins get the callbacks of their connection, and so the exchange. */
static inline struct exchange *sasl_exchange_of(const sasl_server_params_t *p)
{
	return p->callbacks[0].context;
}

/* libsasl2 stores callbacks of all kinds under one type. */
#define SASL_CALLBACK_OF(fn) ((sasl_callback_ft)(void (*)(void))(fn))

/*
 * Process-wide: plugin_dir holds libscram. auth_library_init without the
 * choice of the directory.
 */
int sasl_library_init(const char *plugin_dir, struct err *e);

/* Keep the first reason of a failure, for the log. */
void sasl_set_detail(struct exchange *x, const char *text);
/*
 * Who may log in under this name from where this client is, or NULL. A user
 * who may not is treated as a name nobody has; only the log tells.
 */
const struct config_user *sasl_find_user(struct exchange *x, struct span name);

/*
 * Tell libsasl2 who it is, and as whom (NULL: as the same); it asks our proxy
 * policy next. For the plugins: what a step returns.
 */
int sasl_accept(sasl_server_params_t *params, const struct name *authid,
    const struct name *authzid, sasl_out_params_t *out);

/* Entry points of our plugins. */
sasl_server_plug_init_t sasl_plain_init; /* PLAIN and LOGIN */
sasl_server_plug_init_t sasl_oauth_init; /* OAUTHBEARER and XOAUTH2 */
sasl_auxprop_init_t sasl_users_init;     /* what SCRAM verifies against */
