#include <config/field.h>

#include <config/expand.h>
#include <config/node.h>
#include <config/report.h>
#include <config/value.h>
#include <config/words.h>

#include <stdio.h>
#include <string.h>

/* Which keys a map may have, beyond those of its rows. */
struct scope {
	const struct postern_field *rows;
	const struct postern_field *others; /* decoded by another call */
	bool is_open;                       /* any */
};

enum {
	KEY_MAX = 128,
	SHOWN_MAX = 60
};

static void decode_map(struct field_decoder *d, struct node *map,
    const struct scope *scope, void *out);

static void out_of_memory(struct field_decoder *d, const struct node *n)
{
	report_error(d->report, n, "out of memory");
}

/* --- scalars --- */

static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '!' || s.ptr[i] > '~')
			return false;
	return s.len > 0;
}

/*
 * Values are shown as the file has them, not expanded: what comes from
 * elsewhere may be a secret that was put in the wrong place.
 */
static void complain_about(
    struct field_decoder *d, const struct node *n, const struct complaint *c)
{
	struct span shown = n->text;
	const char *quote = is_word(shown) ? "" : "\"";
	const char *open = *c->hint ? " (" : "", *close = *c->hint ? ")" : "";
	const char *more = "";

	if (c->is_private) {
		report_error(
		    d->report, n, "%s%s%s%s", c->what, open, c->hint, close);
		return;
	}
	if (shown.len > SHOWN_MAX) {
		shown.len = SHOWN_MAX;
		while (shown.len > 0 &&
		       ((unsigned char)shown.ptr[shown.len] & 0xc0) == 0x80)
			shown.len--;
		more = "...";
	}
	report_error(d->report, n, "%s, is %s%.*s%s%s%s%s%s", c->what, quote,
	    SPAN_FMT(shown), more, quote, open, c->hint, close);
}

static bool is_blank(const struct node *n)
{
	return n->type == NODE_SCALAR && n->is_plain && n->text.len == 0;
}

static bool is_scalar(struct field_decoder *d, const struct node *n)
{
	if (n->is_broken)
		return false;
	if (n->type != NODE_SCALAR)
		report_error(d->report, n, "must be a single value, is a %s",
		    n->type == NODE_MAP ? "map" : "list");
	else if (is_blank(n))
		report_error(d->report, n, "has no value");
	else
		return true;
	return false;
}

static bool expand_node(
    struct field_decoder *d, const struct node *n, struct expanded *x)
{
	struct err e = { 0 };

	if (!is_scalar(d, n))
		return false;
	if (expand_text(n->text, x, &e) == 0)
		return true;
	report_error(d->report, n, "%s", e.text);
	return false;
}

static bool keep_text(struct field_decoder *d, const struct node *n,
    struct span s, const char **out)
{
	*out = arena_str(d->values, s);
	if (!*out)
		out_of_memory(d, n);
	return *out != NULL;
}

static bool must_not_be_empty(struct complaint *c)
{
	*c = (struct complaint){ .what = "must not be empty",
		.is_private = true };
	return false;
}

/* False with *c filled, or empty when the problem is reported already. */
static bool decode_text(struct field_decoder *d, const struct node *n,
    const struct postern_field *row, struct span s, void *out,
    struct complaint *c)
{
	struct value_range range = { row->min, row->max };

	switch (row->type) {
	case POSTERN_TYPE_STRING:
		if (s.len == 0 && (row->flags & POSTERN_FIELD_REQUIRED))
			return must_not_be_empty(c);
		return value_check_text(s, c) && keep_text(d, n, s, out);
	case POSTERN_TYPE_STRINGS: /* one of them */
		if (s.len == 0)
			return must_not_be_empty(c);
		return value_check_text(s, c) && keep_text(d, n, s, out);
	case POSTERN_TYPE_NETWORKS: /* one of them */
		return value_parse_network(s, out, c);
	case POSTERN_TYPE_URL:
		return value_check_url(s, c) && keep_text(d, n, s, out);
	case POSTERN_TYPE_SMTP_URL:
		return value_check_smtp_url(s, c) && keep_text(d, n, s, out);
	case POSTERN_TYPE_BOOL:
		return value_parse_bool(s, out, c);
	case POSTERN_TYPE_INT:
		return value_parse_int(s, range, out, c);
	case POSTERN_TYPE_PERCENT:
		return value_parse_percent(s, range, out, c);
	case POSTERN_TYPE_SHARE:
		return value_parse_share(s, range, out, c);
	case POSTERN_TYPE_DURATION:
		return value_parse_duration(s, range, out, c);
	case POSTERN_TYPE_SIZE:
		return value_parse_size(s, range, out, c);
	case POSTERN_TYPE_RATE:
		return value_parse_rate(s, out, c);
	case POSTERN_TYPE_ENUM:
		return value_parse_enum(s, row->names, out, c);
	case POSTERN_TYPE_SECRET:
	case POSTERN_TYPE_MAP:
	case POSTERN_TYPE_LIST:
		break;
	}
	report_error(d->report, n, "has a row of a type that is not known");
	return false;
}

