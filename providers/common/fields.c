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
