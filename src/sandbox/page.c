/* See page.h: paths, the list, faults. */
#include <sandbox/page.h>

#include <stdlib.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/decode.h>
#include <sandbox/oauth.h>
#include <sandbox/page_internal.h>

enum {
	ROWS_MAX = 50,
	REFRESH_S = 5,
	FORM_VALUE_SIZE = 256
};

void page_begin(struct html *h, struct span title, unsigned refresh_s)
{
	html_add(h, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
		    "<meta charset=\"utf-8\"><meta name=\"viewport\" "
		    "content=\"width=device-width\">");
	if (refresh_s > 0) {
		html_add(h, "<meta http-equiv=\"refresh\" content=\"");
		html_number(h, refresh_s);
		html_add(h, "\">");
	}
	html_add(h, "<title>");
	html_text(h, title);
	html_add(h, "</title><link rel=\"stylesheet\" href=\"" PAGE_STYLE
		    "\"></head><body>\n<header><h1>");
	html_text(h, title);
	html_add(h, "</h1>");
}

void page_end(struct html *h)
{
	html_add(h, "</body></html>\n");
}

/* -- providers -- */

static void add_provider(
    struct html *h, const char *name, const struct sandbox_counts *c)
{
	const uint64_t numbers[] = { c->requests, c->accepted, c->rejected,
		c->faulted, c->limited };

	html_add(h, "<tr><td><a href=\"/?provider=");
	html_text(h, span_of(name));
	html_add(h, "\">");
	html_text(h, span_of(name));
	html_add(h, "</a></td>");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		html_add(h, "<td class=\"n\">");
		html_number(h, numbers[i]);
		html_add(h, "</td>");
	}
	html_add(h, "</tr>\n");
}

/* Those that were called, and the names of the others. */
static void add_providers(struct html *h, const struct sandbox *s)
{
	size_t called = 0;

	for (size_t i = 0; i < FAKES_ALL; i++) {
		if (s->counts[i].requests == 0)
			continue;
		if (called++ == 0)
			html_add(h, "<h2>Requests</h2><table><tr>"
				    "<th>provider</th><th class=\"n\">all</th>"
				    "<th class=\"n\">accepted</th>"
				    "<th class=\"n\">refused</th>"
				    "<th class=\"n\">faults</th>"
				    "<th class=\"n\">limited</th></tr>\n");
		add_provider(h, fakes[i]->name, &s->counts[i]);
	}
	if (called > 0)
		html_add(h, "</table>");
	html_add(h, "<p class=\"dim\">Not called:");
	for (size_t i = 0; i < FAKES_ALL; i++) {
		if (s->counts[i].requests > 0)
			continue;
		html_add(h, " ");
		html_text(h, span_of(fakes[i]->name));
	}
	html_add(h, "</p>\n");
}

/* -- faults -- */

/* The value is what is posted at /_sandbox/faults, but for who and how often.
 */
static const char form[] =
    "<form method=\"post\" action=\"" PAGE_FAULTS "\"><label>Let "
    "<select name=\"provider\"><option value=\"\">all providers</option>";
static const char form_faults[] =
    "</select></label><label>answer <select name=\"fault\">"
    "<option value='{\"status\":503}'>503</option>"
    "<option value='{\"status\":429,\"headers\":{\"Retry-After\":\"2\"}}'>"
    "429, Retry-After 2 s</option>"
    "<option value='{\"status\":401}'>401</option>"
    "<option value='{\"status\":400}'>400</option>"
    "<option value='{\"delay_ms\":5000}'>5 s late</option>"
    "<option value='{\"hang\":\"after-body\"}'>never</option>"
    "<option value='{\"hang\":\"after-body\",\"accept\":true}'>"
    "never, and take it</option>"
    "<option value='{\"reset\":\"before-body\"}'>with a reset</option>"
    "<option value='{\"reset\":\"after-body\",\"accept\":true}'>"
    "with a reset, and take it</option></select></label>"
    "<label>requests (-1: all) <input name=\"count\" value=\"1\"></label>"
    "<button>Add</button>"
    "<button name=\"clear\" value=\"1\">Remove all</button></form>\n";

