/* Certificates of clients: who is let in, and who it is said to be. */
#include <net/tls.h>
#include <net/tls_peer.h>

#include <string.h>

#include <support/authority.h>
#include <support/certs.h>

#include "peer.h"

static struct certs certs;
static struct authority authority;
static struct authority_certificate mine;
static struct err err;

/* One connection to a context of `certs.tls`. */
static struct tls_ctx *ctx;
static struct tls *tls;
static struct peer peer;
static struct buf plain, out;

static void set_up(void)
{
	certs_init(&certs);
	certs_add(&certs, "mail.test", CERTS_ECDSA);
	authority_init(&authority);
	certs.tls.client_auth = CONFIG_CLIENT_AUTH_REQUEST;
	certs.tls.client_ca = authority.ca_file;
	mine = (struct authority_certificate){ 0 };
	buf_init(&plain, 4096);
	buf_init(&out, 64 * 1024);
	memset(&err, 0, sizeof(err));
}

static void disconnect(void)
{
	if (!tls)
		return;
	peer_finish(&peer);
	tls_free(tls);
	tls_ctx_unref(ctx);
	tls = NULL;
	ctx = NULL;
}

static void tear_down(void)
{
	disconnect();
	buf_finish(&plain);
	buf_finish(&out);
	authority_certificate_free(&mine);
	authority_finish(&authority);
	certs_finish(&certs);
}

static void certify(const char *common_name, const char *san)
{
	struct authority_client client = { .common_name = common_name,
		.san = san };

	authority_certificate_free(&mine);
	mine = authority_certify(&authority, &client);
}

/* A handshake and, for the client to learn of a refusal, a word. */
static bool connects(const struct authority_certificate *shown, int version)
{
	disconnect();
	ctx = tls_ctx_new(&certs.tls, &err);
	ck_assert_msg(ctx != NULL, "%s", err.text);
	tls = tls_new_server(ctx);
	peer_init(&peer, NULL);
	SSL_set_max_proto_version(peer.ssl, version);
	if (shown)
		authority_use(peer.ssl, shown);
	return peer_handshake(&peer, tls, 4096, &plain, &out);
}

START_TEST(knows_nobody_when_it_does_not_ask)
{
	certs.tls.client_auth = CONFIG_CLIENT_AUTH_NONE;
	certify("alice", NULL);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	ck_assert_ptr_null(tls_client(tls));
	ck_assert_str_eq(tls_client_doubt(tls), "");
}
END_TEST

START_TEST(tells_every_name_of_a_verified_client)
{
	certify("alice",
	    "DNS:app.example,email:alice@example.com,URI:spiffe://example/app,"
	    "IP:192.0.2.1");
	ck_assert(connects(&mine, TLS1_3_VERSION));
	const struct tls_peer *p = tls_client(tls);
	ck_assert_ptr_nonnull(p);
	ck_assert_str_eq(p->common_name, "alice");
	ck_assert_str_eq(p->subject, "CN=alice");
	ck_assert_uint_eq(p->count, 3);
	ck_assert_int_eq(p->names[0].kind, TLS_NAME_DNS);
	ck_assert_str_eq(p->names[0].text, "app.example");
	ck_assert_int_eq(p->names[1].kind, TLS_NAME_EMAIL);
	ck_assert_str_eq(p->names[1].text, "alice@example.com");
	ck_assert_int_eq(p->names[2].kind, TLS_NAME_URI);
	ck_assert_str_eq(p->names[2].text, "spiffe://example/app");
	ck_assert_uint_eq(strlen(p->fingerprint), 64);
	ck_assert_str_eq(tls_client_doubt(tls), "");
}
END_TEST

