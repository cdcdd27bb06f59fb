/*
 * Why a handshake failed, in words for who must do something about it. What
 * is not in the table keeps OpenSSL's own words.
 */
#include <net/tls_internal.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <stdio.h>

#define NOT_TLS "what the client sent is not TLS"
#define OLD                                                                    \
	"the client's versions of TLS are too old for tls_policy of this "     \
	"listener"
#define NO_CIPHER                                                              \
	"no cipher, group or signature in common: too old for tls_policy of "  \
	"this listener, or for its certificate"
#define DISTRUST "the client does not accept our certificate: "

struct why {
	int reason;
	enum counter_tls_failure kind;
	const char *text;
};

static const struct why table[] = {
	{ SSL_R_HTTP_REQUEST, COUNTER_TLS_PROTOCOL,
	    "what the client sent is HTTP, not TLS" },
	{ SSL_R_HTTPS_PROXY_REQUEST, COUNTER_TLS_PROTOCOL,
	    "what the client sent is HTTP, not TLS" },
	{ SSL_R_WRONG_VERSION_NUMBER, COUNTER_TLS_PROTOCOL, NOT_TLS },
	{ SSL_R_RECORD_LENGTH_MISMATCH, COUNTER_TLS_PROTOCOL, NOT_TLS },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, COUNTER_TLS_PROTOCOL, NOT_TLS },
	{ SSL_R_UNSUPPORTED_PROTOCOL, COUNTER_TLS_VERSION, OLD },
	{ SSL_R_UNKNOWN_PROTOCOL, COUNTER_TLS_VERSION, OLD },
	{ SSL_R_VERSION_TOO_LOW, COUNTER_TLS_VERSION, OLD },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, COUNTER_TLS_VERSION,
	    "the client speaks none of the versions of TLS offered to it" },
	{ SSL_R_INAPPROPRIATE_FALLBACK, COUNTER_TLS_VERSION,
	    "the client fell back to an older version though a newer one "
	    "would do" },
	{ SSL_R_NO_SHARED_CIPHER, COUNTER_TLS_CIPHER, NO_CIPHER },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, COUNTER_TLS_CIPHER, NO_CIPHER },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, COUNTER_TLS_CIPHER, NO_CIPHER },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, COUNTER_TLS_CIPHER,
	    NO_CIPHER },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, COUNTER_TLS_CIPHER,
	    "the client finds no cipher, group or signature in common" },
	{ SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, COUNTER_TLS_CIPHER,
	    "the client wants stronger ciphers" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, COUNTER_TLS_UNTRUSTED,
	    DISTRUST "it does not know the authority, or the chain in the "
		     "certificate's file is not complete" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, COUNTER_TLS_UNTRUSTED,
	    DISTRUST "it is for another name, or damaged" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, COUNTER_TLS_UNTRUSTED,
	    DISTRUST "it does not say why" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, COUNTER_TLS_UNTRUSTED,
	    DISTRUST "it has expired, or one clock is wrong" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED, COUNTER_TLS_UNTRUSTED,
	    DISTRUST "it was revoked" },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, COUNTER_TLS_UNTRUSTED,
	    DISTRUST "its kind of key is not supported" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, COUNTER_TLS_UNVERIFIED,
	    "the client has no certificate, which client_auth: require "
	    "wants" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, COUNTER_TLS_ALPN,
	    "the client wants to speak HTTP (ALPN), not SMTP" },
};

static const struct why *find(int reason)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].reason == reason)
			return &table[i];
	return NULL;
}

enum counter_tls_failure tls_explain(
    const SSL *ssl, unsigned long error, char *out, size_t size)
{
	const struct why *why = NULL;
	const char *words = ERR_reason_error_string(error);

	if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
	    ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		(void)snprintf(out, size, "the client's certificate: %s",
		    X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
		return COUNTER_TLS_UNVERIFIED;
	}
	if (ERR_GET_LIB(error) == ERR_LIB_SSL)
		why = find(ERR_GET_REASON(error));
	if (why)
		words = why->text;
	(void)snprintf(out, size, "%s", words ? words : "protocol failure");
	return why ? why->kind : COUNTER_TLS_OTHER;
}
