#include <base/b64.h>
#include <base/hash.h>

#include <support/unit.h>

#include <pthread.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static void check_digest(
    const uint8_t digest[HASH_SHA256_SIZE], const char *want)
{
	char hex[2 * HASH_SHA256_SIZE + 1];

	hex_encode(digest, HASH_SHA256_SIZE, hex);
	ck_assert_str_eq(hex, want);
}

/* FIPS 180-2 appendix B, and the empty message. */
static const struct sha_case {
	const char *text, *digest;
} sha_cases[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
	      "5" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
		 "5ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c"
	    "1" },
};

START_TEST(digests)
{
	uint8_t digest[HASH_SHA256_SIZE];

	hash_sha256(span_of(sha_cases[_i].text), digest);
	check_digest(digest, sha_cases[_i].digest);
}
END_TEST

START_TEST(digests_in_pieces)
{
	struct span text = span_of(sha_cases[2].text);
	uint8_t digest[HASH_SHA256_SIZE];

	for (size_t cut = 0; cut <= text.len; cut++) {
		struct hash_sha256 *h = hash_sha256_new();
		ck_assert_ptr_nonnull(h);
		hash_sha256_add(h, text.ptr, cut);
		hash_sha256_add(h, NULL, 0);
		hash_sha256_add(h, text.ptr + cut, text.len - cut);
		/* The one-shot function must not disturb it. */
		hash_sha256(SPAN("other"), digest);
		hash_sha256_end(h, digest);
		check_digest(digest, sha_cases[2].digest);
	}
}
END_TEST

/* RFC 4231 4.2, 4.3, 4.7 (a key longer than a block), and nothing at all. */
static const struct mac_case {
	struct span key, data;
	const char *mac;
} mac_cases[] = {
	{ { "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
	    "\x0b\x0b\x0b\x0b",
	      20 },
	    { "Hi There", 8 },
	    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff"
	    "7" },
	{ { "Jefe", 4 }, { "what do ya want for nothing?", 28 },
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec384"
	    "3" },
	{ { NULL, 0 }, { NULL, 0 },
	    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5a"
	    "d" },
	{ { "", 0 }, { "", 0 },
	    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5a"
	    "d" },
};

START_TEST(authenticates)
{
	const struct mac_case *c = &mac_cases[_i];
	uint8_t mac[HASH_SHA256_SIZE];

	hash_hmac_sha256(c->key, c->data, mac);
	check_digest(mac, c->mac);
}
END_TEST

START_TEST(authenticates_with_a_long_key)
{
	uint8_t key[131], mac[HASH_SHA256_SIZE];

	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(span_make(key, sizeof(key)),
	    SPAN("Test Using Larger Than Block-Size Key - Hash Key First"),
	    mac);
	check_digest(mac,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

/* The context is reused: the key of one call must not serve the next. */
START_TEST(forgets_the_key_of_the_call_before)
{
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(mac_cases); i++) {
			uint8_t mac[HASH_SHA256_SIZE];
			hash_hmac_sha256(
			    mac_cases[i].key, mac_cases[i].data, mac);
			check_digest(mac, mac_cases[i].mac);
		}
	}
}
END_TEST

/* As signatures chain them: the key is where the result goes. */
START_TEST(may_write_over_its_key)
{
	uint8_t apart[HASH_SHA256_SIZE], key[HASH_SHA256_SIZE] = { 1 };
	struct span k = span_make(key, sizeof(key));

	hash_hmac_sha256(k, SPAN("data"), apart);
	hash_hmac_sha256(k, SPAN("data"), key);
	ck_assert_mem_eq(apart, key, sizeof(key));
}
END_TEST

static void *work(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++) {
		uint8_t out[HASH_SHA256_SIZE];
		const struct mac_case *c = &mac_cases[i % 2];
		hash_hmac_sha256(c->key, c->data, out);
		check_digest(out, c->mac);
		hash_sha256(span_of(sha_cases[i % 3].text), out);
		check_digest(out, sha_cases[i % 3].digest);
	}
	return NULL;
}

START_TEST(works_on_several_threads)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, work, NULL), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

START_TEST(random_bytes_fill_exactly_what_was_asked)
{
	uint8_t seen[66] = { 0 };

	/* Within 64 rounds every byte but the fences has been non-zero. */
	for (int round = 0; round < 64; round++) {
		uint8_t bytes[66] = { 0 };
		hash_random(bytes + 1, 64);
		for (size_t i = 0; i < sizeof(bytes); i++)
			seen[i] |= bytes[i];
	}
	ck_assert_uint_eq(seen[0], 0);
	ck_assert_uint_eq(seen[65], 0);
	for (size_t i = 1; i < 65; i++)
		ck_assert_uint_ne(seen[i], 0);
	hash_random(NULL, 0);
}
END_TEST

START_TEST(compares_and_cleanses)
{
	char a[] = "same", b[] = "same";

	ck_assert(hash_eq(a, b, 4));
	ck_assert(hash_eq(NULL, NULL, 0));
	b[3] = 'x';
	ck_assert(!hash_eq(a, b, 4));
	ck_assert(hash_eq(a, b, 3));
	hash_cleanse(a, 2);
	ck_assert_mem_eq(a, "\0\0me", 4);
	hash_cleanse(NULL, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("base/hash");
	TCase *t = tcase_create("hash");

	tcase_add_loop_test(t, digests, 0, COUNT(sha_cases));
	tcase_add_test(t, digests_in_pieces);
	tcase_add_loop_test(t, authenticates, 0, COUNT(mac_cases));
	tcase_add_test(t, authenticates_with_a_long_key);
	tcase_add_test(t, forgets_the_key_of_the_call_before);
	tcase_add_test(t, may_write_over_its_key);
	tcase_add_test(t, works_on_several_threads);
	tcase_add_test(t, random_bytes_fill_exactly_what_was_asked);
	tcase_add_test(t, compares_and_cleanses);
	suite_add_tcase(s, t);
	return s;
}

UNIT_MAIN(suite)
