/*
 * See endpoint.h. At the address for statistics nothing a request says changes
 * the server; the Host header is checked there, so that a web page cannot reach
 * a loopback endpoint under a name of its own (DNS rebinding). Who may open the
 * unix socket is an operator.
 */
#include <admin/endpoint.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <admin/action.h>
#include <admin/admin_internal.h>
#include <admin/console.h>
#include <admin/exposition.h>
#include <admin/lookup.h>
#include <admin/metrics.h>
#include <admin/queue.h>
#include <admin/reply.h>
#include <admin/stats.h>
#include <base/log.h>
#include <base/netaddr.h>
#include <config/config.h>

enum {
	MAX_BODY = 4096, /* none is wanted */
	MAX_CONSOLE_BODY = 1024 * 1024,
	MAX_CONNECTIONS = 64,
	TIMEOUT_S = 10,
	MAX_METRICS = 16 * 1024 * 1024,
	MAX_REPORT = 64 * 1024
};

enum {
	IS_PREFIX = 1 << 0,
	IS_POST = 1 << 1, /* else GET and HEAD */
	IS_CONSOLE = 1 << 2
};

/* Rows of one path stand together. */
struct route {
	const char *path;
	enum endpoint_path index;
	unsigned flags;
	void (*answer)(struct admin *a, struct httpd_request *r);
};

/* -- answers -- */

