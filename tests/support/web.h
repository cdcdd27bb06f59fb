/*
 * A plain HTTP/1.1 client for tests: blocking, one connection per struct web,
 * every wait ends after ten seconds. It sends exactly the bytes it is given.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct web {
	int fd;
	char *in; /* received and not yet taken */
	size_t len;
	int error; /* errno of a failed read, 0 after an orderly end */
};

struct web_answer {
	int status;
	char head[16384]; /* status line and headers, NUL-terminated */
	char *body;       /* NUL-terminated; web_answer_free */
	size_t body_len;
};

void web_open(struct web *w, int port);
void web_open_unix(struct web *w, const char *path);
void web_close(struct web *w);
void web_send(struct web *w, const void *bytes, size_t len);
void web_print(struct web *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * One answer; is_head: to a HEAD request, so without body. False when the
 * connection ended first, with w->error set.
 */
bool web_receive(struct web *w, bool is_head, struct web_answer *out);
/* Has the peer ended the connection? Waits for it, up to the deadline. */
bool web_is_ended(struct web *w);
/* Value of a header, or NULL; valid until the next call. */
const char *web_header(const struct web_answer *a, const char *name);
void web_answer_free(struct web_answer *a);

/* One request on a connection of its own. headers end in CRLF each. */
bool web_ask(int port, const char *method, const char *target,
    const char *headers, const void *body, size_t len, struct web_answer *out);
