/*
 * The calls of the system below io.c (by the linker's --wrap) and below SQLite
 * (by its table of them), which fail when told to. Counted together, by all
 * threads.
 */
#pragma once

/* Counts from 1 again; nothing fails. Replaces SQLite's when it runs first. */
void syscalls_reset(void);
/* Call number `at` fails with this errno; 0: it does half of its bytes. */
void syscalls_arm(unsigned at, int error);
/* Since syscalls_reset. */
unsigned syscalls_count(void);
