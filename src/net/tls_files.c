/*
 * Certificates, keys, authorities and revocation lists, read once for all
 * loops, so that none of them can see half of a change. Contexts are made
 * from these bytes; nothing else of the engine touches a file.
 */
#include <net/tls_internal.h>

#include <base/date.h>
#include <base/hash.h>
#include <config/config.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	/* A revocation list may hold a million entries, nothing else much. */
	FILE_MAX = 64 * 1024 * 1024,
	TEXTS_MAX = 1024 * 1024
};

const char *tls_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "not usable";
}

/* A key that asks for a pass phrase must not make a daemon ask a terminal. */
int tls_no_pass_phrase(char *out, int size, int is_writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)is_writing;
	(void)ctx;
	return 0;
}

static int open_regular(const char *path, off_t *size)
{
	/* A FIFO in place of a file must not stop the world. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc = -EINVAL;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (S_ISREG(st.st_mode) && st.st_size <= FILE_MAX)
		rc = 0;
	if (rc) {
		(void)close(fd);
		return rc;
	}
	*size = st.st_size;
	return fd;
}

/* kind is for the message: "certificate", "key". */
static int read_file(
    const char *kind, const char *path, struct buf *out, struct err *e)
{
	off_t size = 0;
	int fd = open_regular(path, &size);
	int rc = fd < 0 ? fd : 0;
	ssize_t n = 1;

	buf_init(out, FILE_MAX);
	/* At once: memory that grows leaves copies of a key behind. */
	if (rc == 0)
		rc = buf_reserve(out, (size_t)size + 1);
	while (rc == 0 && n > 0 && buf_len(out) <= (size_t)size) {
		n = read(fd, buf_tail(out), (size_t)size + 1 - buf_len(out));
		if (n > 0)
			buf_commit(out, (size_t)n);
		else if (n < 0 && errno != EINTR)
			rc = -errno;
		else if (n < 0)
			n = 1;
	}
	if (fd >= 0)
		(void)close(fd);
	return rc ? err_errno(e, rc, "cannot read %s %s", kind, path) : 0;
}

BIO *tls_bio(const struct buf *b)
{
	struct span s = buf_span(b);

	return BIO_new_mem_buf(s.ptr, (int)s.len);
}

/* --- what a certificate says of itself --- */

bool tls_first_name(X509 *leaf, char *out, int size)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool is_found = false;

	for (int i = 0; !is_found && i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const ASN1_STRING *s = GENERAL_NAME_get0_value(
		    sk_GENERAL_NAME_value(names, i), &type);

		if (type != GEN_DNS || ASN1_STRING_length(s) >= size)
			continue;
		memcpy(out, ASN1_STRING_get0_data(s),
		    (size_t)ASN1_STRING_length(s));
		out[ASN1_STRING_length(s)] = '\0';
		is_found = true;
	}
	GENERAL_NAMES_free(names);
	if (is_found)
		return true;
	return X509_NAME_get_text_by_NID(
		   X509_get_subject_name(leaf), NID_commonName, out, size) > 0;
}

static int64_t seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static int describe(struct tls_files *f, struct tls_pair *pair,
    const struct config_certificate *c, struct err *e)
{
	char name[256] = "";
	BIO *bio = tls_bio(&pair->cert);
	X509 *leaf =
	    bio ? PEM_read_bio_X509_AUX(bio, NULL, tls_no_pass_phrase, NULL)
		: NULL;

	BIO_free(bio);
	if (!leaf)
		return err_set(e, -EINVAL, "no certificate in %s: %s", c->cert,
		    tls_reason());
	(void)tls_first_name(leaf, name, sizeof(name));
	pair->about = (struct tls_certificate){
		.file = arena_str(&f->texts, span_of(c->cert)),
		.key_file = arena_str(&f->texts, span_of(c->key)),
		.name = arena_str(&f->texts, span_of(name)),
		.not_before_s = seconds(X509_get0_notBefore(leaf)),
		.not_after_s = seconds(X509_get0_notAfter(leaf)),
	};
	hash_sha256(buf_span(&pair->cert), pair->about.digest);
	X509_free(leaf);
	if (!pair->about.file || !pair->about.key_file || !pair->about.name)
		return err_set(e, -ENOMEM, "no memory for certificates");
	return 0;
}

/* --- authorities of clients --- */

static bool add_authority(struct tls_files *f, X509 *x)
{
	X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x));

	if (name && sk_X509_NAME_push(f->authority_names, name) > 0)
		return X509_STORE_add_cert(f->authorities, x) == 1;
	X509_NAME_free(name);
	return false;
}

static int read_authorities(
    struct tls_files *f, const char *path, struct err *e)
{
	int count = 0;
	X509 *x;
	BIO *bio = NULL;
	int rc = read_file("client_ca", path, &f->client_ca, e);

	if (rc)
		return rc;
	bio = tls_bio(&f->client_ca);
	while (bio &&
	       (x = PEM_read_bio_X509(bio, NULL, tls_no_pass_phrase, NULL))) {
		count += add_authority(f, x);
		X509_free(x);
	}
	BIO_free(bio);
	if (count == 0)
		return err_set(e, -EINVAL, "no certificate in client_ca %s: %s",
		    path, tls_reason());
	return 0;
}

