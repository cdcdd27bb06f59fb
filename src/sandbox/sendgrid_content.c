/* What a SendGrid message consists of: subject, bodies, parts, settings. */
#include <sandbox/sendgrid_exam.h>

#include <string.h>

enum {
	CATEGORIES_MAX = 10,
	CATEGORY_BYTES_MAX = 255,
	GROUPS_MAX = 25
};

static bool has_template(const struct exam *x)
{
	return exam_is_text(json_object_get(x->root, "template_id"));
}

/* Every personalization may bring its own. */
static bool check_subject(struct exam *x)
{
	const json_t *subject = json_object_get(x->root, "subject");
	const json_t *list = json_object_get(x->root, "personalizations");
	size_t i;
	json_t *p;

	if (!exam_is_null_or(subject, JSON_STRING))
		return exam_bad(x);
	if (exam_is_text(subject) || (!subject && has_template(x)))
		return true;
	json_array_foreach(list, i, p)
	{
		if (subject || !exam_is_text(json_object_get(p, "subject")))
			return exam_wrong(x,
			    "The subject is required. You can get "
			    "around this requirement if you use a "
			    "template with a subject defined or "
			    "if every personalization has a "
			    "subject defined.",
			    "subject");
	}
	return true;
}

/* text/plain first, then text/html, then the others. */
static int rank_of(struct span type)
{
	if (span_ieq(type, SPAN("text/plain")))
		return 0;
	return span_ieq(type, SPAN("text/html")) ? 1 : 2;
}

static bool check_content(struct exam *x)
{
	const json_t *list = json_object_get(x->root, "content");
	size_t i;
	json_t *item;
	int last = 0;

	if (!exam_is_null_or(list, JSON_ARRAY))
		return exam_bad(x);
	if (json_array_size(list) == 0 && !has_template(x))
		return exam_wrong(x,
		    "Unless a valid template_id is provided, the "
		    "content parameter is required. There must be "
		    "at least one defined content block.",
		    "content");
	json_array_foreach(list, i, item)
	{
		const json_t *type = json_object_get(item, "type");

		if (!json_is_object(item))
			return exam_bad(x);
		if (!exam_is_text(type) ||
		    strpbrk(json_string_value(type), ";\r\n"))
			return exam_wrong(x,
			    "The content type must be a string "
			    "without ';' and line breaks.",
			    "content.%zu.type", i);
		if (!exam_is_text(json_object_get(item, "value")))
			return exam_wrong(x,
			    "The content value must be a string "
			    "at least one character in length.",
			    "content.%zu.value", i);
		int rank = rank_of(exam_text(type));
		if (rank < last)
			return exam_wrong(x,
			    "If present, text/plain and text/html "
			    "may only be provided once, and "
			    "text/plain must come first, then "
			    "text/html, then the others.",
			    "content");
		last = rank < 2 ? rank + 1 : 2;
	}
	return true;
}

static bool check_attachment(struct exam *x, json_t *item, size_t i)
{
	static const char *const known[] = { "content", "type", "filename",
		"disposition", "content_id", "name", NULL };
	const json_t *content = json_object_get(item, "content");
	const json_t *type = json_object_get(item, "type");
	const json_t *disposition = json_object_get(item, "disposition");
	const json_t *id = json_object_get(item, "content_id");

	if (!json_is_object(item) || !exam_is_null_or(id, JSON_STRING) ||
	    !exam_is_null_or(disposition, JSON_STRING))
		return exam_bad(x);
	if (!exam_keys(x, item, known))
		return false;
	if (!exam_is_text(content) || !fake_is_base64(exam_text(content)))
		return exam_wrong(x,
		    "The attachment content must be base64 "
		    "encoded.",
		    "attachments.%zu.content", i);
	if (!exam_is_text(json_object_get(item, "filename")))
		return exam_wrong(x, "The attachment filename is required.",
		    "attachments.%zu.filename", i);
	if (type &&
	    (!exam_is_text(type) || strpbrk(json_string_value(type), ";\r\n")))
		return exam_wrong(x,
		    "The attachment type must be a string "
		    "without ';' and line breaks.",
		    "attachments.%zu.type", i);
	if (disposition && !span_eq(exam_text(disposition), SPAN("inline")) &&
	    !span_eq(exam_text(disposition), SPAN("attachment")))
		return exam_wrong(x,
		    "The disposition must be 'inline' or "
		    "'attachment'.",
		    "attachments.%zu.disposition", i);
	if (id && strpbrk(json_string_value(id), "<>\r\n"))
		return exam_wrong(x,
		    "The content id must not contain '<', '>' or "
		    "line breaks.",
		    "attachments.%zu.content_id", i);
	return true;
}

