/*
 * Requests on their way to a thread of the store, linked through their own
 * next. Any thread pushes, one thread takes.
 */
#pragma once

#include <store/store_internal.h>

#include <pthread.h>

struct store_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct store_request *head, **end;
	bool is_waiting; /* the taker sleeps and must be woken */
	bool is_stopped;
};

/* 0 or a negative errno. */
int store_queue_init(struct store_queue *q);
void store_queue_finish(struct store_queue *q);
/* False after store_queue_stop: the request was not taken. */
bool store_queue_push(struct store_queue *q, struct store_request *r);
/*
 * Wait up to wait_ms for requests and move them to out: at most max, and no
 * more once their bodies and rows exceed max_bytes. Returns their number; 0
 * when the time passed or the queue is stopped and empty.
 */
size_t store_queue_take(struct store_queue *q, struct store_request **out,
    size_t max, uint64_t max_bytes, uint64_t wait_ms);
/* Take nothing new; what is queued can still be taken. */
void store_queue_stop(struct store_queue *q);
/* Stopped and nothing left. */
bool store_queue_is_done(struct store_queue *q);
