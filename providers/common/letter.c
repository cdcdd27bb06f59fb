/* See letter.h. */
#include <common/letter.h>

#include <common/fields.h>
#include <common/header.h>
#include <common/text.h>
#include <common/url.h>
#include <common/words.h>

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

int letter_init(struct letter *l, const struct letter_style *style,
    const struct postern_mail *mail, const struct postern_host *host,
    struct postern_request *r)
{
	*l = (struct letter){ .style = style, .mail = mail };
	writer_init(&l->w, host, r);
	return split_recipients(mail, host, r, &l->lists);
}

void letter_begin(struct letter *l, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	*l = (struct letter){ .mail = mail };
	writer_init(&l->w, host, r);
}

int letter_head(struct letter *l, const char *base, const char *path)
{
	const struct postern_host *host = l->w.host;
	const char *url = url_join(host, l->w.r, base, path);

	if (!url)
		return -ENOMEM;
	(void)host->method(l->w.r, "POST");
	(void)host->url(l->w.r, url);
	(void)host->header(l->w.r, "Content-Type", "application/json");
	return host->header(l->w.r, "Accept", "application/json");
}

int letter_key(struct letter *l, const char *header, const char *scheme,
    struct postern_secret key)
{
	struct text value;

	text_init(&value, l->w.host, l->w.r);
	text_add_cstr(&value, scheme);
	text_add(&value, str_make(key.ptr, key.len));
	if (!text_finish(&value))
		return -ENOMEM;
	return l->w.host->header(l->w.r, header, value.data);
}

/* --- addresses --- */

/* The bytes up to the first of these. */
static struct postern_str run_of(struct postern_str s, const char *stops)
{
	size_t len = 0;

	while (len < s.len && !(s.ptr[len] && strchr(stops, s.ptr[len])))
		len++;
	return str_make(s.ptr, len);
}

/* From the first byte on that is none of these. */
static struct postern_str skip(struct postern_str s, const char *bytes)
{
	while (s.len > 0 && s.ptr[0] && strchr(bytes, s.ptr[0]))
		s = str_from(s, 1);
	return s;
}

/* A space for what the style does not want, unless there is one. */
static void add_name(struct letter *l, struct postern_str name)
{
	const char *unwanted = l->style->unwanted ? l->style->unwanted : "";
	bool needs_space = false;

	if (l->style->encodes_names) {
		words_write(&l->w, name);
		return;
	}
	while (name.len > 0) {
		struct postern_str run = run_of(name, unwanted);

		if (needs_space && run.ptr[0] != ' ')
			writer_more(&l->w, STR(" "));
		writer_more(&l->w, run);
		needs_space = run.len > 0 && run.ptr[run.len - 1] != ' ';
		name = skip(str_from(name, run.len), unwanted);
	}
}

/* Of one of unwanted characters nothing is left. */
static struct postern_str name_of(
    const struct letter *l, const struct postern_address *address)
{
	const char *unwanted = l->style->unwanted;
	struct postern_str rest = address->name;

	if (!unwanted)
		return rest;
	for (; rest.len > 0; rest = str_from(rest, 1)) {
		if (rest.ptr[0] != ' ' && !strchr(unwanted, rest.ptr[0]))
			return skip(address->name, unwanted);
	}
	return rest;
}

static void add_object(
    struct letter *l, const char *name, const struct postern_address *address)
{
	struct postern_str shown = name_of(l, address);

	writer_open(&l->w, name, "{");
	writer_text(&l->w, l->style->email, address->address);
	if (shown.len > 0) {
		writer_begin(&l->w, l->style->name);
		add_name(l, shown);
		writer_end(&l->w);
	}
	(void)writer_close(&l->w, "}");
}

/* RFC 5322 3.4, but for what is not ASCII: the API sees to that. */
static void add_mailbox(struct letter *l, const struct postern_address *address)
{
	struct postern_str name = address->name;

	if (name.len == 0) {
		writer_more(&l->w, address->address);
		return;
	}
	writer_more(&l->w, STR("\""));
	while (name.len > 0) {
		struct postern_str run = run_of(name, "\"\\");
		writer_more(&l->w, run);
		name = str_from(name, run.len);
		if (name.len == 0)
			break;
		writer_more(&l->w, STR("\\"));
		writer_more(&l->w, str_make(name.ptr, 1));
		name = str_from(name, 1);
	}
	writer_more(&l->w, STR("\" <"));
	writer_more(&l->w, address->address);
	writer_more(&l->w, STR(">"));
}

static void add_string(
    struct letter *l, const char *name, const struct postern_address *address)
{
	writer_begin(&l->w, name);
	add_mailbox(l, address);
	writer_end(&l->w);
}

void letter_address(
    struct letter *l, const char *name, const struct postern_address *address)
{
	if (l->style->addresses == LETTER_OBJECTS)
		add_object(l, name, address);
	else
		add_string(l, name, address);
}

