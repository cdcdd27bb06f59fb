/*
 * PLAIN (RFC 4616) and LOGIN as plugins of our own: the stock ones hash
 * inside the step, accept passwords cut at a NUL and leak. Ours parse, ask
 * the verifier, and when it needs a hash suspend with SASL_INTERACT, for
 * which libsasl2 keeps the context; the step after that, without input,
 * picks the verdict up.
 */
#include <auth/password.h>
#include <auth/sasl_internal.h>
#include <auth/saslauthd.h>

#include <errno.h>
#include <stdlib.h>

enum state {
	STATE_START = 0, /* PLAIN: the message; LOGIN: the name, or nothing */
	STATE_NAME,      /* LOGIN only */
	STATE_PASSWORD,  /* LOGIN only */
	STATE_VERIFYING
};

struct credentials {
	enum state state;
	bool has_authzid; /* PLAIN: asks to act as somebody */
	bool is_asked;    /* saslauthd is */
	struct name authid, authzid;
};

static int credentials_new(void *global, sasl_server_params_t *params,
    const char *challenge, unsigned challenge_len, void **context)
{
	(void)global;
	(void)params;
	(void)challenge;
	(void)challenge_len;
	*context = calloc(1, sizeof(struct credentials));
	return *context ? SASL_OK : SASL_NOMEM;
}

static void credentials_free(void *context, const sasl_utils_t *utils)
{
	(void)utils;
	free(context);
}

static int refuse_user(const struct credentials *c, struct exchange *x)
{
	struct span name = span_make(c->authid.text, c->authid.len);

	if (sasl_find_user(x, name))
		sasl_set_detail(x, "wrong password");
	return SASL_BADAUTH;
}

static int conclude(const struct credentials *c, sasl_server_params_t *params,
    enum verify_verdict verdict, sasl_out_params_t *out)
{
	struct exchange *x = sasl_exchange_of(params);

	switch (verdict) {
	case VERIFY_GOOD:
		return sasl_accept(params, &c->authid,
		    c->has_authzid ? &c->authzid : NULL, out);
	case VERIFY_BAD:
		return refuse_user(c, x);
	case VERIFY_PENDING:
		return SASL_INTERACT;
	case VERIFY_BUSY:
		sasl_set_detail(x, "too many passwords are being checked");
		return SASL_UNAVAIL;
	case VERIFY_FAILED:
		sasl_set_detail(x, c->is_asked
				       ? "saslauthd does not answer"
				       : "the password could not be checked");
		return SASL_UNAVAIL;
	}
	return SASL_FAIL;
}

/* Pool thread. */
static enum verify_verdict ask_saslauthd(
    const struct view *view, const struct verify_question *q)
{
	int rc =
	    saslauthd_ask(view->config->auth.saslauthd, q->name, q->password);

	if (rc == 0)
		return VERIFY_GOOD;
	return rc == -EACCES ? VERIFY_BAD : VERIFY_FAILED;
}

/* A stranger costs what most users cost. */
static struct verify_question question_about(
    struct exchange *x, struct span name, struct span password)
{
	struct view *view = x->setup.view;
	const struct config_user *user = sasl_find_user(x, name);
	struct span record = view_record_of(user);
	struct verify_question q = {
		.name = name,
		.record = record.len ? record : view->dummy_record,
		.password = password,
		.is_decoy = record.len == 0,
		.ttl_ms = view->config->auth.cache_ttl_ms,
	};

	if (view_asks_saslauthd(view, user)) {
		q.name = user ? span_of(user->name) : name;
		q.record = SPAN("saslauthd"); /* apart in the cache */
		q.is_decoy = !user;
		q.ask = ask_saslauthd;
		q.view = view;
	}
	return q;
}

static int verify(struct credentials *c, sasl_server_params_t *params,
    struct span password, sasl_out_params_t *out)
{
	struct exchange *x = sasl_exchange_of(params);
	struct span name = span_make(c->authid.text, c->authid.len);
	struct verify_question q = question_about(x, name, password);

