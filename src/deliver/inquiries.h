/*
 * Asks accounts what they may send: each as soon as it is configured, then now
 * and then, sooner after a call that was throttled or refused. When is up to
 * health, which keeps what it learns; no message waits for it. One per worker,
 * on its thread; of several workers one asks.
 */
#pragma once

#include <stdbool.h>

struct config;
struct grants;
struct http;
struct inquiries;
struct loop;

struct inquiries_services {
	struct loop *loop;
	struct http *http;
	struct grants *grants; /* the worker's; idle before it is freed */
	/* One has ended: inquiries_is_idle may have changed. */
	void (*on_settled)(void *ctx);
	void *ctx;
};

/* Nothing is asked before the loop runs. NULL for memory. */
struct inquiries *inquiries_new(
    const struct inquiries_services *services, struct config *c);
void inquiries_free(struct inquiries *q); /* idle; accepts NULL */
/* Ask those of c from now on. */
void inquiries_set_config(struct inquiries *q, struct config *c);
/* There may be reason to ask one sooner. */
void inquiries_look(struct inquiries *q);
/* Nothing more is asked, and what is under way is called off. */
void inquiries_drain(struct inquiries *q);
bool inquiries_is_idle(const struct inquiries *q);
