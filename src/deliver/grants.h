/*
 * What modules must fetch before they can build, temporary keys above all:
 * one cache per worker. For each provider one fetch at a time, those who need
 * it wait; well before a grant ends it is fetched anew while the old one still
 * serves; after a failure there is a pause. All on the worker's thread.
 */
#pragma once

#include <base/list.h>
#include <postern/outcome.h>

#include <stdbool.h>

struct blocking;
struct config;
struct config_provider;
struct counters;
struct grants;
struct http;
struct loop;
struct provider_grant;
struct provider_world;

struct grants_services {
	struct loop *loop;
	struct http *http;
	struct blocking *pool; /* where prepare runs, as it may read files */
	struct counters *counters;
	const struct provider_world *world;
	/* A fetch has ended: grants_is_idle may have changed. */
	void (*on_settled)(void *ctx);
	void *ctx;
};

struct grants *grants_new(const struct grants_services *services);
void grants_free(struct grants *g); /* idle; accepts NULL */

/* Who needs a grant; embedded in the owner, who stays until done. */
struct grant_waiter {
	struct list node; /* the cache's */
	void (*done)(struct grant_waiter *w);
	/* The answer: a reference the owner takes over, or NULL and why. */
	struct provider_grant *grant;
	enum postern_class result; /* ACCOUNT, THROTTLED or TRANSIENT */
	char reason[POSTERN_REASON_SIZE];
};

/*
 * True: w has its answer. False: it will have it when w->done runs. p, of
 * config c, must be one that prepares.
 */
bool grants_ask(struct grants *g, struct config *c,
    const struct config_provider *p, struct grant_waiter *w);
/*
 * The provider says that a grant is not valid. True when it makes sense to
 * ask for another one: there is one already, or a fetch is due. Not more than
 * once a minute, and never where a new one would be the same.
 */
bool grants_renew(struct grants *g, const struct config_provider *p,
    const struct provider_grant *grant);

/* Forget what providers had whose settings c does not have any more. */
void grants_set_config(struct grants *g, const struct config *c);
/* Nobody will ask: end what is fetched for nobody. */
void grants_drain(struct grants *g);
/* No fetch is under way. */
bool grants_is_idle(const struct grants *g);
