/* What is allowed by a configuration and yet worth a line in the log. */
#pragma once

#include <stddef.h>

struct config;

/* At a start and after a reload. ceiling: sessions the process can hold. */
void warnings_log(const struct config *c, size_t ceiling);
