#include <config/check.h>

#include <config/field.h>
#include <config/report.h>
#include <config/words.h>

#include <base/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	NAME_MAX_LEN = 64,
	BANNER_MAX = 200,
	WORDS_MAX = 1024 /* of a table, in a message */
};

/* --- what the parts share --- */

struct node *check_first(
    const struct check *c, const char *key, const struct postern_list *list)
{
	struct node *n = node_get(c->root, key);

	return n && n->type == NODE_SEQUENCE && n->count == list->count
		   ? n->first
		   : NULL;
}

static bool is_name(struct span s)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	return s.len > 0 && s.len <= NAME_MAX_LEN &&
	       strspn(s.ptr, allowed) == s.len;
}

void check_name(struct check *c, const struct node *entry, const char *name)
{
	if (name && !is_name(span_of(name)))
		report_error(c->report, node_get(entry, "name"),
		    "must be up to %d letters, digits, '-', '_' and '.'",
		    NAME_MAX_LEN);
}

static void report_no_word(struct check *c, const struct node *n,
    const char *word, const struct content_word *table)
{
	struct words_nearest nearest = words_nearest_to(span_of(word));
	struct buf all;

	buf_init(&all, WORDS_MAX);
	for (; table->word; table++) {
		words_nearest_offer(&nearest, table->word);
		(void)buf_printf(
		    &all, "%s%s", buf_len(&all) > 0 ? ", " : "", table->word);
	}
	report_error(c->report, n, "is none of %.*s%s%s%s",
	    SPAN_FMT(buf_span(&all)), nearest.best ? " (did you mean " : "",
	    nearest.best ? nearest.best : "", nearest.best ? "?)" : "");
	buf_finish(&all);
}

unsigned check_words(struct check *c, const struct node *map, const char *key,
    const struct postern_list *list, const struct content_word *table)
{
	const struct node *n = node_get(map, key);
	const struct node *item = NULL;
	unsigned all = 0;

	if (n)
		item = n->type == NODE_SEQUENCE ? n->first : n;
	for (size_t i = 0; i < list->count; i++) {
		const char *word = CONFIG_STRING(*list, i);
		unsigned bits = word ? content_bits(table, span_of(word)) : 0;

		all |= bits;
		if (word && !bits && item)
			report_no_word(c, item, word, table);
		item = item ? item->next : NULL;
	}
	return all;
}

void check_patterns(struct check *c, const struct node *map, const char *key,
    const struct postern_list *list)
{
	const struct node *n = node_get(map, key);
	const struct node *item;

	if (!n || list->count == 0)
		return;
	item = n->type == NODE_SEQUENCE ? n->first : n;
	for (size_t i = 0; i < list->count; i++, item = item->next) {
		const char *pattern = CONFIG_STRING(*list, i);

		if (pattern && !words_is_pattern(span_of(pattern)))
			report_error(c->report, item,
			    "must be an address (a@example.com), a domain "
			    "(\"@example.com\") or \"*\"");
	}
}

bool check_readable(
    struct check *c, const struct node *map, const char *key, const char *path)
{
	struct err e = { 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0)
		(void)err_errno(&e, -errno, "cannot read %s", path);
	else if (!S_ISREG(st.st_mode))
		(void)err_set(&e, -EINVAL, "%s is not a regular file", path);
	if (fd >= 0)
		(void)close(fd);
	if (e.code)
		report_error(c->report, node_get(map, key), "%s", e.text);
	return e.code == 0;
}

/* --- the small sections --- */

/* Without a name of its own a server uses the machine's. */
static void check_hostname(struct check *c)
{
	const struct node *n = node_get(c->root, "hostname");
	char name[256] = "";

	if (!c->config->hostname && n)
		return; /* reported by its row */
	if (!c->config->hostname) {
		if (gethostname(name, sizeof(name) - 1) != 0)
			name[0] = '\0';
		c->config->hostname =
		    arena_str(c->decoder->values, span_of(name));
	}
	if (c->config->hostname &&
	    words_is_hostname(span_of(c->config->hostname)))
		return;
	if (n)
		report_error(c->report, n, "must be a host name");
	else
		report_missing(c->report, c->root, "hostname",
		    "and the system's own name is not a valid one");
}

static void check_queue(struct check *c)
{
	const struct config_queue *q = &c->config->queue;
	const struct node *retry =
	    node_get(node_get(c->root, "queue"), "retry");
	const struct node *cap = node_get(retry, "cap");

	if (cap && q->retry_cap_ms && q->retry_cap_ms < q->retry_base_ms)
		report_error(
		    c->report, cap, "must not be less than queue.retry.base");
}

