/*
 * What a provider's own error codes mean, as a table: for APIs whose HTTP
 * status does not say enough. Pure.
 */
#pragma once

#include <common/answer.h>

struct verdict {
	const char *code; /* NULL ends a table */
	enum postern_class result;
	enum postern_refusal refusal; /* with REJECTED */
	/* With REJECTED: it is one of several recipients, and not told which.
	 */
	bool is_unnamed;
	/* With ACCOUNT: it is about this message's sender or recipients. */
	bool is_about_sender;
	uint32_t wait_s; /* when the answer does not tell a time */
};

/* NULL when the table does not have it; case does not matter. */
const struct verdict *verdict_find(
    const struct verdict *table, struct postern_str code);
/* Fill out by v; the reason is "code: text". */
void verdict_give(const struct verdict *v,
    const struct postern_response *response, struct postern_str text,
    struct postern_outcome *out);
