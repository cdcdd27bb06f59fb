/*
 * The protocol of one question: four strings (login, password, service,
 * realm), each behind its length in two bytes; the answer is one such string
 * that begins with OK or NO. libsasl2 speaks it too, without a time limit.
 */
#include <auth/saslauthd.h>

#include <base/clock.h>
#include <base/hash.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	FIELDS = 4,
	QUESTION_MAX = 2048, /* longest name, password, and what is ours */
	ANSWER_MAX = 1024
};

/* A connection and when to give it up. */
struct link {
	int fd;
	uint64_t deadline_ms;
};

/* Until it can be read or written. 0 or a negative errno. */
static int wait_for(const struct link *l, short events)
{
	struct pollfd p = { .fd = l->fd, .events = events };
	uint64_t now = clock_mono_ms();
	int n;

	if (now >= l->deadline_ms)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)(l->deadline_ms - now));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Never blocks: a full backlog is EAGAIN, which is a daemon too busy. */
static int open_link(struct link *l, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct span name = span_of(path);

	*l = (struct link){ .fd = -1,
		.deadline_ms = clock_mono_ms() + SASLAUTHD_TIMEOUT_MS };
	if (name.len >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, name.ptr, name.len);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return -errno;
	return connect(l->fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? 0
								       : -errno;
}

static int write_all(const struct link *l, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(l->fd, data + done, len - done, MSG_NOSIGNAL);
		int rc = 0;

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			rc = wait_for(l, POLLOUT);
		else if (errno != EINTR)
			rc = -errno;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_all(const struct link *l, uint8_t *out, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(l->fd, out + done, len - done, 0);
		int rc = 0;

		if (n > 0)
			done += (size_t)n;
		else if (n == 0)
			rc = -EPIPE;
		else if (errno == EAGAIN)
			rc = wait_for(l, POLLIN);
		else if (errno != EINTR)
			rc = -errno;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static size_t add_field(uint8_t *out, struct span field)
{
	out[0] = (uint8_t)(field.len >> 8);
	out[1] = (uint8_t)field.len;
	if (field.len)
		memcpy(out + 2, field.ptr, field.len);
	return 2 + field.len;
}

/* Its length, or 0 when it is too long. */
static size_t make_question(
    uint8_t out[QUESTION_MAX], struct span name, struct span password)
{
	ptrdiff_t at = span_rindex(name, '@');
	struct span fields[FIELDS] = { name, password, SPAN("smtp"), SPAN("") };
	size_t len = 0;

	if (at >= 0) {
		fields[0] = span_first(name, (size_t)at);
		fields[3] = span_from(name, (size_t)at + 1);
	}
	for (size_t i = 0; i < FIELDS; i++) {
		if (len + 2 + fields[i].len > QUESTION_MAX)
			return 0;
		len += add_field(out + len, fields[i]);
	}
	return len;
}

static int read_verdict(const struct link *l)
{
	uint8_t head[2], answer[ANSWER_MAX];
	int rc = read_all(l, head, sizeof(head));
	size_t len;

	if (rc < 0)
		return rc;
	len = (size_t)head[0] << 8 | head[1];
	if (len < 2 || len > sizeof(answer))
		return -EPROTO;
	rc = read_all(l, answer, len);
	if (rc < 0)
		return rc;
	if (!memcmp(answer, "OK", 2))
		return 0;
	return !memcmp(answer, "NO", 2) ? -EACCES : -EPROTO;
}

int saslauthd_ask(const char *path, struct span name, struct span password)
{
	uint8_t question[QUESTION_MAX];
	size_t len = make_question(question, name, password);
	struct link l = { .fd = -1 };
	int rc = len > 0 ? open_link(&l, path) : -EMSGSIZE;

	if (rc == 0)
		rc = write_all(&l, question, len);
	if (rc == 0)
		rc = read_verdict(&l);
	hash_cleanse(question, sizeof(question));
	if (l.fd >= 0)
		(void)close(l.fd);
	return rc;
}
