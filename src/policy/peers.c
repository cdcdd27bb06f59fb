/*
 * See peers.h. A network with sessions is pinned; without, it waits in one of
 * two lists for its time to be forgotten, the longest idle first. Those with
 * failed logins have a list of their own, so that no crowd of harmless
 * addresses can wash a guesser out of memory.
 */
#include <policy/peers.h>

#include <policy/window.h>

#include <base/clock.h>
#include <base/list.h>
#include <base/log.h>
#include <base/map.h>
#include <config/config.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	MINUTE_MS = 60 * 1000,
	DAY_MS = 24 * 60 * 60 * 1000,
	NEWS_MS = 1000,
	STRESS_ON_PERCENT = 80,
	STRESS_OFF_PERCENT = 70,
	FORGET_AT_ONCE = 2 /* per list and call: more than one call adds */
};

struct idle {
	struct list list; /* struct peer.link */
	size_t count;
};

struct peer {
	struct list link;
	struct idle
	    *idle; /* the list it waits in; NULL while it has sessions */
	struct network network;
	size_t sessions;
	uint64_t forget_at;
	struct window connects, failures_minute, failures_day;
	uint64_t failed_at; /* the last time */
	unsigned penalty;   /* failures that came close upon each other */
	uint64_t told_at[PEERS_FAILED_LOGINS + 1]; /* by verdict; 0 = never */
};

struct user_count {
	size_t sessions;
};

struct peers {
	pthread_mutex_t lock; /* guards everything but is_stressed */
	size_t ceiling, total;
	struct map *networks; /* struct network -> struct peer */
	struct idle harmless, guilty;
	struct map *users; /* name -> struct user_count */
	uint64_t told_at;  /* that it is full; 0 = never */
	/* As last seen in a configuration. */
	size_t limit;
	uint64_t connects_ms;
	bool has_stress;
	atomic_bool is_stressed; /* written under lock */
};

struct peers *peers_new(size_t ceiling)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ceiling = p->limit = ceiling;
	list_init(&p->harmless.list);
	list_init(&p->guilty.list);
	p->networks = map_new();
	p->users = map_new();
	if (!p->networks || !p->users ||
	    pthread_mutex_init(&p->lock, NULL) != 0) {
		map_free(p->networks);
		map_free(p->users);
		free(p);
		return NULL;
	}
	return p;
}

