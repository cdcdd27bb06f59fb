/* See verdict.h. */
#include <common/verdict.h>

#include <common/str.h>

const struct verdict *verdict_find(
    const struct verdict *table, struct postern_str code)
{
	for (; table->code; table++) {
		if (str_ieq(str_of(table->code), code))
			return table;
	}
	return NULL;
}

void verdict_give(const struct verdict *v,
    const struct postern_response *response, struct postern_str text,
    struct postern_outcome *out)
{
	answer_set(out, v->result, str_of(v->code), text);
	out->refusal = v->refusal;
	out->try_singly = v->is_unnamed && response->recipient_count > 1;
	out->is_about_sender = v->is_about_sender;
	out->retry_after_ms = 0;
	if (v->result != POSTERN_THROTTLED && v->result != POSTERN_TRANSIENT)
		return;
	out->retry_after_ms = answer_retry_after_ms(response);
	if (out->retry_after_ms == 0)
		out->retry_after_ms = v->wait_s * 1000ull;
}
