/* The engine against an OpenSSL client in memory. */
#include <net/tls.h>

#include <base/clock.h>

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include <support/certs.h>

#include "peer.h"

static struct certs certs;
static struct tls_ctx *ctx;
static struct tls *tls;
static struct peer peer;
static struct buf plain, out;

static void set_up(void)
{
	certs_init(&certs);
	certs_add(&certs, "mail.test", CERTS_ECDSA);
	ctx = tls_ctx_new(&certs.tls, NULL);
	ck_assert_ptr_nonnull(ctx);
	tls = tls_new_server(ctx);
	peer_init(&peer, NULL);
	buf_init(&plain, 256 * 1024);
	buf_init(&out, 1024 * 1024);
}

static void tear_down(void)
{
	buf_finish(&plain);
	buf_finish(&out);
	peer_finish(&peer);
	tls_free(tls);
	tls_ctx_unref(ctx);
	certs_finish(&certs);
}

START_TEST(shakes_hands_in_steps_of_any_size)
{
	static const size_t steps[] = { 1, 7, 4096 };

	for (size_t i = 0; i < 3; i++) {
		ck_assert(peer_handshake(&peer, tls, steps[i], &plain, &out));
		ck_assert_str_eq(tls_version(tls), "TLSv1.3");
		ck_assert_int_ge(tls_bits(tls), 128);
		ck_assert_ptr_nonnull(strstr(tls_cipher(tls), "TLS_"));
		ck_assert_str_eq(tls_error(tls), "");
		tear_down();
		set_up();
	}
}
END_TEST

START_TEST(speaks_tls_1_2)
{
	SSL_set_max_proto_version(peer.ssl, TLS1_2_VERSION);
	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_str_eq(tls_version(tls), "TLSv1.2");
	ck_assert_ptr_nonnull(strstr(tls_cipher(tls), "GCM"));
}
END_TEST

