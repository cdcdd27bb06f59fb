/*
 * One request of httpd: its head and body come in, the handler is asked, the
 * answer goes out now or after the connection was suspended and resumed.
 */
#include <admin/httpd_internal.h>

#include <string.h>
#include <sys/socket.h>

enum {
	FIRST_RESERVE = 1 << 20,
	HEADER_NAME_MAX = 128
};

/*
 * Disconnecting an established socket makes Linux send a reset at once; a
 * close alone would look to the peer like an orderly end.
 */
static void reset_socket(int fd)
{
	const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	(void)connect(fd, &nowhere, sizeof(nowhere));
}

/* Inside libmicrohttpd's callback: send the answer or break off. */
static enum MHD_Result answer(struct httpd_request *r)
{
	if (r->is_hung_up)
		return MHD_NO;
	if (r->is_dropped || !r->response) {
		reset_socket(r->conn->fd);
		return MHD_NO;
	}
	r->conn->since = loop_now(r->conn->h->loop);
	return MHD_queue_response(r->mhd, (unsigned)r->status, r->response);
}

static enum MHD_Result answer_too_large(struct httpd_request *r)
{
	static const struct httpd_reply reply = {
		.status = MHD_HTTP_CONTENT_TOO_LARGE,
		.content_type = "text/plain",
		.body = { "body too large\n", 15 },
	};

	r->state = REQUEST_ASKED;
	httpd_reply(r, &reply);
	return answer(r);
}

/* Declared length of the body; UINT64_MAX when it does not say. */
static uint64_t declared_length(const struct httpd_request *r)
{
	const char *text = httpd_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
	unsigned long long length;

	if (!text || !span_parse_u64(span_of(text), UINT64_MAX, &length))
		return UINT64_MAX;
	return length;
}

/* The request is complete: ask the handler, and wait if it must think. */
static enum MHD_Result ask(struct httpd_request *r)
{
	struct httpd *h = r->conn->h;

	if (r->received > h->settings.max_body)
		return answer_too_large(r);
	r->state = REQUEST_ASKED;
	h->settings.on_request(r, h->settings.ctx);
	if (r->state == REQUEST_ANSWERED)
		return answer(r);
	h->waiting++;
	r->conn->waiting = r;
	r->is_suspended = true;
	MHD_suspend_connection(r->mhd);
	return MHD_YES;
}

static enum MHD_Result begin(
    struct httpd_request *r, const char *path, const char *method)
{
	const struct httpd_settings *s = &r->conn->h->settings;

	r->path = path;
	r->method = method;
	r->state = REQUEST_BODY;
	if (s->on_head)
		s->on_head(r, s->ctx);
	if (r->stop_at == 0)
		return ask(r);
	uint64_t length = declared_length(r);
	if (length == UINT64_MAX || length == 0)
		return MHD_YES;
	/* Up to twice the limit is read and dropped, so that a peer that is
	 * still writing gets to see its 413. */
	if (length / 2 > s->max_body)
		return answer_too_large(r);
	if (length <= s->max_body)
		(void)buf_reserve(&r->body,
		    length < FIRST_RESERVE ? (size_t)length : FIRST_RESERVE);
	return MHD_YES;
}

static enum MHD_Result take_body(
    struct httpd_request *r, const char *data, size_t len)
{
	uint64_t max = r->conn->h->settings.max_body;

	r->received += len;
	if (r->received / 2 > max)
		return MHD_NO;
	if (r->received > max) {
		buf_finish(&r->body);
		return MHD_YES;
	}
	if (buf_add(&r->body, data, len))
		return MHD_NO;
	return r->received >= r->stop_at ? ask(r) : MHD_YES;
}

enum MHD_Result httpd_request_step(struct httpd_request *r, const char *path,
    const char *method, const char *data, size_t *len)
{
	size_t got = *len;

	*len = 0;
	switch (r->state) {
	case REQUEST_HEAD:
		return begin(r, path, method);
	case REQUEST_BODY:
		return got ? take_body(r, data, got) : ask(r);
	case REQUEST_ANSWERED:
		return answer(r);
	case REQUEST_ASKED:
		break;
	}
	return MHD_NO;
}

