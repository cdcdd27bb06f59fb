#include <config/content.h>

#include <config/config.h>
#include <postern/provider.h>

const struct content_word content_words[] = {
	{ "signed", POSTERN_CARRIES_SIGNED },
	{ "encrypted", POSTERN_CARRIES_ENCRYPTED },
	{ "dkim", POSTERN_CARRIES_DKIM | POSTERN_CARRIES_DATE_AND_ID },
	{ "calendar", POSTERN_CARRIES_CALENDAR },
	{ "alternative", POSTERN_CARRIES_ALTERNATIVES },
	{ "inline", POSTERN_CARRIES_INLINE },
	{ "nested", POSTERN_CARRIES_NESTED },
	{ "report", POSTERN_CARRIES_REPORTS },
	{ "tags", POSTERN_CARRIES_TAGS },
	{ "metadata", POSTERN_CARRIES_METADATA },
	{ "tracking", POSTERN_CARRIES_TRACKING },
	{ .word = NULL },
};

const struct content_word content_controls[] = {
	{ "tag", CONFIG_CONTROL_TAG },
	{ "metadata", CONFIG_CONTROL_METADATA },
	{ "track", CONFIG_CONTROL_TRACK },
	{ "schedule", CONFIG_CONTROL_SCHEDULE },
	{ "provider", CONFIG_CONTROL_PROVIDER },
	{ "native", CONFIG_CONTROL_NATIVE },
	{ .word = NULL },
};

unsigned content_bits(const struct content_word *table, struct span word)
{
	for (; table->word; table++) {
		if (span_eq(word, span_of(table->word)))
			return table->bits;
	}
	return 0;
}