static const char index_page[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
    "<title>Postern " POSTERN_VERSION "</title></head>\n<body>\n"
    "<h1>Postern " POSTERN_VERSION "</h1>\n<ul>\n"
    "<li><a href=\"/livez?verbose\">/livez</a>, "
    "<a href=\"/readyz?verbose\">/readyz</a>, "
    "<a href=\"/startupz?verbose\">/startupz</a>: probes; "
    "<code>?verbose</code> lists every check</li>\n"
    "<li><a href=\"/metrics\">/metrics</a>: Prometheus, OpenMetrics</li>\n"
    "<li><a href=\"/api/v1/stats\">/api/v1/stats</a>: figures as JSON</li>\n"
    "<li><code>/api/v1/messages/ID</code>: what became of a message</li>\n"
    "</ul>\n</body>\n</html>\n";

static void answer_index(struct admin *a, struct httpd_request *r)
{
	static const char *const headers[] = { "Cache-Control: no-store",
		"Content-Security-Policy: default-src 'none'; "
		"frame-ancestors 'none'",
		"X-Content-Type-Options: nosniff", NULL };
	const struct httpd_reply reply = {
		.status = 200,
		.content_type = "text/html; charset=utf-8",
		.headers = headers,
		.body = { index_page, sizeof(index_page) - 1 },
	};

	(void)a;
	httpd_reply(r, &reply);
}

static void answer_probe(
    struct admin *a, struct httpd_request *r, enum health_probe probe)
{
	struct buf text;

	buf_init(&text, MAX_REPORT);
	bool is_fine = health_report(
	    &a->health, probe, httpd_query(r, "verbose") != NULL, &text);
	reply_text(r, is_fine ? 200 : 503, buf_span(&text));
	buf_finish(&text);
}

static void answer_livez(struct admin *a, struct httpd_request *r)
{
	answer_probe(a, r, HEALTH_LIVE);
}

static void answer_readyz(struct admin *a, struct httpd_request *r)
{
	answer_probe(a, r, HEALTH_READY);
}

static void answer_startupz(struct admin *a, struct httpd_request *r)
{
	answer_probe(a, r, HEALTH_STARTED);
}

static void answer_metrics(struct admin *a, struct httpd_request *r)
{
	static const char *const headers[] = { "Cache-Control: no-store",
		NULL };
	bool is_openmetrics =
	    exposition_wants_openmetrics(httpd_header(r, "Accept"));
	struct buf text;

	buf_init(&text, MAX_METRICS);
	if (metrics_render(a, is_openmetrics, &text) != 0) {
		reply_text(r, 500, SPAN("out of memory\n"));
	} else {
		const struct httpd_reply reply = {
			.status = 200,
			.content_type = exposition_content_type(is_openmetrics),
			.headers = headers,
			.body = buf_span(&text),
		};

		httpd_reply(r, &reply);
	}
	buf_finish(&text);
}

static void answer_stats(struct admin *a, struct httpd_request *r)
{
	reply_json(r, 200, stats_render(a));
}

#define MESSAGES_PATH "/api/v1/messages/"

static void answer_message(struct admin *a, struct httpd_request *r)
{
	struct span id =
	    span_from(span_of(httpd_path(r)), sizeof(MESSAGES_PATH) - 1);

	lookup_start(a->loop, &a->services, id, r);
}

static void answer_queued(struct admin *a, struct httpd_request *r)
{
	struct span id =
	    span_from(span_of(httpd_path(r)), sizeof(ACTION_PATH) - 1);

	lookup_start(a->loop, &a->services, id, r);
}

static void answer_nothing(struct admin *a, struct httpd_request *r)
{
	(void)a;
	reply_error(r, 404, "there is nothing at this path");
}

/* -- routing -- */

static const struct route routes[] = {
	{ "/", ENDPOINT_INDEX, 0, answer_index },
	{ "/livez", ENDPOINT_LIVEZ, 0, answer_livez },
	{ "/readyz", ENDPOINT_READYZ, 0, answer_readyz },
	{ "/startupz", ENDPOINT_STARTUPZ, 0, answer_startupz },
	{ "/healthz", ENDPOINT_HEALTHZ, 0, answer_livez },
	{ "/metrics", ENDPOINT_METRICS, 0, answer_metrics },
	{ "/api/v1/stats", ENDPOINT_STATS, 0, answer_stats },
	{ MESSAGES_PATH, ENDPOINT_MESSAGES, IS_PREFIX, answer_message },
	{ "/api/v1/messages", ENDPOINT_MESSAGES, IS_CONSOLE, queue_list_all },
	{ "/api/v1/queue", ENDPOINT_QUEUE, IS_CONSOLE, queue_list },
	{ ACTION_PATH "actions", ENDPOINT_QUEUE, IS_POST | IS_CONSOLE,
	    action_many },
	{ ACTION_PATH, ENDPOINT_QUEUE, IS_PREFIX | IS_CONSOLE, answer_queued },
	{ ACTION_PATH, ENDPOINT_QUEUE, IS_PREFIX | IS_POST | IS_CONSOLE,
	    action_one },
	{ "/api/v1/reload", ENDPOINT_RELOAD, IS_POST | IS_CONSOLE,
	    console_reload },
};

enum {
	ROUTES = sizeof(routes) / sizeof(routes[0])
};

static bool is_at(const struct route *r, const char *path)
{
	return r->flags & IS_PREFIX
		   ? span_starts_with(span_of(path), span_of(r->path))
		   : strcmp(path, r->path) == 0;
}

static bool takes(const struct route *r, const char *method)
{
	if (r->flags & IS_POST)
		return strcmp(method, "POST") == 0;
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* The row of path and method; of path alone when none takes the method. */
static const struct route *find_route(const char *path, const char *method)
{
	static const struct route none = { NULL, ENDPOINT_OTHER, 0,
		answer_nothing };
	const struct route *found = &none;

	for (size_t i = 0; i < ROUTES; i++) {
		if (!is_at(&routes[i], path))
			continue;
		if (takes(&routes[i], method))
			return &routes[i];
		if (found == &none)
			found = &routes[i];
	}
	return found;
}

/* Host without its port; brackets of an IPv6 address are taken off. */
static struct span host_name(struct span host)
{
	ptrdiff_t end;

	if (host.len && host.ptr[0] == '[') {
		end = span_index(host, ']');
		return end < 0 ? host
			       : span_make(host.ptr + 1, (size_t)end - 1);
	}
	end = span_rindex(host, ':');
	return end < 0 ? host : span_first(host, (size_t)end);
}

static bool is_numeric(struct span host)
{
	struct netaddr a;

	return netaddr_parse(host, &a);
}

/* A name that a resolver somewhere else could point at us is refused. */
static bool is_our_host(const struct config *c, const char *header)
{
	if (!header)
		return true; /* HTTP/1.0: no browser */
	struct span host = host_name(span_of(header));

	return is_numeric(host) || span_ieq(host, SPAN("localhost")) ||
	       (c->hostname && span_ieq(host, span_of(c->hostname))) ||
	       span_ieq(host, host_name(span_of(c->stats.address)));
}

static void refuse_method(struct httpd_request *r, const struct route *route)
{
	bool is_post = route->flags & IS_POST;
	const char *const headers[] = { is_post ? "Allow: POST"
						: "Allow: GET, HEAD",
		"Cache-Control: no-store", NULL };
	const struct httpd_reply reply = {
		.status = 405,
		.content_type = "application/json",
		.headers = headers,
		.body = is_post ? SPAN("{\"error\":\"only POST\"}")
				: SPAN("{\"error\":\"only GET and HEAD\"}"),
	};

	httpd_reply(r, &reply);
}

static void on_request(struct httpd_request *r, void *ctx)
{
	struct endpoint *p = ctx;
	const char *method = httpd_method(r);
	const struct route *route = find_route(httpd_path(r), method);

	p->admin->requests[route->index]++;
	if (!p->is_console &&
	    !is_our_host(p->admin->services.config, httpd_header(r, "Host")))
		reply_error(r, 403, "this server has another name");
	else if (!p->is_console && (route->flags & IS_CONSOLE))
		reply_error(r, 403, "only at the admin socket");
	else if (!takes(route, method))
		refuse_method(r, route);
	else
		route->answer(p->admin, r);
}

static void on_gone(struct httpd_request *r, void *ctx)
{
	struct pending *p = httpd_data(r);

	(void)ctx;
	if (!p)
		return; /* its answer is on its way */
	p->r = NULL;
	httpd_drop(r);
}

static int start(struct admin *a, struct endpoint *p,
    struct httpd_settings *settings, struct err *e)
{
	p->admin = a;
	settings->max_connections = MAX_CONNECTIONS;
	settings->timeout_s = TIMEOUT_S;
	settings->on_request = on_request;
	settings->on_gone = on_gone;
	settings->ctx = p;
	p->httpd = httpd_start(a->loop, settings, e);
	return p->httpd ? 0 : -EIO;
}

/* Mail goes on without it. */
static void start_console(struct admin *a, struct err *e)
{
	struct httpd_settings settings = {
		.socket = a->services.socket,
		.max_body = MAX_CONSOLE_BODY,
	};

	a->console.is_console = true;
	if (start(a, &a->console, &settings, e) != 0)
		log_warn("admin_unavailable", LOG_STR("why", e->text));
}

int endpoint_start(struct admin *a, struct err *e)
{
	struct httpd_settings settings = {
		.address = a->services.config->stats.address,
		.max_body = MAX_BODY,
	};

	if (settings.address && *settings.address &&
	    start(a, &a->stats, &settings, e) != 0) {
		if (a->services.socket >= 0)
			(void)close(a->services.socket);
		return -EIO;
	}
	if (a->services.socket >= 0)
		start_console(a, e);
	return 0;
}
