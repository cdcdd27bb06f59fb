/* The sandbox's own paths: faults, what was accepted, counts. */
#include <string.h>

#include <admin/reply.h>
#include <base/clock.h>
#include <sandbox/describe.h>
#include <sandbox/page.h>
#include <sandbox/parts.h>
#include <sandbox/sandbox_internal.h>

#define MESSAGES "/_sandbox/messages"

enum {
	LIMIT_DEFAULT = 100
};

struct operation {
	const char *method, *path;
	void (*run)(struct sandbox *s, struct httpd_request *r);
};

static void reply_done(struct httpd_request *r)
{
	reply_json(r, 200, json_pack("{s:b}", "ok", 1));
}

/* -- faults -- */

static void get_faults(struct sandbox *s, struct httpd_request *r)
{
	reply_json(r, 200, faults_list(&s->faults));
}

static void post_fault(struct sandbox *s, struct httpd_request *r)
{
	struct span body = httpd_body(r);
	json_t *spec =
	    json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	uint64_t id = 0;
	const char *wrong = faults_add(&s->faults, spec, &id);

	json_decref(spec);
	if (wrong)
		reply_error(r, 400, wrong);
	else
		reply_json(r, 201, json_pack("{s:I}", "id", (json_int_t)id));
}

static void delete_faults(struct sandbox *s, struct httpd_request *r)
{
	faults_remove(&s->faults, httpd_query(r, "provider"));
	reply_done(r);
}

/* -- temporary keys -- */

static void post_ses_key(struct sandbox *s, struct httpd_request *r)
{
	struct span body = httpd_body(r);
	json_t *spec =
	    json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = keyring_add(&s->ses_keyring, spec, clock_wall_ms());

	json_decref(spec);
	if (wrong)
		reply_error(r, 400, wrong);
	else
		reply_done(r);
}

static void delete_ses_keys(struct sandbox *s, struct httpd_request *r)
{
	keyring_clear(&s->ses_keyring);
	reply_done(r);
}

/* -- what the account of SES may send -- */

static void get_ses_account(struct sandbox *s, struct httpd_request *r)
{
	json_t *out = ses_account_tell(&s->ses_account);

	(void)json_object_set_new(
	    out, "asked", json_integer((json_int_t)s->ses_account.asked));
	reply_json(r, 200, out);
}

static void post_ses_account(struct sandbox *s, struct httpd_request *r)
{
	struct span body = httpd_body(r);
	json_t *spec =
	    json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	struct ses_account account;
	const char *wrong = ses_account_read(spec, &account);

	json_decref(spec);
	if (wrong) {
		reply_error(r, 400, wrong);
		return;
	}
	account.asked = s->ses_account.asked;
	s->ses_account = account;
	reply_done(r);
}

static void delete_ses_account(struct sandbox *s, struct httpd_request *r)
{
	memset(&s->ses_account, 0, sizeof(s->ses_account));
	reply_done(r);
}

/* -- limits -- */

static void post_limit(struct sandbox *s, struct httpd_request *r)
{
	struct span body = httpd_body(r);
	json_t *spec =
	    json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = NULL;
	struct limit limit;
	int index = limit_read(spec, &limit, &wrong);

	json_decref(spec);
	if (index < 0) {
		reply_error(r, 400, wrong);
		return;
	}
	s->limits[index] = limit;
	reply_done(r);
}

static void delete_limits(struct sandbox *s, struct httpd_request *r)
{
	memset(s->limits, 0, sizeof(s->limits));
	reply_done(r);
}

/* -- messages -- */

struct filter {
	const char *provider, *recipient;
};

static bool is_wanted(const struct letter *l, const struct filter *f)
{
	struct span to = buf_span(&l->recipients);

	return (!f->provider || strcmp(f->provider, l->provider) == 0) &&
	       (!f->recipient ||
		   memmem(to.ptr, to.len, f->recipient, strlen(f->recipient)));
}

/* The newest that match, oldest of them first. */
static void get_messages(struct sandbox *s, struct httpd_request *r)
{
	const struct filter filter = { httpd_query(r, "provider"),
		httpd_query(r, "recipient") };
	const char *after = httpd_query(r, "after");
	const char *limit = httpd_query(r, "limit");
	unsigned long long left = LIMIT_DEFAULT;
	json_t *list = json_array();

	if (limit && !span_parse_u64(span_of(limit), SIZE_MAX, &left)) {
		json_decref(list);
		reply_error(r, 400, "limit is a number");
		return;
	}
	for (struct list *pos = s->archive.letters.prev;
	     pos != &s->archive.letters && left > 0; pos = pos->prev) {
		const struct letter *l = container_of(pos, struct letter, node);

		if (after && strcmp(l->id, after) == 0)
			break;
		if (!is_wanted(l, &filter))
			continue;
		(void)json_array_insert_new(list, 0, describe_letter(l));
		left--;
	}
	reply_json(r, 200, list);
}

