/*
 * Who is connected from where, and how they behave: sessions in all, per
 * network and per user, connections per minute, failed logins. A network is
 * an IPv4 address or an IPv6 prefix (smtp.limits.ipv6_prefix). Exempt ones
 * (smtp.limits.exempt) count in the total only.
 *
 * Shared by all workers; any thread. One mutex, held for a lookup and some
 * arithmetic. Memory is bounded: a network is remembered while it has
 * sessions, and after that until nothing about it matters any more, at most
 * PEERS_IDLE_MAX of those without and as many of those with failed logins;
 * beyond, the longest idle one is forgotten.
 */
#pragma once

#include <base/netaddr.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct config_auth;
struct config_smtp;
struct peer; /* a network that is remembered */
struct peers;

enum {
	PEERS_IDLE_MAX = 32768,
	PEERS_FORGET_PENALTY_MS = 120 * 1000, /* after the last failure */
	PEERS_PENALTY_MAX_MS = 15 * 1000
};

/*
 * ceiling: how many sessions the process can hold at most (its descriptors),
 * whatever the configuration says. NULL for memory.
 */
struct peers *peers_new(size_t ceiling);
void peers_free(struct peers *p); /* accepts NULL */

enum peers_verdict {
	PEERS_ADMITTED = 0,
	PEERS_FULL,         /* sessions in all: 421 4.3.2 */
	PEERS_TOO_MANY,     /* sessions of this network: 421 4.7.0 */
	PEERS_TOO_FAST,     /* connections of this network: 421 4.7.0 */
	PEERS_FAILED_LOGINS /* of this network: 421 4.7.0 */
};

struct peers_visit {
	enum peers_verdict verdict;
	/*
	 * ADMITTED: for the calls below and peers_leave; NULL when the address
	 * is exempt. Valid until then.
	 */
	struct peer *peer;
	/* Refused: worth a line in the log; once a second per network and
	 * verdict. */
	bool is_news;
};

/*
 * A connection: count it in, or refuse it. Refused ones count nowhere. from
 * NULL: not known yet, which counts in the total only, as an exempt one.
 */
struct peers_visit peers_enter(struct peers *p, const struct netaddr *from,
    const struct config_smtp *limits, const struct config_auth *auth);
void peers_leave(struct peers *p, struct peer *peer);

/*
 * A login failed. Returns how many ms after the attempt it is to be answered:
 * auth.failure_delay, doubled with each further failure of the network up to
 * PEERS_PENALTY_MAX_MS. peer may be NULL.
 */
uint64_t peers_login_failed(
    struct peers *p, struct peer *peer, const struct config_auth *auth);
/*
 * Whether the network has had as many failures as auth.network_failures
 * allows; then no login is even tried. peer may be NULL.
 */
bool peers_is_locked_out(
    struct peers *p, struct peer *peer, const struct config_auth *auth);

/*
 * One more session of this user, by the name of the configuration; false when
 * there are limit of them already (0 = no limit), or for memory.
 */
bool peers_user_enter(struct peers *p, const char *user, int64_t limit);
void peers_user_leave(struct peers *p, const char *user);

/*
 * Whether sessions are so many (80 % of what is allowed, until they are fewer
 * than 70 %) that idle ones must give way. Both turns are logged. No lock.
 */
bool peers_is_stressed(const struct peers *p);

struct peers_stats {
	size_t sessions, networks; /* now; networks: that are remembered */
	bool is_stressed;
};
void peers_stats(struct peers *p, struct peers_stats *out);
