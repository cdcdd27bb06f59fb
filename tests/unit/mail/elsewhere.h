/* A body in memory that looks as if it were not. */
#pragma once

#include <mail/message.h>

struct elsewhere {
	struct message_source source;
	struct span body;
	uint64_t fails_from; /* offset of the body; 0: never */
};

/* A message of raw, whose memory is borrowed, as e is, until it is gone. */
struct message *elsewhere_message(struct elsewhere *e, struct span raw);
