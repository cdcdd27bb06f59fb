/*
 * OAUTHBEARER (RFC 7628) and its elder, XOAUTH2: a token instead of a
 * password. Checking one is quick and done in the step; reading the issuer's
 * keys is not, and suspends the exchange as a hash does. A token that is no
 * good is answered with a reason in JSON, to which the client must say
 * something before it is refused.
 */
#include <auth/jwt.h>
#include <auth/keyring.h>
#include <auth/sasl_internal.h>

#include <base/clock.h>
#include <base/hash.h>

#include <stdlib.h>

#define SEPARATOR '\x01'

enum state {
	STATE_START = 0, /* the message is to come */
	STATE_WAITING,   /* for the issuer's keys */
	STATE_REFUSED    /* the client is to acknowledge it */
};

struct login;

/* How the two differ. */
struct dialect {
	bool (*parse)(struct login *l, struct span message, struct span *token);
	const char *refusal;
};

struct login {
	enum state state;
	const struct dialect *dialect;
	bool has_authzid;
	struct name authzid, authid;
	char *token;
	size_t token_len;
};

/* global: the mechanism's dialect. */
static int login_new(void *global, sasl_server_params_t *params,
    const char *challenge, unsigned challenge_len, void **context)
{
	struct login *l = calloc(1, sizeof(*l));

	(void)params;
	(void)challenge;
	(void)challenge_len;
	*context = l;
	if (!l)
		return SASL_NOMEM;
	l->dialect = global;
	return SASL_OK;
}

static void login_free(void *context, const sasl_utils_t *utils)
{
	struct login *l = context;

	(void)utils;
	if (l && l->token)
		hash_cleanse(l->token, l->token_len);
	if (l)
		free(l->token);
	free(l);
}

/* --- messages --- */

/* What follows "Bearer" and spaces; ptr NULL when it is something else. */
static struct span bearer(struct span value)
{
	struct span scheme = span_cut(&value, ' ');

	if (!value.ptr || !span_ieq(scheme, SPAN("Bearer")))
		return (struct span){ .ptr = NULL };
	return span_trim(value);
}

/* key=value fields, each with a separator behind it, and one more. */
static bool parse_fields(
    struct span rest, struct span *out_user, struct span *out_token)
{
	if (rest.len < 2 || rest.ptr[rest.len - 1] != SEPARATOR ||
	    rest.ptr[rest.len - 2] != SEPARATOR)
		return false;
	rest.len -= 2;
	while (rest.ptr) {
		struct span value = span_cut(&rest, SEPARATOR);
		struct span key = span_cut(&value, '=');

		if (key.len == 0 || !value.ptr)
			return false;
		if (span_eq(key, SPAN("user")) && !out_user->ptr)
			*out_user = value;
		else if (span_eq(key, SPAN("auth")) && !out_token->ptr)
			*out_token = bearer(value);
		else if (span_eq(key, SPAN("user")) ||
			 span_eq(key, SPAN("auth")))
			return false;
	}
	return out_token->ptr != NULL;
}

/* =2C and =3D of a saslname (RFC 5801); false for anything else after =. */
static bool unescape(struct span in, char *out, size_t *out_len)
{
	size_t len = 0;

	for (size_t i = 0; i < in.len; i++) {
		struct span code = span_first(span_from(in, i), 3);
		char c = in.ptr[i];

		if (c == '=') {
			if (span_ieq(code, SPAN("=2C")))
				c = ',';
			else if (!span_ieq(code, SPAN("=3D")))
				return false;
			i += 2;
		}
		out[len++] = c;
	}
	*out_len = len;
	return true;
}

/* n,[a=name],SEPARATOR and then the fields. */
static bool parse_oauthbearer(
    struct login *l, struct span message, struct span *out_token)
{
	struct span rest = message, unused = { .ptr = NULL };
	struct span flag = span_cut(&rest, ',');
	struct span authzid = span_cut(&rest, ',');
	char name[NAME_BYTES_MAX + 1];
	size_t len = 0;

	if (!rest.ptr || rest.len == 0 || rest.ptr[0] != SEPARATOR ||
	    !(span_eq(flag, SPAN("n")) || span_eq(flag, SPAN("y"))))
		return false;
	if (authzid.len > 0) {
		if (!span_starts_with(authzid, SPAN("a=")) ||
		    authzid.len - 2 > sizeof(name) ||
		    !unescape(span_from(authzid, 2), name, &len))
			return false;
		l->has_authzid = true;
		name_canonical(span_make(name, len), &l->authzid);
	}
	return parse_fields(span_from(rest, 1), &unused, out_token);
}

/* user=name SEPARATOR auth=Bearer token, SEPARATOR twice. */
static bool parse_xoauth2(
    struct login *l, struct span message, struct span *out_token)
{
	struct span user = { .ptr = NULL };

	if (!parse_fields(message, &user, out_token) || !user.ptr)
		return false;
	l->has_authzid = user.len > 0;
	name_canonical(user, &l->authzid);
	return true;
}

/* --- tokens --- */

static int refuse(struct login *l, struct exchange *x, const char **reply,
    unsigned *reply_len)
{
	l->state = STATE_REFUSED;
	x->is_refused = true;
	*reply = l->dialect->refusal;
	*reply_len = (unsigned)strlen(l->dialect->refusal);
	return SASL_CONTINUE;
}

/* Pool thread. */
static enum verify_verdict read_keys(
    const struct view *v, const struct verify_question *q)
{
	(void)q;
	/* Another errand may have ended since this one was asked for. */
	if (keyring_is_due(v->keyring, true))
		keyring_refresh(v->keyring, v->fetch);
	return VERIFY_GOOD;
}

