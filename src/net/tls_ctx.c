/*
 * TLS contexts from the configuration. OpenSSL keeps one certificate per key
 * type in an SSL_CTX, so certificates are laid out as in a small table: an
 * ECDSA and an RSA certificate for the same name share a context, one for
 * another name starts the next context, and SNI picks the row. A client that
 * sends no name, which is usual for SMTP, gets the first.
 */
#include <net/tls_internal.h>

#include <base/hash.h>
#include <config/config.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For TLS 1.2; the suites of 1.3 are all good, and OpenSSL's default. */
static const char forward_secret[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
/* What devices of another age may know and nobody can read along. */
static const char everything[] =
    "DEFAULT:!aNULL:!eNULL:!EXPORT:!RC4:@SECLEVEL=0";

/*
 * OpenSSL before 3.5 refuses the whole list for the first name, which it does
 * not know. Never written to; OpenSSL's macro drops const.
 */
static char groups[] = "X25519MLKEM768:X25519:prime256v1:secp384r1";

enum {
	SESSION_S = 3600,
	KEY_TYPES_MAX = 4
};

/* One SSL_CTX: certificates of different key types for the same names. */
struct tls_row {
	SSL_CTX *ssl;
	X509 *leaf; /* of the first certificate: the names */
	int key_types[KEY_TYPES_MAX];
	size_t count;
};

struct tls_ctx {
	unsigned refs;
	struct tls_row *rows;
	size_t count;
	int policy, client_auth;
	uint8_t scope[HASH_SHA256_SIZE]; /* see session_scope */
	const struct tls_files *files;   /* while it is made */
};

struct policy {
	int least; /* version */
	const char *ciphers;
};

static const struct policy policies[] = {
	[CONFIG_TLS_INTERMEDIATE] = { TLS1_2_VERSION, forward_secret },
	[CONFIG_TLS_MODERN] = { TLS1_3_VERSION, forward_secret },
	[CONFIG_TLS_LEGACY] = { TLS1_VERSION, everything },
};

/*
 * Cross-protocol attacks (ALPACA) bring a browser here: who speaks ALPN and
 * offers HTTP but no mail is sent away. Others need not have it.
 */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *ctx)
{
	struct span list = span_make(in, in_len);
	bool is_http = false, is_mail = false;

	(void)ssl;
	(void)out;
	(void)out_len;
	(void)ctx;
	while (list.len > 0) {
		size_t len = (unsigned char)list.ptr[0];
		struct span name = span_first(span_from(list, 1), len);

		list = span_from(list, 1 + len);
		is_mail |= span_eq(name, SPAN("smtp"));
		is_http |= span_eq(name, SPAN("h2")) ||
			   span_starts_with(name, SPAN("http/"));
	}
	return is_http && !is_mail ? SSL_TLSEXT_ERR_ALERT_FATAL
				   : SSL_TLSEXT_ERR_NOACK;
}

static const struct tls_row *row_for(
    const struct tls_ctx *ctx, const char *name, unsigned flags)
{
	for (size_t i = 0; i < ctx->count; i++) {
		const struct tls_row *row = &ctx->rows[i];

		if (X509_check_host(row->leaf, name, 0, flags, NULL) == 1)
			return row;
	}
	return NULL;
}

/* The name itself first, then wildcards. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_ctx *ctx = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_row *row;

	(void)alert;
	if (!name)
		return SSL_TLSEXT_ERR_NOACK;
	row = row_for(ctx, name, X509_CHECK_FLAG_NO_WILDCARDS);
	if (!row)
		row = row_for(ctx, name, 0);
	if (!row)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, row->ssl);
	return SSL_TLSEXT_ERR_OK;
}

static bool set_groups(SSL_CTX *ssl)
{
	if (SSL_CTX_set1_groups_list(ssl, groups) == 1)
		return true;
	ERR_clear_error();
	return SSL_CTX_set1_groups_list(ssl, strchr(groups, ':') + 1) == 1;
}

/*
 * A ticket is good wherever its session could have begun anew: with the same
 * policy and, when clients must prove who they are, by the same authorities
 * and revocations. Our own certificate may change in between.
 */