static void check_memory(struct check *c)
{
	const struct config_memory *m = &c->config->memory;
	const struct node *hard = node_get(node_get(c->root, "memory"), "hard");

	if (hard && m->hard > 0 && m->hard < m->soft)
		report_error(
		    c->report, hard, "must not be less than memory.soft");
}

static void check_texts(struct check *c)
{
	const struct node *banner =
	    node_get(node_get(c->root, "smtp"), "banner");
	const struct node *path = node_get(node_get(c->root, "spool"), "path");
	struct span text = span_of(c->config->smtp.banner);

	if (banner && (text.len > BANNER_MAX || !span_is_ascii(text)))
		report_error(c->report, banner,
		    "must be at most %d ASCII characters", BANNER_MAX);
	if (path && c->config->spool.path && !*c->config->spool.path)
		report_error(c->report, path, "must not be empty");
	if (c->config->http.ca_file)
		(void)check_readable(c, node_get(c->root, "http"), "ca_file",
		    c->config->http.ca_file);
}

/* --- TLS --- */

static bool needs_tls(const struct check *c)
{
	const struct node *n =
	    check_first(c, "listeners", &c->config->listeners);

	for (; n; n = n->next)
		if (n->type == NODE_MAP && CONFIG_AT(c->config->listeners,
					       struct config_listener, n->index)
						   ->tls != CONFIG_TLS_NONE)
			return true;
	return false;
}

/* Whether every pair is complete and its files can be read. */
static bool check_files(struct check *c, const struct node *list)
{
	const struct postern_list *pairs = &c->config->tls.certificates;
	const struct node *n = list->count == pairs->count ? list->first : NULL;
	bool is_usable = n != NULL;

	for (; n; n = n->next) {
		const struct config_certificate *pair =
		    CONFIG_AT(*pairs, struct config_certificate, n->index);

		is_usable &=
		    pair->cert && check_readable(c, n, "cert", pair->cert);
		is_usable &=
		    pair->key && check_readable(c, n, "key", pair->key);
	}
	return is_usable;
}

static bool check_client_files(struct check *c, const struct node *map)
{
	const struct config_tls *tls = &c->config->tls;
	const struct node *crl = node_get(map, "crl");
	bool is_usable = true;

	if (tls->client_auth != CONFIG_CLIENT_AUTH_NONE && !tls->client_ca) {
		report_missing(c->report, map, "client_ca",
		    "client_auth needs the authorities to judge clients by");
		is_usable = false;
	}
	if (crl && !tls->client_ca)
		report_error(c->report, crl, "has no effect without client_ca");
	if (tls->client_ca)
		is_usable &=
		    check_readable(c, map, "client_ca", tls->client_ca);
	if (tls->crl)
		is_usable &= check_readable(c, map, "crl", tls->crl);
	return is_usable;
}

/* A struct check as ctx. */
static void warn_of_file(void *ctx, const char *file, const char *what)
{
	struct check *c = ctx;
	const struct node *map = node_get(c->root, "tls");
	const struct node *n = node_get(map, "certificates")->first;
	const char *crl = c->config->tls.crl;

	for (; n; n = n->next) {
		const struct config_certificate *pair =
		    CONFIG_AT(c->config->tls.certificates,
			struct config_certificate, n->index);

		if (strcmp(pair->cert, file) == 0)
			report_warning(
			    c->report, node_get(n, "cert"), "%s", what);
	}
	if (crl && strcmp(crl, file) == 0)
		report_warning(c->report, node_get(map, "crl"), "%s", what);
}

void check_tls(struct check *c)
{
	const struct node *map = node_get(c->root, "tls");
	const struct node *list = node_get(map, "certificates");
	struct err e = { 0 };
	bool is_usable;

	if (!map || map->type != NODE_MAP)
		return;
	is_usable = check_client_files(c, map);
	if (!list && needs_tls(c))
		report_missing(c->report, map, "certificates",
		    "a listener speaks TLS: give it a cert and its key");
	if (!list || list->type != NODE_SEQUENCE)
		return;
	if (list->count == 0 && needs_tls(c))
		report_error(c->report, list,
		    "must have an entry: a listener speaks TLS");
	is_usable &= check_files(c, list);
	if (is_usable && c->helpers->check_tls &&
	    c->helpers->check_tls(c->config, warn_of_file, c, &e) != 0)
		report_error(c->report, list, "%s", e.text);
}

