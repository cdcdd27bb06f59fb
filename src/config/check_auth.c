/* How clients prove who they are: mechanisms, tokens, users' credentials. */
#include <config/check.h>

#include <config/report.h>
#include <config/words.h>

#include <errno.h>

/* --- auth --- */

static bool is_mechanism(const char *name, struct words_nearest *nearest)
{
	static const char *const known[] = { "PLAIN", "LOGIN", "SCRAM-SHA-256",
		"EXTERNAL", "OAUTHBEARER", "XOAUTH2" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		words_nearest_offer(nearest, known[i]);
		if (span_eq(span_of(name), span_of(known[i])))
			return true;
	}
	return false;
}

static bool is_for_tokens(const char *name)
{
	return strcmp(name, "OAUTHBEARER") == 0 || strcmp(name, "XOAUTH2") == 0;
}

static void check_mechanisms(struct check *c, const struct node *n)
{
	const struct postern_list *list = &c->config->auth.mechanisms;
	const struct node *oauth = node_get(node_get(c->root, "auth"), "oauth");
	bool has_oauth = oauth && !oauth->is_preset;
	const struct node *item;

	if (n && n->type == NODE_SEQUENCE && n->count == 0)
		report_error(c->report, n, "must name at least one");
	if (!n || list->count == 0)
		return;
	item = n->type == NODE_SEQUENCE ? n->first : n;
	for (size_t i = 0; i < list->count; i++, item = item->next) {
		const char *name = CONFIG_STRING(*list, i);
		struct words_nearest nearest = words_nearest_to(span_of(name));

		if (name && !n->is_preset && is_for_tokens(name) && !has_oauth)
			report_error(c->report, item,
			    "needs auth.oauth, which says whose tokens");
		else if (name && !is_mechanism(name, &nearest))
			report_error(c->report, item,
			    "must be one of PLAIN, LOGIN, SCRAM-SHA-256, "
			    "EXTERNAL, OAUTHBEARER, XOAUTH2%s%s%s",
			    nearest.best ? " (did you mean " : "",
			    nearest.best ? nearest.best : "",
			    nearest.best ? "?)" : "");
	}
}

/* A key that must be there, and say something, once oauth is. */
static void check_present(struct check *c, const struct node *oauth,
    const char *key, const char *value, const char *doc)
{
	const struct node *n = node_get(oauth, key);

	if (!n)
		report_missing(c->report, oauth, key, doc);
	else if (value && !*value)
		report_error(c->report, n, "must not be empty");
}

static void check_oauth(struct check *c, const struct node *n)
{
	const struct config_oauth *o = &c->config->auth.oauth;
	const struct node *file = node_get(n, "jwks_file");
	const struct node *url = node_get(n, "jwks_url");

	if (!n || n->is_preset || n->type != NODE_MAP)
		return;
	check_present(c, n, "issuer", o->issuer, "the iss of its tokens");
	check_present(c, n, "audience", o->audience, "the aud of its tokens");
	check_present(c, n, "claim", o->claim, "which claim is the user");
	if (!file && !url)
		report_missing(c->report, n, "jwks_url",
		    "or jwks_file: the public keys of the issuer");
	else if (file && url)
		report_error(c->report, file,
		    "must not be given together with jwks_url");
	else if (o->jwks_file)
		(void)check_readable(c, n, "jwks_file", o->jwks_file);
}

void check_auth(struct check *c)
{
	const struct node *n = node_get(c->root, "auth");
	const char *socket = c->config->auth.saslauthd;

	check_mechanisms(c, node_get(n, "mechanisms"));
	check_oauth(c, node_get(n, "oauth"));
	if (socket && *socket != '/')
		report_error(c->report, node_get(n, "saslauthd"),
		    "must be the absolute path of the socket, as "
		    "/run/saslauthd/mux");
}

/* --- users --- */

/* Sixty-four hexadecimal digits, in groups or not. */
static bool is_fingerprint(struct span s)
{
	size_t digits = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];

		if (c == ':')
			continue;
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') &&
		    !(c >= 'A' && c <= 'F'))
			return false;
		digits++;
	}
	return digits == 64;
}

/* Whether some listener asks clients for them. */
static bool asks_for_certificates(const struct check *c)
{
	const struct postern_list *list = &c->config->listeners;

	for (size_t i = 0; i < list->count; i++)
		if (config_client_auth(c->config,
			CONFIG_AT(*list, struct config_listener, i)) !=
		    CONFIG_CLIENT_AUTH_NONE)
			return true;
	return false;
}

static void check_certificates(
    struct check *c, const struct node *map, const struct postern_list *names)
{
	const struct node *n = node_get(map, "certificates");
	const struct node *item;

	if (!n || names->count == 0)
		return;
	if (!asks_for_certificates(c))
		report_warning(c->report, n,
		    "has no effect: no listener asks clients for certificates "
		    "(tls.client_auth)");
	item = n->type == NODE_SEQUENCE ? n->first : n;
	for (size_t i = 0; i < names->count; i++, item = item->next) {
		struct span name = span_of(CONFIG_STRING(*names, i));

		if (span_starts_with(name, SPAN("sha256:"))) {
			if (!is_fingerprint(span_from(name, 7)))
				report_error(c->report, item,
				    "must have 64 hexadecimal digits after "
				    "sha256:");
		} else if (span_eq(name, SPAN("CN="))) {
			report_error(
			    c->report, item, "must have a name after CN=");
		}
	}
}

static bool has_another_way(const struct check *c, const struct config_user *u)
{
	const struct config_auth *auth = &c->config->auth;

	return auth->saslauthd || auth->oauth.issuer ||
	       u->certificates.count > 0 || asks_for_certificates(c) ||
	       check_is_fixed_identity(c, u->name);
}

void check_credentials(
    struct check *c, const struct node *map, const struct config_user *user)
{
	const struct postern_secret *hash = &user->password_hash;
	const struct node *at = node_get(map, "password_hash");
	struct err e = { 0 };

	check_certificates(c, map, &user->certificates);
	if (user->disabled && check_is_fixed_identity(c, user->name))
		report_error(c->report, node_get(map, "disabled"),
		    "must not be true: a listener takes mail without a login "
		    "as this user");
	if (!at)
		at = node_get(map, "password_hash_file");
	if (!at && !has_another_way(c, user))
		report_missing(c->report, map, "password_hash",
		    "make one with `postern passwd`");
	if (at && hash->ptr &&
	    c->helpers->check_password_record(
		span_make(hash->ptr, hash->len), &e) != 0)
		report_error(c->report, at, "%s", e.text);
}
