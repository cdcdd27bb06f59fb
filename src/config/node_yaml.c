/*
 * The parsing half of node.h: libyaml's events become nodes, and whatever
 * YAML has beyond maps, sequences and scalars is refused. The only file that
 * knows libyaml.
 */
#include <config/node.h>

#include <config/report.h>

#include <base/hash.h>

#include <errno.h>
#include <string.h>
#include <yaml.h>

struct parser {
	yaml_parser_t yaml;
	struct span text;
	struct arena *arena;
	struct config_report *report;
	const struct node *place; /* of a preset: where its map is, or NULL */
};

static int parse_value(struct parser *p, yaml_event_t *event, struct node *up,
    struct span key, yaml_mark_t key_mark, struct node **out);

/* Marks count characters, not bytes. */
static char byte_at(struct span rest, yaml_mark_t mark)
{
	size_t column = 0;
	size_t i = 0;

	for (size_t line = 0; line < mark.line; line++)
		(void)span_cut(&rest, '\n');
	while (i < rest.len && column < mark.column) {
		i++;
		while (
		    i < rest.len && ((unsigned char)rest.ptr[i] & 0xc0) == 0x80)
			i++;
		column++;
	}
	return i < rest.len ? rest.ptr[i] : '\0';
}

/* What people meant who get one of libyaml's terser messages. */
static const char *hint_at(const struct parser *p, yaml_mark_t mark)
{
	char c = byte_at(p->text, mark);
	const char *problem = p->yaml.problem ? p->yaml.problem : "";

	if (c == '\t')
		return " (a tab: indent with spaces)";
	if (c == '@' || c == '`' || c == '%')
		return " (put the value in quotes)";
	if (p->yaml.context && strstr(p->yaml.context, "alias"))
		return " (put the value in quotes)";
	if (strstr(problem, "mapping values are not allowed"))
		return " (put a value with \": \" in quotes)";
	return "";
}

static int report_yaml(struct parser *p)
{
	const yaml_parser_t *y = &p->yaml;
	size_t line = 1, column = 1;

	if (y->error == YAML_MEMORY_ERROR) {
		report_place(p->report, 0, 0, "out of memory");
		return -ENOMEM;
	}
	if (y->error != YAML_READER_ERROR) {
		report_place(p->report, y->problem_mark.line + 1,
		    y->problem_mark.column + 1, "is not YAML: %s%s%s%s",
		    y->context ? y->context : "", y->context ? ": " : "",
		    y->problem ? y->problem : "cannot be parsed",
		    hint_at(p, y->problem_mark));
		return -EINVAL;
	}
	for (size_t i = 0; i < y->problem_offset && i < p->text.len; i++) {
		column++;
		if (p->text.ptr[i] == '\n') {
			line++;
			column = 1;
		}
	}
	report_place(p->report, line, column, "is not YAML: %s",
	    y->problem ? y->problem : "not UTF-8");
	return -EINVAL;
}

static int next_event(struct parser *p, yaml_event_t *event)
{
	if (yaml_parser_parse(&p->yaml, event))
		return 0;
	return report_yaml(p);
}

/* libyaml's copy of a scalar may be a secret. */
static void drop_event(yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		hash_cleanse(
		    event->data.scalar.value, event->data.scalar.length);
	yaml_event_delete(event);
}

static int out_of_memory(struct parser *p)
{
	report_place(p->report, 0, 0, "out of memory, or far too many values");
	return -ENOMEM;
}

static void refuse_extras(
    struct parser *p, const yaml_event_t *event, const struct node *n)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		report_error(p->report, n,
		    "anchors are not supported "
		    "(remove &%s)",
		    (const char *)anchor);
	if (tag)
		report_error(p->report, n,
		    "tags are not supported (remove the word that begins "
		    "with !)");
}

static struct node *new_node(struct parser *p, struct node *up, struct span key,
    yaml_mark_t key_mark, yaml_mark_t mark)
{
	struct node *n = arena_alloc(p->arena, sizeof(*n));

	if (!n)
		return NULL;
	n->up = up;
	n->key = key;
	n->source = p->place ? p->place->source : p->report->reading;
	n->line = p->place ? p->place->line : mark.line + 1;
	n->column = p->place ? p->place->column : mark.column + 1;
	n->key_line = p->place ? p->place->line : key_mark.line + 1;
	n->key_column = p->place ? p->place->column : key_mark.column + 1;
	n->is_preset = p->place != NULL;
	return n;
}

