/* See mailersend_fields.h. */
#include <mailersend_fields.h>

#include <common/str.h>

#include <string.h>

/* The next message id, without <>; empty at the end. */
static struct postern_str cut_id(struct postern_str *rest)
{
	const char *start = memchr(rest->ptr, '<', rest->len);
	const char *end;
	struct postern_str id;

	if (!start)
		return STR("");
	*rest = str_from(*rest, (size_t)(start - rest->ptr) + 1);
	end = memchr(rest->ptr, '>', rest->len);
	if (!end)
		return STR("");
	id = str_make(rest->ptr, (size_t)(end - rest->ptr));
	*rest = str_from(*rest, id.len + 1);
	return id;
}

/* in_reply_to is one id, and checked as an address is. */
void mailersend_add_threading(struct letter *l)
{
	struct postern_str reply = letter_find(l->mail, "In-Reply-To");
	struct postern_str list = letter_find(l->mail, "References");
	struct postern_str id = STR("");
	bool is_open = false;

	if (reply.len > 0)
		id = cut_id(&reply);
	if (id.len > 0 && memchr(id.ptr, '@', id.len))
		writer_text(&l->w, "in_reply_to", id);
	while (list.len > 0 && (id = cut_id(&list)).len > 0) {
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
	return !str_ieq(h->name, STR("In-Reply-To")) &&
	       !str_ieq(h->name, STR("References"));
}

static struct postern_str cut_tag(struct postern_str *rest)
{
	const char *comma = memchr(rest->ptr, ',', rest->len);
	size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;
	struct postern_str tag = str_make(rest->ptr, len);

	*rest = str_from(*rest, len + 1);
	while (tag.len > 0 && tag.ptr[0] == ' ')
		tag = str_from(tag, 1);
	while (tag.len > 0 && tag.ptr[tag.len - 1] == ' ')
		tag.len--;
	return tag;
}

static size_t add_list(struct letter *l, const struct postern_list *own)
{
	const struct postern_controls *c = l->mail->controls;
	const char *const *items = own->items;

	for (size_t i = 0; i < own->count; i++)
		writer_text(&l->w, NULL, str_of(items[i]));
	for (size_t i = 0; i < c->tag_count; i++)
		writer_text(&l->w, NULL, c->tags[i]);
	return own->count + c->tag_count;
}

int mailersend_add_tags(struct letter *l, const struct postern_list *own)
{
	struct postern_str rest = letter_find_text(l, "X-MailerSend-Tags");
	size_t count;

	if (own->count + l->mail->controls->tag_count + rest.len == 0)
		return 0;
	writer_open(&l->w, "tags", "[");
	count = add_list(l, own);
	while (rest.len > 0) {
		struct postern_str tag = cut_tag(&rest);
		if (tag.len == 0)
			continue;
		writer_text(&l->w, NULL, tag);
		count++;
	}
	if (count > MAILERSEND_TAGS_MAX)
		return letter_refuse(l, "MailerSend takes 5 tags");
	return writer_close(&l->w, "]");
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