static void add_line(struct letter *l, const char *name,
    const struct postern_address *list, size_t count)
{
	writer_begin(&l->w, name);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			writer_more(&l->w, STR(", "));
		add_mailbox(l, &list[i]);
	}
	writer_end(&l->w);
}

void letter_addresses(struct letter *l, const char *name,
    const struct postern_address *list, size_t count)
{
	if (count == 0)
		return;
	if (l->style->addresses == LETTER_LINE) {
		add_line(l, name, list, count);
		return;
	}
	writer_open(&l->w, name, "[");
	for (size_t i = 0; i < count; i++)
		letter_address(l, NULL, &list[i]);
	(void)writer_close(&l->w, "]");
}

void letter_recipients(
    struct letter *l, const char *to, const char *cc, const char *bcc)
{
	const struct split *s = &l->lists;

	letter_addresses(l, to, s->to, s->to_count);
	letter_addresses(l, cc, s->cc, s->cc_count);
	letter_addresses(l, bcc, s->bcc, s->bcc_count);
}

void letter_texts(struct letter *l, const char *text, const char *html)
{
	const struct postern_content *c = l->mail->content;

	if (c->text.len > 0 || c->html.len == 0)
		writer_text(&l->w, text, letter_or_space(c->text));
	if (c->html.len > 0)
		writer_text(&l->w, html, c->html);
}

void letter_tags(struct letter *l, const char *name,
    const struct postern_list *words, struct postern_str more)
{
	const struct postern_controls *c = l->mail->controls;
	const char *const *items = words->items;

	if (words->count == 0 && more.len == 0 && c->tag_count == 0)
		return;
	writer_open(&l->w, name, "[");
	for (size_t i = 0; i < words->count; i++)
		writer_text(&l->w, NULL, str_of(items[i]));
	for (size_t i = 0; i < c->tag_count; i++)
		writer_text(&l->w, NULL, c->tags[i]);
	if (more.len > 0)
		writer_text(&l->w, NULL, more);
	(void)writer_close(&l->w, "]");
}

/* --- parts --- */

static void add_content_id(struct letter *l, const struct postern_part *part)
{
	const struct letter_style *s = l->style;

	if (!part->is_inline || !s->content_id)
		return;
	writer_begin(&l->w, s->content_id);
	writer_more(&l->w, str_of(s->id_prefix));
	writer_more(&l->w, part->content_id);
	writer_end(&l->w);
}

static bool is_token(struct postern_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?=", c))
			return false;
	}
	return s.len > 0;
}

static void add_parameter(
    struct letter *l, struct postern_str name, struct postern_str value)
{
	if (!l->style->has_type_parameters || !is_token(value))
		return;
	writer_more(&l->w, STR("; "));
	writer_more(&l->w, name);
	writer_more(&l->w, STR("="));
	writer_more(&l->w, value);
}

static void add_type(struct letter *l, const struct postern_part *part)
{
	writer_begin(&l->w, l->style->type);
	writer_more(&l->w, part->type);
	add_parameter(l, STR("charset"), part->charset);
	add_parameter(l, STR("method"), part->method);
	writer_end(&l->w);
}

static void add_part(struct letter *l, size_t i)
{
	const struct letter_style *s = l->style;
	const struct postern_part *part = &l->mail->content->parts[i];

	writer_open(&l->w, NULL, "{");
	writer_part(&l->w, s->content, i);
	if (s->type)
		add_type(l, part);
	writer_text(&l->w, s->filename,
	    part->is_inline && s->is_named_by_id ? part->content_id
						 : part->filename);
	if (s->disposition)
		writer_text(&l->w, s->disposition,
		    part->is_inline ? STR("inline") : STR("attachment"));
	add_content_id(l, part);
	(void)writer_close(&l->w, "}");
}

void letter_parts(struct letter *l, const char *name, enum letter_parts which)
{
	const struct postern_content *c = l->mail->content;
	bool is_open = false;

	for (size_t i = 0; i < c->part_count; i++) {
		if (which != LETTER_ALL &&
		    c->parts[i].is_inline != (which == LETTER_INLINE))
			continue;
		if (!is_open)
			writer_open(&l->w, name, "[");
		is_open = true;
		add_part(l, i);
	}
	if (is_open)
		(void)writer_close(&l->w, "]");
}

/* --- header fields --- */

struct named {
	struct postern_str name;
	size_t index; /* of the field */
};

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = str_icmp(x->name, y->name);

	if (order != 0)
		return order;
	return x->index < y->index ? -1 : x->index > y->index;
}

/*
 * For each field of the message whether one before it has its name. NULL:
 * memory, which the request remembers. Sorted, as there may be thousands.
 */
