/*
 * Which account a provider of a snapshot is. The snapshot holds references;
 * they go with it.
 */
#include <health/health.h>

#include <health/account.h>

#include <base/clock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double per_second(struct postern_rate rate)
{
	if (rate.count == 0 || rate.per_ms == 0)
		return 0;
	return (double)rate.count * 1000 / (double)rate.per_ms;
}

static struct config_provider *provider_at(const struct config *c, size_t i)
{
	struct config_provider *all = c->providers.items;

	return &all[i];
}

static struct health_account *account_new(const struct config *c,
    const struct config_provider *p, struct spend_book *book, uint64_t now_ms)
{
	struct spend *spend = spend_find(book, p->name);
	struct health_account *a = spend ? calloc(1, sizeof(*a)) : NULL;

	if (!a || pthread_mutex_init(&a->lock, NULL) != 0) {
		free(a);
		return NULL;
	}
	a->book = spend_book_ref(book);
	a->spend = spend;
	(void)snprintf(a->name, sizeof(a->name), "%s", p->name);
	atomic_init(&a->refs, 1);
	list_init(&a->queue);
	breaker_init(&a->breaker, &p->breaker, now_ms);
	pace_init(
	    &a->pace, per_second(p->rate), (size_t)p->concurrency, now_ms);
	budget_init(&a->budget, (unsigned)c->queue.retry_budget);
	return a;
}

static void account_unref(struct health_account *a)
{
	if (!a || atomic_fetch_sub(&a->refs, 1) != 1)
		return;
	(void)pthread_mutex_destroy(&a->lock);
	spend_book_unref(a->book);
	free(a);
}

/* The limits of the newest snapshot are those in force. */
static void account_set(struct health_account *a, const struct config *c,
    const struct config_provider *p, uint64_t now_ms)
{
	const struct config_budget *b = &p->budget;
	const uint64_t limits[SPEND_WINDOWS] = {
		[SPEND_DAY] = (uint64_t)config_budget_limit(
		    b->per_day, b->cost_per_day, b->price_per_million),
		[SPEND_MONTH] = (uint64_t)config_budget_limit(
		    b->per_month, b->cost_per_month, b->price_per_million),
	};

	spend_set(a->spend, limits);
	(void)pthread_mutex_lock(&a->lock);
	breaker_set(&a->breaker, &p->breaker);
	pace_set(&a->pace, per_second(p->rate), (size_t)p->concurrency, now_ms);
	a->budget.percent = (unsigned)c->queue.retry_budget;
	(void)pthread_mutex_unlock(&a->lock);
}

static struct health_account *find(
    const struct config *old, const struct config_provider *p)
{
	for (size_t i = 0; old && i < old->providers.count; i++) {
		const struct config_provider *q = provider_at(old, i);

		if (q->account && strcmp(q->name, p->name) == 0 &&
		    strcmp(q->type, p->type) == 0 &&
		    strcmp(q->hash, p->hash) == 0)
			return q->account;
	}
	return NULL;
}

/* The snapshot goes. */
static void release(struct config *c)
{
	for (size_t i = 0; i < c->providers.count; i++) {
		account_unref(provider_at(c, i)->account);
		provider_at(c, i)->account = NULL;
	}
}

/* One for all snapshots: what was spent is not forgotten. A reference. */
static struct spend_book *find_book(const struct config *old)
{
	if (old && old->providers.count > 0 && provider_at(old, 0)->account)
		return spend_book_ref(provider_at(old, 0)->account->book);
	return spend_book_new();
}

static int find_accounts(
    struct config *c, const struct config *old, struct spend_book *book)
{
	uint64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < c->providers.count; i++) {
		struct config_provider *p = provider_at(c, i);

		p->account = find(old, p);
		if (p->account)
			atomic_fetch_add(&p->account->refs, 1);
		else
			p->account = account_new(c, p, book, now_ms);
		if (!p->account) {
			release(c);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < c->providers.count; i++)
		account_set(
		    provider_at(c, i)->account, c, provider_at(c, i), now_ms);
	return 0;
}

int health_configure(struct config *c, const struct config *old)
{
	struct spend_book *book = find_book(old);
	int rc = book ? find_accounts(c, old, book) : -ENOMEM;

	spend_book_unref(book);
	if (rc == 0)
		c->on_free = release;
	return rc;
}

void health_restore_spent(const struct config *c, struct span provider,
    int64_t day, uint64_t recipients)
{
	char name[ACCOUNT_NAME_SIZE];
	struct spend *s = NULL;

	(void)snprintf(name, sizeof(name), "%.*s", SPAN_FMT(provider));
	if (c->providers.count > 0)
		s = spend_find(provider_at(c, 0)->account->book, name);
	/* Without memory to count in, its limits begin anew. */
	if (s)
		spend_add(s, day, recipients);
}
