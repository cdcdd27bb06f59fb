/*
 * What every target has: the entry point libFuzzer calls, ways to take
 * choices off the input, and claims.
 */
#pragma once

#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for any input; libFuzzer keeps one for which it does not. */
static inline void fuzz_claim(bool is_true)
{
	if (!is_true)
		abort();
}

/* A byte off the front that steers the target; 0 at the end. */
static inline unsigned fuzz_take(struct span *in)
{
	unsigned byte = in->len > 0 ? (unsigned char)in->ptr[0] : 0;

	*in = span_from(*in, 1);
	return byte;
}

/* Whether inner lies within outer; an empty one may lie anywhere. */
static inline bool fuzz_is_within(struct span inner, struct span outer)
{
	return inner.len == 0 ||
	       (inner.ptr >= outer.ptr &&
		   inner.ptr + inner.len <= outer.ptr + outer.len);
}

/* CRLF is the only line end, and there is no NUL. */
static inline bool fuzz_is_clean(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool is_cr = s.ptr[i] == '\r', is_lf = s.ptr[i] == '\n';

		if (s.ptr[i] == '\0' ||
		    (is_cr && (i + 1 == s.len || s.ptr[i + 1] != '\n')) ||
		    (is_lf && (i == 0 || s.ptr[i - 1] != '\r')))
			return false;
	}
	return true;
}