/* Ask for the issuer's keys; all who do wait for the same errand. */
static int await_keys(struct login *l, struct exchange *x)
{
	struct view *view = x->setup.view;
	struct verify_question q = {
		.record = span_make(&view, sizeof(struct view *)),
		.view = view,
		.ask = read_keys,
	};

	if (verify_begin(x->setup.verifier, &q, x->setup.wait) ==
	    VERIFY_PENDING) {
		l->state = STATE_WAITING;
		return SASL_INTERACT;
	}
	sasl_set_detail(x, "too many are waiting for the issuer's keys");
	return SASL_UNAVAIL;
}

/* The token is good: may that user log in, and as whom was asked? */
static bool is_welcome(
    struct login *l, struct exchange *x, const struct jwt_result *result)
{
	struct span name, authzid;

	name_canonical(span_of(result->name), &l->authid);
	name = span_make(l->authid.text, l->authid.len);
	authzid = span_make(l->authzid.text, l->authzid.len);
	x->tried = l->authid;
	if (l->has_authzid && !span_eq(authzid, name)) {
		sasl_set_detail(x, "asks to act as another user");
		return false;
	}
	return sasl_find_user(x, name) != NULL;
}

static enum jwt_verdict check_token(const struct login *l, const struct view *v,
    struct jwt_result *out, bool *has_keys)
{
	const struct config_oauth *o = &v->config->auth.oauth;
	struct jwt_rules rules = {
		.issuer = o->issuer,
		.audience = o->audience,
		.claim = o->claim,
		.now_s = clock_wall_ms() / 1000,
	};
	struct jwk_set *keys = keyring_keys(v->keyring);
	enum jwt_verdict verdict =
	    jwt_verify(span_make(l->token, l->token_len), keys, &rules, out);

	*has_keys = keys != NULL;
	jwk_set_unref(keys);
	return verdict;
}

static int judge(struct login *l, sasl_server_params_t *params,
    sasl_out_params_t *out, const char **reply, unsigned *reply_len)
{
	struct exchange *x = sasl_exchange_of(params);
	const struct view *view = x->setup.view;
	bool has_waited = l->state == STATE_WAITING, has_keys;
	struct jwt_result result;
	enum jwt_verdict verdict = check_token(l, view, &result, &has_keys);

	if (verdict != JWT_BAD && !has_waited &&
	    keyring_is_due(view->keyring, verdict == JWT_UNSIGNED))
		return await_keys(l, x);
	/* Not due may mean that they have come since the token was checked. */
	if (verdict == JWT_UNSIGNED && !has_waited)
		verdict = check_token(l, view, &result, &has_keys);
	if (verdict == JWT_UNSIGNED && !has_keys) {
		sasl_set_detail(x, "no keys of the issuer");
		return SASL_UNAVAIL;
	}
	if (verdict == JWT_GOOD && is_welcome(l, x, &result))
		return sasl_accept(params, &l->authid, NULL, out);
	sasl_set_detail(x, verdict == JWT_GOOD ? "unknown user" : result.why);
	return refuse(l, x, reply, reply_len);
}

/* --- the plugins --- */

static int start(struct login *l, struct exchange *x, struct span token)
{
	l->token = span_dup(token);
	l->token_len = token.len;
	if (l->token)
		return SASL_OK;
	sasl_set_detail(x, "out of memory");
	return SASL_NOMEM;
}

/* NOLINTNEXTLINE(readability-function-size): libsasl2's signature */
static int login_step(void *context, sasl_server_params_t *params,
    const char *in, unsigned in_len, const char **reply, unsigned *reply_len,
    sasl_out_params_t *out)
{
	struct login *l = context;
	struct exchange *x = sasl_exchange_of(params);
	struct span message = span_make(in ? in : "", in_len);
	struct span token = { .ptr = NULL };
	int rc = SASL_OK;

	*reply = NULL;
	*reply_len = 0;
	if (l->state == STATE_REFUSED)
		return SASL_BADAUTH;
	if (l->state == STATE_START) {
		if (!l->dialect->parse(l, message, &token)) {
			sasl_set_detail(x, "broken message with a token");
			x->is_malformed = true;
			return SASL_BADPROT;
		}
		rc = start(l, x, token);
	}
	return rc == SASL_OK ? judge(l, params, out, reply, reply_len) : rc;
}

int sasl_oauth_init(const sasl_utils_t *utils, int max_version,
    int *out_version, sasl_server_plug_t **plugs, int *plug_count)
{
	static struct dialect oauthbearer = {
		.parse = parse_oauthbearer,
		.refusal = "{\"status\":\"invalid_token\"}",
	};
	static struct dialect xoauth2 = {
		.parse = parse_xoauth2,
		.refusal = "{\"status\":\"401\",\"schemes\":\"bearer\","
			   "\"scope\":\"smtp\"}",
	};
	static sasl_server_plug_t mechanisms[] = {
		{
		    .mech_name = "OAUTHBEARER",
		    .security_flags =
			SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
		    .features =
			SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY,
		    .glob_context = &oauthbearer,
		    .mech_new = login_new,
		    .mech_step = login_step,
		    .mech_dispose = login_free,
		},
		{
		    .mech_name = "XOAUTH2",
		    .security_flags =
			SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
		    .features =
			SASL_FEAT_WANT_CLIENT_FIRST | SASL_FEAT_ALLOWS_PROXY,
		    .glob_context = &xoauth2,
		    .mech_new = login_new,
		    .mech_step = login_step,
		    .mech_dispose = login_free,
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
