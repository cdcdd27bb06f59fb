/* Contexts: files, policies, and which certificate a client is shown. */
#include <net/tls.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/x509v3.h>

#include <support/certs.h>

#include "peer.h"

/* Not const: OpenSSL's macros cast it away. */
static char a_test[] = "a.test", b_test[] = "b.test", c_test[] = "c.test",
	    x_b_test[] = "x.b.test", y_b_test[] = "y.b.test";
static struct certs certs;
static struct err err;

static void set_up(void)
{
	certs_init(&certs);
	memset(&err, 0, sizeof(err));
}

static void tear_down(void)
{
	certs_finish(&certs);
}

static void assert_fails_naming(
    const struct config_tls *config, const char *what)
{
	ck_assert_ptr_null(tls_ctx_new(config, &err));
	ck_assert_int_lt(err.code, 0);
	ck_assert_msg(strstr(err.text, what) != NULL, "%s", err.text);
}

START_TEST(names_the_file_that_is_not_there)
{
	struct config_certificate c = { "/nonexistent/cert.pem",
		"/nonexistent/key.pem" };
	struct config_tls t = { .certificates = { &c, 1 } };

	assert_fails_naming(&t, "/nonexistent/cert.pem");
	certs_add(&certs, "a.test", CERTS_ECDSA);
	c.cert = certs.items[0].cert;
	assert_fails_naming(&t, "/nonexistent/key.pem");
}
END_TEST

START_TEST(names_the_file_that_holds_something_else)
{
	struct config_certificate c;
	struct config_tls t = { .certificates = { &c, 1 } };

	certs_add(&certs, "a.test", CERTS_ECDSA);
	c = (struct config_certificate){ certs.items[0].key,
		certs.items[0].key };
	assert_fails_naming(&t, "no certificate in");
	c = (struct config_certificate){ certs.items[0].cert,
		certs.items[0].cert };
	assert_fails_naming(&t, "no private key");
}
END_TEST

START_TEST(tells_a_key_that_does_not_fit)
{
	struct config_certificate c;
	struct config_tls t = { .certificates = { &c, 1 } };

	certs_add(&certs, "a.test", CERTS_ECDSA);
	certs_add(&certs, "b.test", CERTS_ECDSA);
	c = (struct config_certificate){ certs.items[0].cert,
		certs.items[1].key };
	assert_fails_naming(&t, "does not belong to");
}
END_TEST

START_TEST(needs_a_certificate)
{
	struct config_tls t = { .policy = CONFIG_TLS_INTERMEDIATE };

	assert_fails_naming(&t, "no certificate");
}
END_TEST

/* What a client that asks for sni (or nothing) sees; 0 = failed. */
static int shown(char *sni, char *signatures, const char *expect)
{
	struct tls_ctx *ctx = tls_ctx_new(&certs.tls, &err);
	ck_assert_msg(ctx != NULL, "%s", err.text);
	struct tls *tls = tls_new_server(ctx);
	struct peer peer;
	struct buf plain, out;
	int type = 0;

	buf_init(&plain, 4096);
	buf_init(&out, 65536);
	peer_init(&peer, NULL);
	if (sni)
		SSL_set_tlsext_host_name(peer.ssl, sni);
	if (signatures)
		ck_assert_int_eq(
		    SSL_set1_sigalgs_list(peer.ssl, signatures), 1);
	if (peer_handshake(&peer, tls, 4096, &plain, &out)) {
		X509 *x = SSL_get1_peer_certificate(peer.ssl);
		ck_assert_int_eq(X509_check_host(x, expect, 0, 0, NULL), 1);
		type = EVP_PKEY_get_base_id(X509_get0_pubkey(x));
		X509_free(x);
	}
	peer_finish(&peer);
	tls_free(tls);
	tls_ctx_unref(ctx);
	buf_finish(&plain);
	buf_finish(&out);
	return type;
}

START_TEST(shows_the_first_certificate_without_sni)
{
	certs_add(&certs, "a.test", CERTS_ECDSA);
	certs_add(&certs, "b.test", CERTS_ECDSA);
	ck_assert_int_eq(shown(NULL, NULL, "a.test"), EVP_PKEY_EC);
	ck_assert_int_eq(shown(c_test, NULL, "a.test"), EVP_PKEY_EC);
}
END_TEST

START_TEST(follows_sni)
{
	certs_add(&certs, "a.test", CERTS_ECDSA);
	certs_add(&certs, "*.b.test", CERTS_ECDSA);
	ck_assert_int_eq(shown(x_b_test, NULL, "y.b.test"), EVP_PKEY_EC);
	ck_assert_int_eq(shown(a_test, NULL, "a.test"), EVP_PKEY_EC);
}
END_TEST