static void add_form(struct html *h)
{
	html_add(h, form);
	for (size_t i = 0; i < FAKES_ALL; i++) {
		html_add(h, "<option>");
		html_text(h, span_of(fakes[i]->name));
		html_add(h, "</option>");
	}
	html_add(h, form_faults);
}

/* Its members that say something, as words. */
static void add_fault(struct html *h, json_t *fault)
{
	const json_t *provider = json_object_get(fault, "provider");
	const char *key;
	json_t *value;

	html_add(h, "<li>");
	html_text(
	    h, span_of(json_is_string(provider) ? json_string_value(provider)
						: "all providers"));
	html_add(h, ":");
	json_object_foreach(fault, key, value)
	{
		json_int_t number = json_integer_value(value);

		if (value == provider || strcmp(key, "id") == 0 ||
		    (number == 0 && !json_is_string(value) &&
			!json_is_true(value)))
			continue;
		html_add(h, " ");
		html_text(h, span_of(key));
		html_add(h, " ");
		html_string(h, value);
		if (number < 0)
			html_add(h, "unlimited");
		else if (number > 0)
			html_number(h, (uint64_t)number);
	}
	html_add(h, "</li>\n");
}

static void add_faults(struct html *h, const struct sandbox *s)
{
	json_t *list = faults_list(&s->faults), *fault;
	size_t i;

	html_add(h, "<h2>Faults</h2>");
	if (json_array_size(list) == 0)
		html_add(h, "<p class=\"dim\">None.</p>");
	html_add(h, "<ul class=\"bad\">");
	json_array_foreach(list, i, fault) add_fault(h, fault);
	html_add(h, "</ul>");
	add_form(h);
	json_decref(list);
}

/* A form's fault, with who and how often; NULL when it is none. */
static json_t *read_form(struct span form_text)
{
	char value[FORM_VALUE_SIZE];
	json_t *spec = NULL;

	if (oauth_field(form_text, "fault", value, sizeof(value)))
		spec = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
	if (oauth_field(form_text, "provider", value, sizeof(value)) && *value)
		(void)json_object_set_new(spec, "provider", json_string(value));
	if (oauth_field(form_text, "count", value, sizeof(value)))
		(void)json_object_set_new(spec, "count",
		    json_integer((json_int_t)strtol(value, NULL, 10)));
	return spec;
}

static void post_faults(struct sandbox *s, struct httpd_request *r)
{
	static const char *const headers[] = { "Location: /", NULL };
	static const struct httpd_reply back = { .status = 303,
		.headers = headers };
	struct span body = httpd_body(r);
	const char *wrong = NULL;
	char value[FORM_VALUE_SIZE];
	uint64_t id;

	if (oauth_field(body, "clear", value, sizeof(value))) {
		faults_remove(&s->faults, NULL);
	} else {
		json_t *spec = read_form(body);

		wrong = faults_add(&s->faults, spec, &id);
		json_decref(spec);
	}
	if (wrong)
		reply_error(r, 400, wrong);
	else
		httpd_reply(r, &back);
}

/* -- messages -- */

static void add_recipients(struct html *h, const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	size_t more = 0;

	html_text(h, span_cut(&rest, '\n'));
	for (; rest.len > 0; more++)
		(void)span_cut(&rest, '\n');
	if (more > 0) {
		html_add(h, " <span class=\"dim\">+");
		html_number(h, more);
		html_add(h, "</span>");
	}
}

static void add_row(struct html *h, struct letter *l)
{
	if (!decode_brief(l)) {
		h->is_bad = true;
		return;
	}
	html_add(h, "<tr><td class=\"t\">");
	html_time(h, l->received_ms);
	html_add(h, "</td><td>");
	html_text(h, span_of(l->provider));
	html_add(h, "</td><td class=\"wide\">");
	html_text(h, span_of(l->from));
	html_add(h, "</td><td>");
	add_recipients(h, l);
	html_add(h, "</td><td><a href=\"" PAGE_MESSAGE);
	html_text(h, span_of(l->id));
	html_add(h, "\">");
	html_text(h, span_of(*l->subject ? l->subject : "(no subject)"));
	html_add(h, "</a></td><td class=\"n wide\">");
	html_size(h, buf_len(&l->raw));
	html_add(h, "</td></tr>\n");
}