static int session_scope(struct tls_ctx *ctx, struct err *e)
{
	const struct tls_files *f = ctx->files;
	const int choice[] = { ctx->policy, ctx->client_auth };
	struct hash_sha256 *h = hash_sha256_new();

	if (!h)
		return err_set(e, -ENOMEM, "no memory for TLS");
	hash_sha256_add(h, choice, sizeof(choice));
	if (ctx->client_auth != CONFIG_CLIENT_AUTH_NONE) {
		struct span ca = buf_span(&f->client_ca);
		struct span crl = buf_span(&f->crl);

		hash_sha256_add(h, &ca.len, sizeof(ca.len));
		hash_sha256_add(h, ca.ptr, ca.len);
		hash_sha256_add(h, crl.ptr, crl.len);
	}
	hash_sha256_end(h, ctx->scope);
	return 0;
}

static bool set_policy(SSL_CTX *ssl, int policy)
{
	const struct policy *p = &policies[policy];

	return SSL_CTX_set_min_proto_version(ssl, p->least) == 1 &&
	       SSL_CTX_set_cipher_list(ssl, p->ciphers) == 1 && set_groups(ssl);
}

static SSL_CTX *make_ssl_ctx(struct tls_ctx *ctx)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());

	if (!ssl)
		return NULL;
	/* CLEANSE: what was read may be a password. */
	(void)SSL_CTX_set_options(
	    ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		     SSL_OP_NO_SSLv3 | SSL_OP_CLEANSE_PLAINTEXT);
	(void)SSL_CTX_set_max_early_data(ssl, 0);
	(void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ssl, SESSION_S);
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	(void)SSL_CTX_set_tlsext_servername_callback(ssl, on_server_name);
	(void)SSL_CTX_set_tlsext_servername_arg(ssl, ctx);
	if (set_policy(ssl, ctx->policy) &&
	    SSL_CTX_set_session_id_context(
		ssl, ctx->scope, sizeof(ctx->scope)) == 1 &&
	    tls_ticket_enable(ssl) == 0)
		return ssl;
	SSL_CTX_free(ssl);
	return NULL;
}

static struct tls_row *add_row(struct tls_ctx *ctx, struct err *e)
{
	struct tls_row *row = &ctx->rows[ctx->count];

	row->ssl = make_ssl_ctx(ctx);
	if (!row->ssl) {
		(void)err_set(
		    e, -EINVAL, "cannot set up TLS: %s", tls_reason());
		return NULL;
	}
	ctx->count++;
	return tls_client_enable(row->ssl, ctx->files, ctx->client_auth, e) == 0
		   ? row
		   : NULL;
}

static bool has_key_type(const struct tls_row *row, int type)
{
	for (size_t i = 0; i < row->count; i++)
		if (row->key_types[i] == type)
			return true;
	return false;
}

/* Whether leaf may be shown to who asks for the name of other. */
static bool serves(X509 *leaf, X509 *other)
{
	char name[256];

	return tls_first_name(other, name, sizeof(name)) &&
	       X509_check_host(leaf, name, 0, 0, NULL) == 1;
}

/*
 * The row of leaf's name with room for its key type. A wildcard and a name
 * under it serve each other one way only: they are no pair.
 */
static struct tls_row *find_row(struct tls_ctx *ctx, X509 *leaf, int key_type)
{
	for (size_t i = 0; i < ctx->count; i++) {
		struct tls_row *row = &ctx->rows[i];

		if (row->count < KEY_TYPES_MAX &&
		    !has_key_type(row, key_type) && serves(row->leaf, leaf) &&
		    serves(leaf, row->leaf))
			return row;
	}
	return NULL;
}

static EVP_PKEY *read_key(const struct tls_pair *pair, struct err *e)
{
	BIO *bio = tls_bio(&pair->key);
	EVP_PKEY *key =
	    bio ? PEM_read_bio_PrivateKey(bio, NULL, tls_no_pass_phrase, NULL)
		: NULL;

	BIO_free(bio);
	if (!key)
		(void)err_set(e, -EINVAL,
		    "no private key without a pass phrase in %s: %s",
		    pair->about.key_file, tls_reason());
	return key;
}

/* What follows the certificate in its file leads to its authority. */
static bool use_chain(SSL_CTX *ssl, BIO *bio)
{
	bool is_fine = true;
	X509 *x;

	while (is_fine &&
	       (x = PEM_read_bio_X509(bio, NULL, tls_no_pass_phrase, NULL))) {
		is_fine = SSL_CTX_add0_chain_cert(ssl, x) == 1;
		if (!is_fine)
			X509_free(x);
	}
	/* The end of a PEM file is an error to OpenSSL; damage is another. */
	if (is_fine)
		is_fine = ERR_GET_REASON(ERR_peek_last_error()) ==
			  PEM_R_NO_START_LINE;
	return is_fine;
}