/* --- users --- */

bool check_has_user(const struct check *c, const char *name)
{
	return c->lacks_users || config_find_user(c->config, span_of(name));
}

bool check_is_fixed_identity(const struct check *c, const char *name)
{
	const struct postern_list *list = &c->config->listeners;

	for (size_t i = 0; i < list->count; i++) {
		const struct config_listener *l =
		    CONFIG_AT(*list, struct config_listener, i);

		if (l->allow_unauthenticated && l->user &&
		    span_ieq(span_of(l->user), span_of(name)))
			return true;
	}
	return false;
}

/* A client can only log in with what survives SASL's canonical form. */
static bool is_login_name(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7f)
			return false;
	return s.len > 0 && span_is_utf8(s);
}

/* Whether some of this user's mail may go without being stored. */
static bool may_be_direct(const struct check *c, const struct config_user *user)
{
	const struct postern_list *list = &c->config->listeners;

	if (user->mode != CONFIG_MODE_INHERIT)
		return user->mode == CONFIG_MODE_DIRECT;
	for (size_t i = 0; i < list->count; i++) {
		int mode = CONFIG_AT(*list, struct config_listener, i)->mode;

		if (mode == CONFIG_MODE_INHERIT)
			mode = c->config->queue.mode;
		if (mode == CONFIG_MODE_DIRECT)
			return true;
	}
	return false;
}

static void check_quota(
    struct check *c, const struct node *n, const struct config_user *user)
{
	const struct node *action = node_get(n, "quota_action");

	if (user->quota_action == CONFIG_QUOTA_DEFER)
		return;
	if (user->daily == 0)
		report_error(c->report, action, "has no effect without daily");
	else if (user->quota_action == CONFIG_QUOTA_HOLD &&
		 may_be_direct(c, user))
		report_error(c->report, action,
		    "hold needs a place to hold mail in: give the user mode "
		    "hybrid or queued (mode direct stores nothing)");
}

static void report_namesake(
    struct check *c, const struct node *n, const struct node *other)
{
	report_error(c->report, node_get(n, "name"),
	    "is the name of another user, on line %zu of %s (upper and lower "
	    "case are one)",
	    node_get(other, "name")->line,
	    c->report->sources[other->source].path);
}

/* The nodes of all users, by config_user.index, are at nodes. */
static void check_user(
    struct check *c, const struct node *const *nodes, struct config_user *user)
{
	const struct node *n = nodes[user->index];
	const struct config_user *other;
	char key[CONFIG_USER_MAX];
	struct span lower;
	int rc;

	check_patterns(c, n, "senders", &user->senders);
	check_patterns(c, n, "recipients", &user->recipients);
	check_quota(c, n, user);
	user->may_control =
	    check_words(c, n, "controls", &user->controls, content_controls);
	if (!user->name)
		return;
	check_credentials(c, n, user);
	if (!config_lower(span_of(user->name), key, &lower)) {
		report_error(c->report, node_get(n, "name"),
		    "must have at most %d bytes", CONFIG_USER_MAX);
		return;
	}
	if (!is_login_name(lower))
		report_error(c->report, node_get(n, "name"),
		    "must be UTF-8 without spaces and control characters");
	other = map_get(c->config->user_by_name, lower);
	if (other) {
		report_namesake(c, n, nodes[other->index]);
		return;
	}
	rc = map_put(c->config->user_by_name, lower, user);
	if (rc)
		report_error(c->report, n, "out of memory");
}

void check_users(struct check *c)
{
	struct config_user *users = c->config->users.items;
	const struct node *n = check_first(c, "users", &c->config->users);
	const struct node **nodes;

	if (!n)
		return;
	nodes = arena_alloc(c->decoder->nodes,
	    c->config->users.count * sizeof(const struct node *));
	if (!nodes) {
		report_error(c->report, n, "out of memory");
		return;
	}
	for (size_t i = 0; n; n = n->next, i++) {
		nodes[i] = n;
		users[i].index = i;
		if (n->type == NODE_MAP)
			check_user(c, nodes, &users[i]);
	}
}

void check_config(struct check *c)
{
	check_hostname(c);
	check_patterns(c, c->root, "suppress", &c->config->suppress);
	check_users(c);
	check_listeners(c);
	check_tls(c);
	check_auth(c);
	check_providers(c);
	check_dsn(c);
	check_routes(c);
	check_webhook(c);
	check_queue(c);
	check_memory(c);
	check_texts(c);
}
