#include <config/report.h>

#include <config/node.h>

#include <base/buf.h>

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
	TEXT_MAX = 4096
};

/*
 * Texts quote the file, and so perhaps bytes that would fool a terminal or a
 * reader of JSON.
 */
static char *take_clean(struct buf *b)
{
	bool is_utf8 = span_is_utf8(buf_span(b));
	char *text = buf_take_cstr(b);

	for (char *p = text; p && *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_utf8))
			*p = '?';
	}
	return text;
}

static bool is_behind(
    const struct config_problem *a, const struct config_problem *b)
{
	if (a->source != b->source)
		return a->source > b->source;
	if (a->line != b->line)
		return a->line > b->line;
	return a->column > b->column;
}

/* Where the problem goes, so that the list stays sorted by place; or NULL. */
static struct config_problem *make_room(
    struct config_report *r, const struct config_problem *proto)
{
	size_t i = r->count;

	if (r->count == CONFIG_PROBLEMS_MAX)
		return NULL;
	if (!r->problems) {
		r->problems = calloc(CONFIG_PROBLEMS_MAX, sizeof(*r->problems));
		if (!r->problems)
			return NULL;
		r->cap = CONFIG_PROBLEMS_MAX;
	}
	while (i > 0 && is_behind(&r->problems[i - 1], proto)) {
		r->problems[i] = r->problems[i - 1];
		i--;
	}
	r->count++;
	return &r->problems[i];
}

static void add(struct config_report *r, const struct config_problem *proto,
    struct buf *path, struct buf *message)
{
	struct config_problem *p;

	if (proto->is_warning)
		r->warnings++;
	else
		r->errors++;
	p = make_room(r, proto);
	if (p) {
		*p = *proto;
		p->path = take_clean(path);
		p->message = take_clean(message);
	}
	buf_finish(path);
	buf_finish(message);
}

/* As buf_printf; what does not fit is left out. */
static void add_formatted(struct buf *b, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
static void add_formatted(struct buf *b, const char *fmt, va_list args)
{
	char text[1024];
	int n = vsnprintf(text, sizeof(text), fmt, args);

	if (n < 0)
		return;
	(void)buf_add(
	    b, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void add_about(struct config_report *r,
    const struct config_problem *proto, const struct node *at, const char *fmt,
    va_list args) __attribute__((format(printf, 4, 0)));
static void add_about(struct config_report *r,
    const struct config_problem *proto, const struct node *at, const char *fmt,
    va_list args)
{
	struct buf path, message;

	buf_init(&path, TEXT_MAX);
	buf_init(&message, TEXT_MAX);
	if (at)
		node_path(at, &path);
	add_formatted(&message, fmt, args);
	add(r, proto, &path, &message);
}

void report_error(
    struct config_report *r, const struct node *at, const char *fmt, ...)
{
	struct config_problem p = {
		.source = at->source, .line = at->line, .column = at->column
	};
	va_list args;

	va_start(args, fmt);
	add_about(r, &p, at, fmt, args);
	va_end(args);
}

void report_warning(
    struct config_report *r, const struct node *at, const char *fmt, ...)
{
	struct config_problem p = { .source = at->source,
		.line = at->line,
		.column = at->column,
		.is_warning = true };
	va_list args;

	va_start(args, fmt);
	add_about(r, &p, at, fmt, args);
	va_end(args);
}

void report_key_error(
    struct config_report *r, const struct node *at, const char *fmt, ...)
{
	struct config_problem p = { .source = at->source,
		.line = at->key_line,
		.column = at->key_column };
	va_list args;

	va_start(args, fmt);
	add_about(r, &p, at, fmt, args);
	va_end(args);
}

void report_place(
    struct config_report *r, size_t line, size_t column, const char *fmt, ...)
{
	struct config_problem p = {
		.source = r->reading, .line = line, .column = column
	};
	va_list args;

	va_start(args, fmt);
	add_about(r, &p, NULL, fmt, args);
	va_end(args);
}

static bool ends_with_period(struct span s)
{
	return s.len > 1 && s.ptr[s.len - 1] == '.' && s.ptr[s.len - 2] != '.';
}

void report_missing(struct config_report *r, const struct node *map,
    const char *key, const char *doc)
{
	struct config_problem p = {
		.source = map->source, .line = map->line, .column = map->column
	};
	struct span hint = span_of(doc);
	struct buf path, message;

	buf_init(&path, TEXT_MAX);
	buf_init(&message, TEXT_MAX);
	node_path(map, &path);
	if (buf_len(&path) > 0)
		(void)buf_add_str(&path, ".");
	(void)buf_add_str(&path, key);
	(void)buf_add_str(&message, "is missing");
	/* Some rows end their sentence, some do not; "..." stays. */
	if (ends_with_period(hint))
		hint.len--;
	if (hint.len > 0)
		(void)buf_printf(&message, " (%.*s)", SPAN_FMT(hint));
	add(r, &p, &path, &message);
}

int report_begin_source(struct config_report *r, const char *path)
{
	size_t count = r->source_count;
	struct config_source *sources =
	    realloc(r->sources, (count + 1) * sizeof(*sources));

	if (!sources)
		return -ENOMEM;
	r->sources = sources;
	sources[count] =
	    (struct config_source){ .path = span_dup(span_of(path)) };
	if (!sources[count].path)
		return -ENOMEM;
	r->reading = count;
	r->source_count++;
	return 0;
}

void report_end_source(struct config_report *r)
{
	r->reading = 0;
}

void report_as_read(struct config_report *r, const struct stat *st)
{
	if (S_ISREG(st->st_mode) && r->reading < r->source_count)
		r->sources[r->reading].as_read = *st;
}

void config_report_finish(struct config_report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->problems[i].path);
		free(r->problems[i].message);
	}
	free(r->problems);
	for (size_t i = 0; i < r->source_count; i++)
		free(r->sources[i].path);
	free(r->sources);
	*r = (struct config_report){ 0 };
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

const char *config_problem_file(
    const struct config_report *r, const struct config_problem *p)
{
	return p->source < r->source_count ? r->sources[p->source].path : "";
}

static void print_problem(
    const struct config_report *r, const struct config_problem *p, FILE *out)
{
	fprintf(out, "%s:", config_problem_file(r, p));
	if (p->line > 0)
		fprintf(out, "%zu:%zu:", p->line, p->column);
	if (p->is_warning)
		fputs(" warning:", out);
	if (p->path && *p->path)
		fprintf(out, " %s:", p->path);
	fprintf(out, " %s\n", p->message ? p->message : "out of memory");
}

void config_report_print(const struct config_report *r, FILE *out)
{
	size_t found = r->errors + r->warnings;

	if (found == 0)
		return;
	for (size_t i = 0; i < r->count; i++)
		print_problem(r, &r->problems[i], out);
	if (found > r->count)
		fprintf(out, "and %zu more\n", found - r->count);
	fprintf(out, "%zu error%s, %zu warning%s\n", r->errors,
	    r->errors == 1 ? "" : "s", r->warnings,
	    r->warnings == 1 ? "" : "s");
}

void config_report_print_json(const struct config_report *r, FILE *out)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct config_problem *p = &r->problems[i];
		json_t *object = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s}",
		    "file", config_problem_file(r, p), "line",
		    (json_int_t)p->line, "column", (json_int_t)p->column,
		    "path", or_empty(p->path), "severity",
		    p->is_warning ? "warning" : "error", "message",
		    or_empty(p->message));

		if (object) {
			(void)json_dumpf(object, out, JSON_COMPACT);
			(void)fputc('\n', out);
		}
		json_decref(object);
	}
}