static void add_more(struct html *h, const char *provider, const char *before)
{
	html_add(h, "<p><a href=\"/?before=");
	html_text(h, span_of(before));
	if (provider) {
		html_add(h, "&amp;provider=");
		html_text(h, span_of(provider));
	}
	html_add(h, "\">Older ones</a></p>");
}

/* The newest first, of one provider or of all, behind a certain one. */
static void add_messages(struct html *h, const struct sandbox *s,
    const char *provider, const char *before)
{
	const struct letter *from =
	    before ? archive_find(&s->archive, span_of(before)) : NULL;
	const struct list *end = &s->archive.letters;
	const struct letter *last = NULL;
	size_t rows = 0;

	html_add(h, "<h2>Messages</h2><table><tr><th>time, UTC</th>"
		    "<th>provider</th><th class=\"wide\">from</th><th>to</th>"
		    "<th>subject</th><th class=\"n wide\">size</th></tr>\n");
	for (struct list *pos = from ? from->node.prev : end->prev; pos != end;
	     pos = pos->prev) {
		struct letter *l = container_of(pos, struct letter, node);

		if (provider && strcmp(provider, l->provider) != 0)
			continue;
		if (rows++ == ROWS_MAX) {
			html_add(h, "</table>");
			add_more(h, provider, last->id);
			return;
		}
		add_row(h, l);
		last = l;
	}
	html_add(h, "</table>");
	if (rows == 0)
		html_add(h, "<p class=\"dim\">None. Only those a provider "
			    "accepted are kept.</p>");
}

static void get_list(struct sandbox *s, struct httpd_request *r)
{
	size_t index = fake_of_name(httpd_query(r, "provider"));
	const char *provider = index < FAKES_ALL ? fakes[index]->name : NULL;
	const char *before = httpd_query(r, "before");
	bool is_live = httpd_query(r, "live") != NULL;
	struct html h;

	html_init(&h);
	page_begin(&h, SPAN("Postern sandbox"), is_live ? REFRESH_S : 0);
	html_add(&h, is_live ? "<a href=\"/\">stop refreshing</a>"
			     : "<a href=\"/?live\">refresh every 5 s</a>");
	if (provider || before)
		html_add(&h, "<a href=\"/\">all messages</a>");
	html_add(&h, "<a href=\"/_sandbox/messages\">JSON</a></header>\n");
	add_messages(&h, s, provider, before);
	add_providers(&h, s);
	add_faults(&h, s);
	page_end(&h);
	html_reply(&h, r, 200, PAGE_POLICY);
}

/* -- paths -- */

static void get_style(struct httpd_request *r)
{
	static const char policy[] = PAGE_POLICY;
	static const char *const headers[] = { policy, HTML_HEADERS, NULL };
	const struct httpd_reply reply = {
		.status = 200,
		.content_type = "text/css; charset=utf-8",
		.headers = headers,
		.body = span_of(page_style),
	};

	httpd_reply(r, &reply);
}

/* /_sandbox/page/{id}, with /html behind it for the frame */
static void get_page(struct sandbox *s, struct httpd_request *r)
{
	struct span rest =
	    span_from(span_of(httpd_path(r)), sizeof(PAGE_MESSAGE) - 1);
	const struct letter *l =
	    archive_find(&s->archive, span_cut(&rest, '/'));

	if (l && !rest.ptr)
		page_message(r, l);
	else if (l && span_eq(rest, SPAN("html")))
		page_frame(r, l);
	else
		reply_error(r, 404, "there is no such page (any more)");
}

bool page_answer(struct sandbox *s, struct httpd_request *r)
{
	const char *path = httpd_path(r);
	bool is_get = strcmp(httpd_method(r), "GET") == 0;

	if (strcmp(path, PAGE_FAULTS) == 0 &&
	    strcmp(httpd_method(r), "POST") == 0)
		post_faults(s, r);
	else if (is_get &&
		 (strcmp(path, "/") == 0 || strcmp(path, "/_sandbox/") == 0))
		get_list(s, r);
	else if (is_get && strcmp(path, PAGE_STYLE) == 0)
		get_style(r);
	else if (is_get &&
		 strncmp(path, PAGE_MESSAGE, sizeof(PAGE_MESSAGE) - 1) == 0)
		get_page(s, r);
	else
		return false;
	return true;
}