static int use_pair(struct tls_ctx *ctx, const struct tls_pair *pair,
    X509 *leaf, BIO *rest, struct err *e)
{
	EVP_PKEY *key = read_key(pair, e);
	struct tls_row *row;
	int rc = -EINVAL;

	if (!key)
		goto out;
	if (X509_check_private_key(leaf, key) != 1) {
		(void)err_set(e, rc, "key %s does not belong to %s",
		    pair->about.key_file, pair->about.file);
		goto out;
	}
	int type = EVP_PKEY_get_base_id(key);
	row = find_row(ctx, leaf, type);
	if (!row)
		row = add_row(ctx, e);
	if (!row)
		goto out;
	if (SSL_CTX_use_certificate(row->ssl, leaf) != 1 ||
	    !use_chain(row->ssl, rest) ||
	    SSL_CTX_use_PrivateKey(row->ssl, key) != 1) {
		(void)err_set(e, rc, "cannot use certificate %s: %s",
		    pair->about.file, tls_reason());
		goto out;
	}
	row->key_types[row->count++] = type;
	if (!row->leaf && X509_up_ref(leaf) == 1)
		row->leaf = leaf;
	rc = 0;
out:
	EVP_PKEY_free(key);
	return rc;
}

static int add_certificate(
    struct tls_ctx *ctx, const struct tls_pair *pair, struct err *e)
{
	BIO *bio = tls_bio(&pair->cert);
	X509 *leaf =
	    bio ? PEM_read_bio_X509_AUX(bio, NULL, tls_no_pass_phrase, NULL)
		: NULL;
	int rc;

	if (leaf)
		rc = use_pair(ctx, pair, leaf, bio, e);
	else
		rc = err_set(e, -EINVAL, "no certificate in %s: %s",
		    pair->about.file, tls_reason());
	X509_free(leaf);
	BIO_free(bio);
	return rc;
}

static int add_certificates(struct tls_ctx *ctx, struct err *e)
{
	int rc = session_scope(ctx, e);

	ERR_clear_error();
	for (size_t i = 0; rc == 0 && i < ctx->files->count; i++)
		rc = add_certificate(ctx, &ctx->files->pairs[i], e);
	ERR_clear_error();
	return rc;
}

struct tls_ctx *tls_ctx_make(
    const struct tls_files *files, int policy, int client_auth, struct err *e)
{
	struct tls_ctx *ctx = NULL;

	if (tls_library_init() < 0) {
		(void)err_set(e, -ENOMEM, "cannot start OpenSSL");
		return NULL;
	}
	if (files->count == 0) {
		(void)err_set(e, -ENOENT, "no certificate is configured");
		return NULL;
	}
	ctx = calloc(1, sizeof(*ctx));
	if (ctx)
		ctx->rows = calloc(files->count, sizeof(*ctx->rows));
	if (!ctx || !ctx->rows) {
		(void)err_set(e, -ENOMEM, "no memory for TLS");
		free(ctx);
		return NULL;
	}
	ctx->refs = 1;
	ctx->files = files;
	ctx->policy = policy;
	ctx->client_auth = client_auth;
	if (add_certificates(ctx, e) != 0) {
		tls_ctx_unref(ctx);
		return NULL;
	}
	ctx->files = NULL;
	return ctx;
}

struct tls_ctx *tls_ctx_new(const struct config_tls *config, struct err *e)
{
	struct tls_files *files = tls_files_read(config, e);
	struct tls_ctx *ctx = NULL;

	if (files)
		ctx =
		    tls_ctx_make(files, config->policy, config->client_auth, e);
	tls_files_free(files);
	return ctx;
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
	ctx->refs++;
	return ctx;
}

void tls_ctx_unref(struct tls_ctx *ctx)
{
	if (!ctx || --ctx->refs > 0)
		return;
	for (size_t i = 0; i < ctx->count; i++) {
		X509_free(ctx->rows[i].leaf);
		SSL_CTX_free(ctx->rows[i].ssl);
	}
	free(ctx->rows);
	free(ctx);
}

SSL_CTX *tls_ctx_default(struct tls_ctx *ctx)
{
	return ctx->rows[0].ssl;
}

bool tls_ctx_requires_client(const struct tls_ctx *ctx)
{
	return ctx->client_auth == CONFIG_CLIENT_AUTH_REQUIRE;
}
