/* See addressed.h. */
#include <common/addressed.h>

#include <common/split.h>
#include <common/text.h>
#include <common/words.h>

#include <errno.h>

enum {
	QUOTED_MAX = 200 /* of a name on a line of its own */
};

/* Printable ASCII that fits on a line. */
static bool may_be_quoted(struct postern_str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] < ' ' || name.ptr[i] >= 0x7f)
			return false;
	}
	return name.len <= QUOTED_MAX;
}

/* RFC 5322 3.2.4 */
static void add_quoted(struct text *t, struct postern_str name)
{
	text_add_char(t, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '"' || name.ptr[i] == '\\')
			text_add_char(t, '\\');
		text_add_char(t, name.ptr[i]);
	}
	text_add_char(t, '"');
}

static void add_mailbox(struct text *t, const struct postern_address *a)
{
	if (a->name.len == 0) {
		text_add(t, a->address);
		return;
	}
	if (may_be_quoted(a->name))
		add_quoted(t, a->name);
	else
		words_add(t, a->name, "\r\n ");
	text_add_cstr(t, " <");
	text_add(t, a->address);
	text_add_char(t, '>');
}

/* One to a line: so none becomes too long. */
static void add_field(struct text *t, const char *name,
    const struct postern_address *list, size_t count)
{
	if (count == 0)
		return;
	text_add_cstr(t, name);
	for (size_t i = 0; i < count; i++) {
		text_add_cstr(t, i > 0 ? ",\r\n " : "");
		add_mailbox(t, &list[i]);
	}
	text_add_cstr(t, "\r\n");
}

int addressed_body(const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r,
    enum postern_encoding encoding)
{
	static const char *const without[] = { "To", "Cc", "Bcc", "Resent-To",
		"Resent-Cc", "Resent-Bcc", NULL };
	struct split lists;
	struct text t;
	int rc = split_recipients(mail, host, r, &lists);

	if (rc < 0)
		return rc;
	text_init(&t, host, r);
	add_field(&t, "To: ", lists.to, lists.to_count);
	add_field(&t, "Cc: ", lists.cc, lists.cc_count);
	add_field(&t, "Bcc: ", lists.bcc, lists.bcc_count);
	if (!text_finish(&t))
		return -ENOMEM;
	return host->body_changed(
	    r, str_make(t.data, t.len), without, encoding);
}