static void append(struct node *up, struct node *n)
{
	n->index = up->count;
	node_append(up, n);
}

static int parse_scalar(
    struct parser *p, const yaml_event_t *event, struct node *n)
{
	struct span text =
	    span_make(event->data.scalar.value, event->data.scalar.length);

	n->type = NODE_SCALAR;
	n->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->bytes = arena_str(p->arena, text);
	if (!n->bytes)
		return out_of_memory(p);
	n->text = span_make(n->bytes, text.len);
	if (memchr(text.ptr, '\0', text.len)) {
		report_error(p->report, n, "must not contain a NUL byte");
		n->is_broken = true;
	}
	return 0;
}

static size_t depth_of(const struct node *n)
{
	size_t depth = 0;

	for (; n; n = n->up)
		depth++;
	return depth;
}

/* Runs the children of a map or sequence until its end event. */
static int parse_sequence(struct parser *p, struct node *up)
{
	for (;;) {
		yaml_event_t event;
		struct node *n;
		int rc = next_event(p, &event);

		if (rc)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			drop_event(&event);
			return 0;
		}
		rc = parse_value(p, &event, up, SPAN(""), event.start_mark, &n);
		if (rc)
			return rc;
	}
}

static int check_key(struct parser *p, struct node *n)
{
	const struct node *other = NULL;

	for (const struct node *i = n->up->first; i != n && !other; i = i->next)
		if (span_eq(i->key, n->key))
			other = i;
	if (other)
		report_key_error(p->report, n,
		    "is given twice (first on line %zu)", other->key_line);
	else if (span_eq(n->key, SPAN("<<")))
		report_key_error(p->report, n, "merge keys are not supported");
	else
		return 0;
	n->is_broken = true;
	return 0;
}

static int take_key(struct parser *p, const struct node *up,
    yaml_event_t *event, struct span *out)
{
	size_t line = event->start_mark.line + 1;
	size_t column = event->start_mark.column + 1;
	struct span key;

	if (event->type != YAML_SCALAR_EVENT) {
		report_place(p->report, line, column,
		    "a key must be a word (put a value with braces or "
		    "brackets in quotes)");
		return -EINVAL;
	}
	key = span_make(event->data.scalar.value, event->data.scalar.length);
	if (key.len == 0 || memchr(key.ptr, '\0', key.len)) {
		report_place(p->report, line, column, "a key is empty");
		return -EINVAL;
	}
	if (event->data.scalar.anchor || event->data.scalar.tag)
		report_place(p->report, line, column,
		    "a key can have neither anchor nor tag");
	if (up->count == NODE_KEYS_MAX) {
		report_place(p->report, line, column,
		    "a map has more than %d keys", NODE_KEYS_MAX);
		return -E2BIG;
	}
	out->ptr = arena_str(p->arena, key);
	out->len = key.len;
	return out->ptr ? 0 : out_of_memory(p);
}

static int parse_map(struct parser *p, struct node *up)
{
	for (;;) {
		yaml_event_t event;
		yaml_mark_t mark;
		struct span key;
		struct node *n = NULL;
		int rc = next_event(p, &event);

		if (rc)
			return rc;
		if (event.type == YAML_MAPPING_END_EVENT) {
			drop_event(&event);
			return 0;
		}
		mark = event.start_mark;
		rc = take_key(p, up, &event, &key);
		drop_event(&event);
		if (rc == 0)
			rc = next_event(p, &event);
		if (rc == 0)
			rc = parse_value(p, &event, up, key, mark, &n);
		if (rc == 0)
			rc = check_key(p, n);
		if (rc)
			return rc;
	}
}

static int parse_children(
    struct parser *p, yaml_event_type_t type, struct node *n)
{
	if (depth_of(n) > NODE_DEPTH_MAX) {
		report_error(p->report, n, "is nested deeper than %d levels",
		    NODE_DEPTH_MAX);
		return -E2BIG;
	}
	if (type == YAML_SEQUENCE_START_EVENT) {
		n->type = NODE_SEQUENCE;
		return parse_sequence(p, n);
	}
	n->type = NODE_MAP;
	return parse_map(p, n);
}

