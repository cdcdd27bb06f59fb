/*
 * What the providers of a configuration say when they are asked, for
 * `postern check --online`. Nothing is sent that could become mail.
 */
#pragma once

#include <stdbool.h>

struct config;

/*
 * Ask all of them at once and print what became of it, in the order of the
 * file. How many are of no use as they are; negative errno when they could not
 * be asked at all.
 */
int online_check(const struct config *c, bool is_json);
