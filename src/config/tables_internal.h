/* Between the files of tables: their shorthand, and the tables of parts. */
#pragma once

#include <config/tables.h>

#include <config/config.h>
#include <config/field.h>

#define SECOND INT64_C(1000) /* ms */
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define RELOAD POSTERN_FIELD_RELOAD
#define REQUIRED POSTERN_FIELD_REQUIRED

#define AT(struct_name, member) .offset = offsetof(struct struct_name, member)
#define RANGE(low, high) .min = (low), .max = (high)

/* In the order of enum config_mode; the queue itself has nobody to ask. */
extern const char *const tables_mode_names[];

/* --- tables_smtp.c: the side of the clients --- */

extern const struct postern_field tables_listener[]; /* config_listener */
extern const struct postern_field tables_tls[];      /* config_tls */
extern const struct postern_field tables_auth[];     /* config_auth */
extern const struct postern_field tables_user[];     /* config_user */
extern const struct postern_field tables_smtp[];     /* config_smtp */
