/* Memory that is allocated, of this process, exact to the byte. */
#pragma once

#include <stddef.h>

/* Forget the peak. */
void memory_begin(void);
/* The most there was since, beyond what there was then. */
size_t memory_peak(void);
