/*
 * Who a message is from and to: the envelope of one transaction, apart from
 * what its header says. Owned by the session, then by the delivery.
 */
#pragma once

#include <base/arena.h>
#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

struct map;

enum envelope_body {
	ENVELOPE_BODY_7BIT = 0,
	ENVELOPE_BODY_8BITMIME
};

struct envelope {
	struct arena arena; /* everything below lives here */
	struct span sender; /* addr-spec; empty = null sender */
	struct span *recipients;
	size_t recipient_count, recipient_cap;
	struct map *seen; /* index of recipients, made when they are many */
	struct span user; /* authenticated identity */
	struct span helo;
	struct span peer; /* numeric address */
	enum envelope_body body;
	bool is_utf8;           /* SMTPUTF8 was given */
	uint64_t declared_size; /* SIZE=, 0 when absent */
};

void envelope_init(struct envelope *e);
void envelope_finish(struct envelope *e);
/* Copies; addresses equal but for case are kept once. 0 or -ENOMEM. */
int envelope_add_recipient(struct envelope *e, struct span address);
/* Part after the last @; empty when there is none. */
struct span address_domain(struct span address);
