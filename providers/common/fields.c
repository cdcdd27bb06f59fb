/* The lists behind field_may_pass; prefixes end in '-', the rest is exact. */
#include <common/fields.h>

#include <common/str.h>

bool field_is_in(struct postern_str name, const char *const *list)
{
	for (; list && *list; list++) {
		struct postern_str entry = str_of(*list);
		bool is_prefix = entry.ptr[entry.len - 1] == '-';
		if (is_prefix ? str_istarts(name, entry) : str_ieq(name, entry))
			return true;
	}
	return false;
}

bool field_begins(struct postern_str name, const char *const *list)
{
	for (; list && *list; list++) {
		if (str_istarts(name, str_of(*list)))
			return true;
	}
	return false;
}

const struct postern_header *field_find(
    const struct postern_mail *mail, const char *const *list)
{
	for (size_t i = 0; i < mail->header_count; i++) {
		if (field_is_in(mail->headers[i].name, list))
			return &mail->headers[i];
	}
	return NULL;
}

bool field_may_pass(struct postern_str name)
{
	static const char *const traces[] = { "X-Original-Message-ID",
		"X-Mailbox-Line", "X-Mailer", NULL };
	static const char *const passing[] = { "X-", "In-Reply-To",
		"References", "List-", "Precedence", "Auto-Submitted",
		"Importance", "Priority", "Organization", "Thread-",
		"Feedback-ID", "Keywords", "Comments", "Sensitivity", NULL };

	return !field_is_in(name, traces) && field_is_in(name, passing);
}
