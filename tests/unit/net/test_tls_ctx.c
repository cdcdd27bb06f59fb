/* Contexts: files, policies, and which certificate a client is shown. */
#include <net/tls.h>
#include <net/tls_set.h>

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

/* Why the last connection failed. */
static enum counter_tls_failure failure;
static char reason[256];

/* A client of exactly that version; ciphers and alpn may be NULL. */
static bool connects_with(
    int policy, int version, const char *ciphers, const char *alpn)
{
	certs.tls.policy = policy;
	struct tls_ctx *ctx = tls_ctx_new(&certs.tls, &err);
	struct tls *tls = tls_new_server(ctx);
	struct peer peer;
	struct buf plain, out;

	buf_init(&plain, 4096);
	buf_init(&out, 65536);
	peer_init(&peer, NULL);
	SSL_set_security_level(peer.ssl, 0);
	SSL_set_min_proto_version(peer.ssl, version);
	SSL_set_max_proto_version(peer.ssl, version);
	if (ciphers)
		ck_assert_int_eq(SSL_set_cipher_list(peer.ssl, ciphers), 1);
	if (alpn)
		SSL_set_alpn_protos(peer.ssl, (const unsigned char *)alpn,
		    (unsigned)strlen(alpn));
	bool is_up = peer_handshake(&peer, tls, 4096, &plain, &out);
	failure = tls_failure(tls);
	(void)snprintf(reason, sizeof(reason), "%s", tls_error(tls));
	peer_finish(&peer);
	tls_free(tls);
	tls_ctx_unref(ctx);
	buf_finish(&plain);
	buf_finish(&out);
	return is_up;
}

static bool connects(int policy, int version, const char *alpn)
{
	return connects_with(policy, version, NULL, alpn);
}

START_TEST(keeps_to_its_policy)
{
	enum {
		MODERN = CONFIG_TLS_MODERN,
		INTERMEDIATE = CONFIG_TLS_INTERMEDIATE,
		LEGACY = CONFIG_TLS_LEGACY
	};

	certs_add(&certs, "a.test", CERTS_RSA);
	ck_assert(connects(MODERN, TLS1_3_VERSION, NULL));
	ck_assert(!connects(MODERN, TLS1_2_VERSION, NULL));
	ck_assert_int_eq(failure, COUNTER_TLS_VERSION);
	ck_assert(connects(INTERMEDIATE, TLS1_3_VERSION, NULL));
	ck_assert(connects(INTERMEDIATE, TLS1_2_VERSION, NULL));
	ck_assert(!connects(INTERMEDIATE, TLS1_1_VERSION, NULL));
	ck_assert_int_eq(failure, COUNTER_TLS_VERSION);
	ck_assert(connects(LEGACY, TLS1_3_VERSION, NULL));
	ck_assert(connects(LEGACY, TLS1_1_VERSION, NULL));
	ck_assert(connects(LEGACY, TLS1_VERSION, NULL));
}
END_TEST

START_TEST(offers_only_the_suites_of_its_policy)
{
	static const char *const good[] = { "ECDHE-RSA-AES128-GCM-SHA256",
		"ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305" };
	static const char *const old[] = { "AES128-SHA", "AES256-GCM-SHA384",
		"ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384" };
	static const char *const never[] = { "aNULL", "eNULL" };

	certs_add(&certs, "a.test", CERTS_RSA);
	for (size_t i = 0; i < 3; i++)
		ck_assert_msg(connects_with(0, TLS1_2_VERSION, good[i], NULL),
		    "%s", good[i]);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_msg(!connects_with(0, TLS1_2_VERSION, old[i], NULL),
		    "%s", old[i]);
		ck_assert_int_eq(failure, COUNTER_TLS_CIPHER);
		ck_assert_msg(connects_with(CONFIG_TLS_LEGACY, TLS1_2_VERSION,
				  old[i], NULL),
		    "%s", old[i]);
	}
	for (size_t i = 0; i < 2; i++)
		ck_assert_msg(!connects_with(CONFIG_TLS_LEGACY, TLS1_2_VERSION,
				  never[i], NULL),
		    "%s", never[i]);
}
END_TEST

