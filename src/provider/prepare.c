/*
 * A module's way to a grant: prepare is run step by step, and between two
 * steps a request is lent to http. Everything it touches is secret, or leads
 * to secrets, and is overwritten when it goes.
 */
#include <provider/provider.h>

#include <provider/request_internal.h>

#include <base/netaddr.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	STEPS_MAX = 8, /* no source needs more than three */
	NEAR_TIMEOUT_MS = 2000,
	FAR_TIMEOUT_MS = 10000,
	STATE_MAX = 64 * 1024,
	ANSWER_MAX = RESPONSE_KEPT_MAX
};

struct provider_preparation {
	const struct postern_provider *module;
	const void *settings;
	const struct provider_world *world;
	unsigned steps;
	bool is_near; /* where the request goes */
	struct postern_request request;
	struct arena answer; /* holds what response and fault point to */
	struct postern_response response;
	struct postern_preparation shown;
	char reason[POSTERN_REASON_SIZE];
};

/* --- grants --- */

struct provider_grant *provider_grant_ref(struct provider_grant *g)
{
	g->refs++;
	return g;
}

void provider_grant_unref(struct provider_grant *g)
{
	if (!g || --g->refs > 0)
		return;
	explicit_bzero(g, sizeof(*g) + g->bytes.len);
	free(g);
}

struct provider_grant *provider_preparation_grant(
    const struct provider_preparation *c)
{
	struct postern_secret from = c->shown.grant;
	struct provider_grant *g = calloc(1, sizeof(*g) + from.len + 1);

	if (!g)
		return NULL;
	char *bytes = (char *)(g + 1);
	memcpy(bytes, from.ptr, from.len);
	*g = (struct provider_grant){ .refs = 1,
		.bytes = { bytes, from.len },
		.expires = c->shown.expires };
	return g;
}

/* --- the world --- */

static const char *real_env(const void *ctx, const char *name)
{
	(void)ctx;
	return getenv(name);
}

static int read_all(int fd, struct buf *out)
{
	int rc = buf_reserve(out, out->max);
	ssize_t n = 1;

	while (rc == 0 && n != 0 && buf_len(out) < out->max) {
		n = read(fd, buf_tail(out), out->max - buf_len(out));
		if (n > 0)
			buf_commit(out, (size_t)n);
		else if (n < 0 && errno != EINTR)
			rc = -errno;
	}
	if (rc == 0 && buf_len(out) == out->max)
		rc = -EFBIG;
	return rc;
}

/* A path may name anything: only what is a file is read. */
static int real_file(const void *ctx, const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc;

	(void)ctx;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else
		rc = read_all(fd, out);
	(void)close(fd);
	return rc;
}

const struct provider_world provider_world_real = { .env = real_env,
	.file = real_file };

/* --- where a request may go --- */

/*
 * Those that hand out credentials in a cloud, on its own links: of instances,
 * tasks and pods.
 */
static bool is_metadata(const struct netaddr *a)
{
	static const char *const hosts[] = { "169.254.169.254", "169.254.170.2",
		"169.254.170.23", "fd00:ec2::254", "fd00:ec2::23" };
	struct netaddr known;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		if (netaddr_parse(span_of(hosts[i]), &known) &&
		    netaddr_eq(a, &known))
			return true;
	}
	return false;
}

static bool is_port(struct span s)
{
	unsigned long long port;

	return s.len == 0 || (s.ptr[0] == ':' &&
				 span_parse_u64(span_from(s, 1), 65535, &port));
}

/*
 * Whether the host is so near that no proxy leads to it. Nothing but an
 * address in its usual form, or localhost, passes: what is not understood
 * here could be another host to the client.
 */
static bool is_near(struct span authority)
{
	struct span host = authority, port = SPAN("");
	struct netaddr a;
	ptrdiff_t end;

	if (span_starts_with(authority, SPAN("["))) {
		end = span_index(authority, ']');
		if (end < 0)
			return false;
		port = span_from(authority, (size_t)end + 1);
		host = span_make(authority.ptr + 1, (size_t)end - 1);
	} else {
		end = span_index(authority, ':');
		if (end >= 0) {
			port = span_from(authority, (size_t)end);
			host = span_first(authority, (size_t)end);
		}
	}
	if (!is_port(port))
		return false;
	if (span_ieq(host, SPAN("localhost")))
		return true;
	return netaddr_parse(host, &a) &&
	       (netaddr_is_local(&a) || is_metadata(&a));
}

/* False: credentials would travel in the clear, or no known scheme. */
static bool may_go_to(const char *url, bool *out_is_near)
{
	struct span s = span_of(url);
	bool is_plain = span_istarts_with(s, SPAN("http://"));
	struct span rest = span_from(s, is_plain ? 7 : 8);

	*out_is_near = is_near(span_first(rest, strcspn(rest.ptr, "/?#")));
	return is_plain ? *out_is_near : span_istarts_with(s, SPAN("https://"));
}

/* --- steps --- */

static enum provider_step refuse(struct provider_preparation *c,
    enum postern_class result, const char *reason)
{
	c->shown.refusal = result;
	(void)snprintf(c->reason, sizeof(c->reason), "%s", reason);
	provider_clean_text(c->reason, sizeof(c->reason));
	return PROVIDER_STEP_REFUSED;
}

/* What the module did is at fault, or the place it was pointed at. */
static enum provider_step refuse_step(
    struct provider_preparation *c, const char *what)
{
	const char *source = c->shown.source;
	char reason[POSTERN_REASON_SIZE];

	(void)snprintf(reason, sizeof(reason), "%s%s%s", source,
	    *source ? ": " : "", what);
	return refuse(c, POSTERN_ACCOUNT, reason);
}