static void decode_scalar(struct field_decoder *d, const struct node *n,
    const struct postern_field *row, void *out)
{
	struct complaint c = { .what = "" };
	struct expanded x;

	expanded_init(&x);
	if (expand_node(d, n, &x) &&
	    !decode_text(d, n, row, buf_span(&x.text), out, &c) && *c.what)
		complain_about(d, n, &c);
	expanded_finish(&x);
}

/* --- secrets --- */

static void keep_secret(struct field_decoder *d, const struct node *n,
    struct span s, struct postern_secret *out)
{
	struct field_secret *kept = arena_alloc(d->values, sizeof(*kept));

	if (kept)
		kept->value = arena_str(d->values, s);
	if (!kept || !kept->value) {
		out_of_memory(d, n);
		return;
	}
	kept->len = s.len;
	kept->next = d->secrets;
	d->secrets = kept;
	*out = (struct postern_secret){ kept->value, kept->len };
}

static bool fetch_secret(struct field_decoder *d, const struct node *n,
    bool is_file, struct expanded *x)
{
	struct err e = { 0 };
	struct expanded path;
	const char *name;
	bool ok;
	int rc;

	if (!is_file && !span_starts_with(n->text, SPAN("credential:")))
		return expand_node(d, n, x);
	expanded_init(&path);
	ok = expand_node(d, n, &path);
	/* The buffer always has room for a NUL behind its end. */
	if (ok && buf_add(&path.text, "", 1) != 0) {
		out_of_memory(d, n);
		ok = false;
	}
	if (!ok)
		goto out;
	name = buf_span(&path.text).ptr;
	rc = is_file ? expand_file(name, x, &e)
		     : expand_credential(name + strlen("credential:"), x, &e);
	if (rc)
		report_error(d->report, n, "%s", e.text);
	ok = rc == 0;
out:
	expanded_finish(&path);
	return ok;
}

void field_check_exposure(const struct field_decoder *d, const struct node *n,
    const struct expanded *x)
{
	if (x->exposed[0] && x->is_delivered)
		report_warning(d->report, n,
		    "%s may be read by everybody (give its mount a mode)",
		    x->exposed);
	else if (x->exposed[0])
		report_error(d->report, n,
		    "%s may be read by everybody (chmod o-r)", x->exposed);
}

/* Most are sent in a field of a header, where nothing else can stand. */
static bool check_secret(struct field_decoder *d, const struct node *n,
    const struct postern_field *row, struct span s)
{
	struct complaint c = { .what = "" };

	if (s.len == 0)
		(void)must_not_be_empty(&c);
	else if (row->flags & POSTERN_FIELD_LINES || value_check_text(s, &c))
		return true;
	c.is_private = true;
	complain_about(d, n, &c);
	return false;
}

static void decode_secret(struct field_decoder *d, const struct node *n,
    const struct postern_field *row, bool is_file, struct postern_secret *out)
{
	struct expanded x;

	expanded_init(&x);
	if (!fetch_secret(d, n, is_file, &x) ||
	    !check_secret(d, n, row, buf_span(&x.text)))
		goto out;
	field_check_exposure(d, n, &x);
	keep_secret(d, n, buf_span(&x.text), out);
out:
	expanded_finish(&x);
}

/* A secret is given as itself or, under NAME_file, as a file that holds it. */
static bool file_key(const struct postern_field *row, char out[KEY_MAX])
{
	int n;

	if (row->type != POSTERN_TYPE_SECRET)
		return false;
	n = snprintf(out, KEY_MAX, "%s_file", row->name);
	return n > 0 && n < KEY_MAX;
}

static void decode_secret_row(struct field_decoder *d, struct node *map,
    const struct postern_field *row, struct postern_secret *out)
{
	const struct node *direct = node_get(map, row->name);
	const struct node *file = NULL;
	char key[KEY_MAX];

	if (file_key(row, key))
		file = node_get(map, key);
	if (file && direct)
		report_key_error(d->report, file,
		    "is given together with %s (keep one)", row->name);
	else if (file || direct)
		decode_secret(d, file ? file : direct, row, file != NULL, out);
	else if ((row->flags & POSTERN_FIELD_REQUIRED) && !map->is_preset)
		report_missing(d->report, map, row->name, row->doc);
}

/* --- lists --- */

/* Scalars of one type, of that many bytes each. */
static void decode_values(struct field_decoder *d, const struct node *n,
    const struct postern_field *row, size_t size, struct postern_list *out)
{
	bool is_single = n->type == NODE_SCALAR;
	const struct node *item = is_single ? n : n->first;
	size_t count = is_single ? 1 : n->count;
	char *items;

	if (n->is_broken)
		return;
	if (n->type == NODE_MAP || is_blank(n)) {
		report_error(d->report, n, "must be a list, or a single value");
		return;
	}
	if (count == 0)
		return;
	items = arena_alloc(d->values, count * size);
	if (!items) {
		out_of_memory(d, n);
		return;
	}
	*out = (struct postern_list){ .items = items, .count = count };
	for (size_t i = 0; i < count; i++, item = item->next)
		decode_scalar(d, item, row, items + i * size);
}

