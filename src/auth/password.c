/*
 * SCRAM records with OpenSSL's PBKDF2, crypt(3) hashes with libxcrypt. One
 * SCRAM record serves PLAIN, LOGIN and SCRAM alike: for the first two the
 * stored key is computed again from the password.
 */
#include <auth/password.h>
#include <base/b64.h>

#include <crypt.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define SCRAM_PREFIX "SCRAM-SHA-256$"
#define SCRAM_LABEL "{SCRAM-SHA-256}"

enum {
	SALT_MIN = 8,
	SALT_SIZE = 16, /* of the records we make */
	KEY_B64_LEN = (HASH_SHA256_SIZE + 2) / 3 * 4
};

/* The crypt methods worth keeping: slow ones. */
struct crypt_method {
	struct span prefix;
	size_t separators; /* at least so many $ */
	size_t length;     /* of the hash proper, after the last $ */
};

static const struct crypt_method crypt_methods[] = {
	{ { "$y$", 3 }, 4, 43 },  /* yescrypt */
	{ { "$gy$", 4 }, 4, 43 }, /* gost-yescrypt */
	{ { "$7$", 3 }, 3, 43 },  /* scrypt */
	{ { "$2a$", 4 }, 3, 53 }, /* bcrypt: salt and hash in one piece */
	{ { "$2b$", 4 }, 3, 53 }, { { "$2y$", 4 }, 3, 53 },
	{ { "$5$", 3 }, 3, 43 }, /* SHA-256 */
	{ { "$6$", 3 }, 3, 86 }  /* SHA-512 */
};

/* What others store, and why we do not take it. */
static const struct {
	struct span prefix;
	const char *what;
} weak_methods[] = {
	{ { "$1$", 3 }, "an MD5 hash ($1$)" },
	{ { "$apr1$", 6 }, "an MD5 hash ($apr1$)" },
	{ { "$md5", 4 }, "an MD5 hash ($md5)" },
	{ { "$sha1$", 6 }, "a SHA-1 hash ($sha1$)" },
	{ { "$3$", 3 }, "an NT hash ($3$)" },
	{ { "_", 1 }, "a DES hash" },
};

/* {SCHEME} labels of records that are crypt's after them. */
static const struct span crypt_labels[] = { { "{CRYPT}", 7 },
	{ "{BLF-CRYPT}", 11 }, { "{SHA256-CRYPT}", 14 },
	{ "{SHA512-CRYPT}", 14 }, { SCRAM_LABEL, sizeof(SCRAM_LABEL) - 1 } };

struct span password_without_label(struct span record)
{
	size_t n = sizeof(crypt_labels) / sizeof(crypt_labels[0]);

	for (size_t i = 0; i < n; i++) {
		size_t len = crypt_labels[i].len;

		if (span_ieq(span_first(record, len), crypt_labels[i]))
			return span_from(record, len);
	}
	return record;
}

static const struct crypt_method *find_crypt_method(struct span record)
{
	size_t n = sizeof(crypt_methods) / sizeof(crypt_methods[0]);

	for (size_t i = 0; i < n; i++)
		if (span_starts_with(record, crypt_methods[i].prefix))
			return &crypt_methods[i];
	return NULL;
}

static bool is_printable(struct span s, char least)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < least || s.ptr[i] > '~')
			return false;
	return true;
}

/*
 * A hash cut short while it was copied still is a valid setting: crypt would
 * take it and nobody could ever log in.
 */
static bool is_whole(const struct crypt_method *m, struct span record)
{
	struct span rest = record, last;
	size_t separators = 0;

	do {
		last = span_cut(&rest, '$');
		separators += rest.ptr != NULL;
	} while (rest.ptr);
	return separators >= m->separators && last.len == m->length &&
	       is_printable(record, '!');
}

/* libcrypt looks at a bcrypt cost only when it hashes. */
static bool has_valid_cost(struct span record)
{
	unsigned long long cost;

	if (!span_starts_with(record, SPAN("$2")))
		return true;
	return span_parse_u64(span_first(span_from(record, 4), 2), 31, &cost) &&
	       cost >= 4 && record.ptr[6] == '$';
}

/* Thirteen characters of crypt's own alphabet: the oldest hashes. */
static bool is_des(struct span record)
{
	const struct span alphabet = SPAN("./0123456789"
					  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "abcdefghijklmnopqrstuvwxyz");
	size_t i = 0;

	while (i < record.len && span_index(alphabet, record.ptr[i]) >= 0)
		i++;
	return record.len == 13 && i == 13;
}