static bool *find_repeated(const struct letter *l)
{
	const struct postern_host *host = l->w.host;
	size_t n = l->mail->header_count;
	struct named *names = host->alloc(l->w.r, (n + 1) * sizeof(*names));
	bool *is_repeated = host->alloc(l->w.r, n + 1);

	if (!names || !is_repeated)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		names[i].name = l->mail->headers[i].name;
		names[i].index = i;
	}
	qsort(names, n, sizeof(*names), compare_named);
	for (size_t i = 0; i < n; i++)
		is_repeated[names[i].index] =
		    i > 0 && str_ieq(names[i - 1].name, names[i].name);
	return is_repeated;
}

static void add_header(struct letter *l, const struct postern_header *h)
{
	if (!l->style->header_name) {
		writer_pair(&l->w, h->name, h->value);
		return;
	}
	writer_open(&l->w, NULL, "{");
	writer_text(&l->w, l->style->header_name, h->name);
	writer_text(&l->w, l->style->header_value, h->value);
	(void)writer_close(&l->w, "}");
}

void letter_headers(struct letter *l, const char *name,
    bool (*may_pass)(const struct postern_header *h),
    const struct postern_header *more, size_t count)
{
	bool is_list = l->style->header_name != NULL, is_open = false;
	const struct postern_header *fields = l->mail->headers;
	size_t own = l->mail->header_count;
	const bool *is_repeated = is_list ? NULL : find_repeated(l);

	if (!is_list && !is_repeated)
		return;
	for (size_t i = 0; i < own + count; i++) {
		const struct postern_header *h =
		    i < own ? &fields[i] : &more[i - own];
		if (i < own &&
		    (!field_may_pass(h->name) ||
			field_begins(h->name, l->style->control_fields) ||
			(may_pass && !may_pass(h)) ||
			(is_repeated && is_repeated[i])))
			continue;
		if (!is_open)
			writer_open(&l->w, name, is_list ? "[" : "{");
		is_open = true;
		add_header(l, h);
	}
	if (is_open)
		(void)writer_close(&l->w, is_list ? "]" : "}");
}

/* --- what cannot be carried --- */

int letter_want_to(struct letter *l, const char *reason)
{
	struct split *s = &l->lists;

	if (s->to_count > 0)
		return 0;
	if (s->cc_count > 0) {
		s->to = s->cc++;
		s->cc_count--;
	} else if (s->bcc_count == 1) {
		s->to = s->bcc++;
		s->bcc_count--;
	} else {
		return letter_refuse_together(l, reason);
	}
	s->to_count = 1;
	return 0;
}

int letter_refuse_together(struct letter *l, const char *reason)
{
	const struct postern_host *host = l->w.host;

	/* Older cores cannot. */
	if (host->size < offsetof(struct postern_host, body_changed))
		return host->refuse(l->w.r, reason);
	return host->refuse_together(l->w.r, reason);
}

int letter_refuse(struct letter *l, const char *reason)
{
	return l->w.host->refuse(l->w.r, reason);
}

static int refuse_named(
    struct letter *l, const char *reason, struct postern_str name)
{
	struct text t;

	text_init(&t, l->w.host, l->w.r);
	text_add_cstr(&t, reason);
	text_add_cstr(&t, ": ");
	text_add(&t, name);
	return text_finish(&t) ? letter_refuse(l, t.data) : -ENOMEM;
}

int letter_refuse_part(struct letter *l, const char *reason, size_t i)
{
	return refuse_named(l, reason, l->mail->content->parts[i].filename);
}

int letter_refuse_fields(
    struct letter *l, const char *const *list, const char *reason)
{
	const struct postern_header *h = field_find(l->mail, list);

	return h ? refuse_named(l, reason, h->name) : 0;
}

bool letter_has_kind(
    const struct postern_part *part, const char *const *extensions)
{
	struct postern_str name = part->filename;
	size_t start = name.len;

	while (start > 0 && name.ptr[start - 1] != '.')
		start--;
	for (; start > 0 && *extensions; extensions++) {
		if (str_ieq(str_from(name, start), str_of(*extensions)))
			return true;
	}
	return false;
}

/* --- finding --- */

struct postern_str letter_find(
    const struct postern_mail *mail, const char *name)
{
	return header_value(mail, name);
}

struct postern_str letter_decode(struct letter *l, struct postern_str value)
{
	/* Want of memory sticks in the request. */
	return str_of(l->w.host->decode(l->w.r, value));
}

struct postern_str letter_find_text(struct letter *l, const char *name)
{
	struct postern_str value = letter_find(l->mail, name);

	return value.len > 0 ? letter_decode(l, value) : STR("");
}

size_t letter_length(struct postern_str text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	return count;
}

struct postern_str letter_or_space(struct postern_str text)
{
	return text.len > 0 ? text : STR(" ");
}
