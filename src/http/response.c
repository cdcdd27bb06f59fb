/*
 * What came back: the head and body of a response captured within limits,
 * and how a transfer ended that brought none. Callbacks of curl; the loop's
 * thread.
 */
#include <http/http_internal.h>

#include <stdio.h>
#include <string.h>

#include <base/clock.h>

size_t response_on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_request *r = arg;
	size_t len = size * count;
	size_t room = HTTP_BODY_MAX - buf_len(&r->body);
	size_t take = len < room ? len : room;

	if (buf_add(&r->body, data, take) != 0)
		take = 0;
	if (take < len)
		r->is_overlong = true;
	return take;
}

size_t response_on_header(char *data, size_t size, size_t count, void *arg)
{
	struct http_request *r = arg;
	size_t len = size * count;
	struct span line = span_make(data, len);
	long status = 0;

	if (r->has_head)
		return len; /* trailer fields */
	if (span_starts_with(line, SPAN("HTTP/"))) {
		/* Interim responses (1xx) are followed by another head. */
		buf_clear(&r->head);
		return len;
	}
	if (span_trim(line).len == 0) {
		(void)curl_easy_getinfo(
		    r->easy, CURLINFO_RESPONSE_CODE, &status);
		r->has_head = status >= 200;
		return len;
	}
	if (buf_add(&r->head, data, len) != 0) {
		r->is_overlong = true;
		return 0;
	}
	return len;
}

enum http_fault response_fault_before_issue(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_FAULT_RESOLVE;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_USE_SSL_FAILED:
		return HTTP_FAULT_TLS;
	default:
		return HTTP_FAULT_CONNECT;
	}
}

/* How far a request got that was broken off; otherwise: it did not leave. */
static enum http_fault progress(
    struct http_request *r, enum http_fault otherwise)
{
	if (r->has_head || r->is_overlong)
		return HTTP_FAULT_CUT;
	if (r->is_issued && (r->may_be_sent || transfer_may_be_whole(r)))
		return HTTP_FAULT_UNANSWERED;
	return otherwise;
}

static enum http_fault fault_of(struct http_request *r, CURLcode code)
{
	/* A head that ends in the middle is no error to curl. */
	if (code == CURLE_OK && r->has_head)
		return HTTP_FAULT_NONE;
	return progress(r, r->is_issued ? HTTP_FAULT_UNSENT
					: response_fault_before_issue(code));
}

enum http_fault response_fault_if_cancelled(struct http_request *r)
{
	return progress(r, HTTP_FAULT_CANCELLED);
}

/* Cut the captured head into fields; folded and broken lines are left out. */
static void split_head(struct http_request *r)
{
	struct span rest = buf_span(&r->head);
	struct http_response *out = &r->response;

	out->headers = r->fields;
	while (rest.ptr && out->header_count < HTTP_FIELDS_MAX) {
		struct span line = span_cut(&rest, '\n');
		ptrdiff_t colon = span_index(line, ':');
		struct http_header *f = &r->fields[out->header_count];

		if (colon <= 0 || line.ptr[0] == ' ' || line.ptr[0] == '\t')
			continue;
		f->name = span_first(line, (size_t)colon);
		f->value = span_trim(span_from(line, (size_t)colon + 1));
		out->header_count++;
	}
}

void response_finish(struct http_request *r, CURLcode code)
{
	struct http_response *out = &r->response;
	curl_off_t connect_us = 0;
	long status = 0;

	memset(out, 0, sizeof(*out));
	out->fault = r->fault ? r->fault : fault_of(r, code);
	out->total_ms = (clock_mono_ns() - r->begun_ns) / 1000000;
	if (r->is_issued) {
		(void)curl_easy_getinfo(
		    r->easy, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_easy_getinfo(
		    r->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
	}
	out->connect_ms = (uint64_t)connect_us / 1000;
	if (r->has_head || r->is_overlong) {
		out->status = (int)status;
		split_head(r);
		out->body = buf_span(&r->body);
	}
	if (out->fault == HTTP_FAULT_NONE)
		return;
	const char *why = r->error[0] ? r->error : curl_easy_strerror(code);
	(void)snprintf(out->error, sizeof(out->error), "%s", why);
}
