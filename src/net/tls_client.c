/*
 * Certificates of clients. The chain is judged here and not by OpenSSL's
 * default, so that `request` can go on without an identity and still know
 * why: SSL_get_verify_result() keeps the verdict.
 */
#include <net/tls_internal.h>

#include <config/config.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <errno.h>

/* A client that fails may still come in, as nobody. */
static int on_chain_requested(X509_STORE_CTX *chain, void *arg)
{
	(void)arg;
	if (X509_verify_cert(chain) != 1 &&
	    X509_STORE_CTX_get_error(chain) == X509_V_OK)
		X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
	/* What is left there would make the handshake look broken. */
	ERR_clear_error();
	return 1;
}

static int on_chain_required(X509_STORE_CTX *chain, void *arg)
{
	(void)arg;
	if (X509_verify_cert(chain) == 1)
		return 1;
	if (X509_STORE_CTX_get_error(chain) == X509_V_OK)
		X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
	return 0;
}

int tls_client_enable(
    SSL_CTX *ssl, const struct tls_files *files, int client_auth, struct err *e)
{
	bool is_required = client_auth == CONFIG_CLIENT_AUTH_REQUIRE;
	STACK_OF(X509_NAME) * names;

	if (client_auth == CONFIG_CLIENT_AUTH_NONE)
		return 0;
	if (!files->authorities)
		return err_set(e, -EINVAL,
		    "certificates of clients are asked for, but there is no "
		    "client_ca to judge them by");
	names = sk_X509_NAME_deep_copy(
	    files->authority_names, X509_NAME_dup, X509_NAME_free);
	/* Not the context's store: from that OpenSSL would complete our own
	 * chain. */
	if (!names ||
	    SSL_CTX_set1_verify_cert_store(ssl, files->authorities) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return err_set(e, -ENOMEM, "no memory for client_ca");
	}
	SSL_CTX_set_client_CA_list(ssl, names);
	SSL_CTX_set_verify(ssl,
	    SSL_VERIFY_PEER |
		(is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
	    NULL);
	SSL_CTX_set_cert_verify_callback(
	    ssl, is_required ? on_chain_required : on_chain_requested, NULL);
	return 0;
}
