/*
 * What the process takes from itself once it is set up: writing anywhere but
 * to its own folders (Landlock), and system calls that a mail server never
 * makes (seccomp). A fault in a parser then reaches less.
 */
#pragma once

#include <base/err.h>

struct config;

/*
 * As config->hardening says, with the folders config names left writable;
 * reading is not restricted. Main thread, before any other exists, as threads
 * inherit it. With `auto` what is not possible here is logged; with `on` it is
 * an error. 0 or a negative errno with e filled.
 */
int confine(const struct config *config, struct err *e);