START_TEST(refuses_what_is_older_than_its_policy)
{
	SSL_set_security_level(peer.ssl, 0);
	SSL_set_min_proto_version(peer.ssl, TLS1_VERSION);
	SSL_set_max_proto_version(peer.ssl, TLS1_1_VERSION);
	ck_assert(!peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_str_ne(tls_error(tls), "");
	ck_assert(!tls_is_established(tls));
}
END_TEST

START_TEST(reads_all_records_of_one_feed)
{
	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(SSL_write(peer.ssl, "hello", 5), 5);
	ck_assert_int_eq(
	    peer_to_engine(&peer, tls, 16384, &plain, &out), TLS_OK);
	ck_assert(span_eq(buf_span(&plain), SPAN("hellohellohellohellohello")));
}
END_TEST

START_TEST(stops_at_the_maximum_of_plain_and_goes_on)
{
	char big[8000];

	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	buf_finish(&plain);
	buf_init(&plain, 1000);
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(SSL_write(peer.ssl, big, sizeof(big)), sizeof(big));

	char *cipher;
	long len = BIO_get_mem_data(peer.out, &cipher);
	struct span rest = span_make(cipher, (size_t)len);
	size_t total = 0;
	for (int i = 0; i < 20 && total < sizeof(big); i++) {
		size_t used;

		ck_assert_int_eq(
		    tls_feed(tls, rest.ptr, rest.len, &used, &plain, &out),
		    TLS_OK);
		rest = span_from(rest, used);
		ck_assert_uint_le(buf_len(&plain), 1000);
		total += buf_len(&plain);
		buf_clear(&plain);
	}
	ck_assert_uint_eq(total, sizeof(big));
}
END_TEST

START_TEST(writes_more_than_a_record)
{
	enum {
		SIZE = 100 * 1000
	};
	char *big = malloc(SIZE), *got = malloc(SIZE);
	size_t total = 0;

	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	for (size_t i = 0; i < SIZE; i++)
		big[i] = (char)(i * 7);
	ck_assert_int_eq(tls_write(tls, big, SIZE, &out), TLS_OK);
	engine_to_peer(&peer, &out);
	while (total < SIZE) {
		int n = SSL_read(peer.ssl, got + total, (int)(SIZE - total));
		ck_assert_int_gt(n, 0);
		total += (size_t)n;
	}
	ck_assert_mem_eq(big, got, SIZE);
	free(big);
	free(got);
}
END_TEST

START_TEST(tells_a_close_notify)
{
	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_int_eq(SSL_write(peer.ssl, "bye", 3), 3);
	(void)SSL_shutdown(peer.ssl);
	ck_assert_int_eq(
	    peer_to_engine(&peer, tls, 16384, &plain, &out), TLS_CLOSED);
	ck_assert(span_eq(buf_span(&plain), SPAN("bye")));
}
END_TEST

START_TEST(says_a_close_notify)
{
	char c;

	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	tls_shutdown(tls, &out);
	engine_to_peer(&peer, &out);
	ck_assert_int_eq(SSL_read(peer.ssl, &c, 1), 0);
	ck_assert_int_eq(SSL_get_error(peer.ssl, 0), SSL_ERROR_ZERO_RETURN);
}
END_TEST

START_TEST(fails_on_plaintext_with_a_reason_and_an_alert)
{
	size_t used;

	ck_assert_int_eq(
	    tls_feed(tls, "EHLO example.com\r\n", 18, &used, &plain, &out),
	    TLS_FAILED);
	ck_assert_str_ne(tls_error(tls), "");
	ck_assert_int_eq(
	    tls_feed(tls, "x", 1, &used, &plain, &out), TLS_FAILED);
}
END_TEST

START_TEST(says_what_failed_so_that_a_person_understands)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: mail.test\r\n\r\n";
	size_t used;

	ck_assert_int_eq(
	    tls_feed(tls, http, strlen(http), &used, &plain, &out), TLS_FAILED);
	ck_assert_int_eq(tls_failure(tls), COUNTER_TLS_PROTOCOL);
	ck_assert_str_eq(
	    tls_error(tls), "what the client sent is HTTP, not TLS");
	tear_down();
	set_up();
	SSL_set_verify(peer.ssl, SSL_VERIFY_PEER, NULL);
	ck_assert(!peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_int_eq(tls_failure(tls), COUNTER_TLS_UNTRUSTED);
	ck_assert_msg(strstr(tls_error(tls), "does not accept our "
					     "certificate") != NULL,
	    "%s", tls_error(tls));
}
END_TEST

/* A TLS 1.2 client that wants to shake hands once more gets no such thing. */
START_TEST(does_not_renegotiate)
{
	char c;

	SSL_set_max_proto_version(peer.ssl, TLS1_2_VERSION);
	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_int_eq(SSL_renegotiate(peer.ssl), 1);
	ERR_clear_error();
	(void)SSL_do_handshake(peer.ssl);
	enum tls_result result = peer_to_engine(&peer, tls, 4096, &plain, &out);
	ck_assert_int_eq(result, TLS_OK);
	engine_to_peer(&peer, &out);
	ck_assert_int_le(SSL_read(peer.ssl, &c, 1), 0);
	ck_assert_int_eq(
	    ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
}
END_TEST

static uint64_t now_ns;

static uint64_t fake_mono(void)
{
	return now_ns;
}

static void pass_hours(uint64_t n)
{
	now_ns += n * 3600 * UINT64_C(1000000000);
}

/* The first connection's session; the client keeps it. */
static SSL_SESSION *get_ticket(void)
{
	char c;

	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_int_eq(tls_write(tls, "x", 1, &out), TLS_OK);
	engine_to_peer(&peer, &out);
	ck_assert_int_eq(SSL_read(peer.ssl, &c, 1), 1);
	SSL_SESSION *s = SSL_get1_session(peer.ssl);
	ck_assert(SSL_SESSION_is_resumable(s));
	return s;
}

static bool resumes(struct tls_ctx *at, SSL_SESSION *session)
{
	struct tls *again = tls_new_server(at);
	struct peer second;

	SSL_CTX_up_ref(peer.ctx);
	peer_init(&second, peer.ctx);
	ck_assert_int_eq(SSL_set_session(second.ssl, session), 1);
	ck_assert(peer_handshake(&second, again, 4096, &plain, &out));
	bool is_resumed = SSL_session_reused(second.ssl) == 1;
	/* Else the client would not use the session again. */
	SSL_set_shutdown(second.ssl, SSL_SENT_SHUTDOWN);
	peer_finish(&second);
	tls_free(again);
	return is_resumed;
}

/* OpenSSL's client, as others, presents a ticket of TLS 1.3 only once. */
START_TEST(gives_a_ticket_to_who_came_with_one)
{
	SSL_SESSION *session = get_ticket();

	for (int i = 0; i < 3; i++) {
		SSL_set_shutdown(peer.ssl, SSL_SENT_SHUTDOWN);
		tls_free(tls);
		SSL_free(peer.ssl);
		tls = tls_new_server(ctx);
		SSL_CTX_up_ref(peer.ctx);
		SSL_CTX *client = peer.ctx;
		peer_init(&peer, client);
		SSL_CTX_free(client);
		ck_assert_int_eq(SSL_set_session(peer.ssl, session), 1);
		SSL_SESSION_free(session);
		session = get_ticket();
		ck_assert_int_eq(SSL_session_reused(peer.ssl), 1);
	}
	SSL_SESSION_free(session);
}
END_TEST

START_TEST(takes_tickets_of_this_hour_and_the_last)
{
	now_ns = clock_mono_ns();
	clock_override(fake_mono, NULL);
	pass_hours(10);
	SSL_SESSION *session = get_ticket();
	ck_assert(resumes(ctx, session));
	pass_hours(1);
	ck_assert(resumes(ctx, session));
	pass_hours(1);
	ck_assert(!resumes(ctx, session));
	SSL_SESSION_free(session);
	clock_override(NULL, NULL);
}
END_TEST

START_TEST(resumes_after_the_certificate_was_replaced)
{
	SSL_SESSION *session = get_ticket();
	struct certs renewed;

	certs_init(&renewed);
	certs_add(&renewed, "mail.test", CERTS_RSA);
	struct tls_ctx *other = tls_ctx_new(&renewed.tls, NULL);
	ck_assert(resumes(other, session));
	SSL_SESSION_free(session);
	tls_ctx_unref(other);
	certs_finish(&renewed);
}
END_TEST

START_TEST(fails_on_a_damaged_record)
{
	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_int_eq(SSL_write(peer.ssl, "hello", 5), 5);

	char *cipher;
	long len = BIO_get_mem_data(peer.out, &cipher);
	cipher[len - 1] ^= 1;
	ck_assert_int_eq(
	    peer_to_engine(&peer, tls, 16384, &plain, &out), TLS_FAILED);
	ck_assert_uint_gt(buf_len(&out), 0); /* the alert */
}
END_TEST

START_TEST(is_not_confused_by_errors_of_others)
{
	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(SSL_write(peer.ssl, "hello", 5), 5);
	ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(peer_to_engine(&peer, tls, 1, &plain, &out), TLS_OK);
	ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(tls_write(tls, "x", 1, &out), TLS_OK);
	ck_assert(span_eq(buf_span(&plain), SPAN("hello")));
}
END_TEST

START_TEST(fails_when_its_output_is_not_taken)
{
	char big[4096] = { 0 };

	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	buf_finish(&out);
	buf_init(&out, 1000);
	ck_assert_int_eq(tls_write(tls, big, sizeof(big), &out), TLS_FAILED);
	ck_assert_str_eq(tls_error(tls), "output limit reached");
}
END_TEST

START_TEST(resumes_at_another_worker)
{
	struct tls_ctx *other = tls_ctx_new(&certs.tls, NULL);
	SSL_SESSION *session = get_ticket();

	ck_assert(resumes(other, session));
	SSL_SESSION_free(session);
	tls_ctx_unref(other);
}
END_TEST

/* --- what OpenSSL leaves behind --- */

#define SECRET "AUTH PLAIN AGFsaWNlAHdvbmRlciBsYW5k"

static bool is_secret_left;

static void *on_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return malloc(size);
}

static void look_at(void *block)
{
	if (block && memmem(block, malloc_usable_size(block), SECRET,
			 sizeof(SECRET) - 1))
		is_secret_left = true;
}

static void *on_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	look_at(old);
	return realloc(old, size);
}

