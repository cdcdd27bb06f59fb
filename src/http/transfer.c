/*
 * One request on one curl easy handle: options, body, captured response, and
 * how it ended. Everything that is the same for all requests is set once per
 * handle; handles are reused.
 *
 * Curl repeats a request by itself when a reused connection dies before any
 * byte of the answer (its Curl_retry_request), also a POST that the server
 * may have read whole. For mail that is a duplicate nobody decided on, so it
 * is caught in two places that every repetition must pass: the seek callback,
 * which must rewind a streamed body, and the pre-request callback, which runs
 * before each issue of the request. Both refuse when the request may have
 * left whole: curl has taken the last byte of a streamed body, or has written
 * anything of a small request, which leaves in one piece. Curl's own count of
 * uploaded bytes cannot tell: it is set back before the callbacks run.
 *
 * What may have left whole ends as HTTP_FAULT_UNANSWERED; only what certainly
 * did not is tried again on a fresh connection.
 */
#include <http/http_internal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <base/clock.h>

enum {
	LINES_MIN = 16,
	KEEP_BUFFER = 8 * 1024, /* per response buffer of an idle handle */
	CONNECTION_IDLE_MAX_S = 50
};

static bool is_streamed(const struct http_request *r)
{
	return r->call->body_size > HTTP_SMALL_BODY;
}

bool transfer_may_be_whole(struct http_request *r)
{
	long written = 0;

	if (is_streamed(r))
		return r->offset >= r->call->body_size;
	(void)curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &written);
	return written > 0;
}

static size_t on_read(char *out, size_t size, size_t count, void *arg)
{
	struct http_request *r = arg;
	struct http_call *call = r->call;
	uint64_t left = call->body_size - r->offset;
	size_t want = size * count < left ? size * count : (size_t)left;

	if (want == 0)
		return 0;
	ptrdiff_t got = call->body_read(call->ctx, r->offset, out, want);
	if (got <= 0)
		return CURL_READFUNC_ABORT;
	r->offset += (uint64_t)got;
	return (size_t)got;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_request *r = arg;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > r->call->body_size)
		return CURL_SEEKFUNC_FAIL;
	if (transfer_may_be_whole(r)) {
		r->may_be_sent = true;
		return CURL_SEEKFUNC_FAIL;
	}
	r->offset = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static int on_issue(void *arg, char *peer_address, char *own_address,
    int peer_port, int own_port)
{
	struct http_request *r = arg;

	(void)peer_address;
	(void)own_address;
	(void)peer_port;
	(void)own_port;
	if (r->is_issued && transfer_may_be_whole(r)) {
		r->may_be_sent = true;
		return CURL_PREREQFUNC_ABORT;
	}
	/* Curl does not rewind what it read and then did not write. */
	r->offset = 0;
	r->is_issued = true;
	return CURL_PREREQFUNC_OK;
}

static int set_constants(struct http_request *r)
{
	const struct http *h = r->http;
	CURL *c = r->easy;
	unsigned bad = 0;

	bad |= curl_easy_setopt(c, CURLOPT_PRIVATE, r);
	bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->error);
	bad |= curl_easy_setopt(c, CURLOPT_SHARE, h->engine.share);
	bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	bad |=
	    curl_easy_setopt(c, CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
	bad |= curl_easy_setopt(c, CURLOPT_POST, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, response_on_body);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
	bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, response_on_header);
	bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
	bad |= curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
	bad |= curl_easy_setopt(c, CURLOPT_READDATA, r);
	bad |= curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
	bad |= curl_easy_setopt(c, CURLOPT_SEEKDATA, r);
	bad |= curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_issue);
	bad |= curl_easy_setopt(c, CURLOPT_PREREQDATA, r);
	return bad ? -EINVAL : 0;
}

/*
 * A cached store of trusted certificates needs a file without a directory
 * beside it; read anew for each connection, the file costs 20 ms of loop.
 */
