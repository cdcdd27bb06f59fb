/*
 * The elements are looked at before anything is decoded, so that no later step
 * knows where a user came from. A file is treated as the configuration itself,
 * as to who may write it, and as a secret, as to who may read it.
 */
#include <config/user_files.h>

#include <config/expand.h>
#include <config/node.h>
#include <config/report.h>
#include <config/tables_internal.h>

#include <base/err.h>

#include <errno.h>
#include <string.h>

enum {
	FILES_MAX = 256
};

struct user_file {
	const char *path;
};

/* clang-format off */
static const struct postern_field rows[] = {
	{ .name = "file", .type = POSTERN_TYPE_STRING,
	  AT(user_file, path), .flags = REQUIRED | RELOAD,
	  .doc = "a file that is a list of users" },
	{ .name = NULL },
};
/* clang-format on */

/* --- which file --- */

static bool names_file(const struct node *element)
{
	return node_get(element, "file") != NULL;
}

/* A relative path is relative to the file that names it; NULL for memory. */
static const char *resolve(
    struct field_decoder *d, const struct node *at, const char *path)
{
	struct span namer = span_of(d->report->sources[at->source].path);
	ptrdiff_t slash = span_rindex(namer, '/');
	size_t len = *path == '/' ? 0 : (size_t)(slash + 1);
	char *out = arena_alloc(d->nodes, len + strlen(path) + 1);

	if (!out)
		return NULL;
	memcpy(out, namer.ptr, len);
	memcpy(out + len, path, strlen(path) + 1);
	return out;
}

static bool is_known(const struct config_report *r, const char *path)
{
	for (size_t i = 0; i < r->source_count; i++)
		if (strcmp(r->sources[i].path, path) == 0)
			return true;
	return false;
}

/* The path an element names; NULL after reporting that there is none. */
static const char *find_path(struct field_decoder *d, struct node *element)
{
	const struct node *at = node_get(element, "file");
	struct user_file file = { NULL };
	const char *path;

	field_decode(d, element, rows, tables_user, &file);
	if (element->count > 1)
		report_key_error(d->report, at,
		    "must stand alone: all that is said of its users is in "
		    "the file");
	if (!file.path)
		return NULL;
	path = resolve(d, at, file.path);
	if (!path)
		report_error(d->report, at, "out of memory");
	else if (is_known(d->report, path))
		report_error(d->report, at, "%s is read already", path);
	else if (d->report->source_count > FILES_MAX)
		report_error(d->report, at, "is more than %d files", FILES_MAX);
	else
		return path;
	return NULL;
}

/* --- what is in it --- */

/* The tree of the file that is being read; NULL after reporting. */
static struct node *parse(
    struct field_decoder *d, const struct node *at, const char *path)
{
	struct err e = { 0 };
	struct node *list = NULL;
	struct expanded x;

	expanded_init(&x);
	if (expand_file(path, &x, &e) != 0) {
		report_error(d->report, at, "%s%s", e.text,
		    e.code == -ENODATA ? " (write [] for no users)" : "");
		goto out;
	}
	report_as_read(d->report, &x.last);
	if (node_check_writers(&x.last, &e) != 0)
		report_error(d->report, at, "%s %s", path, e.text);
	field_check_exposure(d, at, &x);
	list =
	    node_parse(buf_span(&x.text), NODE_SEQUENCE, d->nodes, d->report);
out:
	expanded_finish(&x);
	return list;
}

static void move_users(
    struct field_decoder *d, struct node *users, struct node *list)
{
	struct node *next;

	for (struct node *n = list->first; n; n = next) {
		next = n->next;
		if (names_file(n)) {
			report_key_error(d->report, node_get(n, "file"),
			    "must not be here: a file of users cannot name "
			    "another");
			node_cleanse(n);
		} else {
			node_append(users, n);
		}
	}
}

static bool read_file(
    struct field_decoder *d, struct node *users, struct node *element)
{
	const struct node *at = node_get(element, "file");
	const char *path = find_path(d, element);
	struct node *list;

	if (!path)
		return false;
	if (report_begin_source(d->report, path) != 0) {
		report_error(d->report, at, "out of memory");
		return false;
	}
	list = parse(d, at, path);
	report_end_source(d->report);
	if (list)
		move_users(d, users, list);
	return list != NULL;
}

bool user_files_read(struct field_decoder *d, struct node *root)
{
	struct node *users = node_get(root, "users");
	struct node *element, *next;
	bool are_all = true;

	if (!users || users->type != NODE_SEQUENCE)
		return true;
	element = users->first;
	users->first = users->last = NULL;
	users->count = 0;
	for (; element; element = next) {
		next = element->next;
		if (names_file(element)) {
			are_all &= read_file(d, users, element);
			node_cleanse(element);
		} else {
			node_append(users, element);
		}
	}
	return are_all;
}
