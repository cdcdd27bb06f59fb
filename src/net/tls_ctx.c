/*
 * TLS contexts from the configuration. OpenSSL keeps one certificate per key
 * type in an SSL_CTX, so certificates are laid out as in a small table: an
 * ECDSA and an RSA certificate for the same name share a context, one for
 * another name starts the next context, and SNI picks the row. A client that
 * sends no name, which is usual for SMTP, gets the first.
 */
#include <net/tls_internal.h>

#include <config/config.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ciphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

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
};

/* A key that asks for a pass phrase must not make a daemon ask a terminal. */
static int no_pass_phrase(char *out, int size, int is_writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)is_writing;
	(void)ctx;
	return 0;
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "not usable";
}

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

static SSL_CTX *make_ssl_ctx(struct tls_ctx *ctx, int policy)
{
	static const unsigned char id[] = "postern";
	int least =
	    policy == CONFIG_TLS_MODERN ? TLS1_3_VERSION : TLS1_2_VERSION;
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());

	if (!ssl)
		return NULL;
	(void)SSL_CTX_set_options(
	    ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	(void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ssl, SESSION_S);
	SSL_CTX_set_default_passwd_cb(ssl, no_pass_phrase);
	SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
	(void)SSL_CTX_set_tlsext_servername_callback(ssl, on_server_name);
	(void)SSL_CTX_set_tlsext_servername_arg(ssl, ctx);
	if (SSL_CTX_set_min_proto_version(ssl, least) == 1 &&
	    SSL_CTX_set_cipher_list(ssl, ciphers) == 1 && set_groups(ssl) &&
	    SSL_CTX_set_session_id_context(ssl, id, sizeof(id) - 1) == 1 &&
	    tls_ticket_enable(ssl) == 0)
		return ssl;
	SSL_CTX_free(ssl);
	return NULL;
}

static struct tls_row *add_row(struct tls_ctx *ctx, int policy, struct err *e)
{
	struct tls_row *row = &ctx->rows[ctx->count];

	row->ssl = make_ssl_ctx(ctx, policy);
	if (!row->ssl) {
		(void)err_set(e, -EINVAL, "cannot set up TLS: %s", reason());
		return NULL;
	}
	ctx->count++;
	return row;
}

static bool has_key_type(const struct tls_row *row, int type)
{
	for (size_t i = 0; i < row->count; i++)
		if (row->key_types[i] == type)
			return true;
	return false;
}

/* A host name the certificate is for: its first DNS name, else its CN. */
static bool first_name(X509 *leaf, char *out, int size)
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

/* Whether leaf may be shown to who asks for the name of other. */
static bool serves(X509 *leaf, X509 *other)
{
	char name[256];

	return first_name(other, name, sizeof(name)) &&
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

/* The first certificate of a PEM file. */
static X509 *read_leaf(const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	X509 *leaf;

	if (!f) {
		(void)err_errno(e, -errno, "cannot read certificate %s", path);
		return NULL;
	}
	leaf = PEM_read_X509_AUX(f, NULL, no_pass_phrase, NULL);
	(void)fclose(f);
	if (!leaf)
		(void)err_set(
		    e, -EINVAL, "no certificate in %s: %s", path, reason());
	return leaf;
}

static EVP_PKEY *read_key(const char *path, struct err *e)
{
	FILE *f = fopen(path, "re");
	EVP_PKEY *key;

	if (!f) {
		(void)err_errno(e, -errno, "cannot read key %s", path);
		return NULL;
	}
	key = PEM_read_PrivateKey(f, NULL, no_pass_phrase, NULL);
	(void)fclose(f);
	if (!key)
		(void)err_set(e, -EINVAL,
		    "no private key without a pass phrase in %s: %s", path,
		    reason());
	return key;
}

static int add_certificate(struct tls_ctx *ctx, int policy,
    const struct config_certificate *c, struct err *e)
{
	EVP_PKEY *key = NULL;
	int rc = -EINVAL;
	X509 *leaf = read_leaf(c->cert, e);

	if (!leaf)
		goto out;
	key = read_key(c->key, e);
	if (!key)
		goto out;
	if (X509_check_private_key(leaf, key) != 1) {
		(void)err_set(e, -EINVAL, "key %s does not belong to %s",
		    c->key, c->cert);
		goto out;
	}
	int type = EVP_PKEY_get_base_id(key);
	struct tls_row *row = find_row(ctx, leaf, type);
	if (!row)
		row = add_row(ctx, policy, e);
	if (!row)
		goto out;
	if (SSL_CTX_use_certificate_chain_file(row->ssl, c->cert) != 1 ||
	    SSL_CTX_use_PrivateKey(row->ssl, key) != 1) {
		(void)err_set(e, -EINVAL, "cannot use certificate %s: %s",
		    c->cert, reason());
		goto out;
	}
	row->key_types[row->count++] = type;
	if (!row->leaf) {
		row->leaf = leaf;
		leaf = NULL;
	}
	rc = 0;
out:
	EVP_PKEY_free(key);
	X509_free(leaf);
	return rc;
}

struct tls_ctx *tls_ctx_new(const struct config_tls *config, struct err *e)
{
	const struct postern_list *list = &config->certificates;
	struct tls_ctx *ctx = NULL;

	if (tls_library_init() < 0) {
		(void)err_set(e, -ENOMEM, "cannot start OpenSSL");
		return NULL;
	}
	ERR_clear_error();
	if (list->count == 0) {
		(void)err_set(e, -ENOENT, "no certificate is configured");
		return NULL;
	}
	ctx = calloc(1, sizeof(*ctx));
	if (ctx)
		ctx->rows = calloc(list->count, sizeof(*ctx->rows));
	if (!ctx || !ctx->rows) {
		(void)err_set(e, -ENOMEM, "no memory for TLS");
		free(ctx);
		return NULL;
	}
	ctx->refs = 1;
	for (size_t i = 0; i < list->count; i++) {
		if (add_certificate(ctx, config->policy,
			CONFIG_AT(*list, struct config_certificate, i), e) == 0)
			continue;
		tls_ctx_unref(ctx);
		ctx = NULL;
		break;
	}
	ERR_clear_error();
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
