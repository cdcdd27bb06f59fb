/*
 * Every key Postern itself knows: its type, bounds, default and meaning.
 * Provider modules bring their own rows.
 */
#pragma once

#include <postern/field.h>

extern const struct postern_field tables_root[]; /* struct config */
extern const struct postern_field
    tables_provider[];                              /* struct config_provider */
extern const struct postern_field tables_webhook[]; /* config_webhook */