START_TEST(shares_contexts_between_listeners_that_agree)
{
	struct config_listener l[] = {
		{ .tls_policy = CONFIG_TLS_INHERIT,
		    .client_auth = CONFIG_CLIENT_AUTH_INHERIT },
		{ .tls_policy = CONFIG_TLS_MODERN },
		{ .tls_policy = CONFIG_TLS_LEGACY },
		{ .tls = CONFIG_TLS_NONE, .tls_policy = CONFIG_TLS_INHERIT },
	};
	struct config c = { .listeners = { l, 4 } };

	certs_add(&certs, "a.test", CERTS_ECDSA);
	c.tls = certs.tls;
	c.tls.policy = CONFIG_TLS_MODERN;
	struct tls_files *files = tls_files_read(&c.tls, &err);
	ck_assert_msg(files != NULL, "%s", err.text);
	struct tls_set *set = tls_set_new(files, &c, &err);
	ck_assert_msg(set != NULL, "%s", err.text);
	tls_files_free(files);
	struct tls_ctx *modern = tls_set_find(set, &c, &l[0]);
	ck_assert_ptr_nonnull(modern);
	ck_assert_ptr_eq(tls_set_find(set, &c, &l[1]), modern);
	ck_assert_ptr_nonnull(tls_set_find(set, &c, &l[2]));
	ck_assert_ptr_ne(tls_set_find(set, &c, &l[2]), modern);
	l[0].tls_policy = CONFIG_TLS_INTERMEDIATE; /* nobody asked for it */
	ck_assert_ptr_null(tls_set_find(set, &c, &l[0]));
	ck_assert_ptr_null(tls_set_find(NULL, &c, &l[1]));
	tls_set_free(set);
}
END_TEST

static size_t doubts;

static void on_doubt(void *ctx, const char *file, const char *what)
{
	ck_assert_str_eq(file, certs.items[0].cert);
	ck_assert_msg(strstr(what, ctx) != NULL, "%s", what);
	doubts++;
}

START_TEST(tells_certificates_that_are_not_valid_now)
{
	static char over[] = "expired at ", early[] = "not valid before ";

	certs_add(&certs, "a.test", CERTS_ECDSA);
	struct tls_files *files = tls_files_read(&certs.tls, &err);
	const struct tls_certificate *c = tls_files_at(files, 0);
	ck_assert_uint_eq(tls_files_count(files), 1);
	ck_assert_str_eq(c->name, "a.test");
	doubts = 0;
	tls_files_doubts(files, c->not_before_s * 1000, on_doubt, NULL);
	tls_files_doubts(files, c->not_after_s * 1000, on_doubt, NULL);
	ck_assert_uint_eq(doubts, 0);
	tls_files_doubts(files, c->not_before_s * 1000 - 1000, on_doubt, early);
	tls_files_doubts(files, c->not_after_s * 1000 + 1000, on_doubt, over);
	ck_assert_uint_eq(doubts, 2);
	tls_files_free(files);
}
END_TEST

START_TEST(sends_browsers_away)
{
	certs_add(&certs, "a.test", CERTS_ECDSA);
	ck_assert(!connects(0, TLS1_3_VERSION, "\x02h2\x08http/1.1"));
	ck_assert_int_eq(failure, COUNTER_TLS_ALPN);
	ck_assert_msg(strstr(reason, "HTTP") != NULL, "%s", reason);
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
	tcase_add_test(tc, offers_only_the_suites_of_its_policy);
	tcase_add_test(tc, shares_contexts_between_listeners_that_agree);
	tcase_add_test(tc, tells_certificates_that_are_not_valid_now);
	tcase_add_test(tc, sends_browsers_away);
	tcase_add_test(tc, counts_references);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
