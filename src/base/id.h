/*
 * Message ids: 128 bits, the first 48 the time of creation in milliseconds,
 * the rest random, so that ids sort by time and never repeat across replicas.
 * Shown as 26 characters of Crockford base32, lower case.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

enum {
	ID_TEXT_SIZE = 27 /* with NUL */
};

struct id {
	uint8_t bytes[16];
};

/* Any thread. */
struct id id_make(void);
void id_format(struct id id, char out[ID_TEXT_SIZE]);
/* Returns 0 or -EINVAL. Upper case is accepted. */
int id_parse(struct span s, struct id *out);
/*
 * Another id of the same time, the same one for the same salt: a message that
 * follows from one, made once even when it is made twice.
 */
struct id id_derive(struct id from, struct span salt);
bool id_eq(struct id a, struct id b);
/* A number spread evenly over ids: choose a home loop by it modulo n. */
uint64_t id_hash(struct id id);
