/*
 * Whether the content of a message holds what some transports do not take:
 * octets above 127, or lines that are too long (RFC 5321 4.5.3.1.6). Pure.
 */
#pragma once

#include <mail/message.h>

#include <stdint.h>

enum {
	OCTETS_LINE_MAX = 998, /* without its CRLF */
	/* What is looked for. */
	OCTETS_8BIT = 1 << 0,
	OCTETS_LONG_LINES = 1 << 1
};

/*
 * Look at length bytes from offset, all of which exist, up to the first that
 * is one of wanted. 1, 0 when there is none, or a negative errno when the
 * message cannot be read.
 */
int octets_find(
    const struct message *m, uint64_t offset, uint64_t length, unsigned wanted);