START_TEST(pairs_rsa_and_ecdsa_of_one_name)
{
	static char rsa[] = "RSA-PSS+SHA256:RSA+SHA256";
	static char ecdsa[] = "ECDSA+SHA256";

	certs_add(&certs, "a.test", CERTS_ECDSA);
	certs_add(&certs, "b.test", CERTS_RSA);
	certs_add(&certs, "b.test", CERTS_ECDSA);
	certs_add(&certs, "a.test", CERTS_RSA);
	ck_assert_int_eq(shown(a_test, rsa, "a.test"), EVP_PKEY_RSA);
	ck_assert_int_eq(shown(a_test, ecdsa, "a.test"), EVP_PKEY_EC);
	ck_assert_int_eq(shown(b_test, rsa, "b.test"), EVP_PKEY_RSA);
	ck_assert_int_eq(shown(b_test, ecdsa, "b.test"), EVP_PKEY_EC);
}
END_TEST

START_TEST(keeps_a_wildcard_and_a_name_under_it_apart)
{
	static char rsa[] = "RSA-PSS+SHA256:RSA+SHA256";

	certs_add(&certs, "*.b.test", CERTS_ECDSA);
	certs_add(&certs, "x.b.test", CERTS_RSA);
	ck_assert_int_eq(shown(y_b_test, NULL, "y.b.test"), EVP_PKEY_EC);
	ck_assert_int_eq(shown(x_b_test, NULL, "x.b.test"), EVP_PKEY_RSA);
	/* Nothing is shown rather than a certificate for another name. */
	ck_assert_int_eq(shown(y_b_test, rsa, "y.b.test"), 0);
}
END_TEST

static bool connects(int policy, int version, const char *alpn)
{
	certs.tls.policy = policy;
	struct tls_ctx *ctx = tls_ctx_new(&certs.tls, &err);
	struct tls *tls = tls_new_server(ctx);
	struct peer peer;
	struct buf plain, out;

	buf_init(&plain, 4096);
	buf_init(&out, 65536);
	peer_init(&peer, NULL);
	SSL_set_max_proto_version(peer.ssl, version);
	if (alpn)
		SSL_set_alpn_protos(peer.ssl, (const unsigned char *)alpn,
		    (unsigned)strlen(alpn));
	bool is_up = peer_handshake(&peer, tls, 4096, &plain, &out);
	peer_finish(&peer);
	tls_free(tls);
	tls_ctx_unref(ctx);
	buf_finish(&plain);
	buf_finish(&out);
	return is_up;
}

START_TEST(keeps_to_its_policy)
{
	certs_add(&certs, "a.test", CERTS_ECDSA);
	ck_assert(connects(CONFIG_TLS_INTERMEDIATE, TLS1_2_VERSION, NULL));
	ck_assert(connects(CONFIG_TLS_MODERN, TLS1_3_VERSION, NULL));
	ck_assert(!connects(CONFIG_TLS_MODERN, TLS1_2_VERSION, NULL));
}
END_TEST

START_TEST(sends_browsers_away)
{
	certs_add(&certs, "a.test", CERTS_ECDSA);
	ck_assert(!connects(0, TLS1_3_VERSION, "\x02h2\x08http/1.1"));
	ck_assert(connects(0, TLS1_3_VERSION, "\x04smtp"));
	ck_assert(connects(0, TLS1_3_VERSION, "\x08http/1.1\x04smtp"));
	ck_assert(connects(0, TLS1_3_VERSION,
	    "\x03"
	    "foo"));
}
END_TEST

START_TEST(counts_references)
{
	certs_add(&certs, "a.test", CERTS_ECDSA);
	struct tls_ctx *ctx = tls_ctx_new(&certs.tls, &err);
	struct tls *tls = tls_new_server(ctx);

	tls_ctx_unref(tls_ctx_ref(ctx));
	tls_ctx_unref(ctx); /* a connection may outlive it */
	ck_assert(!tls_is_established(tls));
	tls_free(tls);
	tls_ctx_unref(NULL);
	tls_free(NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("tls_ctx");
	TCase *tc = tcase_create("contexts");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, names_the_file_that_is_not_there);
	tcase_add_test(tc, names_the_file_that_holds_something_else);
	tcase_add_test(tc, tells_a_key_that_does_not_fit);
	tcase_add_test(tc, needs_a_certificate);
	tcase_add_test(tc, shows_the_first_certificate_without_sni);
	tcase_add_test(tc, follows_sni);
	tcase_add_test(tc, pairs_rsa_and_ecdsa_of_one_name);
	tcase_add_test(tc, keeps_a_wildcard_and_a_name_under_it_apart);
	tcase_add_test(tc, keeps_to_its_policy);
	tcase_add_test(tc, sends_browsers_away);
	tcase_add_test(tc, counts_references);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