static void free_value(struct span key, void *value, void *ctx)
{
	(void)key;
	(void)ctx;
	free(value);
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	map_each(p->networks, free_value, NULL);
	map_free(p->networks);
	map_each(p->users, free_value, NULL);
	map_free(p->users);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

/* --- memory; all under the lock --- */

static struct span key_of(const struct network *n)
{
	return span_make(n, sizeof(*n)); /* bytes only: no padding */
}

static void take_out(struct peer *peer)
{
	if (!peer->idle)
		return;
	list_remove(&peer->link);
	peer->idle->count--;
	peer->idle = NULL;
}

static void forget_first(struct peers *p, const struct idle *idle)
{
	struct peer *peer = container_of(idle->list.next, struct peer, link);

	take_out(peer);
	free(map_remove(p->networks, key_of(&peer->network)));
}

static void forget_old(struct peers *p, struct idle *idle, uint64_t now)
{
	for (int i = 0; i < FORGET_AT_ONCE && idle->count > 0; i++) {
		const struct peer *first =
		    container_of(idle->list.next, struct peer, link);

		if (now < first->forget_at)
			break;
		forget_first(p, idle);
	}
}

/* What it did matters for two windows: then its share is gone. */
static void put_idle(struct peers *p, struct peer *peer, uint64_t now)
{
	struct window *failures = &peer->failures_day;

	window_roll(failures, DAY_MS, now);
	bool is_guilty = failures->count + failures->before > 0;

	peer->idle = is_guilty ? &p->guilty : &p->harmless;
	peer->forget_at = now + 2 * (is_guilty ? DAY_MS : p->connects_ms);
	list_append(&peer->idle->list, &peer->link);
	if (++peer->idle->count > PEERS_IDLE_MAX)
		forget_first(p, peer->idle);
}

/* Find or make; in no list. NULL for memory. */
static struct peer *wake(
    struct peers *p, const struct netaddr *from, unsigned v6_bits)
{
	struct network n = network_of(from, v6_bits);
	struct peer *peer = map_get(p->networks, key_of(&n));

	if (peer) {
		take_out(peer);
		return peer;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return NULL;
	peer->network = n;
	list_init(&peer->link);
	if (map_put(p->networks, key_of(&n), peer) != 0) {
		free(peer);
		return NULL;
	}
	return peer;
}

/* --- stress --- */

struct turn {
	bool is_turn, is_stressed;
	size_t sessions, limit;
};

/* Under the lock; to be told after it. */
static struct turn weigh(struct peers *p)
{
	bool was = atomic_load_explicit(&p->is_stressed, memory_order_relaxed);
	size_t percent = was ? STRESS_OFF_PERCENT : STRESS_ON_PERCENT;
	bool is = p->has_stress && p->total * 100 > p->limit * percent;

	atomic_store_explicit(&p->is_stressed, is, memory_order_relaxed);
	return (struct turn){ .is_turn = is != was,
		.is_stressed = is,
		.sessions = p->total,
		.limit = p->limit };
}

static void tell(const struct turn *t)
{
	if (t->is_turn)
		log_warn(t->is_stressed ? "stress_begin" : "stress_end",
		    LOG_NUM("sessions", t->sessions),
		    LOG_NUM("limit", t->limit));
}

bool peers_is_stressed(const struct peers *p)
{
	return atomic_load_explicit(&p->is_stressed, memory_order_relaxed);
}

/* --- connections --- */

static bool is_locked_out(
    struct peer *peer, const struct config_auth *auth, uint64_t now)
{
	uint64_t minute = window_count(&peer->failures_minute, MINUTE_MS, now);
	uint64_t day = window_count(&peer->failures_day, DAY_MS, now);

	return (auth->failures_per_minute > 0 &&
		   minute >= (uint64_t)auth->failures_per_minute) ||
	       (auth->failures_per_day > 0 &&
		   day >= (uint64_t)auth->failures_per_day);
}

static enum peers_verdict judge(struct peer *peer,
    const struct config_smtp *limits, const struct config_auth *auth,
    uint64_t now)
{
	const struct postern_rate *rate = &limits->connects_per_ip;

	if (is_locked_out(peer, auth, now))
		return PEERS_FAILED_LOGINS;
	if (limits->sessions_per_ip > 0 &&
	    peer->sessions >= (size_t)limits->sessions_per_ip)
		return PEERS_TOO_MANY;
	if (rate->count > 0 &&
	    window_count(&peer->connects, rate->per_ms, now) >= rate->count)
		return PEERS_TOO_FAST;
	return PEERS_ADMITTED;
}

static bool is_news(uint64_t *told_at, uint64_t now)
{
	if (*told_at > 0 && now - *told_at < NEWS_MS)
		return false;
	*told_at = now;
	return true;
}

/* A network that is not exempt. */
static struct peers_visit visit(struct peers *p, const struct netaddr *from,
    const struct config_smtp *limits, const struct config_auth *auth)
{
	/* Read under the lock, so that time never runs backwards. */
	uint64_t now = clock_mono_ms();
	struct peer *peer = wake(p, from, (unsigned)limits->ipv6_prefix);
	struct peers_visit v = { .verdict = PEERS_FULL };

	forget_old(p, &p->harmless, now);
	forget_old(p, &p->guilty, now);
	if (!peer)
		return v;
	v.verdict = judge(peer, limits, auth, now);
	if (v.verdict == PEERS_ADMITTED) {
		v.peer = peer;
		peer->sessions++;
		if (limits->connects_per_ip.count > 0)
			window_add(&peer->connects,
			    limits->connects_per_ip.per_ms, now);
		return v;
	}
	v.is_news = is_news(&peer->told_at[v.verdict], now);
	if (peer->sessions == 0)
		put_idle(p, peer, now);
	return v;
}

static void note_limits(struct peers *p, const struct config_smtp *limits)
{
	int64_t total = limits->sessions_total;

	p->limit = total > 0 && (size_t)total < p->ceiling ? (size_t)total
							   : p->ceiling;
	p->connects_ms = limits->connects_per_ip.per_ms;
	p->has_stress = limits->stress;
}

struct peers_visit peers_enter(struct peers *p, const struct netaddr *from,
    const struct config_smtp *limits, const struct config_auth *auth)
{
	bool is_exempt = !from || network_list_has(limits->exempt.items,
				      limits->exempt.count, from);
	struct peers_visit v = { .verdict = PEERS_ADMITTED };

	(void)pthread_mutex_lock(&p->lock);
	note_limits(p, limits);
	if (p->total >= p->limit) {
		v.verdict = PEERS_FULL;
		v.is_news = is_news(&p->told_at, clock_mono_ms());
	} else if (!is_exempt) {
		v = visit(p, from, limits, auth);
	}
	if (v.verdict == PEERS_ADMITTED)
		p->total++;
	struct turn turn = weigh(p);
	(void)pthread_mutex_unlock(&p->lock);
	tell(&turn);
	return v;
}

void peers_leave(struct peers *p, struct peer *peer)
{
	(void)pthread_mutex_lock(&p->lock);
	p->total--;
	if (peer && --peer->sessions == 0)
		put_idle(p, peer, clock_mono_ms());
	struct turn turn = weigh(p);
	(void)pthread_mutex_unlock(&p->lock);
	tell(&turn);
}

/* --- logins --- */

static uint64_t penalty(const struct peer *peer, uint64_t first_ms)
{
	uint64_t ms = first_ms;

	for (unsigned i = 1; i < peer->penalty && ms < PEERS_PENALTY_MAX_MS;
	     i++)
		ms *= 2;
	if (ms > PEERS_PENALTY_MAX_MS)
		ms = PEERS_PENALTY_MAX_MS;
	return ms > first_ms ? ms : first_ms;
}

uint64_t peers_login_failed(
    struct peers *p, struct peer *peer, const struct config_auth *auth)
{
	uint64_t ms = auth->failure_delay_ms;

	if (!peer)
		return ms;
	(void)pthread_mutex_lock(&p->lock);
	uint64_t now = clock_mono_ms();
	if (now - peer->failed_at >= PEERS_FORGET_PENALTY_MS)
		peer->penalty = 0;
	peer->failed_at = now;
	peer->penalty++;
	window_add(&peer->failures_minute, MINUTE_MS, now);
	window_add(&peer->failures_day, DAY_MS, now);
	ms = penalty(peer, ms);
	(void)pthread_mutex_unlock(&p->lock);
	return ms;
}

bool peers_is_locked_out(
    struct peers *p, struct peer *peer, const struct config_auth *auth)
{
	bool answer;

	if (!peer)
		return false;
	(void)pthread_mutex_lock(&p->lock);
	answer = is_locked_out(peer, auth, clock_mono_ms());
	(void)pthread_mutex_unlock(&p->lock);
	return answer;
}

/* --- users --- */

static struct user_count *user_for(struct peers *p, struct span name)
{
	struct user_count *u = map_get(p->users, name);

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (u && map_put(p->users, name, u) != 0) {
		free(u);
		return NULL;
	}
	return u;
}

bool peers_user_enter(struct peers *p, const char *user, int64_t limit)
{
	bool is_in = false;

	(void)pthread_mutex_lock(&p->lock);
	struct user_count *u = user_for(p, span_of(user));
	if (u && (limit <= 0 || u->sessions < (size_t)limit)) {
		u->sessions++;
		is_in = true;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return is_in;
}

void peers_user_leave(struct peers *p, const char *user)
{
	(void)pthread_mutex_lock(&p->lock);
	struct user_count *u = map_get(p->users, span_of(user));
	if (u && --u->sessions == 0)
		free(map_remove(p->users, span_of(user)));
	(void)pthread_mutex_unlock(&p->lock);
}

void peers_stats(struct peers *p, struct peers_stats *out)
{
	(void)pthread_mutex_lock(&p->lock);
	*out = (struct peers_stats){ .sessions = p->total,
		.networks = map_count(p->networks),
		.is_stressed = peers_is_stressed(p) };
	(void)pthread_mutex_unlock(&p->lock);
}
