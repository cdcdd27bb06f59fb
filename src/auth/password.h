/*
 * Stored credentials: SCRAM-SHA-256 records (RFC 5803) made by
 * `postern passwd`, and crypt(3) hashes of migrated users. Pure functions.
 */
#pragma once

#include <base/err.h>
#include <base/hash.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PASSWORD_RECORD_SIZE = 256, /* with its NUL; also of crypt hashes */
	PASSWORD_MAX = 1024,        /* longest password, in bytes */
	PASSWORD_ITERATIONS = 10000,
	PASSWORD_ITERATIONS_MIN = 4096,
	PASSWORD_ITERATIONS_MAX = 65536, /* SASL clients refuse more */
	PASSWORD_SALT_MAX = 64
};

enum password_scheme {
	PASSWORD_INVALID = 0,
	PASSWORD_SCRAM_SHA256,
	PASSWORD_CRYPT
};

/* SCRAM-SHA-256$iterations:salt$stored_key:server_key, decoded. */
struct password_scram {
	unsigned iterations;
	uint8_t salt[PASSWORD_SALT_MAX];
	size_t salt_len;
	uint8_t stored_key[HASH_SHA256_SIZE];
	uint8_t server_key[HASH_SHA256_SIZE];
};

/*
 * Records may stand behind a {SCHEME}, as Dovecot and LDAP servers write
 * them; {SCRAM-SHA-256} then has Dovecot's commas too. All functions here
 * take both; this is the record without it.
 */
struct span password_without_label(struct span record);
/* Which scheme a record is of; INVALID, with e set, when malformed. */
enum password_scheme password_check_record(struct span record, struct err *e);
/* Whether it says it is SCRAM's, of any kind. */
bool password_is_scram(struct span record);
/* 0, or -EINVAL with e set. */
int password_parse_scram(
    struct span record, struct password_scram *out, struct err *e);
void password_format_scram(
    const struct password_scram *s, char out[PASSWORD_RECORD_SIZE]);
/*
 * Make a record with a fresh salt. The password is printable ASCII: other
 * characters have several encodings, and clients differ in which one they
 * send. 0, or -EINVAL with e set.
 */
int password_make_record(struct span password, unsigned iterations,
    char out[PASSWORD_RECORD_SIZE], struct err *e);
/*
 * 0 when it fits, -EACCES when it does not, else a negative errno. Slow by
 * design: pool threads only.
 */
int password_verify(struct span record, struct span password);
