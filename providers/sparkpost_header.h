/*
 * The header of a message as text of SparkPost's, which reads it as a
 * template whatever one asks for: {{ and }} are said by its macros.
 */
#pragma once

#include <common/text.h>

/* Append it to t. 0 or what build is to return. */
int sparkpost_add_header(struct text *t, struct postern_str header);
