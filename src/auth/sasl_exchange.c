/* One connection of libsasl2 for one AUTH command. See exchange.h. */
#include <auth/sasl_internal.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	SCRAM_MESSAGE_MAX = 2048
};

void sasl_set_detail(struct exchange *x, const char *text)
{
	if (!x->detail[0] && text)
		(void)snprintf(x->detail, sizeof(x->detail), "%s", text);
}

const struct config_user *sasl_find_user(struct exchange *x, struct span name)
{
	const struct config_user *user =
	    config_find_user(x->setup.view->config, name);

	if (!user || user->allow_from.count == 0 ||
	    network_list_has(user->allow_from.items, user->allow_from.count,
		&x->setup.channel.peer))
		return user;
	sasl_set_detail(x, "may not log in from this address");
	return NULL;
}

int sasl_accept(sasl_server_params_t *params, const struct name *authid,
    const struct name *authzid, sasl_out_params_t *out)
{
	unsigned flags = SASL_CU_AUTHID | SASL_CU_EXTERNALLY_VERIFIED;
	int rc;

	if (!authzid)
		flags |= SASL_CU_AUTHZID;
	rc = params->canon_user(params->utils->conn, authid->text,
	    (unsigned)authid->len, flags, out);
	if (rc == SASL_OK && authzid)
		rc = params->canon_user(params->utils->conn, authzid->text,
		    (unsigned)authzid->len,
		    SASL_CU_AUTHZID | SASL_CU_EXTERNALLY_VERIFIED, out);
	if (rc == SASL_OK)
		out->doneflag = 1;
	return rc;
}

static int get_option(void *context, const char *plugin, const char *option,
    const char **result, unsigned *len)
{
	const struct exchange *x = context;
	const char *value = NULL;

	(void)plugin;
	if (!strcmp(option, "mech_list"))
		value = x->setup.view ? x->setup.view->mechanisms : NULL;
	else if (!strcmp(option, "auxprop_plugin"))
		value = "postern";
	else if (!strcmp(option, "pwcheck_method"))
		value = ""; /* the default asks files of the system */
	if (!value)
		return SASL_FAIL;
	*result = value;
	if (len)
		*len = (unsigned)strlen(value);
	return SASL_OK;
}

/* Traces hold passwords; the rest comes back through sasl_errdetail. */
static int on_log(void *context, int level, const char *message)
{
	if (level == SASL_LOG_ERR)
		sasl_set_detail(context, message);
	return SASL_OK;
}

/*
 * Always succeeds, and leaves nothing for the built-in canonicaliser to do,
 * which strips spaces and fails on names it does not like.
 */
/* NOLINTNEXTLINE(readability-function-size): libsasl2's signature */
static int canon_user(sasl_conn_t *conn, void *context, const char *in,
    unsigned in_len, unsigned flags, const char *realm, char *out,
    unsigned out_max, unsigned *out_len)
{
	struct exchange *x = context;
	struct name name;

	(void)conn;
	(void)realm;
	name_canonical(span_make(in, in_len), &name);
	if (flags & SASL_CU_AUTHID)
		x->tried = name;
	if (name.len >= out_max)
		return SASL_BUFOVER;
	memcpy(out, name.text, name.len + 1);
	*out_len = (unsigned)name.len;
	return SASL_OK;
}

/* Nobody acts as somebody else. */
/* NOLINTNEXTLINE(readability-function-size): libsasl2's signature */
static int may_act_as(sasl_conn_t *conn, void *context, const char *requested,
    unsigned requested_len, const char *proven, unsigned proven_len,
    const char *realm, unsigned realm_len, struct propctx *props)
{
	(void)conn;
	(void)realm;
	(void)realm_len;
	(void)props;
	if (span_eq(span_make(requested, requested_len),
		span_make(proven, proven_len)))
		return SASL_OK;
	sasl_set_detail(context, "asks to act as another user");
	return SASL_NOAUTHZ;
}

