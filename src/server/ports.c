/* See ports.h. */
#include <server/ports.h>

#include <base/hostport.h>
#include <base/log.h>
#include <config/config.h>
#include <net/listener.h>
#include <server/activation.h>
#include <server/privilege.h>
#include <server/takeover.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct config_listener *listener_at(
    const struct ports *p, size_t i)
{
	return CONFIG_AT(p->config->listeners, struct config_listener, i);
}

/* --- opening --- */

static int add(struct ports *p, const struct listener_set *set, size_t listener,
    bool is_kept)
{
	struct port *all =
	    reallocarray(p->all, p->count + set->count, sizeof(*p->all));

	if (!all)
		return -ENOMEM;
	p->all = all;
	for (size_t i = 0; i < set->count; i++)
		p->all[p->count++] = (struct port){
			.listener = listener,
			.fd = set->fds[i],
			.is_kept = is_kept,
		};
	return 0;
}

static int open_own(const struct ports *p, const struct config_listener *l,
    unsigned share, struct listener_set *set, struct err *e)
{
	const char *path = hostport_unix_path(l->address);
	int rc = listener_open(l->address, share, set, e);

	if (rc == 0 && path)
		rc = privilege_give_socket(path, p->config->user, e);
	return rc;
}

static void set_mode(const struct config_listener *l)
{
	const char *path = hostport_unix_path(l->address);

	if (path && chmod(path, config_socket_mode(l->socket_mode)) != 0)
		log_warn("socket_mode_kept", LOG_STR("listener", l->name),
		    LOG_STR("reason", strerror(errno)));
}

static void log_listening(
    const struct config_listener *l, int fd, const char *source)
{
	log_info("listening", LOG_STR("listener", l->name),
	    LOG_STR("address", l->address), LOG_NUM("port", listener_port(fd)),
	    LOG_STR("socket", source));
}

/* Where the sockets of a listener come from. */
struct sources {
	struct activation manager;
	struct takeover *before;
	unsigned share;
};

static int open_listener(
    struct ports *p, struct sources *from, size_t i, struct err *e)
{
	const struct config_listener *l = listener_at(p, i);
	struct listener_set set = { .count = 0 };
	bool is_kept = false;
	const char *source = "service manager";
	int rc = activation_take(&from->manager, l->name, l->address, &set);

	if (rc == 0 && set.count > 0) {
		is_kept = true;
	} else if (rc == 0 && from->before) {
		source = "taken over";
		rc = takeover_take(from->before, l, &set, &is_kept);
	}
	if (rc == 0 && set.count == 0) {
		source = "opened";
		rc = open_own(p, l, from->share, &set, e);
	}
	if (rc == 0)
		rc = add(p, &set, i, is_kept);
	if (rc < 0)
		return e->code ? rc : err_set(e, rc, "no memory for sockets");
	log_listening(l, set.fds[0], source);
	free(set.fds);
	return 0;
}

int ports_open(struct ports *p, struct config *config, unsigned share,
    struct takeover *from, struct err *e)
{
	struct sources sources = { .before = from, .share = share };
	int rc = activation_init(&sources.manager, e);

	*p = (struct ports){ .config = config_ref(config) };
	for (size_t i = 0; rc == 0 && i < config->listeners.count; i++)
		rc = open_listener(p, &sources, i, e);
	activation_finish(&sources.manager);
	return rc;
}

void ports_set_modes(const struct ports *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (!p->all[i].is_kept)
			set_mode(listener_at(p, p->all[i].listener));
}

/* --- sharing --- */

static bool is_same_address(const struct port *a, const struct port *b)
{
	struct sockaddr_storage x = { .ss_family = AF_UNSPEC }, y = x;
	socklen_t x_len = sizeof(x), y_len = sizeof(y);

	return a->listener == b->listener &&
	       getsockname(a->fd, (struct sockaddr *)&x, &x_len) == 0 &&
	       getsockname(b->fd, (struct sockaddr *)&y, &y_len) == 0 &&
	       x_len == y_len && memcmp(&x, &y, x_len) == 0;
}

/* Place of a port among those of its address, and how many these are. */
static void find_place(
    const struct ports *p, size_t i, unsigned *place, unsigned *of)
{
	*place = *of = 0;
	for (size_t k = 0; k < p->count; k++) {
		if (!is_same_address(&p->all[i], &p->all[k]))
			continue;
		if (k < i)
			++*place;
		++*of;
	}
}

/*
 * With as many sockets as workers each has its own. Of more, some have
 * several; with less, some share one.
 */
static bool is_for(
    unsigned place, unsigned of, unsigned worker, unsigned workers)
{
	assert(of > 0 && workers > 0);
	return of >= workers ? place % workers == worker : worker % of == place;
}

