/* The part of check.h about listeners and other addresses to listen on. */
#include <config/check.h>

#include <config/report.h>
#include <config/words.h>

#include <base/counters.h>
#include <base/hostport.h>

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

enum {
	UNIX_PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path)
};

/* Port 0 is any free port: no two of them are the same. */
static bool parse_address(const char *address, char out[WORDS_ADDRESS_SIZE])
{
	unsigned port;

	if (address && hostport_unix_path(address))
		return (size_t)snprintf(out, WORDS_ADDRESS_SIZE, "%s",
			   address) < WORDS_ADDRESS_SIZE;
	return address && words_parse_address(span_of(address), out, &port) &&
	       port > 0;
}

/* The first listener before `end` at this address, or NULL. */
static const struct config_listener *find_address(
    const struct check *c, size_t end, const char *address)
{
	char wanted[WORDS_ADDRESS_SIZE], other[WORDS_ADDRESS_SIZE];

	if (!parse_address(address, wanted))
		return NULL;
	for (size_t i = 0; i < end; i++) {
		const struct config_listener *l =
		    CONFIG_AT(c->config->listeners, struct config_listener, i);

		if (parse_address(l->address, other) &&
		    strcmp(wanted, other) == 0)
			return l;
	}
	return NULL;
}

/* Whether address can be listened on; what is wrong is reported. */
static bool check_form(struct check *c, const struct node *n,
    const char *address, bool may_be_file)
{
	const char *path = may_be_file ? hostport_unix_path(address) : NULL;
	char text[WORDS_ADDRESS_SIZE];
	unsigned port;

	if (path && path[0] == '/' && strlen(path) < UNIX_PATH_SIZE)
		return true;
	if (path)
		report_error(c->report, n,
		    "must be unix: and an absolute path of less than %d bytes",
		    UNIX_PATH_SIZE);
	else if (words_parse_address(span_of(address), text, &port))
		return true;
	else
		report_error(c->report, n, "must be host:port, [v6]:port%s",
		    may_be_file ? ", :port or unix:/path" : " or :port");
	return false;
}

static void check_address(struct check *c, const struct node *n, size_t end,
    const char *address, bool may_be_file)
{
	const struct config_listener *other;

	if (!check_form(c, n, address, may_be_file))
		return;
	other = find_address(c, end, address);
	if (other)
		report_error(c->report, n, "is the address of listener %s, too",
		    other->name ? other->name : "without a name");
}

static void check_listener_name(
    struct check *c, const struct node *n, const struct config_listener *l)
{
	check_name(c, n, l->name);
	for (size_t i = 0; l->name && i < n->index; i++) {
		const struct config_listener *other =
		    CONFIG_AT(c->config->listeners, struct config_listener, i);

		if (!other->name || strcmp(other->name, l->name) != 0)
			continue;
		report_error(c->report, node_get(n, "name"),
		    "is the name of another listener");
		return;
	}
}

/* What is said there crosses no network. */
static bool is_local_socket(const struct config_listener *l)
{
	return l->address && hostport_unix_path(l->address);
}

static void check_socket(
    struct check *c, const struct node *n, const struct config_listener *l)
{
	const struct node *mode = node_get(n, "socket_mode");

	if (mode && !is_local_socket(l))
		report_error(c->report, mode,
		    "has no effect on an address that is not unix:/path");
	else if (l->socket_mode && !config_socket_mode(l->socket_mode))
		report_error(c->report, mode,
		    "must be permissions in octal, as \"0660\"");
}

/* What is unsafe must be asked for by a key whose name says so. */
static void check_safety(
    struct check *c, const struct node *n, const struct config_listener *l)
{
	const struct node *user = node_get(n, "user");

	if (l->tls == CONFIG_TLS_NONE && !l->allow_insecure &&
	    l->plaintext_from.count == 0 && !is_local_socket(l))
		report_error(c->report, node_get(n, "tls"),
		    "none also needs allow_insecure: true (mail and logins "
		    "would cross the network in the clear), or plaintext_from "
		    "for some networks");
	if (l->tls == CONFIG_TLS_IMPLICIT && l->plaintext_from.count > 0)
		report_error(c->report, node_get(n, "plaintext_from"),
		    "has no effect with tls: implicit");
	if (l->allow_unauthenticated && !user)
		report_missing(c->report, n, "user",
		    "allow_unauthenticated: true needs a user whose mail it "
		    "is");
	if (user && !l->allow_unauthenticated)
		report_error(c->report, user,
		    "has no effect without allow_unauthenticated: true");
	else if (l->user && !check_has_user(c, l->user))
		report_error(c->report, user, "is not the name of a user");
}