	x->tried = c->authid;
	if (password.len == 0 || password.len > PASSWORD_MAX ||
	    memchr(password.ptr, '\0', password.len)) {
		sasl_set_detail(x, "empty, oversized or binary password");
		return SASL_BADAUTH;
	}
	c->state = STATE_VERIFYING;
	c->is_asked = q.ask != NULL;
	return conclude(
	    c, params, verify_begin(x->setup.verifier, &q, x->setup.wait), out);
}

/* [authzid] NUL authcid NUL passwd */
static int plain_message(struct credentials *c, sasl_server_params_t *params,
    struct span message, sasl_out_params_t *out)
{
	struct exchange *x = sasl_exchange_of(params);
	struct span rest = message;
	struct span authzid = span_cut(&rest, '\0');
	struct span authid = span_cut(&rest, '\0');

	if (message.len == 0) {
		sasl_set_detail(x, "empty message");
		return SASL_BADPROT;
	}
	if (!rest.ptr || span_index(rest, '\0') >= 0) {
		sasl_set_detail(x, "not two NULs in a PLAIN message");
		x->is_malformed = true;
		return SASL_BADPROT;
	}
	c->has_authzid = authzid.len > 0;
	name_canonical(authid, &c->authid);
	name_canonical(authzid, &c->authzid);
	return verify(c, params, rest, out);
}

/* NOLINTNEXTLINE(readability-function-size): libsasl2's signature */
static int plain_step(void *context, sasl_server_params_t *params,
    const char *in, unsigned in_len, const char **reply, unsigned *reply_len,
    sasl_out_params_t *out)
{
	struct credentials *c = context;

	*reply = NULL;
	*reply_len = 0;
	if (c->state == STATE_VERIFYING)
		return conclude(c, params,
		    sasl_exchange_of(params)->setup.wait->verdict, out);
	return plain_message(c, params, span_make(in ? in : "", in_len), out);
}

static int ask(struct credentials *c, enum state next, struct span prompt,
    const char **reply, unsigned *reply_len)
{
	c->state = next;
	*reply = prompt.ptr;
	*reply_len = (unsigned)prompt.len;
	return SASL_CONTINUE;
}

/* NOLINTNEXTLINE(readability-function-size): libsasl2's signature */
static int login_step(void *context, sasl_server_params_t *params,
    const char *in, unsigned in_len, const char **reply, unsigned *reply_len,
    sasl_out_params_t *out)
{
	struct credentials *c = context;
	struct span text = span_make(in ? in : "", in_len);

	*reply = NULL;
	*reply_len = 0;
	switch (c->state) {
	case STATE_START:
		/* Empty is no name either: some send "AUTH LOGIN =". */
		if (text.len == 0)
			return ask(
			    c, STATE_NAME, SPAN("Username:"), reply, reply_len);
		/* The name may come with the command: fall through. */
		__attribute__((fallthrough));
	case STATE_NAME:
		name_canonical(text, &c->authid);
		return ask(
		    c, STATE_PASSWORD, SPAN("Password:"), reply, reply_len);
	case STATE_PASSWORD:
		return verify(c, params, text, out);
	case STATE_VERIFYING:
		return conclude(c, params,
		    sasl_exchange_of(params)->setup.wait->verdict, out);
	}
	return SASL_FAIL;
}

int sasl_plain_init(const sasl_utils_t *utils, int max_version,
    int *out_version, sasl_server_plug_t **plugs, int *plug_count)
{
	static sasl_server_plug_t mechanisms[] = {
		{
		    .mech_name = "PLAIN",
		    .security_flags =
			SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
		    .features =
			SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY,
		    .mech_new = credentials_new,
		    .mech_step = plain_step,
		    .mech_dispose = credentials_free,
		},
		{
		    .mech_name = "LOGIN",
		    .security_flags =
			SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
		    .mech_new = credentials_new,
		    .mech_step = login_step,
		    .mech_dispose = credentials_free,
		},
	};

	(void)utils;
	if (max_version < SASL_SERVER_PLUG_VERSION)
		return SASL_BADVERS;
	*out_version = SASL_SERVER_PLUG_VERSION;
	*plugs = mechanisms;
	*plug_count = sizeof(mechanisms) / sizeof(mechanisms[0]);
	return SASL_OK;
}