static void on_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	look_at(block);
	free(block);
}

/* Before OpenSSL has anything of its own. */
__attribute__((constructor)) static void watch_memory(void)
{
	(void)CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free);
}

START_TEST(leaves_no_plaintext_in_memory)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	SSL_set_max_proto_version(peer.ssl, versions[_i]);
	ck_assert(peer_handshake(&peer, tls, 4096, &plain, &out));
	ck_assert_int_gt(SSL_write(peer.ssl, SECRET, sizeof(SECRET)), 0);
	is_secret_left = false;
	ck_assert_int_eq(
	    peer_to_engine(&peer, tls, 4096, &plain, &out), TLS_OK);
	ck_assert_uint_eq(buf_len(&plain), sizeof(SECRET));
	ck_assert(!is_secret_left);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *s = suite_create("tls");
	TCase *tc = tcase_create("engine");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, shakes_hands_in_steps_of_any_size);
	tcase_add_test(tc, speaks_tls_1_2);
	tcase_add_test(tc, refuses_what_is_older_than_its_policy);
	tcase_add_test(tc, reads_all_records_of_one_feed);
	tcase_add_test(tc, stops_at_the_maximum_of_plain_and_goes_on);
	tcase_add_test(tc, writes_more_than_a_record);
	tcase_add_test(tc, tells_a_close_notify);
	tcase_add_test(tc, says_a_close_notify);
	tcase_add_test(tc, fails_on_plaintext_with_a_reason_and_an_alert);
	tcase_add_test(tc, says_what_failed_so_that_a_person_understands);
	tcase_add_test(tc, does_not_renegotiate);
	tcase_add_test(tc, gives_a_ticket_to_who_came_with_one);
	tcase_add_test(tc, takes_tickets_of_this_hour_and_the_last);
	tcase_add_test(tc, resumes_after_the_certificate_was_replaced);
	tcase_add_test(tc, fails_on_a_damaged_record);
	tcase_add_test(tc, is_not_confused_by_errors_of_others);
	tcase_add_test(tc, fails_when_its_output_is_not_taken);
	tcase_add_test(tc, resumes_at_another_worker);
	tcase_add_loop_test(tc, leaves_no_plaintext_in_memory, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_MAIN(make_suite)
