/* A blocking SMTP client of bytes and lines, with a deadline on reads. */
#pragma once

#include <base/buf.h>

#include <stdbool.h>
#include <stddef.h>

struct client {
	int fd;
	void *tls_ctx, *tls; /* SSL_CTX, SSL */
	struct buf in;
	char line[4096];
	bool is_over; /* the server closed */
};

void client_open(struct client *c, int port);
/* Handshake; false when it fails. */
bool client_start_tls(struct client *c);
/* In pieces of step bytes. What a closed connection refuses is dropped. */
void client_send(struct client *c, const char *data, size_t len, size_t step);
/*
 * The next line without its CRLF, valid until the next call; NULL at the end
 * of the connection or the deadline.
 */
const char *client_line(struct client *c);
/* Text as it is. The next line must begin with start. */
void client_say(struct client *c, const char *text);
void client_expect(struct client *c, const char *start);
/* Whether the server closed, with nothing more said. */
bool client_sees_close(struct client *c);
void client_eof(struct client *c);
void client_close(struct client *c);
/* Close with an RST. */
void client_reset(struct client *c);