static enum provider_step judge(struct provider_preparation *c, int rc)
{
	const struct postern_request *r = &c->request;
	enum postern_class result = c->shown.refusal;

	if (rc == 0)
		rc = r->rc;
	if (rc == -EINVAL && r->refusal.code < 0) {
		if (result != POSTERN_THROTTLED && result != POSTERN_TRANSIENT)
			result = POSTERN_ACCOUNT;
		return refuse(c, result, r->refusal.text);
	}
	if (rc == -ENOMEM)
		return refuse(c, POSTERN_TRANSIENT, "out of memory");
	if (rc == 0 && c->shown.grant.ptr)
		return PROVIDER_STEP_GRANTED;
	if (rc < 0 || !r->method || !r->url)
		return refuse_step(
		    c, "the module neither asks for credentials nor has them");
	if (!may_go_to(r->url, &c->is_near))
		return refuse_step(c,
		    "credentials are asked for by https only, or by http from "
		    "this machine and the cloud's own addresses for them");
	return PROVIDER_STEP_SEND;
}

enum provider_step provider_preparation_step(
    struct provider_preparation *c, int64_t now)
{
	struct postern_preparation *p = &c->shown;
	int rc;

	if (c->steps++ == STEPS_MAX)
		return refuse_step(c, "the module asks for too many requests");
	request_finish(&c->request);
	request_init(&c->request, NULL);
	c->request.world = c->world;
	p->now = c->response.now = now;
	p->grant = (struct postern_secret){ NULL, 0 };
	p->expires = 0;
	p->refusal = POSTERN_ACCOUNT;
	p->is_stand_in = false;
	rc = c->module->prepare(c->settings, p, &request_host, &c->request);
	arena_finish_secret(&c->answer);
	p->response = NULL;
	p->fault = NULL;
	provider_clean_text(p->source, sizeof(p->source));
	return judge(c, rc);
}

static ptrdiff_t prepare_body_read(
    void *ctx, uint64_t offset, char *out, size_t len)
{
	struct provider_preparation *c = ctx;

	return body_read(&c->request, offset, out, len);
}

void provider_preparation_http(
    struct provider_preparation *c, struct http_call *out)
{
	*out = (struct http_call){ .method = c->request.method,
		.url = c->request.url,
		.headers = request_headers(&c->request),
		.body_size = c->request.body_size,
		.body_read = prepare_body_read,
		.ctx = c,
		.timeout_ms = c->is_near ? NEAR_TIMEOUT_MS : FAR_TIMEOUT_MS,
		.is_direct = c->is_near,
		.is_secret = true };
}

/* --- answers --- */

static struct postern_str copy(struct arena *a, struct span s)
{
	struct span kept = arena_span(a, s);

	return (struct postern_str){ kept.ptr ? kept.ptr : "", kept.len };
}

void response_keep(struct arena *a, const struct http_response *response,
    struct postern_response *out)
{
	struct postern_header *headers =
	    arena_alloc(a, (response->header_count + 1) * sizeof(*headers));

	*out = (struct postern_response){ .size = sizeof(*out),
		.status = response->status,
		.headers = headers,
		.body = copy(a, response->body) };
	for (size_t i = 0; headers && i < response->header_count; i++) {
		headers[i].name = copy(a, response->headers[i].name);
		headers[i].value = copy(a, response->headers[i].value);
		out->header_count++;
	}
}

void provider_preparation_answer(
    struct provider_preparation *c, const struct http_response *response)
{
	const char *text;

	/* Half of the credentials are none. */
	if (response->fault == HTTP_FAULT_NONE && response->status != 0) {
		response_keep(&c->answer, response, &c->response);
		c->shown.response = &c->response;
		return;
	}
	text = arena_printf(&c->answer, "%s%s%s",
	    provider_fault_text(response->fault),
	    response->error[0] ? ": " : "", response->error);
	c->shown.fault = text ? text : "out of memory";
}

/* --- the whole --- */

bool provider_prepares(const struct postern_provider *p)
{
	return p->size >= offsetof(struct postern_provider, state_size) +
			      sizeof(p->state_size) &&
	       p->prepare;
}

struct provider_preparation *provider_preparation_new(
    const struct postern_provider *p, const void *settings,
    const struct provider_world *world)
{
	struct provider_preparation *c = calloc(1, sizeof(*c));

	if (!c || p->state_size > STATE_MAX)
		goto fail;
	c->module = p;
	c->settings = settings;
	c->world = world;
	c->shown.size = sizeof(c->shown);
	c->shown.state = calloc(1, p->state_size + 1);
	if (!c->shown.state)
		goto fail;
	request_init(&c->request, NULL);
	arena_init(&c->answer, ANSWER_MAX);
	return c;
fail:
	free(c);
	return NULL;
}

void provider_preparation_free(struct provider_preparation *c)
{
	if (!c)
		return;
	request_finish(&c->request);
	arena_finish_secret(&c->answer);
	explicit_bzero(c->shown.state, c->module->state_size);
	free(c->shown.state);
	free(c);
}

const char *provider_preparation_reason(const struct provider_preparation *c)
{
	return c->reason;
}

enum postern_class provider_preparation_class(
    const struct provider_preparation *c)
{
	return c->shown.refusal;
}

void provider_preparation_rehearse(struct provider_preparation *c)
{
	c->shown.is_rehearsal = true;
}

bool provider_preparation_is_stand_in(const struct provider_preparation *c)
{
	return c->shown.is_stand_in;
}

const char *provider_preparation_source(const struct provider_preparation *c)
{
	return c->shown.source;
}
