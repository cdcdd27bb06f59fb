/* What the two halves of httpd share; nobody else includes this. */
#pragma once

#include <admin/httpd.h>
#include <base/buf.h>
#include <base/list.h>
#include <loop/loop.h>

#include <microhttpd.h>

struct httpd {
	struct loop *loop;
	struct httpd_settings settings;
	struct MHD_Daemon *daemon;
	struct loop_watch *watch;
	struct loop_timer timer; /* libmicrohttpd's own deadlines */
	struct loop_timer sweep;
	struct list conns;
	size_t waiting; /* requests handed out and not answered */
	int port;

	struct task run; /* at the end of the turn */
	bool will_run;

	struct task close;
	bool is_closing, is_told; /* told: on_gone has been called for all */
	void (*on_closed)(void *ctx);
	void *closed_ctx;
};

/* Owned by libmicrohttpd's connection; freed when it is closed. */
struct httpd_conn {
	struct list node;
	struct httpd *h;
	int fd;
	uint64_t since;                /* of the request that is coming in */
	struct httpd_request *waiting; /* its answer is awaited, or NULL */
};

enum request_state {
	REQUEST_HEAD = 0, /* next call brings the head */
	REQUEST_BODY,
	REQUEST_ASKED,   /* the handler has it */
	REQUEST_ANSWERED /* the handler is done with it */
};

/* Made when the request line arrives, freed when libmicrohttpd is done. */
struct httpd_request {
	struct httpd_conn *conn;
	struct MHD_Connection *mhd;
	const char *method, *path; /* libmicrohttpd's */
	enum request_state state;
	bool is_suspended, is_dropped, is_hung_up, is_gone;
	struct buf body;
	uint64_t received; /* of the body, also what was not kept */
	uint64_t stop_at;  /* when so much was; UINT64_MAX: all of it */
	int status;
	struct MHD_Response *response;
	void *data;
	char target[];
};

/* Let libmicrohttpd work once more before the loop waits. */
void httpd_run_soon(struct httpd *h);
/*
 * One call of libmicrohttpd's access handler: the head, then the body piece
 * by piece, then an empty piece at the end, and once more after a resume.
 */
enum MHD_Result httpd_request_step(struct httpd_request *r, const char *path,
    const char *method, const char *data, size_t *len);
