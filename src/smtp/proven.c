/* See proven.h. */
#include <smtp/proven.h>

#include <net/tls_peer.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	PREFIX_MAX = 8 /* "sha256:" and the NUL */
};

static const char *const prefixes[] = {
	[TLS_NAME_DNS] = "dns:",
	[TLS_NAME_EMAIL] = "email:",
	[TLS_NAME_URI] = "uri:",
};

/* Pointers first, then the text they point to. */
struct list {
	const char **names;
	size_t count;
	char *at;
};

static void add(struct list *l, const char *prefix, const char *value)
{
	size_t prefix_len = strlen(prefix), len = strlen(value);

	l->names[l->count++] = l->at;
	memcpy(l->at, prefix, prefix_len);
	memcpy(l->at + prefix_len, value, len + 1);
	l->at += prefix_len + len + 1;
}

/* Bytes of text for all names, at most. */
static size_t measure(const struct tls_peer *peer)
{
	size_t size = PREFIX_MAX + sizeof(peer->fingerprint);

	if (peer->common_name)
		size += PREFIX_MAX + strlen(peer->common_name);
	for (size_t i = 0; i < peer->count; i++)
		size += PREFIX_MAX + strlen(peer->names[i].text);
	return size;
}

const char **smtp_proven_new(const struct tls_peer *peer)
{
	struct list l = { .count = 0 };
	size_t head;

	if (!peer)
		return NULL;
	/* The fingerprint, the common name, the end. */
	head = (peer->count + 3) * sizeof(char *);
	l.names = malloc(head + measure(peer));
	if (!l.names)
		return NULL;
	l.at = (char *)l.names + head;
	add(&l, "sha256:", peer->fingerprint);
	for (size_t i = 0; i < peer->count; i++)
		add(&l, prefixes[peer->names[i].kind], peer->names[i].text);
	if (peer->common_name)
		add(&l, "CN=", peer->common_name);
	l.names[l.count] = NULL;
	return l.names;
}
