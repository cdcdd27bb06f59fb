/*
 * Stored credentials: SCRAM-SHA-256 records (RFC 5803) made by
 * `postern passwd`, and crypt(3) hashes of migrated users.
 */
#pragma once

#include <base/err.h>
#include <base/span.h>

enum {
	PASSWORD_RECORD_SIZE = 256,
	PASSWORD_ITERATIONS = 10000
};

enum password_scheme {
	PASSWORD_INVALID = 0,
	PASSWORD_SCRAM_SHA256,
	PASSWORD_CRYPT
};

/* Which scheme a record is of, and whether it is well formed. */
enum password_scheme password_check_record(struct span record, struct err *e);
/* Make a record with a fresh salt. 0 or a negative errno. */
int password_make_record(struct span password, unsigned iterations,
    char out[PASSWORD_RECORD_SIZE], struct err *e);
/*
 * 0 when it fits, -EACCES when it does not, else a negative errno. Slow by
 * design: pool threads only.
 */
int password_verify(struct span record, struct span password);