/* Nothing we can verify, or nothing we should. */
static int refuse_crypt(struct span record, struct err *e)
{
	size_t n = sizeof(weak_methods) / sizeof(weak_methods[0]);
	const char *weak = is_des(record) ? "a DES hash" : NULL;

	for (size_t i = 0; i < n && !weak; i++)
		if (span_starts_with(record, weak_methods[i].prefix))
			weak = weak_methods[i].what;
	if (weak)
		return err_set(e, -EINVAL,
		    "%s is guessed too fast to protect a password; make a "
		    "new record with `postern passwd`",
		    weak);
	if (span_starts_with(record, SPAN("$argon2")))
		return err_set(e, -EINVAL,
		    "argon2 is not supported; use yescrypt ($y$) or "
		    "`postern passwd`");
	if (span_starts_with(record, SPAN("{")))
		return err_set(e, -EINVAL,
		    "only {CRYPT}, {BLF-CRYPT}, {SHA256-CRYPT}, "
		    "{SHA512-CRYPT} and {SCRAM-SHA-256} are supported; make a "
		    "new record with `postern passwd`");
	return err_set(e, -EINVAL,
	    "neither a SCRAM-SHA-256 record nor a yescrypt, bcrypt, "
	    "scrypt or SHA crypt hash; make one with `postern passwd`");
}

static int check_crypt(struct span record, struct err *e)
{
	const struct crypt_method *m = find_crypt_method(record);
	char setting[PASSWORD_RECORD_SIZE];
	int rc;

	if (!m)
		return refuse_crypt(record, e);
	if (!is_whole(m, record))
		return err_set(e, -EINVAL,
		    "the %.*s hash is incomplete or damaged",
		    SPAN_FMT(m->prefix));
	(void)snprintf(setting, sizeof(setting), "%.*s", SPAN_FMT(record));
	rc = crypt_checksalt(setting);
	if ((rc != CRYPT_SALT_OK && rc != CRYPT_SALT_METHOD_LEGACY) ||
	    !has_valid_cost(record))
		return err_set(e, -EINVAL,
		    "the system's libcrypt does not accept this %.*s hash",
		    SPAN_FMT(m->prefix));
	return 0;
}

static bool has_scram_label(struct span record)
{
	return span_ieq(
	    span_first(record, sizeof(SCRAM_LABEL) - 1), SPAN(SCRAM_LABEL));
}

bool password_is_scram(struct span record)
{
	return span_starts_with(record, SPAN("SCRAM-")) ||
	       has_scram_label(record);
}

enum password_scheme password_check_record(struct span record, struct err *e)
{
	struct password_scram scram;

	if (record.len >= PASSWORD_RECORD_SIZE) {
		(void)err_set(e, -EINVAL, "longer than any password record");
		return PASSWORD_INVALID;
	}
	if (password_is_scram(record))
		return password_parse_scram(record, &scram, e) == 0
			   ? PASSWORD_SCRAM_SHA256
			   : PASSWORD_INVALID;
	return check_crypt(password_without_label(record), e) == 0
		   ? PASSWORD_CRYPT
		   : PASSWORD_INVALID;
}

static bool decode_key(struct span text, uint8_t key[HASH_SHA256_SIZE])
{
	/* The decoder may write the bytes that padding then takes away. */
	uint8_t bytes[KEY_B64_LEN / 4 * 3];

	if (text.len != KEY_B64_LEN ||
	    b64_decode(text, bytes) != HASH_SHA256_SIZE)
		return false;
	memcpy(key, bytes, HASH_SHA256_SIZE);
	return true;
}

static bool decode_salt(struct span text, struct password_scram *out)
{
	uint8_t bytes[PASSWORD_SALT_MAX + 3];
	ptrdiff_t len;

	if (text.len > b64_encoded_len(PASSWORD_SALT_MAX))
		return false;
	len = b64_decode(text, bytes);
	if (len < SALT_MIN || len > PASSWORD_SALT_MAX)
		return false;
	out->salt_len = (size_t)len;
	memcpy(out->salt, bytes, out->salt_len);
	return true;
}

/* The four parts, in either notation; false when they are not there. */
static bool split_scram(struct span record, struct span parts[4])
{
	struct span rest = password_without_label(record);
	const char *separators = ",,,"; /* Dovecot's */

	if (span_starts_with(rest, SPAN(SCRAM_PREFIX))) {
		rest = span_from(rest, sizeof(SCRAM_PREFIX) - 1);
		separators = ":$:";
	}
	for (size_t i = 0; i < 3; i++)
		parts[i] = span_cut(&rest, separators[i]);
	parts[3] = rest;
	return rest.ptr != NULL;
}

int password_parse_scram(
    struct span record, struct password_scram *out, struct err *e)
{
	struct password_scram s = { .iterations = 0 };
	unsigned long long iterations;
	struct span parts[4];

	if (!span_starts_with(record, SPAN(SCRAM_PREFIX)) &&
	    !has_scram_label(record))
		return err_set(e, -EINVAL,
		    "only SCRAM-SHA-256 records are supported, in the form "
		    "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey");
	if (!split_scram(record, parts))
		return err_set(e, -EINVAL,
		    "the SCRAM record is incomplete: its form is "
		    "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey");
	if (!span_parse_u64(parts[0], PASSWORD_ITERATIONS_MAX, &iterations) ||
	    iterations < PASSWORD_ITERATIONS_MIN)
		return err_set(e, -EINVAL,
		    "the SCRAM record's iteration count must be within "
		    "%d and %d",
		    PASSWORD_ITERATIONS_MIN, PASSWORD_ITERATIONS_MAX);
	if (!decode_salt(parts[1], &s))
		return err_set(e, -EINVAL,
		    "the SCRAM record's salt is not base64 of %d to %d bytes",
		    SALT_MIN, PASSWORD_SALT_MAX);
	if (!decode_key(parts[2], s.stored_key) ||
	    !decode_key(parts[3], s.server_key))
		return err_set(e, -EINVAL,
		    "the SCRAM record's keys are not base64 of %d bytes",
		    HASH_SHA256_SIZE);
	s.iterations = (unsigned)iterations;
	*out = s;
	return 0;
}

