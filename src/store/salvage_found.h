/*
 * lost+found of a new spool, for a person: texts of messages that cannot be
 * sent as they are, and a list that says what is known of each. It is made by
 * the first one.
 */
#pragma once

#include <store/salvage_bodies.h>

struct salvage_found;

int salvage_found_open(
    const struct salvage_place *p, struct salvage_found **out, struct err *e);
void salvage_found_close(struct salvage_found *f); /* accepts NULL */

/* NAME.eml, to be written. 0 or a negative errno. */
int salvage_found_begin(struct salvage_found *f, const char *name, int *out_fd);
/* It is. */
int salvage_found_end(struct salvage_found *f, int fd);
/* It could not be read after all. */
int salvage_found_drop(struct salvage_found *f, const char *name, int fd);
/* A line: of NAME.eml nothing is known. */
int salvage_found_note(struct salvage_found *f, const char *name);
/* A line: the envelope as far as it is known; has_text: of one that begun. */
int salvage_found_list(
    struct salvage_found *f, const struct id *id, bool has_text);
/*
 * Lines for those that were not listed, and whose envelope or body is not
 * whole; *strangers grows by messages of which only recipients are known.
 */
int salvage_found_list_rest(struct salvage_found *f, uint64_t *strangers);
/* All of it is on the disk: how many texts. */
int salvage_found_sync(struct salvage_found *f, uint64_t *out_files);
