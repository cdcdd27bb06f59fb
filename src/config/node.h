/*
 * A configuration file as a tree of scalars, maps and sequences in which
 * everything knows its line and column. The YAML accepted is a small subset:
 * no anchors, aliases, tags, merge keys, further documents or repeated keys.
 * A scalar is text, as written; what it means is for the schema to say.
 */
#pragma once

#include <base/arena.h>
#include <base/buf.h>
#include <base/span.h>

#include <stdbool.h>
#include <stddef.h>

struct config_report;
struct err;
struct stat;

enum node_type {
	NODE_SCALAR = 0,
	NODE_MAP,
	NODE_SEQUENCE
};

enum {
	NODE_FILE_MAX = 1024 * 1024,
	NODE_DEPTH_MAX = 32,
	NODE_KEYS_MAX = 1000 /* in one map */
};

/* Lives in the arena of the tree. */
struct node {
	enum node_type type;
	bool is_plain;       /* SCALAR: not quoted */
	bool is_preset;      /* not in the file */
	bool is_broken;      /* reported already; decode nothing from it */
	size_t source;       /* its file, as struct config_report counts */
	size_t line, column; /* from 1 */
	struct span text;    /* SCALAR: NUL-terminated */
	char *bytes;         /* what text shows, to be overwritten */
	struct node *up, *first, *last, *next;
	/* Place in the parent, in the same file; and children. */
	size_t index, count;
	struct span key; /* in a parent that is a map: NUL-terminated */
	size_t key_line, key_column;
};

/*
 * Read the file that r is at into out, at most NODE_FILE_MAX bytes. 0 or a
 * negative errno after reporting what is wrong.
 */
int node_read(const char *path, struct buf *out, struct config_report *r);
/*
 * Nobody but its owner and our own group may write a file of the
 * configuration. 0, or -EPERM with e saying who may and how to mend it.
 */
int node_check_writers(const struct stat *st, struct err *e);
/*
 * The tree of the file that r is at, whose root is a NODE_MAP or a
 * NODE_SEQUENCE as wanted. NULL after reporting why there is none; other
 * mistakes are reported and the tree is still usable for finding more.
 */
struct node *node_parse(struct span text, enum node_type wanted,
    struct arena *arena, struct config_report *r);
/*
 * Put n, which is new or of another list, at the end of list. It keeps its
 * index and its parent: they are what problems name.
 */
void node_append(struct node *list, struct node *n);
/*
 * Put a value that is not in the file under key of map, so that later checks
 * need not care where a value came from: text is parsed like a file, NULL
 * makes an empty map. NULL when text is wrong or memory is short.
 */
struct node *node_add_preset(struct node *map, const char *key,
    const char *text, struct arena *arena, struct config_report *r);
/* Overwrite all text of a tree. Accepts NULL. */
void node_cleanse(struct node *root);

/* The value under key; NULL when map is NULL, no map, or has no such key. */
struct node *node_get(const struct node *map, const char *key);
/* Append "listeners[0].tls" to out; nothing for the root. */
void node_path(const struct node *n, struct buf *out);