static int set_security(struct exchange *x)
{
	sasl_security_properties_t props = { 0 };
	int bits = x->setup.channel.tls_bits;
	sasl_ssf_t ssf = bits > 0 ? (sasl_ssf_t)bits : 0;
	int rc;

	props.security_flags = SASL_SEC_NOANONYMOUS;
	if (!x->setup.channel.allow_plaintext)
		props.security_flags |= SASL_SEC_NOPLAINTEXT;
	rc = sasl_setprop(x->conn, SASL_SEC_PROPS, &props);
	if (rc == SASL_OK)
		rc = sasl_setprop(x->conn, SASL_SSF_EXTERNAL, &ssf);
	if (rc == SASL_OK && x->setup.certificate_user)
		rc = sasl_setprop(
		    x->conn, SASL_AUTH_EXTERNAL, x->setup.certificate_user);
	return rc;
}

struct exchange *exchange_new(const struct exchange_setup *setup)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->setup = *setup;
	x->callbacks[0] = (sasl_callback_t){ SASL_CB_GETOPT,
		SASL_CALLBACK_OF(get_option), x };
	x->callbacks[1] =
	    (sasl_callback_t){ SASL_CB_LOG, SASL_CALLBACK_OF(on_log), x };
	x->callbacks[2] = (sasl_callback_t){ SASL_CB_CANON_USER,
		SASL_CALLBACK_OF(canon_user), x };
	x->callbacks[3] = (sasl_callback_t){ SASL_CB_PROXY_POLICY,
		SASL_CALLBACK_OF(may_act_as), x };
	x->callbacks[4].id = SASL_CB_LIST_END;
	/* Without a host name libsasl2 would ask the resolver. */
	if (sasl_server_new("smtp", setup->hostname, NULL, NULL, NULL,
		x->callbacks, 0, &x->conn) != SASL_OK ||
	    set_security(x) != SASL_OK) {
		exchange_free(x);
		return NULL;
	}
	x->setup.hostname = NULL;
	x->setup.channel.proven = NULL;
	return x;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	sasl_dispose(&x->conn);
	free(x);
}

bool exchange_is_available(const char *mechanism)
{
	struct exchange_setup setup = { .hostname = "localhost",
		.channel.tls_bits = 256,
		.certificate_user = "somebody" };
	struct exchange *x = exchange_new(&setup);
	const char *list = NULL;
	struct span rest;
	bool found = false;

	if (x && sasl_listmech(x->conn, NULL, "", " ", "", &list, NULL, NULL) ==
		     SASL_OK) {
		rest = span_of(list);
		while (rest.ptr && !found)
			found =
			    span_eq(span_cut(&rest, ' '), span_of(mechanism));
	}
	exchange_free(x);
	return found;
}

static enum auth_result result_of(const struct exchange *x, int rc)
{
	switch (rc) {
	case SASL_OK:
		return AUTH_OK;
	case SASL_CONTINUE:
		return AUTH_CONTINUE;
	case SASL_NOMECH:
		return AUTH_NO_MECHANISM;
	case SASL_ENCRYPT:
		return AUTH_NEEDS_TLS;
	case SASL_UNAVAIL:
	case SASL_TRYAGAIN:
	case SASL_FAIL:
	case SASL_NOMEM:
		return AUTH_UNAVAILABLE;
	default:
		return x->is_malformed ? AUTH_MALFORMED : AUTH_BAD_CREDENTIALS;
	}
}

/* For the log: who it was, as far as known, and why. */
static void fill_failure(struct exchange *x, struct auth_answer *out)
{
	struct span tried = span_make(x->tried.text, x->tried.len);

	if (tried.len && name_is_nobody(&x->tried)) {
		sasl_set_detail(x, "impossible user name");
	} else if (tried.len) {
		out->user = x->tried.text;
		if (!config_find_user(x->setup.view->config, tried))
			sasl_set_detail(x, "unknown user");
	}
	sasl_set_detail(x, sasl_errdetail(x->conn));
	out->detail = x->detail;
}

/* libsasl2 said yes; we say who, and only if the user may. */
static void fill_user(struct exchange *x, struct auth_answer *out)
{
	const void *name = NULL;
	const struct config_user *user = NULL;

	if (sasl_getprop(x->conn, SASL_USERNAME, &name) == SASL_OK && name)
		user = sasl_find_user(x, span_of(name));
	if (!user) {
		out->result = AUTH_BAD_CREDENTIALS;
		fill_failure(x, out);
		return;
	}
	out->user = user->name;
	if (user->disabled) {
		out->result = AUTH_DISABLED;
		out->detail = "account disabled";
	}
}

