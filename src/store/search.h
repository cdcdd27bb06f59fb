/*
 * Searches: a thread with a connection of its own, so that a look through
 * millions of rows keeps neither a load nor a commit waiting. Both are made
 * by the first search.
 */
#pragma once

#include <store/store_internal.h>

struct disk;
struct search;

struct search *search_new(struct disk *d); /* NULL for memory */
/* What still waits is answered -ECANCELED. Accepts NULL. */
void search_close(struct search *s);
/* Takes r. 0 or a negative errno. */
int search_push(struct search *s, struct store_search *r);
