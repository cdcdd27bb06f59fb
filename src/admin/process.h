/* What the kernel knows of this process, for the process_* metrics. */
#pragma once

#include <stdint.h>

struct process_figures {
	uint64_t cpu_ms; /* user and system */
	uint64_t resident_bytes;
	uint64_t open_fds, max_fds;
};

/* A figure that cannot be had is 0. */
void process_read(struct process_figures *out);