static void check_listener_tls(
    struct check *c, const struct node *n, const struct config_listener *l)
{
	const struct node *clients = node_get(n, "client_auth");
	bool has_tls = l->tls != CONFIG_TLS_NONE;

	if (!has_tls && l->tls_policy != CONFIG_TLS_INHERIT)
		report_error(c->report, node_get(n, "tls_policy"),
		    "has no effect with tls: none");
	if (!has_tls && l->client_auth != CONFIG_CLIENT_AUTH_INHERIT)
		report_error(
		    c->report, clients, "has no effect with tls: none");
	else if (!c->config->tls.client_ca &&
		 (l->client_auth == CONFIG_CLIENT_AUTH_REQUEST ||
		     l->client_auth == CONFIG_CLIENT_AUTH_REQUIRE))
		report_error(c->report, clients,
		    "needs tls.client_ca, the authorities to judge clients "
		    "by");
}

/* A header that anybody could send would let anybody be anybody. */
static void check_proxies(
    struct check *c, const struct node *n, const struct config_listener *l)
{
	const struct node *trusted = node_get(n, "proxy_trusted");

	if (l->proxy_protocol == CONFIG_PROXY_REQUIRED && !trusted)
		report_missing(c->report, n, "proxy_trusted",
		    "proxy_protocol: required needs the networks of the "
		    "proxies");
	else if (l->proxy_protocol == CONFIG_PROXY_OFF && trusted)
		report_error(c->report, trusted,
		    "has no effect without proxy_protocol: required");
	else if (trusted && l->proxy_trusted.count == 0)
		report_error(c->report, trusted,
		    "must have an entry, or nobody can connect");
	if (l->xclient_login && l->xclient_trusted.count == 0)
		report_error(c->report, node_get(n, "xclient_login"),
		    "has no effect without xclient_trusted");
}

static void check_listener(
    struct check *c, const struct node *n, const struct config_listener *l)
{
	const struct node *address = node_get(n, "address");

	check_listener_name(c, n, l);
	if (l->address)
		check_address(c, address, n->index, l->address, true);
	check_safety(c, n, l);
	check_listener_tls(c, n, l);
	check_proxies(c, n, l);
	check_socket(c, n, l);
}

static void check_stats(struct check *c)
{
	const char *address = c->config->stats.address;
	const struct node *n = node_get(node_get(c->root, "stats"), "address");

	if (n && address && *address)
		check_address(c, n, c->config->listeners.count, address, false);
}

static void check_admin(struct check *c)
{
	const struct config_admin *a = &c->config->admin;
	const struct node *map = node_get(c->root, "admin");
	const struct sockaddr_un *sa = NULL;

	if (a->socket && *a->socket &&
	    (*a->socket != '/' || strlen(a->socket) >= sizeof(sa->sun_path)))
		report_error(c->report, node_get(map, "socket"),
		    "must be a path from / on, of less than %zu bytes",
		    sizeof(sa->sun_path));
	if (a->socket_mode && !config_socket_mode(a->socket_mode))
		report_error(c->report, node_get(map, "socket_mode"),
		    "must be permissions in octal, as \"0600\"");
}

static void check_logins(struct check *c, bool needs_users)
{
	const struct node *users = node_get(c->root, "users");

	if (!needs_users || c->lacks_users)
		return;
	if (!users)
		report_missing(c->report, c->root, "users",
		    "nobody could log in: make one with `postern passwd`");
	else if (users->type == NODE_SEQUENCE && users->count == 0)
		report_error(c->report, users,
		    "must have an entry, or nobody can log in (make one with "
		    "`postern passwd`)");
}

void check_listeners(struct check *c)
{
	const struct postern_list *list = &c->config->listeners;
	const struct node *all = node_get(c->root, "listeners");
	bool needs_users = false;

	if (all && all->type == NODE_SEQUENCE && all->count == 0)
		report_error(c->report, all, "must have an entry");
	if (list->count > COUNTER_LISTENERS_MAX) {
		/* Comparing each with each would take minutes. */
		report_error(c->report, all,
		    "must have at most %d entries, has %zu",
		    COUNTER_LISTENERS_MAX, list->count);
		return;
	}
	for (const struct node *n = check_first(c, "listeners", list); n;
	     n = n->next) {
		struct config_listener *l =
		    &((struct config_listener *)list->items)[n->index];

		if (n->type != NODE_MAP)
			continue;
		check_listener(c, n, l);
		if (l->tls == CONFIG_TLS_NONE && is_local_socket(l))
			l->allow_insecure = l->allow_plaintext_auth = true;
		needs_users |= !l->allow_unauthenticated;
	}
	check_logins(c, needs_users);
	check_stats(c);
	check_admin(c);
}
