/*
 * A dialog file, read. Lines:
 *
 *   #! key value    a setting (see settings.c), before the first line below
 *   #               a comment
 *   C: text         the client sends text and CRLF
 *   R: text         the client sends exactly that; \r \n \0 \t \\ \xHH, and
 *                   \{n:text} for text n times
 *   S: text         the server says this line; a final * matches the rest
 *   S+: code        a whole reply with that code, of any number of lines
 *   TLS             the client begins a handshake (after STARTTLS)
 *   EOF             the client sends no more
 *   LEAVE           the client closes without waiting for anything
 *   RESET           the same, with an RST, once a message was handed over
 *   CLOSE           the server closes
 *   WAIT            the client goes on when it has all replies so far
 *   B: text         the next body line of the last message handed over
 *   E: text         its envelope: "<sender> <recipient> ...", and behind each
 *                   what was asked for it: 8bit utf8 ret= envid= priority=
 *                   later held direct, and never success failure delay orcpt=
 *   H: text         its header holds this text; line ends count as spaces
 *   L: text         the log holds this, after what the L: before named
 *   N: text         the log does not hold this
 *
 * "[tls starttls] S: text" holds only where the dialog is played over one of
 * these transports.
 */
#pragma once

#include <base/span.h>

#include <stddef.h>

/* How the bytes travel, and the listener that takes them. */
enum transport {
	TRANSPORT_PLAIN = 0, /* everything allowed without TLS */
	TRANSPORT_STARTTLS,
	TRANSPORT_TLS, /* from the first byte */
	TRANSPORTS
};

extern const char *const transport_names[TRANSPORTS];

enum step_kind {
	STEP_SET = 0,
	STEP_SEND,
	STEP_EXPECT,
	STEP_EXPECT_REPLY,
	STEP_TLS,
	STEP_EOF,
	STEP_LEAVE,
	STEP_RESET,
	STEP_CLOSE,
	STEP_WAIT,
	STEP_BODY,
	STEP_ENVELOPE,
	STEP_HEADER,
	STEP_LOG,
	STEP_NOT_LOGGED
};

struct step {
	enum step_kind kind;
	unsigned line;       /* in the file; 0: the runner's own */
	unsigned transports; /* bits 1 << enum transport; 0: all */
	char *data; /* bytes to send or text to expect, NUL-terminated */
	size_t len;
};

struct script {
	const char *path;
	struct step *steps;
	size_t count, cap;
};

/* Exits the program with a message when the file is not understood. */
void script_read(struct script *s, const char *path);
void script_finish(struct script *s);
