/*
 * What an ended transfer means. Faults of the transport mean the same for
 * every provider and are decided here; a response is the module's to judge,
 * and what it says is made safe to log and to show.
 */
#include <provider/provider.h>

#include <base/span.h>
#include <base/utf8.h>

#include <stdio.h>

enum {
	HEADERS_SHOWN_MAX = 128,
	RETRY_AFTER_MAX_MS = 7 * 24 * 60 * 60 * 1000
};

const char *provider_class_name(enum postern_class c)
{
	switch (c) {
	case POSTERN_ACCEPTED:
		return "accepted";
	case POSTERN_REJECTED:
		return "rejected";
	case POSTERN_ACCOUNT:
		return "account";
	case POSTERN_THROTTLED:
		return "throttled";
	case POSTERN_TRANSIENT:
		return "transient";
	case POSTERN_UNKNOWN:
		return "unknown";
	}
	return "none";
}

/* --- faults of the transport --- */

const char *provider_fault_text(enum http_fault fault)
{
	switch (fault) {
	case HTTP_FAULT_RESOLVE:
		return "name not resolved";
	case HTTP_FAULT_CONNECT:
		return "connection failed";
	case HTTP_FAULT_TLS:
		return "TLS failed";
	case HTTP_FAULT_UNSENT:
		return "connection broke before the request was sent";
	case HTTP_FAULT_UNANSWERED:
		return "no answer to a request that was sent";
	case HTTP_FAULT_CUT:
		return "answer cut off";
	case HTTP_FAULT_CANCELLED:
		return "cancelled";
	case HTTP_FAULT_NONE:
		break;
	}
	return "no answer";
}

static void classify_fault(
    const struct http_response *response, struct postern_outcome *out)
{
	bool was_sent = response->fault == HTTP_FAULT_UNANSWERED ||
			response->fault == HTTP_FAULT_CUT ||
			response->fault == HTTP_FAULT_NONE;

	out->result = was_sent ? POSTERN_UNKNOWN : POSTERN_TRANSIENT;
	(void)snprintf(out->reason, sizeof(out->reason), "%s%s%s",
	    provider_fault_text(response->fault),
	    response->error[0] ? ": " : "", response->error);
}

/* --- answers --- */

/* A module judges what RFC 9110 15 knows as a final status. */
static bool is_final_status(int status)
{
	return status >= 200 && status <= 599;
}

static void classify_oddity(struct postern_outcome *out)
{
	out->result = POSTERN_UNKNOWN;
	(void)snprintf(
	    out->reason, sizeof(out->reason), "no such status in HTTP");
}

static struct postern_str to_str(struct span s)
{
	return (struct postern_str){ s.ptr ? s.ptr : "", s.len };
}

static void ask_module(const struct postern_provider *p, const void *settings,
    const struct http_response *response, const struct provider_asked *asked,
    struct postern_outcome *out)
{
	struct postern_header headers[HEADERS_SHOWN_MAX];
	struct postern_response shown = { .size = sizeof(shown),
		.status = response->status,
		.headers = headers,
		.body = to_str(response->body),
		.is_cut = response->fault == HTTP_FAULT_CUT,
		.recipient_count = asked->recipient_count,
		.now = asked->now,
		.recipients = asked->recipients,
		.is_repeat = asked->is_repeat };

	while (shown.header_count < response->header_count &&
	       shown.header_count < HEADERS_SHOWN_MAX) {
		const struct http_header *h =
		    &response->headers[shown.header_count];
		headers[shown.header_count].name = to_str(h->name);
		headers[shown.header_count++].value = to_str(h->value);
	}
	p->classify(settings, &shown, out);
}

/* --- what a module wrote --- */

/* Controls become spaces, what is not UTF-8 a question mark. */
void provider_clean_text(char *text, size_t size)
{
	struct span rest;

	text[size - 1] = '\0';
	rest = span_of(text);
	while (rest.len > 0) {
		uint32_t c = 0;
		size_t len = utf8_decode(rest, &c);
		size_t at = (size_t)(rest.ptr - text);
		if (len == 0)
			text[at] = '?';
		else if (c < ' ' || c == 0x7f)
			text[at] = ' ';
		else if (c >= 0x80 && c < 0xa0)
			memset(text + at, '?', len);
		rest = span_from(rest, len > 0 ? len : 1);
	}
}

/* An id goes into logs, ledger and queries: visible ASCII only. */
static void clean_id(char *id, size_t size)
{
	id[size - 1] = '\0';
	for (char *c = id; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			*c = '?';
	}
}

static void check_class(struct postern_outcome *out)
{
	if (out->result < POSTERN_ACCEPTED || out->result > POSTERN_UNKNOWN) {
		out->result = POSTERN_UNKNOWN;
		(void)snprintf(out->reason, sizeof(out->reason),
		    "the module gave no verdict");
	}
	if (out->result != POSTERN_REJECTED ||
	    out->refusal < POSTERN_REFUSED_MESSAGE ||
	    out->refusal > POSTERN_REFUSED_SUPPRESSED)
		out->refusal = POSTERN_REFUSED_MESSAGE;
	if (out->result != POSTERN_ACCOUNT)
		out->is_about_sender = false;
	if (out->retry_after_ms > RETRY_AFTER_MAX_MS)
		out->retry_after_ms = RETRY_AFTER_MAX_MS;
	if (out->allowed_for_ms > RETRY_AFTER_MAX_MS)
		out->allowed_for_ms = RETRY_AFTER_MAX_MS;
}

/* Bits beyond the last recipient mean nothing; all set means refused. */
static void check_rejected(struct postern_outcome *out, size_t count)
{
	size_t refused = 0;

	if (count % 8 != 0)
		out->rejected[count / 8] &= (uint8_t)((1u << count % 8) - 1);
	for (size_t i = 0; i < count; i++)
		refused += out->rejected[i / 8] >> i % 8 & 1;
	if (count == 0 || refused < count)
		return;
	if (out->result != POSTERN_REJECTED)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	out->result = POSTERN_REJECTED;
}

void provider_classify(const struct postern_provider *p, const void *settings,
    const struct http_response *response, const struct provider_asked *asked,
    uint8_t *rejected_bits, struct provider_result *out)
{
	struct postern_outcome *outcome = &out->outcome;

	*out = (struct provider_result){ .fault = response->fault,
		.status = response->status };
	outcome->size = sizeof(*outcome);
	outcome->rejected = rejected_bits;
	memset(rejected_bits, 0, (asked->recipient_count + 7) / 8);
	if (response->status == 0 || (response->fault != HTTP_FAULT_NONE &&
					 response->fault != HTTP_FAULT_CUT))
		classify_fault(response, outcome);
	else if (is_final_status(response->status))
		ask_module(p, settings, response, asked, outcome);
	else
		classify_oddity(outcome);
	check_class(outcome);
	check_rejected(outcome, asked->recipient_count);
	provider_clean_text(outcome->reason, sizeof(outcome->reason));
	clean_id(outcome->provider_id, sizeof(outcome->provider_id));
}
