/*
 * All values of a snapshot, by walking the rows that decoded them; the work
 * of config_keep_fixed and of config.hash.
 */
#pragma once

#include <base/arena.h>
#include <config/config.h>

void effective_hash(const struct config *c, char out[CONFIG_HASH_SIZE]);
/* Of the settings of each provider: into its hash. */
void effective_hash_providers(struct config *c);
/* See config_keep_fixed; strings are copied to arena. */
int effective_keep_fixed(struct config *c, const struct config *old,
    struct arena *arena, void (*fn)(const char *key, void *ctx), void *ctx);
/* Whether a row of this type may lack POSTERN_FIELD_RELOAD: tests check. */
bool effective_can_keep(const struct postern_field *row);