int ports_share(const struct ports *p, unsigned worker, unsigned workers,
    struct port **out, size_t *count)
{
	*count = 0;
	*out = calloc(p->count, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (size_t i = 0; i < p->count; i++) {
		struct port *port = &(*out)[*count];
		unsigned place, of;

		find_place(p, i, &place, &of);
		if (!is_for(place, of, worker, workers))
			continue;
		*port = p->all[i];
		port->fd = fcntl(p->all[i].fd, F_DUPFD_CLOEXEC, 0);
		if (port->fd < 0)
			return -errno;
		++*count;
	}
	return 0;
}

/* --- another configuration --- */

/* Port 0 is any free port: only the name tells one such from another. */
static bool is_same(
    const struct config_listener *l, const struct config_listener *o)
{
	struct span a = span_of(l->address);
	bool is_any_port =
	    a.len > 1 && span_eq(span_from(a, a.len - 2), SPAN(":0"));

	return strcmp(l->address, o->address) == 0 &&
	       (!is_any_port || strcmp(l->name, o->name) == 0);
}

/* Index of the listener of c (or NULL) at the address of l; SIZE_MAX: none. */
static size_t find_listener(
    const struct config *c, const struct config_listener *l)
{
	for (size_t i = 0; c && i < c->listeners.count; i++)
		if (is_same(
			l, CONFIG_AT(c->listeners, struct config_listener, i)))
			return i;
	return SIZE_MAX;
}

static int open_new(struct ports *p, size_t i, unsigned share, struct err *e)
{
	struct listener_set set = { .count = 0 };
	int rc = open_own(p, listener_at(p, i), share, &set, e);

	if (rc == 0)
		rc = add(p, &set, i, false);
	if (rc)
		listener_set_finish(&set);
	else
		free(set.fds);
	return rc;
}

int ports_open_new(struct ports *p, struct config *config,
    const struct config *present, unsigned share, struct err *e)
{
	*p = (struct ports){ .config = config_ref(config) };
	for (size_t i = 0; i < config->listeners.count; i++) {
		const struct config_listener *l = listener_at(p, i);
		struct err why = { 0 };
		int rc = 0;

		if (find_listener(present, l) == SIZE_MAX)
			rc = open_new(p, i, share, &why);
		if (rc == 0)
			continue;
		(void)err_set(e, rc, "listener %s: %s", l->name,
		    why.code ? why.text : strerror(-rc));
		ports_forget(p, present);
		return rc;
	}
	return 0;
}

static int duplicate(
    struct ports *p, size_t i, const struct ports *old, size_t listener)
{
	for (size_t k = 0; k < old->count; k++) {
		struct listener_set one = { .count = 0 };

		if (old->all[k].listener != listener)
			continue;
		int fd = fcntl(old->all[k].fd, F_DUPFD_CLOEXEC, 0);
		int rc = fd < 0 ? -errno : listener_set_add(&one, fd);
		if (rc == 0)
			rc = add(p, &one, i, old->all[k].is_kept);
		if (rc)
			listener_set_finish(&one);
		free(one.fds);
		if (rc)
			return rc;
	}
	return 0;
}

int ports_keep(struct ports *p, const struct ports *old)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < p->config->listeners.count; i++) {
		size_t former = find_listener(old->config, listener_at(p, i));

		if (former != SIZE_MAX)
			rc = duplicate(p, i, old, former);
	}
	return rc;
}

/* Close all of p; a file goes unless other (may be NULL) has it, too. */
static void release(struct ports *p, const struct config *other)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct config_listener *l =
		    listener_at(p, p->all[i].listener);
		const char *path = hostport_unix_path(l->address);

		/* First, so that nobody comes who would not be heard. */
		if (path && !p->all[i].is_kept && !p->is_handed_over &&
		    find_listener(other, l) == SIZE_MAX)
			(void)unlink(path);
		(void)close(p->all[i].fd);
	}
	free(p->all);
	config_unref(p->config);
	*p = (struct ports){ .config = NULL };
}

void ports_forget(struct ports *p, const struct config *present)
{
	release(p, present);
}

static void note_changes(const struct ports *p, const struct ports *next)
{
	for (size_t i = 0; i < p->config->listeners.count; i++) {
		const struct config_listener *l = listener_at(p, i);

		if (find_listener(next->config, l) == SIZE_MAX)
			log_info("listener_closed",
			    LOG_STR("listener", l->name),
			    LOG_STR("address", l->address));
	}
	for (size_t i = 0; i < next->count; i++) {
		size_t listener = next->all[i].listener;
		const struct config_listener *l = listener_at(next, listener);

		if (i > 0 && next->all[i - 1].listener == listener)
			continue;
		if (find_listener(p->config, l) == SIZE_MAX)
			log_listening(l, next->all[i].fd, "opened");
	}
}

void ports_replace(struct ports *p, struct ports *next)
{
	note_changes(p, next);
	ports_set_modes(next);
	release(p, next->config);
	*p = *next;
	*next = (struct ports){ .config = NULL };
}

void ports_close(struct ports *p)
{
	release(p, NULL);
}
