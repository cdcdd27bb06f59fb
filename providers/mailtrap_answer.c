/*
 * What Mailtrap means by an answer: the status decides, and errors are
 * sentences that quote the field they are about.
 */
#include <mailtrap_answer.h>

#include <common/answer.h>
#include <common/str.h>

static struct postern_str first_of(const json_t *errors)
{
	const json_t *first =
	    json_is_array(errors) ? json_array_get(errors, 0) : errors;

	return str_make(json_string_value(first), json_string_length(first));
}

/* "'to' address is invalid"; which one it is, is not told. */
static void classify_bad_request(const struct postern_response *response,
    struct postern_str text, struct postern_outcome *out)
{
	bool is_recipient = str_has(text, "'to'") || str_has(text, "'cc'") ||
			    str_has(text, "'bcc'");

	if (is_recipient)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	/* Nothing was taken: asked one by one, unless it names another. */
	out->try_singly = (is_recipient || !str_has(text, "'")) &&
			  response->recipient_count > 1;
	answer_set(out, POSTERN_REJECTED, STR(""), text);
}

/* One for each recipient. */
static void take_ids(const json_t *ids, struct postern_outcome *out)
{
	const json_t *id;
	size_t i;

	answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
	json_array_foreach(ids, i, id)
	{
		if (json_is_string(id))
			answer_add_id(out, str_make(json_string_value(id),
					       json_string_length(id)));
	}
}

void mailtrap_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	const json_t *errors = json_object_get(body, "errors");
	const json_t *ids = json_object_get(body, "message_ids");
	int status = response->status;

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status >= 200 && status < 300 && json_array_size(ids) > 0) {
		take_ids(ids, out);
	} else if (status == 400 || status == 422 ||
		   (status < 300 && json_array_size(errors) > 0)) {
		classify_bad_request(response, first_of(errors), out);
	} else if (status >= 200 && status < 300) {
		answer_foreign(
		    response, STR("not an answer of Mailtrap: check url"), out);
	} else {
		answer_set(out, out->result, STR(""), first_of(errors));
	}
	json_decref(body);
}
