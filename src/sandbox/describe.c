/* See describe.h. */
#include <sandbox/describe.h>

#include <admin/reply.h>
#include <sandbox/decode.h>

static json_t *recipients(const struct letter *l)
{
	struct span rest = buf_span(&l->recipients);
	json_t *list = json_array();

	while (rest.len > 0)
		(void)json_array_append_new(
		    list, reply_string(span_cut(&rest, '\n')));
	return list;
}

static json_t *describe(const struct letter *l, const json_t *decoded)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:O?, s:I, s:O?}",
	    "id", l->id, "provider", l->provider, "provider_id",
	    reply_string(span_of(l->provider_id)), "received_at",
	    reply_time(l->received_ms), "sender",
	    l->sender ? reply_string(span_of(l->sender)) : json_null(),
	    "recipients", recipients(l), "subject",
	    json_object_get(decoded, "subject"), "size",
	    (json_int_t)buf_len(&l->raw), "text",
	    json_object_get(decoded, "text"));
}

json_t *describe_letter(const struct letter *l)
{
	json_t *decoded = decode_letter(l);
	json_t *out = describe(l, decoded);

	json_decref(decoded);
	return out;
}

json_t *describe_whole(const struct letter *l)
{
	json_t *decoded = decode_letter(l);
	json_t *out = describe(l, decoded);

	(void)json_object_set_new(out, "decoded", decoded);
	return out;
}
