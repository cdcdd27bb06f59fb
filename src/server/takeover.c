/* The side of the new process. See takeover.h, takeover_internal.h. */
#include <server/takeover_internal.h>

#include <base/clock.h>
#include <base/log.h>
#include <config/config.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	ANSWER_S = 10,          /* its main loop is never busy that long */
	END_MS = 15 * 60 * 1000 /* longer than any shutdown.grace */
};

/* Some sockets of one address, as a packet brought them. */
struct batch {
	char *name, *address; /* in one piece of memory, at name */
	bool is_kept;
	struct listener_set set;
};

struct takeover {
	int fd;
	struct batch *batches;
	size_t count;
};

bool takeover_name(const char *spool, struct sockaddr_un *sa)
{
	int len;

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(
	    sa->sun_path, sizeof(sa->sun_path), "%s/takeover.sock", spool);
	return len > 0 && (size_t)len < sizeof(sa->sun_path);
}

static void takeover_free(struct takeover *t)
{
	for (size_t i = 0; i < t->count; i++) {
		listener_set_finish(&t->batches[i].set);
		free(t->batches[i].name);
	}
	free(t->batches);
	(void)close(t->fd);
	free(t);
}

/* --- receiving --- */

static int add_fds(struct listener_set *set, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c;
	     c = CMSG_NXTHDR(msg, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fds[TAKEOVER_FDS_MAX];

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds, CMSG_DATA(c), count * sizeof(int));
		for (size_t i = 0; i < count; i++)
			if (listener_set_add(set, fds[i]) < 0)
				return -ENOMEM;
	}
	return 0;
}

static int add_batch(struct takeover *t, const char *text, struct msghdr *msg)
{
	struct batch *batches =
	    reallocarray(t->batches, t->count + 1, sizeof(*batches));
	struct batch *b;

	if (!batches)
		return -ENOMEM;
	t->batches = batches;
	b = &batches[t->count++];
	*b = (struct batch){ .is_kept = text[0] == TAKEOVER_KEPT,
		.name = strdup(text + 1) };
	if (!b->name)
		return -ENOMEM;
	b->address = b->name;
	if (!strsep(&b->address, " ") || !b->address)
		return -EPROTO;
	return add_fds(&b->set, msg);
}

/* 1: more will come, 0: that was the last, or a negative errno. */
static int receive(struct takeover *t)
{
	char text[TAKEOVER_TEXT_MAX + 1];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(TAKEOVER_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = text, .iov_len = TAKEOVER_TEXT_MAX };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(t->fd, &msg, MSG_CMSG_CLOEXEC);

	if (len < 0)
		return -errno;
	text[len] = '\0';
	if (len == 0 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return -EPROTO;
	if (text[0] == TAKEOVER_END)
		return 0;
	int rc = add_batch(t, text, &msg);
	return rc < 0 ? rc : 1;
}

static int connect_to(const struct sockaddr_un *sa)
{
	const struct timeval patience = { .tv_sec = ANSWER_S };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
		return fd;
	rc = -errno;
	(void)close(fd);
	return rc;
}

struct takeover *takeover_ask(const char *spool, struct err *e)
{
	struct sockaddr_un sa;
	struct takeover *t;
	int rc;

	*e = (struct err){ .code = 0 };
	if (!takeover_name(spool, &sa))
		return NULL; /* too long: nobody can have offered */
	int fd = connect_to(&sa);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return NULL;
	if (fd < 0) {
		(void)err_errno(e, fd, "cannot ask at %s", sa.sun_path);
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		(void)close(fd);
		(void)err_set(e, -ENOMEM, "no memory to take over");
		return NULL;
	}
	t->fd = fd;
	do
		rc = receive(t);
	while (rc > 0);
	if (rc == 0)
		return t;
	takeover_free(t);
	(void)err_errno(e, rc, "the running process does not hand over");
	return NULL;
}

/* name NULL: any. */
static int take(struct takeover *t, const char *name, const char *address,
    struct listener_set *out, bool *is_kept)
{
	int rc = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct batch *b = &t->batches[i];

		if (b->set.count == 0 || strcmp(b->address, address) != 0 ||
		    (name && strcmp(b->name, name) != 0))
			continue;
		*is_kept = b->is_kept;
		for (size_t k = 0; k < b->set.count; k++)
			if (listener_set_add(out, b->set.fds[k]) < 0)
				rc = -ENOMEM;
		b->set.count = 0;
	}
	return rc;
}

int takeover_take(struct takeover *t, const struct config_listener *l,
    struct listener_set *out, bool *is_kept)
{
	int rc = take(t, l->name, l->address, out, is_kept);

	if (rc == 0 && out->count == 0)
		rc = take(t, NULL, l->address, out, is_kept);
	return rc;
}

/* --- the end of the other one --- */

int takeover_finish(struct takeover *t, struct err *e)
{
	struct pollfd end = { .events = POLLIN };
	uint64_t since = clock_mono_ms();
	int rc;

	if (!t)
		return 0;
	end.fd = t->fd;
	log_info("takeover_waiting",
	    LOG_STR("for", "the running process to close its store"));
	/* If it has ended by itself, that is seen below. */
	(void)send(t->fd, TAKEOVER_GO, sizeof(TAKEOVER_GO) - 1, MSG_NOSIGNAL);
	do
		rc = poll(&end, 1, END_MS);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		(void)err_set(e, -ETIMEDOUT,
		    "the process that serves the spool does not end");
	else
		log_info("taken_over",
		    LOG_NUM("waited_ms", clock_mono_ms() - since));
	takeover_free(t);
	return rc == 0 ? -ETIMEDOUT : 0;
}