/* Takes the event; *out is set as soon as there is a node. */
static int parse_value(struct parser *p, yaml_event_t *event, struct node *up,
    struct span key, yaml_mark_t key_mark, struct node **out)
{
	yaml_event_type_t type = event->type;
	struct node *n = new_node(p, up, key, key_mark, event->start_mark);
	int rc = 0;

	if (!n) {
		drop_event(event);
		return out_of_memory(p);
	}
	*out = n;
	if (up)
		append(up, n);
	refuse_extras(p, event, n);
	if (type == YAML_SCALAR_EVENT) {
		rc = parse_scalar(p, event, n);
	} else if (type == YAML_ALIAS_EVENT) {
		report_error(p->report, n,
		    "aliases are not supported (put a "
		    "value that begins with * in quotes)");
		n->is_broken = true;
	}
	drop_event(event);
	if (type == YAML_SEQUENCE_START_EVENT ||
	    type == YAML_MAPPING_START_EVENT)
		rc = parse_children(p, type, n);
	return rc;
}

static int expect_document(struct parser *p, yaml_event_t *event)
{
	int rc = next_event(p, event);

	if (rc)
		return rc;
	if (event->type == YAML_STREAM_END_EVENT) {
		report_place(p->report, 1, 1, "is empty");
		rc = -ENODATA;
	} else if (event->data.document_start.version_directive ||
		   event->data.document_start.tag_directives.start !=
		       event->data.document_start.tag_directives.end) {
		report_place(p->report, event->start_mark.line + 1, 1,
		    "directives (%%YAML, %%TAG) are not supported");
	}
	yaml_event_delete(event);
	return rc;
}

static int expect_end(struct parser *p)
{
	yaml_event_t event;
	int rc = next_event(p, &event); /* the document's end */

	if (rc)
		return rc;
	yaml_event_delete(&event);
	rc = next_event(p, &event);
	if (rc)
		return rc;
	if (event.type != YAML_STREAM_END_EVENT)
		report_place(p->report, event.start_mark.line + 1, 1,
		    "only one document is supported (remove the ---)");
	yaml_event_delete(&event);
	return 0;
}

static int parse_stream(
    struct parser *p, struct node *up, struct span key, struct node **out)
{
	yaml_mark_t none = { 0 };
	yaml_event_t event;
	int rc = next_event(p, &event); /* the stream's start */

	if (rc)
		return rc;
	yaml_event_delete(&event);
	rc = expect_document(p, &event);
	if (rc == 0)
		rc = next_event(p, &event);
	if (rc == 0)
		rc = parse_value(p, &event, up, key, none, out);
	if (rc == 0)
		rc = expect_end(p);
	return rc;
}

static int parse(
    struct parser *p, struct node *up, struct span key, struct node **out)
{
	int rc;

	if (!yaml_parser_initialize(&p->yaml))
		return out_of_memory(p);
	yaml_parser_set_encoding(&p->yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &p->yaml, (const unsigned char *)p->text.ptr, p->text.len);
	rc = parse_stream(p, up, key, out);
	yaml_parser_delete(&p->yaml);
	return rc;
}

struct node *node_parse(struct span text, enum node_type wanted,
    struct arena *arena, struct config_report *r)
{
	struct parser p = { .text = text, .arena = arena, .report = r };
	struct node *root = NULL;

	if (parse(&p, NULL, SPAN(""), &root) != 0) {
		node_cleanse(root);
		return NULL;
	}
	if (root->type != wanted) {
		if (!root->is_broken)
			report_error(r, root, "%s",
			    wanted == NODE_MAP
				? "must be a map of settings"
				: "must be a list (begin each entry with "
				  "\"- \")");
		node_cleanse(root);
		return NULL;
	}
	return root;
}

struct node *node_add_preset(struct node *map, const char *key,
    const char *text, struct arena *arena, struct config_report *r)
{
	struct parser p = { .text = span_of(!text   ? "{}"
					    : *text ? text
						    : "''"),
		.arena = arena,
		.report = r,
		.place = map };
	struct span name = { arena_str(arena, span_of(key)), strlen(key) };
	struct node *n = NULL;

	if (!name.ptr || parse(&p, map, name, &n) != 0)
		return NULL;
	return n;
}