START_TEST(tells_the_sha_256_of_the_certificate)
{
	unsigned char digest[32];
	unsigned len = 0;
	char hex[3];

	certify("alice", NULL);
	ck_assert(connects(&mine, TLS1_2_VERSION));
	ck_assert_int_eq(X509_digest(mine.cert, EVP_sha256(), digest, &len), 1);
	for (unsigned i = 0; i < len; i++) {
		(void)snprintf(hex, sizeof(hex), "%02x", (unsigned)digest[i]);
		ck_assert_mem_eq(&tls_client(tls)->fingerprint[2 * i], hex, 2);
	}
}
END_TEST

START_TEST(does_without_a_name_that_is_not_there)
{
	certify(NULL, "DNS:app.example");
	ck_assert(connects(&mine, TLS1_3_VERSION));
	ck_assert_ptr_null(tls_client(tls)->common_name);
	certify("alice", NULL);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	ck_assert_uint_eq(tls_client(tls)->count, 0);
}
END_TEST

/* What a careless authority signs: "admin" and then a NUL and more. */
START_TEST(leaves_out_names_that_could_be_misread)
{
	static const unsigned char tricky[] = "admin\0.attacker.example";
	X509_NAME *subject;

	certify(NULL, "DNS:app.example");
	subject = X509_get_subject_name(mine.cert);
	ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
			     tricky, sizeof(tricky) - 1, -1, 0),
	    1);
	ck_assert_int_gt(X509_sign(mine.cert, authority.key, EVP_sha256()), 0);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	ck_assert_ptr_null(tls_client(tls)->common_name);
}
END_TEST

START_TEST(takes_no_common_name_of_several)
{
	certify("alice", NULL);
	ck_assert_int_eq(
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(mine.cert), "CN",
		MBSTRING_ASC, (const unsigned char *)"root", -1, -1, 0),
	    1);
	ck_assert_int_gt(X509_sign(mine.cert, authority.key, EVP_sha256()), 0);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	ck_assert_ptr_null(tls_client(tls)->common_name);
}
END_TEST

static void assert_doubted(const struct authority_certificate *c)
{
	ck_assert(connects(c, TLS1_3_VERSION));
	ck_assert_ptr_null(tls_client(tls));
	ck_assert_str_ne(tls_client_doubt(tls), "");
	ck_assert(connects(c, TLS1_2_VERSION));
	ck_assert_ptr_null(tls_client(tls));
	ck_assert_str_ne(tls_client_doubt(tls), "");
}

START_TEST(goes_on_without_an_identity_when_it_only_requests)
{
	struct authority_client expired = { .common_name = "alice",
		.is_expired = true };
	struct authority other;

	ck_assert(connects(NULL, TLS1_3_VERSION));
	ck_assert_ptr_null(tls_client(tls));
	ck_assert_str_eq(tls_client_doubt(tls), "");

	mine = authority_certify(&authority, &expired);
	assert_doubted(&mine);
	ck_assert_str_eq(tls_client_doubt(tls), "certificate has expired");

	authority_init(&other);
	certs.tls.client_ca = other.ca_file;
	certify("alice", NULL); /* by the authority that is not asked */
	assert_doubted(&mine);
	authority_finish(&other);
}
END_TEST

START_TEST(refuses_without_a_good_certificate_when_it_requires)
{
	struct authority_client expired = { .common_name = "alice",
		.is_expired = true };

	certs.tls.client_auth = CONFIG_CLIENT_AUTH_REQUIRE;
	ck_assert(!connects(NULL, TLS1_3_VERSION));
	ck_assert_str_ne(tls_error(tls), "");
	ck_assert(!connects(NULL, TLS1_2_VERSION));
	mine = authority_certify(&authority, &expired);
	ck_assert(!connects(&mine, TLS1_3_VERSION));
	ck_assert(!tls_is_established(tls));
	ck_assert(!connects(&mine, TLS1_2_VERSION));
	certify("alice", NULL);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	ck_assert_str_eq(tls_client(tls)->common_name, "alice");
}
END_TEST

