/*
 * Adding problems to a report. A problem is about a node of the file: its
 * place and its path in the tree come from there.
 */
#pragma once

#include <config/config.h>

struct node;

/*
 * Say what is wrong with a value, with the key of a value, or with the map a
 * key is missing from. None can fail: without memory the problem is at least
 * counted.
 */
void report_error(struct config_report *r, const struct node *at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void report_warning(struct config_report *r, const struct node *at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void report_key_error(struct config_report *r, const struct node *at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void report_missing(struct config_report *r, const struct node *map,
    const char *key, const char *doc);
/*
 * About bytes of the file that is being read rather than a node; line 0 = the
 * whole file.
 */
void report_place(struct config_report *r, size_t line, size_t column,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/*
 * From now on the file at path is being read: its nodes are of it, until the
 * end of the source brings back the first. 0 or -ENOMEM, and nothing begins.
 */
int report_begin_source(struct config_report *r, const char *path);
void report_end_source(struct config_report *r);
/* What the file being read was like when it was opened. */
void report_as_read(struct config_report *r, const struct stat *st);
