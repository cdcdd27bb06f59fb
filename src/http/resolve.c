/*
 * One record per name ever asked for. A record has at most one job on the
 * pool; queries that come meanwhile wait for the same job.
 */
#include <http/resolve.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/netaddr.h>
#include <loop/blocking.h>
#include <loop/loop.h>

enum {
	TTL_MS = 60 * 1000,
	/* After a failed refresh the old answer is used this much longer. */
	STALE_RETRY_MS = 5 * 1000,
	HOST_SIZE = 256
};

struct name {
	struct list node; /* resolver->names */
	struct resolver *resolver;
	char host[HOST_SIZE];
	char addresses[RESOLVE_TEXT_SIZE]; /* "" = not known */
	uint64_t fresh_until;              /* loop_now */
	struct list waiters;               /* resolve_query.node */
	bool is_running;
	/* While is_running these belong to the pool's thread. */
	struct blocking_job job;
	int result; /* of getaddrinfo */
	char found[RESOLVE_TEXT_SIZE];
};

struct resolver {
	struct loop *loop;
	struct blocking *pool;
	struct list names;
	unsigned running;
	bool is_closing;
	void (*on_closed)(void *ctx);
	void *ctx;
};

struct resolver *resolver_new(struct loop *l, struct blocking *pool)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->loop = l;
	r->pool = pool;
	list_init(&r->names);
	return r;
}

bool resolve_is_literal(struct span host)
{
	struct netaddr a;

	return netaddr_parse(host, &a);
}

/* Append one address to text; false when it is of another family. */
static bool add_address(char text[RESOLVE_TEXT_SIZE], const struct addrinfo *a)
{
	char address[INET6_ADDRSTRLEN];
	const void *raw;
	size_t len = strlen(text);
	const char *comma = len ? "," : "";

	if (a->ai_family == AF_INET)
		raw = &((const struct sockaddr_in *)(const void *)a->ai_addr)
			   ->sin_addr;
	else if (a->ai_family == AF_INET6)
		raw = &((const struct sockaddr_in6 *)(const void *)a->ai_addr)
			   ->sin6_addr;
	else
		return false;
	if (!inet_ntop(a->ai_family, raw, address, sizeof(address)))
		return false;
	(void)snprintf(text + len, RESOLVE_TEXT_SIZE - len,
	    a->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", comma, address);
	return true;
}

/* On the pool. */
static void on_work(struct blocking_job *job)
{
	struct name *n = container_of(job, struct name, job);
	struct addrinfo *list = NULL;
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG };
	unsigned count = 0;

	n->found[0] = '\0';
	n->result = getaddrinfo(n->host, NULL, &hints, &list);
	if (n->result != 0)
		return;
	for (const struct addrinfo *a = list;
	     a && count < RESOLVE_ADDRESSES_MAX; a = a->ai_next) {
		if (add_address(n->found, a))
			count++;
	}
	freeaddrinfo(list);
	if (count == 0)
		n->result = EAI_NONAME;
}

static void close_if_idle(struct resolver *r)
{
	void (*on_closed)(void *ctx) = r->on_closed;
	void *ctx = r->ctx;

	if (!r->is_closing || r->running > 0)
		return;
	list_for_each_safe (pos, tmp, &r->names)
		free(container_of(pos, struct name, node));
	free(r);
	on_closed(ctx);
}

static void tell_waiters(struct name *n)
{
	struct list waiting;
	bool is_known = n->addresses[0] != '\0';

	/* A waiter may ask again from its callback: take the list first. */
	list_init(&waiting);
	while (!list_is_empty(&n->waiters)) {
		struct list *node = n->waiters.next;

		list_remove(node);
		list_append(&waiting, node);
	}
	while (!list_is_empty(&waiting)) {
		struct resolve_query *q =
		    container_of(waiting.next, struct resolve_query, node);

		list_remove(&q->node);
		q->done(q, is_known ? n->addresses : NULL,
		    is_known ? "" : gai_strerror(n->result));
	}
}

static void on_resolved(struct blocking_job *job)
{
	struct name *n = container_of(job, struct name, job);
	struct resolver *r = n->resolver;
	uint64_t keep_ms = TTL_MS;

	n->is_running = false;
	if (n->result == 0)
		memcpy(n->addresses, n->found, sizeof(n->addresses));
	else
		keep_ms = STALE_RETRY_MS;
	n->fresh_until = loop_now(r->loop) + keep_ms;
	tell_waiters(n);
	/* Last: a waiter may have closed the resolver. */
	r->running--;
	close_if_idle(r);
}

static struct name *find(struct resolver *r, struct span host)
{
	list_for_each (pos, &r->names) {
		struct name *n = container_of(pos, struct name, node);

		if (span_ieq(span_of(n->host), host))
			return n;
	}
	return NULL;
}

static struct name *add(struct resolver *r, struct span host)
{
	struct name *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	memcpy(n->host, host.ptr, host.len);
	n->resolver = r;
	list_init(&n->waiters);
	list_append(&r->names, &n->node);
	return n;
}

static int start(struct name *n)
{
	struct resolver *r = n->resolver;

	if (n->is_running)
		return 0;
	n->job.loop = r->loop;
	n->job.work = on_work;
	n->job.done = on_resolved;
	int rc = blocking_submit(r->pool, &n->job);
	if (rc)
		return rc;
	n->is_running = true;
	r->running++;
	return 0;
}

const char *resolver_lookup(
    struct resolver *r, struct span host, struct resolve_query *q, int *out_rc)
{
	struct name *n = find(r, host);

	list_init(&q->node);
	*out_rc = -EINVAL;
	if (r->is_closing || host.len == 0 || host.len >= HOST_SIZE)
		return NULL;
	if (!n)
		n = add(r, host);
	*out_rc = -ENOMEM;
	if (!n)
		return NULL;
	*out_rc = 0;
	if (n->addresses[0] != '\0') {
		/* Stale is better than late; a full pool is asked later. */
		if (loop_now(r->loop) >= n->fresh_until)
			(void)start(n);
		return n->addresses;
	}
	*out_rc = start(n);
	if (*out_rc == 0)
		list_append(&n->waiters, &q->node);
	return NULL;
}

void resolver_cancel(struct resolve_query *q)
{
	list_remove(&q->node);
}

void resolver_close(struct resolver *r, void (*on_closed)(void *ctx), void *ctx)
{
	r->is_closing = true;
	r->on_closed = on_closed;
	r->ctx = ctx;
	close_if_idle(r);
}
