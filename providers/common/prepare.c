/* See prepare.h. */
#include <common/prepare.h>

#include <stdarg.h>
#include <stdio.h>

int prepare_refuse(const struct prepare_step *s, enum postern_class result,
    const char *fmt, ...)
{
	char what[POSTERN_REASON_SIZE - POSTERN_SOURCE_SIZE - 2];
	char reason[POSTERN_REASON_SIZE];
	const char *source = s->p->source;
	va_list args;

	va_start(args, fmt);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is */
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	(void)snprintf(reason, sizeof(reason), "%s%s%s", source,
	    *source ? ": " : "", what);
	s->p->refusal = result;
	return s->host->refuse(s->r, reason);
}

struct postern_str prepare_trim(struct postern_str s)
{
	while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool prepare_is_token(struct postern_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < ' ' || s.ptr[i] >= 0x7f)
			return false;
	}
	return s.len > 0;
}