static int read_revoked(struct tls_files *f, const char *path, struct err *e)
{
	int count = 0;
	X509_CRL *crl;
	BIO *bio = NULL;
	int rc = read_file("crl", path, &f->crl, e);

	if (rc)
		return rc;
	f->crl_file = arena_str(&f->texts, span_of(path));
	bio = tls_bio(&f->crl);
	while (bio && (crl = PEM_read_bio_X509_CRL(
			   bio, NULL, tls_no_pass_phrase, NULL))) {
		int64_t next = seconds(X509_CRL_get0_nextUpdate(crl));

		count += X509_STORE_add_crl(f->authorities, crl) == 1;
		if (next && (!f->crl_until_s || next < f->crl_until_s))
			f->crl_until_s = next;
		X509_CRL_free(crl);
	}
	BIO_free(bio);
	if (count == 0 || !f->crl_file)
		return err_set(e, -EINVAL, "no revocation list in crl %s: %s",
		    path, tls_reason());
	(void)X509_STORE_set_flags(
	    f->authorities, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

static int read_clients(
    struct tls_files *f, const struct config_tls *config, struct err *e)
{
	if (!config->client_ca)
		return 0;
	f->authorities = X509_STORE_new();
	f->authority_names = sk_X509_NAME_new_null();
	/* What the file holds is trusted, be it a root or not. */
	if (!f->authorities || !f->authority_names ||
	    X509_STORE_set_flags(f->authorities, X509_V_FLAG_PARTIAL_CHAIN) !=
		1)
		return err_set(e, -ENOMEM, "no memory for client_ca");
	int rc = read_authorities(f, config->client_ca, e);
	if (rc == 0 && config->crl)
		rc = read_revoked(f, config->crl, e);
	return rc;
}

/* --- all of them --- */

static int read_pair(struct tls_files *f, struct tls_pair *pair,
    const struct config_certificate *c, struct err *e)
{
	int rc = read_file("certificate", c->cert, &pair->cert, e);

	if (rc == 0)
		rc = describe(f, pair, c, e);
	if (rc == 0)
		rc = read_file("key", c->key, &pair->key, e);
	return rc;
}

static void add_to_digest(struct hash_sha256 *h, const struct buf *b)
{
	size_t len = buf_len(b);

	hash_sha256_add(h, &len, sizeof(len));
	hash_sha256_add(h, buf_span(b).ptr, len);
}

static int digest_all(struct tls_files *f, struct err *e)
{
	struct hash_sha256 *h = hash_sha256_new();

	if (!h)
		return err_set(e, -ENOMEM, "no memory for certificates");
	for (size_t i = 0; i < f->count; i++) {
		add_to_digest(h, &f->pairs[i].cert);
		add_to_digest(h, &f->pairs[i].key);
	}
	add_to_digest(h, &f->client_ca);
	add_to_digest(h, &f->crl);
	hash_sha256_end(h, f->digest);
	return 0;
}

struct tls_files *tls_files_read(const struct config_tls *config, struct err *e)
{
	const struct postern_list *list = &config->certificates;
	struct tls_files *f = calloc(1, sizeof(*f));
	int rc = 0;

	ERR_clear_error();
	if (f)
		f->pairs = calloc(list->count + 1, sizeof(*f->pairs));
	if (!f || !f->pairs) {
		free(f);
		(void)err_set(e, -ENOMEM, "no memory for certificates");
		return NULL;
	}
	arena_init(&f->texts, TEXTS_MAX);
	for (; rc == 0 && f->count < list->count; f->count++)
		rc = read_pair(f, &f->pairs[f->count],
		    CONFIG_AT(*list, struct config_certificate, f->count), e);
	if (rc == 0)
		rc = read_clients(f, config, e);
	if (rc == 0)
		rc = digest_all(f, e);
	ERR_clear_error();
	if (rc == 0)
		return f;
	tls_files_free(f);
	return NULL;
}

void tls_files_drop(struct tls_files *f)
{
	for (size_t i = 0; i < f->count; i++) {
		/* Either file may hold the key. */
		buf_finish_secret(&f->pairs[i].cert);
		buf_finish_secret(&f->pairs[i].key);
	}
	buf_finish(&f->client_ca);
	buf_finish(&f->crl);
	X509_STORE_free(f->authorities);
	f->authorities = NULL;
	sk_X509_NAME_pop_free(f->authority_names, X509_NAME_free);
	f->authority_names = NULL;
}

bool tls_files_are_same(const struct tls_files *a, const struct tls_files *b)
{
	return b && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

void tls_files_free(struct tls_files *f)
{
	if (!f)
		return;
	tls_files_drop(f);
	arena_finish(&f->texts);
	free(f->pairs);
	free(f);
}

size_t tls_files_count(const struct tls_files *f)
{
	return f->count;
}

const struct tls_certificate *tls_files_at(const struct tls_files *f, size_t i)
{
	return &f->pairs[i].about;
}

void tls_files_doubts(const struct tls_files *f, int64_t wall_ms,
    void (*doubt)(void *ctx, const char *file, const char *what), void *ctx)
{
	char date[DATE_RFC3339_SIZE], what[128];
	int64_t now = wall_ms / 1000;

	for (size_t i = 0; i < f->count; i++) {
		const struct tls_certificate *c = &f->pairs[i].about;

		if (c->not_after_s >= now && c->not_before_s <= now)
			continue;
		bool is_over = c->not_after_s < now;
		date_format_rfc3339(
		    (is_over ? c->not_after_s : c->not_before_s) * 1000, date);
		(void)snprintf(what, sizeof(what), "%s %s; clients refuse it",
		    is_over ? "expired at" : "is not valid before", date);
		doubt(ctx, c->file, what);
	}
	if (f->crl_until_s && f->crl_until_s < now) {
		date_format_rfc3339(f->crl_until_s * 1000, date);
		(void)snprintf(what, sizeof(what),
		    "is out of date since %s; no certificate of a client is "
		    "believed",
		    date);
		doubt(ctx, f->crl_file, what);
	}
}