static void delete_messages(struct sandbox *s, struct httpd_request *r)
{
	archive_clear(&s->archive);
	reply_done(r);
}

static void reply_raw(struct httpd_request *r, const struct letter *l)
{
	static const char *const headers[] = { PARTS_HEADERS, NULL };
	static const char *const types[] = { [LETTER_MIME] = "message/rfc822",
		[LETTER_JSON] = "application/json",
		[LETTER_OTHER] = "application/octet-stream" };
	const struct httpd_reply reply = {
		.status = 200,
		.content_type = types[l->kind],
		.headers = headers,
		.body = buf_span(&l->raw),
	};

	httpd_reply(r, &reply);
}

/* /_sandbox/messages/{id}, with /raw or /parts/{n} behind it */
static void get_message(struct sandbox *s, struct httpd_request *r)
{
	struct span rest = span_from(span_of(httpd_path(r)), sizeof(MESSAGES));
	const struct letter *l =
	    archive_find(&s->archive, span_cut(&rest, '/'));

	if (!l)
		reply_error(r, 404, "no message has this id");
	else if (!rest.ptr)
		reply_json(r, 200, describe_whole(l));
	else if (span_eq(rest, SPAN("raw")))
		reply_raw(r, l);
	else if (span_starts_with(rest, SPAN("parts/")))
		parts_answer(r, l, span_from(rest, 6));
	else
		reply_error(r, 404, "a message has /raw and /parts/{n}");
}

/* -- counts -- */

static void get_counts(struct sandbox *s, struct httpd_request *r)
{
	json_t *out = json_object();

	for (size_t i = 0; i < FAKES_ALL; i++) {
		const struct sandbox_counts *c = &s->counts[i];

		(void)json_object_set_new(out, fakes[i]->name,
		    json_pack("{s:I, s:I, s:I, s:I, s:I}", "requests",
			(json_int_t)c->requests, "accepted",
			(json_int_t)c->accepted, "rejected",
			(json_int_t)c->rejected, "faulted",
			(json_int_t)c->faulted, "limited",
			(json_int_t)c->limited));
	}
	reply_json(r, 200, out);
}

static void delete_counts(struct sandbox *s, struct httpd_request *r)
{
	memset(s->counts, 0, sizeof(s->counts));
	reply_done(r);
}

static const struct operation operations[] = {
	{ "GET", "/_sandbox/faults", get_faults },
	{ "POST", "/_sandbox/faults", post_fault },
	{ "DELETE", "/_sandbox/faults", delete_faults },
	{ "POST", "/_sandbox/ses-keys", post_ses_key },
	{ "DELETE", "/_sandbox/ses-keys", delete_ses_keys },
	{ "GET", "/_sandbox/ses-account", get_ses_account },
	{ "POST", "/_sandbox/ses-account", post_ses_account },
	{ "DELETE", "/_sandbox/ses-account", delete_ses_account },
	{ "POST", "/_sandbox/limits", post_limit },
	{ "DELETE", "/_sandbox/limits", delete_limits },
	{ "GET", MESSAGES, get_messages },
	{ "DELETE", MESSAGES, delete_messages },
	{ "GET", "/_sandbox/counts", get_counts },
	{ "DELETE", "/_sandbox/counts", delete_counts },
};

/* A page of somebody else may not have its reader's browser change things. */
static bool is_foreign(const struct httpd_request *r)
{
	const char *site = httpd_header(r, "Sec-Fetch-Site");
	const char *origin = httpd_header(r, "Origin");
	const char *host = httpd_header(r, "Host");

	if (site)
		return strcmp(site, "same-origin") != 0 &&
		       strcmp(site, "none") != 0;
	return origin && (!host || strncmp(origin, "http://", 7) != 0 ||
			     strcmp(origin + 7, host) != 0);
}

void control_answer(struct sandbox *s, struct httpd_request *r)
{
	const char *path = httpd_path(r);
	bool is_known = false;

	if (strcmp(httpd_method(r), "GET") != 0 && is_foreign(r)) {
		reply_error(r, 403, "the request is from another site");
		return;
	}
	if (page_answer(s, r))
		return;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]);
	     i++) {
		if (strcmp(operations[i].path, path) != 0)
			continue;
		is_known = true;
		if (strcmp(operations[i].method, httpd_method(r)) == 0) {
			operations[i].run(s, r);
			return;
		}
	}
	if (strncmp(path, MESSAGES "/", sizeof(MESSAGES)) == 0 &&
	    strcmp(httpd_method(r), "GET") == 0)
		get_message(s, r);
	else if (is_known)
		reply_error(r, 405, "this path has no such method");
	else
		reply_error(r, 404, "there is nothing at this path");
}