START_TEST(refuses_who_was_revoked)
{
	certs.tls.client_auth = CONFIG_CLIENT_AUTH_REQUIRE;
	certs.tls.crl = authority.crl_file;
	certify("alice", NULL);
	authority_revoke(&authority, NULL);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	authority_revoke(&authority, mine.cert);
	ck_assert(!connects(&mine, TLS1_3_VERSION));
}
END_TEST

/* A second connection of the client with the ticket of the first. */
static bool resumes(const struct config_tls *at)
{
	struct tls_ctx *other = tls_ctx_new(at, &err);
	struct tls *again = tls_new_server(other);
	SSL_SESSION *session;
	struct peer second;
	char c;

	ck_assert_int_eq(tls_write(tls, "x", 1, &out), TLS_OK);
	engine_to_peer(&peer, &out);
	ck_assert_int_eq(SSL_read(peer.ssl, &c, 1), 1);
	session = SSL_get1_session(peer.ssl);
	SSL_CTX_up_ref(peer.ctx);
	peer_init(&second, peer.ctx);
	authority_use(second.ssl, &mine);
	ck_assert_int_eq(SSL_set_session(second.ssl, session), 1);
	(void)peer_handshake(&second, again, 4096, &plain, &out);
	bool is_resumed = SSL_session_reused(second.ssl) == 1;
	if (is_resumed)
		ck_assert_str_eq(tls_client(again)->common_name, "alice");
	SSL_SESSION_free(session);
	peer_finish(&second);
	tls_free(again);
	tls_ctx_unref(other);
	return is_resumed;
}

START_TEST(remembers_a_client_that_resumes)
{
	certify("alice", NULL);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	ck_assert(resumes(&certs.tls));
}
END_TEST

START_TEST(forgets_tickets_when_what_it_trusts_changes)
{
	struct config_tls other = certs.tls;

	certify("alice", NULL);
	ck_assert(connects(&mine, TLS1_3_VERSION));
	other.client_auth = CONFIG_CLIENT_AUTH_REQUIRE;
	ck_assert(!resumes(&other));
	other = certs.tls;
	other.policy = CONFIG_TLS_LEGACY;
	ck_assert(!resumes(&other));
	other = certs.tls;
	authority_revoke(&authority, NULL);
	other.crl = authority.crl_file;
	ck_assert(!resumes(&other));
}
END_TEST

static void assert_fails_naming(const char *what)
{
	ck_assert_ptr_null(tls_ctx_new(&certs.tls, &err));
	ck_assert_msg(strstr(err.text, what) != NULL, "%s", err.text);
}

START_TEST(names_the_file_it_cannot_judge_by)
{
	certs.tls.crl = certs.items[0].cert;
	assert_fails_naming("no revocation list in crl");
	certs.tls.crl = "/nonexistent/crl";
	assert_fails_naming("cannot read crl /nonexistent/crl");
	certs.tls.client_ca = certs.items[0].key;
	assert_fails_naming("no certificate in client_ca");
	certs.tls.client_ca = "/nonexistent/ca";
	assert_fails_naming("cannot read client_ca /nonexistent/ca");
	certs.tls.client_ca = NULL;
	assert_fails_naming("no client_ca");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("tls_client");
	TCase *tc = tcase_create("clients");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, knows_nobody_when_it_does_not_ask);
	tcase_add_test(tc, tells_every_name_of_a_verified_client);
	tcase_add_test(tc, tells_the_sha_256_of_the_certificate);
	tcase_add_test(tc, does_without_a_name_that_is_not_there);
	tcase_add_test(tc, leaves_out_names_that_could_be_misread);
	tcase_add_test(tc, takes_no_common_name_of_several);
	tcase_add_test(tc, goes_on_without_an_identity_when_it_only_requests);
	tcase_add_test(tc, refuses_without_a_good_certificate_when_it_requires);
	tcase_add_test(tc, refuses_who_was_revoked);
	tcase_add_test(tc, remembers_a_client_that_resumes);
	tcase_add_test(tc, forgets_tickets_when_what_it_trusts_changes);
	tcase_add_test(tc, names_the_file_it_cannot_judge_by);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