static void decode_list(struct field_decoder *d, const struct node *n,
    const struct postern_field *row, struct postern_list *out)
{
	struct scope scope = { .rows = row->fields,
		.is_open = (row->flags & FIELD_OPEN) != 0 };
	char *items;

	if (n->is_broken)
		return;
	if (n->type != NODE_SEQUENCE) {
		report_error(d->report, n,
		    "must be a list (begin each entry with \"- \")");
		return;
	}
	if (n->count == 0)
		return;
	items = arena_alloc(d->values, n->count * row->size);
	if (!items) {
		out_of_memory(d, n);
		return;
	}
	*out = (struct postern_list){ .items = items, .count = n->count };
	for (struct node *item = n->first; item;
	     item = item->next, items += row->size)
		decode_map(d, item, &scope, items);
}

/* --- maps --- */

/*
 * The value of a row: from the file, else its preset. A map that is not there
 * is an empty one, so that presets of its rows apply; what it would require
 * is not missed.
 */
static struct node *find_value(
    struct field_decoder *d, struct node *map, const struct postern_field *row)
{
	struct node *n = node_get(map, row->name);

	if (n)
		return n;
	if ((row->flags & POSTERN_FIELD_REQUIRED) && !map->is_preset) {
		report_missing(d->report, map, row->name, row->doc);
		return NULL;
	}
	if (!row->preset && row->type != POSTERN_TYPE_MAP)
		return NULL;
	n = node_add_preset(map, row->name, row->preset, d->nodes, d->report);
	if (!n)
		out_of_memory(d, map);
	return n;
}

static void decode_row(struct field_decoder *d, struct node *map,
    const struct postern_field *row, void *block)
{
	struct scope scope = { .rows = row->fields,
		.is_open = (row->flags & FIELD_OPEN) != 0 };
	void *out = (char *)block + row->offset;
	struct node *n;

	if (row->type == POSTERN_TYPE_SECRET) {
		decode_secret_row(d, map, row, out);
		return;
	}
	n = find_value(d, map, row);
	if (!n)
		return;
	if (row->type == POSTERN_TYPE_MAP)
		decode_map(d, n, &scope, out);
	else if (row->type == POSTERN_TYPE_LIST)
		decode_list(d, n, row, out);
	else if (row->type == POSTERN_TYPE_STRINGS)
		decode_values(d, n, row, sizeof(const char *), out);
	else if (row->type == POSTERN_TYPE_NETWORKS)
		decode_values(d, n, row, sizeof(struct network), out);
	else
		decode_scalar(d, n, row, out);
}

static bool rows_have(const struct postern_field *rows, struct span key)
{
	char file[KEY_MAX];

	for (; rows && rows->name; rows++)
		if (span_eq(key, span_of(rows->name)) ||
		    (file_key(rows, file) && span_eq(key, span_of(file))))
			return true;
	return false;
}

static void offer_rows(
    struct words_nearest *nearest, const struct postern_field *rows)
{
	for (; rows && rows->name; rows++)
		words_nearest_offer(nearest, rows->name);
}

static void check_keys(
    struct field_decoder *d, const struct node *map, const struct scope *scope)
{
	for (const struct node *n = map->first; n; n = n->next) {
		struct words_nearest nearest = words_nearest_to(n->key);

		if (scope->is_open || n->is_broken ||
		    rows_have(scope->rows, n->key) ||
		    rows_have(scope->others, n->key))
			continue;
		offer_rows(&nearest, scope->rows);
		offer_rows(&nearest, scope->others);
		if (nearest.best)
			report_key_error(d->report, n,
			    "is no known key (did you mean %s?)", nearest.best);
		else
			report_key_error(d->report, n, "is no known key");
	}
}

static void decode_map(struct field_decoder *d, struct node *map,
    const struct scope *scope, void *out)
{
	if (map->is_broken)
		return;
	/* "smtp:" with every line below it commented out. */
	if (is_blank(map) && map->up && map->up->type == NODE_MAP)
		map->type = NODE_MAP;
	if (map->type != NODE_MAP) {
		report_error(
		    d->report, map, "must be a map of keys and values");
		return;
	}
	check_keys(d, map, scope);
	for (const struct postern_field *row = scope->rows; row && row->name;
	     row++)
		decode_row(d, map, row, out);
}

void field_decode(struct field_decoder *d, struct node *map,
    const struct postern_field *rows, const struct postern_field *others,
    void *out)
{
	struct scope scope = { .rows = rows, .others = others };

	decode_map(d, map, &scope, out);
}
