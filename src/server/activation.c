/* See activation.h, and sd_listen_fds(3). */
#include <server/activation.h>

#include <base/log.h>
#include <base/span.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FIRST_FD = 3,
	FDS_MAX = 1024
};

/* A number in the environment; 0 when it is none. */
static unsigned long long number_of(const char *variable)
{
	const char *text = getenv(variable);
	unsigned long long n = 0;

	if (text)
		(void)span_parse_u64(span_of(text), INT_MAX, &n);
	return n;
}

/* "a:b:c" to one pointer each; what is missing is "". */
static void split_names(struct activation *a, size_t count)
{
	char *rest = a->text;

	for (size_t i = 0; i < count; i++)
		a->names[i] = rest ? strsep(&rest, ":") : "";
}

static int adopt(struct activation *a, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		int fd = FIRST_FD + (int)i;
		int rc = listener_adopt(fd);

		if (rc < 0)
			return err_errno(e, rc,
			    "the service manager's socket %zu (%s) is not one "
			    "that listens for connections",
			    i, a->names[i]);
		rc = listener_set_add(&a->set, fd);
		if (rc < 0)
			return err_set(e, rc, "no memory for sockets");
	}
	return 0;
}

int activation_init(struct activation *a, struct err *e)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t count = (size_t)number_of("LISTEN_FDS");
	bool is_ours = number_of("LISTEN_PID") == (unsigned)getpid();
	int rc = 0;

	*a = (struct activation){ .text = NULL };
	if (is_ours && count > FDS_MAX)
		return err_set(e, -EINVAL, "LISTEN_FDS: more than %d", FDS_MAX);
	if (is_ours && count > 0) {
		a->text = strdup(names ? names : "");
		a->names = calloc(count, sizeof(*a->names));
		if (!a->text || !a->names)
			return err_set(e, -ENOMEM, "no memory for sockets");
		split_names(a, count);
		rc = adopt(a, count, e);
	}
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return rc;
}

/* The place of what was taken keeps a -1. */
static int move(struct activation *a, size_t i, struct listener_set *out)
{
	int fd = a->set.fds[i];

	a->set.fds[i] = -1;
	return listener_set_add(out, fd);
}

int activation_take(struct activation *a, const char *name, const char *address,
    struct listener_set *out)
{
	size_t before = out->count;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->set.count; i++)
		if (a->set.fds[i] >= 0 && strcmp(a->names[i], name) == 0)
			rc = move(a, i, out);
	if (rc < 0 || out->count > before)
		return rc;
	for (size_t i = 0; rc == 0 && i < a->set.count; i++)
		if (a->set.fds[i] >= 0 &&
		    listener_is_at(a->set.fds[i], address))
			rc = move(a, i, out);
	return rc;
}

void activation_finish(struct activation *a)
{
	for (size_t i = 0; i < a->set.count; i++) {
		if (a->set.fds[i] < 0)
			continue;
		log_warn("socket_unused", LOG_STR("name", a->names[i]),
		    LOG_NUM("port", listener_port(a->set.fds[i])),
		    LOG_STR("hint", "FileDescriptorName= should be the name "
				    "of a listener"));
		(void)close(a->set.fds[i]);
	}
	free(a->set.fds);
	free(a->names);
	free(a->text);
	*a = (struct activation){ .text = NULL };
}
