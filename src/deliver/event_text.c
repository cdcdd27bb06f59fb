/* See event_text.h. Written as text: it has one shape, and strings to escape.
 */
#include <deliver/event_text.h>

#include <base/date.h>
#include <provider/json.h>

#include <errno.h>

enum {
	TEXT_MAX = 1024 * 1024 /* of all; a recipient takes some 1.5 KiB */
};

static const char *const type_names[] = {
	[EVENT_SENT] = "message.sent",
	[EVENT_DEFERRED] = "message.deferred",
	[EVENT_FAILED] = "message.failed",
};

const char *event_type_name(enum event_type type)
{
	return type_names[type];
}

enum event_type event_type_parse(struct span name)
{
	enum event_type type = EVENT_FAILED;

	while (type > EVENT_SENT && !span_eq(name, span_of(type_names[type])))
		type--;
	return type;
}

/* JSON being written; the first error stays. */
struct writer {
	struct buf out;
	int rc;
};

static void add(struct writer *w, const char *s)
{
	if (w->rc == 0)
		w->rc = buf_add_span(&w->out, span_of(s));
}

/* ,"key": unless it is the first of its object. */
static void add_key(struct writer *w, const char *key)
{
	struct span so_far = buf_span(&w->out);

	if (so_far.len > 0 && so_far.ptr[so_far.len - 1] != '{')
		add(w, ",");
	add(w, "\"");
	add(w, key);
	add(w, "\":");
}

static void add_string(struct writer *w, const char *key, struct span value)
{
	add_key(w, key);
	add(w, "\"");
	if (w->rc == 0)
		w->rc = json_escape(value, &w->out);
	add(w, "\"");
}

/* null for "". */
static void add_optional(struct writer *w, const char *key, struct span value)
{
	if (value.len > 0) {
		add_string(w, key, value);
		return;
	}
	add_key(w, key);
	add(w, "null");
}

static void add_number(struct writer *w, const char *key, uint64_t value)
{
	add_key(w, key);
	if (w->rc == 0)
		w->rc = buf_printf(&w->out, "%llu", (unsigned long long)value);
}

/* null for 0. */
static void add_time(struct writer *w, const char *key, int64_t wall_ms)
{
	char text[DATE_RFC3339_SIZE] = "";

	if (wall_ms != 0)
		date_format_rfc3339(wall_ms, text);
	add_optional(w, key, span_of(text));
}

static void add_recipient(struct writer *w, const struct event_recipient *r)
{
	add(w, "{");
	add_string(w, "address", r->address);
	add_string(w, "state", span_of(r->state));
	add_number(w, "attempts", r->attempts);
	add_optional(w, "provider", r->provider);
	add_optional(w, "provider_id", r->provider_id);
	add_optional(w, "class", span_of(r->result));
	add_number(w, "status", (uint64_t)r->status);
	add_string(w, "enhanced_status", span_of(r->enhanced_status));
	add_string(w, "reason", r->reason);
	add_time(w, "at", r->at_ms);
	add_time(w, "next_attempt", r->next_ms);
	add(w, "}");
}

static void add_data(struct writer *w, const struct event *e)
{
	add_key(w, "data");
	add(w, "{");
	add_string(w, "queue_id", span_of(e->queue_id));
	add_optional(w, "message_id", e->message_id);
	add_string(w, "user", e->user);
	add_string(w, "sender", e->sender);
	add_time(w, "created", e->created_ms);
	add_number(w, "recipient_count", e->recipient_total);
	add_key(w, "recipients");
	for (size_t i = 0; i < e->recipient_count; i++) {
		add(w, i > 0 ? "," : "[");
		add_recipient(w, &e->recipients[i]);
	}
	add(w, e->recipient_count > 0 ? "]}" : "[]}");
}

static void add_event(struct writer *w, const struct event *e)
{
	add(w, "{");
	add_string(w, "type", span_of(type_names[e->type]));
	add_time(w, "timestamp", e->now_ms);
	add_number(w, "schema_version", EVENT_SCHEMA_VERSION);
	add_string(w, "id", span_of(e->id));
	add_data(w, e);
	add(w, "}");
}

int event_compose(const struct event *e, struct message **out)
{
	struct writer w = { .rc = 0 };
	struct buf header;

	buf_init(&header, TEXT_MAX);
	buf_init(&w.out, TEXT_MAX);
	add_event(&w, e);
	if (w.rc == 0)
		w.rc = buf_add_span(
		    &header, SPAN("Content-Type: application/json\r\n\r\n"));
	if (w.rc == 0) {
		*out = message_new(&header, &w.out, 0);
		w.rc = *out ? 0 : -ENOMEM;
	}
	buf_finish(&header);
	buf_finish(&w.out);
	return w.rc;
}
