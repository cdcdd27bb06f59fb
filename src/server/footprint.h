/*
 * How much memory the process may take, and takes: by its control group
 * (version 2, or the memory controller of version 1), or resident memory
 * against a limit that was configured. Of nested groups the one with the least
 * limit counts, with all that is in it. The files are kept open, so that
 * reading them needs no rights later.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FOOTPRINT_GROUPS = 8, /* looked at, from the innermost outwards */
	FOOTPRINT_FILES = 3 * FOOTPRINT_GROUPS + 1 /* kept open at most */
};

struct footprint {
	/* -1: not there. */
	struct footprint_group {
		int max, current, stat;
	} groups[FOOTPRINT_GROUPS];
	size_t count;
	int statm;
	bool is_old; /* version 1 */
};

struct footprint_reading {
	uint64_t limit; /* UINT64_MAX: none is known */
	uint64_t used;  /* without what is only cached from files; 0: unknown */
};

/* root: what stands before /proc and /sys; "" but for tests. */
void footprint_open(struct footprint *m, const char *root);
void footprint_close(struct footprint *m);
/* configured: bytes; 0 = the limit of the control group. */
struct footprint_reading footprint_read(
    const struct footprint *m, uint64_t configured);
