/*
 * Entries as they are given out: one arena behind each holds its strings,
 * recipients and, for store_find, the ledger rows.
 */
#pragma once

#include <store/store_internal.h>

/* Empty, all zero; NULL for memory. Freed with store_entry_free. */
struct store_entry *entry_new(void);
/* Zeroed room for count recipients. 0 or -ENOMEM. */
int entry_reserve(struct store_entry *e, size_t count);
/* Zeroed memory that lives as long as the entry. NULL for memory. */
void *entry_alloc(struct store_entry *e, size_t size);
/* Copy s into memory of e. 0 or -ENOMEM. */
int entry_span(struct store_entry *e, struct span s, struct span *out);
/* A copy of the rows; message stays NULL. NULL for memory. */
struct store_entry *entry_copy(const struct store_entry *from);
/* Truncates what is longer than a provider's name may be. */
void entry_set_provider(char out[STORE_NAME_SIZE], struct span name);
