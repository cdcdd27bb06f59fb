/*
 * What Mailtrap means by an answer: the status decides, and errors are
 * sentences that quote the field they are about.
 */
#include <mailtrap_answer.h>

#include <common/answer.h>
#include <common/str.h>

/* What a sentence is about, and which of several decides: the last of these. */
enum subject {
	ABOUT_NOTHING = 0, /* it quotes no field */
	ABOUT_RECIPIENT,   /* "'to' address is invalid": which, is not told */
	ABOUT_MESSAGE,
	ABOUT_SENDER /* "'from' address is invalid" */
};

static bool is_of_field(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_.[]", c));
}

static bool is_of_word(char c)
{
	return (c >= 'A' && c <= 'Z') || (is_of_field(c) && c != '.');
}

/*
 * The next field it quotes, which text then begins behind; empty when there is
 * no more. An apostrophe within or behind a word quotes nothing.
 */
static struct postern_str cut_field(struct postern_str *text)
{
	for (size_t i = 0; i < text->len; i++) {
		size_t end = i + 1;
		if (text->ptr[i] != '\'' ||
		    (i > 0 && is_of_word(text->ptr[i - 1])))
			continue;
		while (end < text->len && is_of_field(text->ptr[end]))
			end++;
		if (end == i + 1 || end == text->len ||
		    text->ptr[end] != '\'' ||
		    (end + 1 < text->len && is_of_word(text->ptr[end + 1])))
			continue;
		struct postern_str field =
		    str_make(text->ptr + i + 1, end - i - 1);
		*text = str_from(*text, end + 1);
		return field;
	}
	return STR("");
}

static enum subject subject_of(struct postern_str text)
{
	enum subject about =
	    str_has(text, "sender") ? ABOUT_SENDER : ABOUT_NOTHING;
	struct postern_str field = cut_field(&text);

	/* Without a field: "Invalid sender email address". */
	if (field.len > 0)
		about = ABOUT_MESSAGE;
	for (; field.len > 0; field = cut_field(&text)) {
		if (str_ieq(field, STR("to")) || str_ieq(field, STR("cc")) ||
		    str_ieq(field, STR("bcc")))
			return ABOUT_RECIPIENT;
		if (str_ieq(field, STR("from")))
			about = ABOUT_SENDER;
	}
	return about;
}

/* The sentence that decides; errors is a list of them, or one. */
static struct postern_str find_worst(const json_t *errors, enum subject *about)
{
	struct postern_str worst = answer_text(
	    json_is_array(errors) ? json_array_get(errors, 0) : errors);
	const json_t *error;
	size_t i;

	*about = subject_of(worst);
	json_array_foreach(errors, i, error)
	{
		enum subject other = subject_of(answer_text(error));
		if (other <= *about)
			continue;
		*about = other;
		worst = answer_text(error);
	}
	return worst;
}

static void classify_bad_request(const struct postern_response *response,
    const json_t *errors, struct postern_outcome *out)
{
	enum subject about;
	struct postern_str text = find_worst(errors, &about);

	answer_set(out,
	    about == ABOUT_SENDER ? POSTERN_ACCOUNT : POSTERN_REJECTED, STR(""),
	    text);
	out->is_about_sender = about == ABOUT_SENDER;
	if (about == ABOUT_RECIPIENT)
		out->refusal = POSTERN_REFUSED_RECIPIENT;
	/* Nothing was taken: asked one by one. */
	out->try_singly =
	    about <= ABOUT_RECIPIENT && response->recipient_count > 1;
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
			answer_add_id(out, answer_text(id));
	}
}

void mailtrap_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	json_t *body = answer_json(response);
	const json_t *errors = json_object_get(body, "errors");
	const json_t *ids = json_object_get(body, "message_ids");
	bool is_refused = json_is_false(json_object_get(body, "success"));
	int status = response->status;
	enum subject unused;

	(void)settings;
	answer_default(response, out);
	if (answer_is_torn(response, body)) {
		/* Unknown, as answer_default has said. */
	} else if (status >= 200 && status < 300 && !is_refused &&
		   json_array_size(ids) > 0) {
		take_ids(ids, out);
	} else if (status == 400 || status == 422 ||
		   (status < 300 && json_array_size(errors) > 0)) {
		classify_bad_request(response, errors, out);
	} else if (status >= 200 && status < 300) {
		answer_foreign(
		    response, STR("not an answer of Mailtrap: check url"), out);
	} else {
		answer_set(
		    out, out->result, STR(""), find_worst(errors, &unused));
	}
	json_decref(body);
}
