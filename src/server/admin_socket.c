/* See admin_socket.h. */
#include <server/admin_socket.h>

#include <base/log.h>
#include <base/span.h>
#include <config/config.h>
#include <net/listener.h>
#include <server/privilege.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void admin_socket_prepare(const struct config *c)
{
	char folder[PATH_MAX];
	struct err e = { 0 };
	ptrdiff_t slash = span_rindex(span_of(c->admin.socket), '/');

	if (slash <= 0 || slash >= (ptrdiff_t)sizeof(folder))
		return;
	(void)snprintf(
	    folder, sizeof(folder), "%.*s", (int)slash, c->admin.socket);
	/* What is there already is not ours to give away. */
	if (mkdir(folder, 0700) != 0)
		return;
	if (chmod(folder, 0755) != 0 ||
	    privilege_give_socket(folder, c->user, &e) != 0)
		log_warn("admin_unavailable", LOG_STR("why", e.text));
}

int admin_socket_open(const struct config *c)
{
	struct listener_set set = { .count = 0 };
	struct err e = { 0 };
	char address[PATH_MAX];
	int fd = -1;

	if (!*c->admin.socket)
		return -1;
	(void)snprintf(address, sizeof(address), "unix:%s", c->admin.socket);
	if (listener_open(address, 1, &set, &e) != 0) {
		log_warn("admin_unavailable", LOG_STR("why", e.text),
		    LOG_STR("hint",
			"admin.socket must be in a folder of the server's "
			"account; \"\" turns it off"));
	} else {
		/* Nobody but this account could open it before. */
		(void)chmod(
		    c->admin.socket, config_socket_mode(c->admin.socket_mode));
		fd = set.fds[0];
	}
	free(set.fds);
	return fd;
}
