/*
 * What an account says of itself. It belongs to the account, so one worker
 * asks for all; deliver/inquiries.c does.
 */
#include <health/health.h>

#include <health/account.h>

#include <base/hash.h>
#include <base/log.h>

#include <stdio.h>
#include <string.h>

enum {
	ASK_MS = 15 * 60 * 1000,
	/* Nothing is left: so long nothing is sent, then it is asked. */
	EMPTY_MS = 10 * 60 * 1000,
	NUMBER_SIZE = 32
};

static void lock(struct health_account *a)
{
	(void)pthread_mutex_lock(&a->lock);
}

static void unlock(struct health_account *a)
{
	(void)pthread_mutex_unlock(&a->lock);
}

bool health_may_ask(
    struct health_account *a, uint64_t now_ms, uint64_t *again_ms)
{
	lock(a);
	bool is_due = !a->facts.is_asking &&
		      (a->facts.asked_ms == 0 || now_ms >= a->facts.ask_ms);
	if (is_due)
		a->facts.is_asking = true;
	*again_ms = a->facts.is_asking ? now_ms + ASK_MS : a->facts.ask_ms;
	unlock(a);
	return is_due;
}

void health_not_told(struct health_account *a)
{
	lock(a);
	a->facts.is_asking = false;
	unlock(a);
}

/* A tenth sooner at most: instances that began together shall not stay so. */
static uint64_t about(uint64_t ms)
{
	uint64_t random;

	hash_random(&random, sizeof(random));
	return ms - random % (ms / 10 + 1);
}

/* Quotas fall with every message: only their size is news. */
static bool is_news(
    const struct postern_inquiry *a, const struct postern_inquiry *b)
{
	return a->per_second != b->per_second || a->has_quota != b->has_quota ||
	       a->quota != b->quota || a->is_closed != b->is_closed ||
	       strcmp(a->reason, b->reason) != 0;
}

/* True when that is news. Locked. */
static bool note_facts(
    struct health_account *a, const struct postern_inquiry *q, uint64_t now_ms)
{
	bool has_none = q->has_quota && q->quota_left == 0;
	bool is_new = !a->facts.is_known || is_news(&a->facts.told, q);

	a->facts.is_known = true;
	a->facts.told = *q;
	a->facts.told.response = NULL;
	a->facts.trouble[0] = '\0';
	pace_tell(&a->pace, q->per_second, now_ms);
	if (has_none && !q->is_closed) {
		a->facts.ask_ms = now_ms + about(EMPTY_MS);
		pace_pause(&a->pace, a->facts.ask_ms, now_ms);
	}
	return is_new;
}

/* Locked. */
static bool note_trouble(
    struct health_account *a, const struct postern_inquiry *q)
{
	bool is_new = strcmp(a->facts.trouble, q->reason) != 0;

	(void)snprintf(
	    a->facts.trouble, sizeof(a->facts.trouble), "%s", q->reason);
	return is_new;
}

static void tell_facts(
    const struct health_account *a, const struct postern_inquiry *q)
{
	char per_second[NUMBER_SIZE];

	(void)snprintf(per_second, sizeof(per_second), "%g", q->per_second);
	log_info("account_told", LOG_STR("provider", a->name),
	    LOG_STR("closed", q->is_closed ? "true" : "false"),
	    LOG_STR("per_second", per_second),
	    LOG_STR("of", q->counts_recipients ? "recipients" : "calls"),
	    LOG_NUM("quota", q->quota), LOG_NUM("quota_left", q->quota_left),
	    LOG_STR("reason", q->reason));
}

/* As if a call had been refused so: nobody gains by trying. */
static void close_it(
    struct health_account *a, const struct postern_inquiry *q, uint64_t now_ms)
{
	struct postern_outcome o = { .size = sizeof(o),
		.result = POSTERN_ACCOUNT };

	memcpy(o.reason, q->reason, sizeof(o.reason));
	account_refuse(a, &o, now_ms);
}

void health_told(
    struct health_account *a, const struct postern_inquiry *q, uint64_t now_ms)
{
	bool is_answer = q->result == POSTERN_ACCEPTED, is_new;

	lock(a);
	a->facts.is_asking = false;
	a->facts.asked_ms = now_ms;
	a->facts.ask_ms = now_ms + about(ASK_MS);
	is_new = is_answer ? note_facts(a, q, now_ms) : note_trouble(a, q);
	unlock(a);
	if (is_new && is_answer)
		tell_facts(a, q);
	else if (is_new && q->is_send_only)
		log_info("account_unknown", LOG_STR("provider", a->name),
		    LOG_STR("reason", q->reason));
	else if (is_new)
		log_warn("account_unknown", LOG_STR("provider", a->name),
		    LOG_STR("reason", q->reason));
	if (is_answer && q->is_closed)
		close_it(a, q, now_ms);
}
