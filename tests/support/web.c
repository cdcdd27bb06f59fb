/* See web.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <netinet/in.h>

#include <support/unit.h>
#include <support/web.h>

enum {
	DEADLINE_S = 10,
	READ_SIZE = 65536
};

void web_open(struct web *w, int port)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	const struct timeval deadline = { .tv_sec = DEADLINE_S };

	*w = (struct web){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
	ck_assert_int_ge(w->fd, 0);
	(void)setsockopt(
	    w->fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	ck_assert_int_eq(
	    connect(w->fd, (const struct sockaddr *)&to, sizeof(to)), 0);
}

void web_open_unix(struct web *w, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval deadline = { .tv_sec = DEADLINE_S };

	strncpy(to.sun_path, path, sizeof(to.sun_path) - 1);
	*w = (struct web){ .fd = socket(AF_UNIX, SOCK_STREAM, 0) };
	ck_assert_int_ge(w->fd, 0);
	(void)setsockopt(
	    w->fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	ck_assert_int_eq(
	    connect(w->fd, (const struct sockaddr *)&to, sizeof(to)), 0);
}

void web_close(struct web *w)
{
	if (w->fd >= 0)
		(void)close(w->fd);
	free(w->in);
	*w = (struct web){ .fd = -1 };
}

void web_send(struct web *w, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(w->fd, at, len, MSG_NOSIGNAL);

		if (n < 0)
			return; /* the peer has had enough: the answer tells */
		at += n;
		len -= (size_t)n;
	}
}

void web_print(struct web *w, const char *fmt, ...)
{
	char text[8192];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ck_assert(n >= 0 && (size_t)n < sizeof(text));
	web_send(w, text, (size_t)n);
}

/* Append what comes; false at the end of the stream. */
static bool fill(struct web *w)
{
	w->in = realloc(w->in, w->len + READ_SIZE + 1);
	ck_assert_ptr_nonnull(w->in);
	ssize_t n = recv(w->fd, w->in + w->len, READ_SIZE, 0);
	if (n <= 0) {
		w->error = n < 0 ? errno : 0;
		return false;
	}
	w->len += (size_t)n;
	w->in[w->len] = '\0';
	return true;
}

static void take(struct web *w, size_t n)
{
	memmove(w->in, w->in + n, w->len - n + 1);
	w->len -= n;
}

static bool receive_head(struct web *w, struct web_answer *out)
{
	const char *end = NULL;

	while (w->len == 0 || !(end = strstr(w->in, "\r\n\r\n"))) {
		if (!fill(w))
			return false;
	}
	size_t head = (size_t)(end - w->in) + 4;
	ck_assert_uint_lt(head, sizeof(out->head));
	memcpy(out->head, w->in, head);
	out->head[head] = '\0';
	take(w, head);
	ck_assert_int_eq(sscanf(out->head, "HTTP/1.%*1d %d", &out->status), 1);
	return true;
}

bool web_receive(struct web *w, bool is_head, struct web_answer *out)
{
	memset(out, 0, sizeof(*out));
	do {
		if (!receive_head(w, out))
			return false;
	} while (out->status == 100);
	const char *length = web_header(out, "Content-Length");
	size_t len = is_head || !length ? 0 : strtoul(length, NULL, 10);
	while (w->len < len) {
		if (!fill(w))
			return false;
	}
	out->body = calloc(1, len + 1);
	ck_assert_ptr_nonnull(out->body);
	if (len > 0)
		memcpy(out->body, w->in, len);
	out->body_len = len;
	take(w, len);
	return true;
}

bool web_is_ended(struct web *w)
{
	while (fill(w))
		;
	return w->error != EAGAIN;
}

const char *web_header(const struct web_answer *a, const char *name)
{
	static char value[1024];
	size_t len = strlen(name);

	for (const char *line = strstr(a->head, "\r\n"); line && line[2];
	     line = strstr(line + 2, "\r\n")) {
		const char *at = line + 2;
		const char *end = strstr(at, "\r\n");

		if (!end || strncasecmp(at, name, len) != 0 || at[len] != ':')
			continue;
		at += len + 1;
		at += strspn(at, " ");
		(void)snprintf(
		    value, sizeof(value), "%.*s", (int)(end - at), at);
		return value;
	}
	return NULL;
}

void web_answer_free(struct web_answer *a)
{
	free(a->body);
	a->body = NULL;
}

bool web_ask(int port, const char *method, const char *target,
    const char *headers, const void *body, size_t len, struct web_answer *out)
{
	struct web w;

	web_open(&w, port);
	web_print(&w, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", method,
	    target, port, headers ? headers : "");
	if (body)
		web_print(&w, "Content-Length: %zu\r\n", len);
	web_print(&w, "\r\n");
	if (body)
		web_send(&w, body, len);
	bool ok = web_receive(&w, strcmp(method, "HEAD") == 0, out);
	web_close(&w);
	return ok;
}
