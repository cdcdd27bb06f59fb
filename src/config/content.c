#include <config/content.h>

#include <postern/provider.h>

const char *const content_words[] = { "signed", "encrypted", "dkim", "calendar",
	"alternative", "inline", "nested", "report", NULL };

static const unsigned bits[] = { POSTERN_CARRIES_SIGNED,
	POSTERN_CARRIES_ENCRYPTED,
	POSTERN_CARRIES_DKIM | POSTERN_CARRIES_DATE_AND_ID,
	POSTERN_CARRIES_CALENDAR, POSTERN_CARRIES_ALTERNATIVES,
	POSTERN_CARRIES_INLINE, POSTERN_CARRIES_NESTED,
	POSTERN_CARRIES_REPORTS };

unsigned content_bits(struct span word)
{
	for (size_t i = 0; content_words[i]; i++) {
		if (span_eq(word, span_of(content_words[i])))
			return bits[i];
	}
	return 0;
}
