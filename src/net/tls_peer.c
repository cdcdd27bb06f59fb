/*
 * A certificate as struct tls_peer. What an authority signed is still what a
 * client may have asked for: names with bytes that a log or a comparison
 * could misread (NUL above all) are left out, not repaired.
 */
#include <net/tls_internal.h>

#include <net/tls_peer.h>

#include <base/arena.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <stdio.h>
#include <stdlib.h>

enum {
	NAME_MAX_LEN = 1024,
	PEER_MEMORY_MAX = 128 * 1024
};

struct stored_peer {
	struct tls_peer peer; /* first: it is what others see */
	struct arena arena;
};

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
			return false;
	return s.len > 0 && s.len <= NAME_MAX_LEN;
}

/* UTF-8 that a log may show and a comparison cannot misread. */
static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
			return false;
	return s.len > 0 && s.len <= NAME_MAX_LEN && span_is_utf8(s);
}

/* False for kinds that nobody logs in with. */
static bool read_name(
    const GENERAL_NAME *general, enum tls_name_kind *kind, struct span *text)
{
	int type;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(general, &type);

	switch (type) {
	case GEN_DNS:
		*kind = TLS_NAME_DNS;
		break;
	case GEN_EMAIL:
		*kind = TLS_NAME_EMAIL;
		break;
	case GEN_URI:
		*kind = TLS_NAME_URI;
		break;
	default:
		return false;
	}
	*text =
	    span_make(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
	return is_printable(*text);
}

/* False for memory. */
static bool add_names(struct stored_peer *p, X509 *x)
{
	GENERAL_NAMES *all =
	    X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	int most = sk_GENERAL_NAME_num(all); /* -1 without any */
	struct tls_name *names;
	bool is_fine = true;

	if (most <= 0)
		goto out;
	names = arena_alloc(&p->arena, TLS_NAMES_MAX * sizeof(*names));
	is_fine = names != NULL;
	for (int i = 0; is_fine && i < most && p->peer.count < TLS_NAMES_MAX;
	     i++) {
		enum tls_name_kind kind;
		struct span text;

		if (!read_name(sk_GENERAL_NAME_value(all, i), &kind, &text))
			continue;
		names[p->peer.count].kind = kind;
		names[p->peer.count].text = arena_str(&p->arena, text);
		is_fine = names[p->peer.count++].text != NULL;
	}
	p->peer.names = names;
out:
	GENERAL_NAMES_free(all);
	return is_fine;
}

/* Of several nobody could say which one is meant: none. False for memory. */
static bool add_common_name(struct stored_peer *p, X509 *x)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *text = NULL;
	bool is_fine = true;

	if (at < 0 ||
	    X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return true;
	int len = ASN1_STRING_to_UTF8(
	    &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len > 0 && is_text(span_make(text, (size_t)len))) {
		p->peer.common_name =
		    arena_str(&p->arena, span_make(text, (size_t)len));
		is_fine = p->peer.common_name != NULL;
	}
	OPENSSL_free(text);
	return is_fine;
}

static bool add_subject(struct stored_peer *p, X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len = 0;

	if (bio && X509_NAME_print_ex(
		       bio, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
		len = BIO_get_mem_data(bio, &text);
	p->peer.subject = arena_str(&p->arena,
	    len > 0 ? span_first(span_make(text, (size_t)len), NAME_MAX_LEN)
		    : SPAN(""));
	BIO_free(bio);
	return p->peer.subject != NULL;
}

static bool add_fingerprint(struct stored_peer *p, const X509 *x)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(x, EVP_sha256(), digest, &len) != 1 ||
	    len * 2 + 1 != TLS_FINGERPRINT_SIZE)
		return false;
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(p->peer.fingerprint + (size_t)i * 2, 3, "%02x",
		    (unsigned)digest[i]);
	return true;
}

struct tls_peer *tls_peer_new(X509 *x)
{
	struct stored_peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	arena_init(&p->arena, PEER_MEMORY_MAX);
	if (add_names(p, x) && add_common_name(p, x) && add_subject(p, x) &&
	    add_fingerprint(p, x))
		return &p->peer;
	tls_peer_free(&p->peer);
	return NULL;
}

void tls_peer_free(struct tls_peer *peer)
{
	struct stored_peer *p = (struct stored_peer *)peer;

	if (!p)
		return;
	arena_finish(&p->arena);
	free(p);
}
