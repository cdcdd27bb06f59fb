/* See mailersend_fields.h. */
#include <mailersend_fields.h>

#include <common/str.h>

#include <string.h>

/* Behind the next of these; false when there is none. */
static bool cut_at(struct postern_str *rest, char c, struct postern_str *before)
{
	const char *at = rest->len > 0 ? memchr(rest->ptr, c, rest->len) : NULL;

	if (!at)
		return false;
	*before = str_make(rest->ptr, (size_t)(at - rest->ptr));
	*rest = str_from(*rest, before->len + 1);
	return true;
}

/* The next message id that is not empty, without <>; empty at the end. */
static struct postern_str cut_id(struct postern_str *rest)
{
	struct postern_str id;

	while (cut_at(rest, '<', &id) && cut_at(rest, '>', &id)) {
		if (id.len > 0)
			return id;
	}
	return STR("");
}

/* in_reply_to is one id, and checked as an address is; else empty. */
static struct postern_str reply_id(struct postern_str value)
{
	struct postern_str id = cut_id(&value);

	return id.len > 0 && memchr(id.ptr, '@', id.len) ? id : STR("");
}

void mailersend_add_threading(struct letter *l)
{
	struct postern_str list = letter_find(l->mail, "References");
	struct postern_str id = reply_id(letter_find(l->mail, "In-Reply-To"));
	bool is_open = false;

	if (id.len > 0)
		writer_text(&l->w, "in_reply_to", id);
	while ((id = cut_id(&list)).len > 0) {
		if (!is_open)
			writer_open(&l->w, "references", "[");
		is_open = true;
		writer_text(&l->w, NULL, id);
	}
	if (is_open)
		(void)writer_close(&l->w, "]");
}

bool mailersend_may_pass(const struct postern_header *h)
{
	for (size_t i = 0; i < h->name.len; i++) {
		char c = str_lower(h->name.ptr[i]);
		if (c != '-' && !(c >= 'a' && c <= 'z') &&
		    !(c >= '0' && c <= '9'))
			return false;
	}
	if (str_ieq(h->name, STR("In-Reply-To")))
		return reply_id(h->value).len == 0;
	return !str_ieq(h->name, STR("References"));
}

static struct postern_str cut_tag(struct postern_str *rest)
{
	const char *comma = memchr(rest->ptr, ',', rest->len);
	size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;
	struct postern_str tag = str_make(rest->ptr, len);

	*rest = str_from(*rest, len + 1);
	return str_trim(tag);
}

static void add_tag(struct letter *l, struct postern_str tag, size_t *count)
{
	if (*count == 0)
		writer_open(&l->w, "tags", "[");
	writer_text(&l->w, NULL, tag);
	++*count;
}

int mailersend_add_tags(struct letter *l, const struct postern_list *own)
{
	struct postern_str rest = letter_find_text(l, "X-MailerSend-Tags");
	const struct postern_controls *c = l->mail->controls;
	const char *const *items = own->items;
	size_t count = 0;

	for (size_t i = 0; i < own->count; i++)
		add_tag(l, str_of(items[i]), &count);
	for (size_t i = 0; i < c->tag_count; i++)
		add_tag(l, c->tags[i], &count);
	while (rest.len > 0) {
		struct postern_str tag = cut_tag(&rest);
		if (tag.len > 0)
			add_tag(l, tag, &count);
	}
	if (count > MAILERSEND_TAGS_MAX)
		return letter_refuse(l, "MailerSend takes 5 tags");
	return count > 0 ? writer_close(&l->w, "]") : 0;
}

void mailersend_add_tracking(struct letter *l)
{
	const struct postern_controls *c = l->mail->controls;

	writer_open(&l->w, "settings", "{");
	writer_bool(&l->w, "track_clicks", c->track_clicks == POSTERN_YES);
	writer_bool(&l->w, "track_opens", c->track_opens == POSTERN_YES);
	writer_bool(&l->w, "track_content", false);
	(void)writer_close(&l->w, "}");
}