/* The handler has decided; let libmicrohttpd ask again if it waits. */
static void settle(struct httpd_request *r)
{
	struct httpd *h = r->conn->h;

	r->state = REQUEST_ANSWERED;
	if (!r->is_suspended)
		return;
	r->is_suspended = false;
	r->conn->waiting = NULL;
	h->waiting--;
	MHD_resume_connection(r->mhd);
	/* Without threads of its own the library is not woken by that. */
	httpd_run_soon(h);
	if (h->is_told && h->waiting == 0)
		loop_post(h->loop, &h->close);
}

static void add_header(struct MHD_Response *response, const char *line)
{
	struct span name = span_of(line);
	ptrdiff_t colon = span_index(name, ':');
	char text[HEADER_NAME_MAX];

	if (colon <= 0 || colon >= HEADER_NAME_MAX)
		return;
	memcpy(text, line, (size_t)colon);
	text[colon] = '\0';
	line += colon + 1;
	line += strspn(line, " ");
	/* A value with a line break is refused there, which is right. */
	(void)MHD_add_response_header(response, text, line);
}

void httpd_reply(struct httpd_request *r, const struct httpd_reply *reply)
{
	union { /* the library copies, but its parameter is not const */
		const void *bytes;
		void *copied;
	} body = { reply->body.ptr };

	r->status = reply->status;
	r->response = MHD_create_response_from_buffer(
	    reply->body.len, body.copied, MHD_RESPMEM_MUST_COPY);
	if (r->response && reply->content_type)
		(void)MHD_add_response_header(r->response,
		    MHD_HTTP_HEADER_CONTENT_TYPE, reply->content_type);
	for (size_t i = 0; r->response && reply->headers && reply->headers[i];
	     i++)
		add_header(r->response, reply->headers[i]);
	settle(r);
}

void httpd_stop_at(struct httpd_request *r, uint64_t received)
{
	r->stop_at = received;
}

void httpd_write_raw(struct httpd_request *r, struct span bytes)
{
	(void)send(
	    r->conn->fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void httpd_hang_up(struct httpd_request *r)
{
	r->is_hung_up = true;
	settle(r);
}

void httpd_drop(struct httpd_request *r)
{
	r->is_dropped = true;
	settle(r);
}

const char *httpd_method(const struct httpd_request *r)
{
	return r->method;
}

const char *httpd_path(const struct httpd_request *r)
{
	return r->path;
}

const char *httpd_target(const struct httpd_request *r)
{
	return r->target;
}

const char *httpd_header(const struct httpd_request *r, const char *name)
{
	return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

struct header_walk {
	bool (*fn)(const char *name, const char *value, void *ctx);
	void *ctx;
};

static enum MHD_Result visit_header(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_walk *w = cls;

	(void)kind;
	return w->fn(name, value ? value : "", w->ctx) ? MHD_YES : MHD_NO;
}

void httpd_each_header(const struct httpd_request *r,
    bool (*fn)(const char *name, const char *value, void *ctx), void *ctx)
{
	struct header_walk w = { .fn = fn, .ctx = ctx };

	(void)MHD_get_connection_values(
	    r->mhd, MHD_HEADER_KIND, visit_header, &w);
}

const char *httpd_query(const struct httpd_request *r, const char *name)
{
	const char *value = NULL;

	if (MHD_lookup_connection_value_n(r->mhd, MHD_GET_ARGUMENT_KIND, name,
		strlen(name), &value, NULL) != MHD_YES)
		return NULL;
	return value ? value : "";
}

bool httpd_peer_uid(const struct httpd_request *r, unsigned *out)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (getsockopt(r->conn->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
	    peer.uid == (uid_t)-1)
		return false;
	*out = peer.uid;
	return true;
}

struct span httpd_body(const struct httpd_request *r)
{
	return buf_span(&r->body);
}

void httpd_set_data(struct httpd_request *r, void *data)
{
	r->data = data;
}

void *httpd_data(const struct httpd_request *r)
{
	return r->data;
}
