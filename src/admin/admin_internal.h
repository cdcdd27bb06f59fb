/* What the files of this folder share about the running endpoint. */
#pragma once

#include <admin/admin.h>
#include <admin/health.h>
#include <admin/rates.h>
#include <loop/loop.h>

#include <stdint.h>

struct httpd;

/* Which path was asked; ENDPOINT_OTHER for all that do not exist. */
enum endpoint_path {
	ENDPOINT_INDEX = 0,
	ENDPOINT_LIVEZ,
	ENDPOINT_READYZ,
	ENDPOINT_STARTUPZ,
	ENDPOINT_HEALTHZ,
	ENDPOINT_METRICS,
	ENDPOINT_STATS,
	ENDPOINT_MESSAGES,
	ENDPOINT_QUEUE,
	ENDPOINT_RELOAD,
	ENDPOINT_OTHER,
	ENDPOINT_PATHS
};

/* One of the two places where the admin is asked. */
struct endpoint {
	struct admin *admin;
	struct httpd *httpd; /* NULL when it is off */
	bool is_console;     /* the unix socket: operators */
};

/*
 * An answer that comes later: what makes it begins with this and is the data
 * of its request.
 */
struct pending {
	struct httpd_request *r; /* NULL: nobody reads it any more */
};

/* Owned by the server; the main loop's thread. */
struct admin {
	struct loop *loop;
	struct admin_services services;
	struct endpoint stats, console;
	struct loop_timer tick;
	struct health health;
	struct rates rates;
	unsigned ticks;
	int64_t started_ms; /* wall clock */
	uint64_t started_mono_ms;
	int64_t config_loaded_ms; /* wall clock, last success */
	bool is_config_current;   /* the last load succeeded */
	uint64_t requests[ENDPOINT_PATHS];
	struct task closed;
	unsigned closing; /* endpoints */
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};