/* What a call of libsasl2 means; false when it waits for a hash. */
static bool answer(struct exchange *x, int rc, const char *reply,
    unsigned reply_len, struct auth_answer *out)
{
	if (rc == SASL_INTERACT)
		return false;
	*out = (struct auth_answer){ .result = result_of(x, rc) };
	switch (out->result) {
	case AUTH_OK:
		fill_user(x, out);
		break;
	case AUTH_CONTINUE:
		out->challenge =
		    span_make(reply ? reply : "", reply ? reply_len : 0);
		out->is_refused = x->is_refused;
		if (x->is_refused)
			fill_failure(x, out);
		break;
	case AUTH_BAD_CREDENTIALS:
	case AUTH_UNAVAILABLE:
	case AUTH_NO_MECHANISM:
	case AUTH_NEEDS_TLS:
	case AUTH_MALFORMED:
	case AUTH_DISABLED:
		fill_failure(x, out);
		break;
	}
	return true;
}

/* n,[a=name],n=name,r=nonce: what libscram reads without looking. */
static const char *scram_fault(struct span message)
{
	struct span rest = message;
	struct span flag = span_cut(&rest, ',');
	struct span authzid = span_cut(&rest, ',');

	if (message.len > SCRAM_MESSAGE_MAX)
		return "oversized SCRAM message";
	if (span_starts_with(flag, SPAN("p=")))
		return "channel binding that was not offered";
	if (!span_eq(flag, SPAN("n")) && !span_eq(flag, SPAN("y")))
		return "no GS2 header in the SCRAM message";
	if (!rest.ptr ||
	    (authzid.len && !span_starts_with(authzid, SPAN("a="))))
		return "broken GS2 header in the SCRAM message";
	if (!span_starts_with(rest, SPAN("n=")))
		return "no user name in the SCRAM message";
	(void)span_cut(&rest, ',');
	if (!rest.ptr || !span_starts_with(rest, SPAN("r=")) || rest.len < 3)
		return "no nonce in the SCRAM message";
	return NULL;
}

/* False, with *out set, when the message must not reach libscram. */
static bool is_safe(
    struct exchange *x, struct span message, struct auth_answer *out)
{
	const char *fault;

	if (!x->awaits_client_first || message.len == 0)
		return true;
	x->awaits_client_first = false;
	fault = scram_fault(message);
	if (fault)
		*out = (struct auth_answer){ .result = AUTH_MALFORMED,
			.detail = fault };
	return !fault;
}

bool exchange_start(struct exchange *x, const char *mechanism,
    const struct span *initial, struct auth_answer *out)
{
	const char *reply = NULL;
	unsigned reply_len = 0;
	const char *in = NULL;
	unsigned in_len = 0;
	int rc;

	x->awaits_client_first = !strncmp(mechanism, "SCRAM-", 6);
	if (initial) {
		if (!is_safe(x, *initial, out))
			return true;
		in = initial->len ? initial->ptr : "";
		in_len = (unsigned)initial->len;
	}
	rc = sasl_server_start(
	    x->conn, mechanism, in, in_len, &reply, &reply_len);
	return answer(x, rc, reply, reply_len, out);
}

bool exchange_step(
    struct exchange *x, struct span response, struct auth_answer *out)
{
	const char *reply = NULL;
	unsigned reply_len = 0;
	int rc;

	if (!is_safe(x, response, out))
		return true;
	rc = sasl_server_step(x->conn, response.len ? response.ptr : "",
	    (unsigned)response.len, &reply, &reply_len);
	return answer(x, rc, reply, reply_len, out);
}

bool exchange_resume(struct exchange *x, struct auth_answer *out)
{
	const char *reply = NULL;
	unsigned reply_len = 0;
	int rc = sasl_server_step(x->conn, NULL, 0, &reply, &reply_len);

	return answer(x, rc, reply, reply_len, out);
}