void password_format_scram(
    const struct password_scram *s, char out[PASSWORD_RECORD_SIZE])
{
	char salt[(PASSWORD_SALT_MAX + 2) / 3 * 4];
	char stored[KEY_B64_LEN], server[KEY_B64_LEN];
	size_t salt_len = b64_encode(s->salt, s->salt_len, salt);
	size_t stored_len =
	    b64_encode(s->stored_key, sizeof(s->stored_key), stored);
	size_t server_len =
	    b64_encode(s->server_key, sizeof(s->server_key), server);

	(void)snprintf(out, PASSWORD_RECORD_SIZE,
	    SCRAM_PREFIX "%u:%.*s$%.*s:%.*s", s->iterations, (int)salt_len,
	    salt, (int)stored_len, stored, (int)server_len, server);
}

/* RFC 5802 section 3; salt and iterations are set in s. */
static int derive_keys(struct password_scram *s, struct span password)
{
	uint8_t salted[HASH_SHA256_SIZE], client[HASH_SHA256_SIZE];
	struct span key;

	if (PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, s->salt,
		(int)s->salt_len, (int)s->iterations, EVP_sha256(),
		sizeof(salted), salted) != 1)
		return -ENOMEM;
	key = span_make(salted, sizeof(salted));
	hash_hmac_sha256(key, SPAN("Client Key"), client);
	hash_sha256(span_make(client, sizeof(client)), s->stored_key);
	hash_hmac_sha256(key, SPAN("Server Key"), s->server_key);
	hash_cleanse(salted, sizeof(salted));
	hash_cleanse(client, sizeof(client));
	return 0;
}

int password_make_record(struct span password, unsigned iterations,
    char out[PASSWORD_RECORD_SIZE], struct err *e)
{
	struct password_scram s = { .iterations = iterations,
		.salt_len = SALT_SIZE };
	int rc;

	if (password.len == 0)
		return err_set(e, -EINVAL, "the password is empty");
	if (password.len > PASSWORD_MAX)
		return err_set(e, -EINVAL,
		    "the password is longer than %d bytes", PASSWORD_MAX);
	if (!is_printable(password, ' '))
		return err_set(e, -EINVAL,
		    "the password has characters other than printable ASCII, "
		    "which programs encode differently; a generated one works "
		    "everywhere (postern passwd --generate)");
	if (iterations < PASSWORD_ITERATIONS_MIN ||
	    iterations > PASSWORD_ITERATIONS_MAX)
		return err_set(e, -EINVAL,
		    "iterations must be within %d and %d",
		    PASSWORD_ITERATIONS_MIN, PASSWORD_ITERATIONS_MAX);
	hash_random(s.salt, s.salt_len);
	rc = derive_keys(&s, password);
	if (rc == 0)
		password_format_scram(&s, out);
	else
		(void)err_errno(e, rc, "cannot derive the keys");
	hash_cleanse(&s, sizeof(s));
	return rc;
}

static int verify_scram(struct span record, struct span password)
{
	struct password_scram stored, given;
	int rc = password_parse_scram(record, &stored, NULL);

	if (rc < 0)
		return rc;
	given = stored;
	rc = derive_keys(&given, password);
	if (rc == 0 && !hash_eq(given.stored_key, stored.stored_key,
			   sizeof(stored.stored_key)))
		rc = -EACCES;
	hash_cleanse(&given, sizeof(given));
	return rc;
}

static int verify_crypt(struct span record, struct span password)
{
	struct crypt_data *data;
	const char *hash;
	int rc = -EACCES;

	if (password.len >= sizeof(data->input))
		return -EACCES;
	data = calloc(1, sizeof(*data));
	if (!data)
		return -ENOMEM;
	memcpy(data->setting, record.ptr, record.len);
	memcpy(data->input, password.ptr, password.len);
	hash = crypt_r(data->input, data->setting, data);
	if (hash[0] == '*')
		rc = errno == ENOMEM ? -ENOMEM : -EINVAL;
	else if (strlen(hash) == record.len &&
		 hash_eq(hash, record.ptr, record.len))
		rc = 0;
	hash_cleanse(data, sizeof(*data));
	free(data);
	return rc;
}

int password_verify(struct span record, struct span password)
{
	if (password.len == 0 || password.len > PASSWORD_MAX ||
	    memchr(password.ptr, '\0', password.len))
		return -EACCES;
	switch (password_check_record(record, NULL)) {
	case PASSWORD_SCRAM_SHA256:
		return verify_scram(record, password);
	case PASSWORD_CRYPT:
		return verify_crypt(password_without_label(record), password);
	case PASSWORD_INVALID:
		break;
	}
	return -EINVAL;
}
