/*
 * An HTTP server on a loopback socket that does exactly what a test wants,
 * wrong things above all. One thread accepts, one more per connection runs
 * the script.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RAW_CONNECTIONS_MAX = 512,
	RAW_HEAD_MAX = 8192
};

struct raw_server;

/* Serve one connection; the descriptor is closed afterwards unless -1. */
typedef void (*raw_script)(struct raw_server *s, int *fd, unsigned nth);

struct raw_server {
	raw_script script;
	void *ctx;
	int listener;
	unsigned port;
	pthread_t acceptor;
	pthread_t workers[RAW_CONNECTIONS_MAX];
	int fds[RAW_CONNECTIONS_MAX];
	unsigned accepted; /* acceptor's, then stop's */
	_Atomic unsigned connections;
	_Atomic unsigned requests; /* whole ones: head and all of the body */
	_Atomic unsigned ended;    /* scripts that have returned */
	_Atomic uint64_t body_sum; /* over all whole bodies */
	pthread_mutex_t lock;
	char head[RAW_HEAD_MAX]; /* of the last request */
};

void raw_server_start(struct raw_server *s, raw_script script, void *ctx);
void raw_server_stop(struct raw_server *s);

/* False at the end of the connection. Sets *out_size to Content-Length. */
bool raw_read_head(struct raw_server *s, int fd, uint64_t *out_size);
/* Read len body bytes; false when they do not come. */
bool raw_read_body(struct raw_server *s, int fd, uint64_t len);
/* Both, and counted. */
bool raw_read_request(struct raw_server *s, int fd);
void raw_send(int fd, const char *text);
/* Close so that the peer sees a reset. */
void raw_reset(int *fd);
/* Byte i of every test body. */
unsigned char raw_body_byte(uint64_t i);
uint64_t raw_body_sum(uint64_t size);
