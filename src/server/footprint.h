/*
 * How much memory the process may take, and takes: by its control group
 * (version 2), or resident memory against a limit that was configured. The
 * files are kept open, so that reading them needs no rights later.
 */
#pragma once

#include <stdint.h>

struct footprint {
	int max, current, stat, statm; /* -1: not there */
};

void footprint_open(struct footprint *m);
void footprint_close(struct footprint *m);
/* configured: 0 = that of the control group. UINT64_MAX: none is known. */
uint64_t footprint_limit(const struct footprint *m, uint64_t configured);
/* In use, without what is only cached from files; 0 when nobody knows. */
uint64_t footprint_used(const struct footprint *m, uint64_t configured);
