/*
 * The verifier of auth/verify.h without threads and hashes: "secret" is every
 * password. Verdicts come at once or through the loop, as the target says.
 */
#pragma once

#include <stdbool.h>

struct fake_verify {
	bool is_slow; /* verdicts come later */
	bool is_busy; /* none can be had */
	bool said_good;
};

extern struct fake_verify fake_verify;