static unsigned set_trust(const struct http_options *o, CURL *c)
{
	const char *file = o->ca_file;
	unsigned bad = 0;

	if (!file)
		file = curl_version_info(CURLVERSION_NOW)->cainfo;
	bad |= curl_easy_setopt(
	    c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (file) {
		bad |= curl_easy_setopt(c, CURLOPT_CAINFO, file);
		bad |= curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	return bad;
}

int options_apply(const struct http_options *o, CURL *c)
{
	unsigned bad = set_trust(o, c);

	/* A set proxy, even "", keeps curl from reading the environment. */
	bad |= curl_easy_setopt(c, CURLOPT_PROXY, o->proxy ? o->proxy : "");
	bad |= curl_easy_setopt(c, CURLOPT_NOPROXY, "");
	bad |= curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	bad |= curl_easy_setopt(
	    c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	bad |= curl_easy_setopt(
	    c, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
	/* Names come from our resolver only; curl's own may stall a loop. */
	bad |= curl_easy_setopt(c, CURLOPT_DNS_CACHE_TIMEOUT, -1L);
	/* Leave before the server does: a lost race is an unknown outcome. */
	bad |= curl_easy_setopt(
	    c, CURLOPT_MAXAGE_CONN, (long)CONNECTION_IDLE_MAX_S);
	bad |= curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
	return bad ? -EINVAL : 0;
}

struct http_request *transfer_new(struct http *h)
{
	struct http_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	list_init(&r->node);
	list_init(&r->query.node);
	buf_init(&r->payload, HTTP_SMALL_BODY);
	buf_init(&r->head, HTTP_HEADERS_MAX);
	buf_init(&r->body, HTTP_BODY_MAX);
	r->http = h;
	r->options = h->options;
	r->options->refs++;
	r->easy = curl_easy_init();
	if (!r->easy || set_constants(r) ||
	    options_apply(r->options, r->easy)) {
		transfer_free(r);
		return NULL;
	}
	return r;
}

void transfer_free(struct http_request *r)
{
	if (!r)
		return;
	if (r->easy)
		curl_easy_cleanup(r->easy);
	options_unref(r->options);
	buf_finish_secret(&r->payload);
	buf_finish(&r->head);
	buf_finish(&r->body);
	free(r->lines);
	free(r);
}

void transfer_reset(struct http_request *r)
{
	if (r->body.is_secret) {
		buf_finish(&r->payload);
		buf_finish(&r->body);
		r->payload.is_secret = r->body.is_secret = false;
	}
	buf_clear(&r->payload);
	buf_clear(&r->head);
	buf_clear(&r->body);
	buf_shrink(&r->head, KEEP_BUFFER);
	buf_shrink(&r->body, KEEP_BUFFER);
	r->call = NULL;
	r->offset = 0;
	r->is_issued = r->may_be_sent = false;
	r->has_head = r->is_overlong = false;
	r->fault = HTTP_FAULT_NONE;
	r->error[0] = '\0';
}

static int grow_lines(struct http_request *r, size_t count)
{
	if (count <= r->line_cap)
		return 0;
	size_t cap = count < LINES_MIN ? LINES_MIN : count;
	struct curl_slist *lines = realloc(r->lines, cap * sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	r->lines = lines;
	r->line_cap = cap;
	return 0;
}

/*
 * Curl keeps the pointer to the list and only reads it, so nodes of ours that
 * point to the caller's strings save copying each line.
 */
static int set_lines(struct http_request *r)
{
	static char no_expect[] = "Expect:"; /* curl would wait a second */
	const char *const *headers = r->call->headers;
	size_t count = 0;

	while (headers && headers[count])
		count++;
	if (grow_lines(r, count + 1) != 0)
		return -ENOMEM;
	r->lines[0].data = no_expect;
	for (size_t i = 0; i < count; i++) {
		/* Not written through; the library's type lacks the const. */
		memcpy(&r->lines[i + 1].data, &headers[i], sizeof(char *));
		r->lines[i].next = &r->lines[i + 1];
	}
	r->lines[count].next = NULL;
	return curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->lines) ? -ENOMEM
								       : 0;
}

static int read_payload(struct http_request *r)
{
	struct http_call *call = r->call;
	size_t size = (size_t)call->body_size;

	int rc = buf_reserve(&r->payload, size ? size : 1);
	while (rc == 0 && buf_len(&r->payload) < size) {
		size_t have = buf_len(&r->payload);
		ptrdiff_t got = call->body_read(
		    call->ctx, have, buf_tail(&r->payload), size - have);

		if (got > 0)
			buf_commit(&r->payload, (size_t)got);
		else
			rc = got < 0 ? (int)got : -EIO;
	}
	return rc;
}

static int set_body(struct http_request *r)
{
	curl_off_t size = (curl_off_t)r->call->body_size;
	const char *bytes = NULL;
	unsigned bad = 0;

	if (!is_streamed(r)) {
		int rc = read_payload(r);
		if (rc)
			return rc;
		bytes = buf_span(&r->payload).ptr;
	}
	bad |= curl_easy_setopt(r->easy, CURLOPT_POSTFIELDS, bytes);
	bad |= curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
	return bad ? -EINVAL : 0;
}

/* A GET has no body, and says nothing about one; set_body makes it a POST. */
static int set_method(struct http_request *r)
{
	bool is_post = strcmp(r->call->method, "POST") == 0;
	unsigned bad = 0;

	if (strcmp(r->call->method, "GET") == 0)
		bad |= curl_easy_setopt(r->easy, CURLOPT_HTTPGET, 1L);
	if (is_post && !r->is_custom)
		return 0;
	bad |= curl_easy_setopt(
	    r->easy, CURLOPT_CUSTOMREQUEST, is_post ? NULL : r->call->method);
	r->is_custom = !is_post;
	return bad ? -ENOMEM : 0;
}

static int set_proxy(struct http_request *r)
{
	const char *proxy = r->call->is_direct ? NULL : r->options->proxy;

	if (r->is_direct == r->call->is_direct)
		return 0;
	r->is_direct = r->call->is_direct;
	return curl_easy_setopt(r->easy, CURLOPT_PROXY, proxy ? proxy : "")
		   ? -ENOMEM
		   : 0;
}

/*
 * Wait for a handshake under way: it may carry this stream too. Without TLS
 * there is none, and curl would wait for the first answer of the host, which
 * may never come.
 */
static int set_patience(struct http_request *r)
{
	bool is_tls = strncasecmp(r->call->url, "https:", 6) == 0;

	return curl_easy_setopt(r->easy, CURLOPT_PIPEWAIT, (long)is_tls)
		   ? -EINVAL
		   : 0;
}

/* "+host:port:addresses"; "+" lets it be replaced. */
int pin_set(
    struct pin *p, CURL *easy, const struct origin *peer, const char *addresses)
{
	if (!addresses)
		return curl_easy_setopt(easy, CURLOPT_RESOLVE, NULL) ? -EINVAL
								     : 0;
	int len = snprintf(p->text, sizeof(p->text), "+%.*s:%u:%s",
	    SPAN_FMT(peer->host), peer->port, addresses);
	if (len < 0 || (size_t)len >= sizeof(p->text))
		return -EINVAL;
	p->node.data = p->text;
	p->node.next = NULL;
	return curl_easy_setopt(easy, CURLOPT_RESOLVE, &p->node) ? -ENOMEM : 0;
}

int transfer_start(
    struct http_request *r, const struct origin *peer, const char *addresses)
{
	uint64_t spent = (clock_mono_ns() - r->begun_ns) / 1000000;
	uint64_t limit = r->call->timeout_ms;
	long left = limit > spent ? (long)(limit - spent) : 1;
	int rc = pin_set(&r->pin, r->easy, peer, addresses);

	if (!rc)
		rc = set_lines(r);
	if (!rc)
		rc = set_body(r);
	if (!rc)
		rc = set_method(r);
	if (!rc)
		rc = set_proxy(r);
	if (!rc)
		rc = set_patience(r);
	if (!rc && curl_easy_setopt(r->easy, CURLOPT_URL, r->call->url))
		rc = -ENOMEM;
	if (!rc && curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, left))
		rc = -EINVAL;
	if (!rc)
		rc = engine_add(&r->http->engine, r->easy);
	return rc;
}