static bool check_attachments(struct exam *x)
{
	const json_t *list = json_object_get(x->root, "attachments");
	size_t i;
	json_t *item;

	if (!exam_is_null_or(list, JSON_ARRAY))
		return exam_bad(x);
	json_array_foreach(list, i, item)
	{
		if (!check_attachment(x, item, i))
			return false;
	}
	return true;
}

static bool check_categories(struct exam *x)
{
	const json_t *list = json_object_get(x->root, "categories");
	size_t i;
	const json_t *item;

	if (!exam_is_null_or(list, JSON_ARRAY))
		return exam_bad(x);
	if (json_array_size(list) > CATEGORIES_MAX)
		return exam_wrong(x,
		    "You can only provide up to 10 categories.", "categories");
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return exam_bad(x);
		if (json_string_length(item) > CATEGORY_BYTES_MAX ||
		    !span_is_ascii(exam_text(item)))
			return exam_wrong(x,
			    "A category is at most 255 ASCII "
			    "characters.",
			    "categories.%zu", i);
		for (size_t k = 0; k < i; k++) {
			if (json_equal(item, json_array_get(list, k)))
				return exam_wrong(x,
				    "Categories must be unique.",
				    "categories.%zu", i);
		}
	}
	return true;
}

/* An object of known members, each an object with a boolean "enable". */
static bool check_settings(
    struct exam *x, json_t *settings, const char *const *known)
{
	const char *name;
	json_t *value;

	if (!exam_is_null_or(settings, JSON_OBJECT))
		return exam_bad(x);
	if (!exam_keys(x, settings, known))
		return false;
	json_object_foreach(settings, name, value)
	{
		const json_t *enable = json_object_get(value, "enable");

		if (!json_is_object(value) ||
		    (enable && !json_is_boolean(enable)))
			return exam_bad(x);
	}
	return true;
}

static bool check_asm(struct exam *x)
{
	const json_t *group = json_object_get(x->root, "asm");
	const json_t *shown = json_object_get(group, "groups_to_display");

	if (!exam_is_null_or(group, JSON_OBJECT) ||
	    !exam_is_null_or(shown, JSON_ARRAY))
		return exam_bad(x);
	if (group && !json_is_integer(json_object_get(group, "group_id")))
		return exam_wrong(
		    x, "The group_id is required.", "asm.group_id");
	if (json_array_size(shown) > GROUPS_MAX)
		return exam_wrong(x, "There are more than 25 groups.",
		    "asm.groups_to_display");
	return true;
}

static bool check_pool(struct exam *x)
{
	const json_t *pool = json_object_get(x->root, "ip_pool_name");
	size_t len = json_string_length(pool);

	if (!exam_is_null_or(pool, JSON_STRING))
		return exam_bad(x);
	if (pool && (len < 2 || len > 64))
		return exam_wrong(x, "The pool's name has 2 to 64 characters.",
		    "ip_pool_name");
	return true;
}

static bool check_all_settings(struct exam *x)
{
	static const char *const mail[] = { "bypass_list_management",
		"bypass_spam_management", "bypass_bounce_management",
		"bypass_unsubscribe_management", "footer", "sandbox_mode",
		NULL };
	static const char *const tracking[] = { "click_tracking",
		"open_tracking", "subscription_tracking", "ganalytics", NULL };

	return check_settings(
		   x, json_object_get(x->root, "mail_settings"), mail) &&
	       check_settings(
		   x, json_object_get(x->root, "tracking_settings"), tracking);
}

bool exam_content(struct exam *x)
{
	return check_subject(x) && check_content(x) && check_attachments(x) &&
	       exam_headers(
		   x, json_object_get(x->root, "headers"), "headers") &&
	       exam_args(
		   x, json_object_get(x->root, "custom_args"), "custom_args") &&
	       exam_send_at(
		   x, json_object_get(x->root, "send_at"), "send_at") &&
	       check_categories(x) && check_asm(x) && check_pool(x) &&
	       check_all_settings(x);
}
