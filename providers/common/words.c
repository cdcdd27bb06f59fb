/* See words.h. */
#include <common/words.h>

enum {
	/* "=?UTF-8?B?" and "?=" leave 63 characters of base64 of 75. */
	BYTES_MAX = 45
};

static bool is_ascii(struct postern_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.ptr[i] >= 0x80)
			return false;
	}
	return true;
}

/* As many bytes as a word holds, up to the end of a character. */
static size_t word_length(struct postern_str s)
{
	size_t len = s.len < BYTES_MAX ? s.len : BYTES_MAX;

	while (len > 1 && len < s.len &&
	       ((unsigned char)s.ptr[len] & 0xc0) == 0x80)
		len--;
	return len;
}

void words_add(struct text *t, struct postern_str text, const char *between)
{
	bool is_first = true;

	while (text.len > 0) {
		size_t len = word_length(text);
		const char *word =
		    t->host->base64(t->request, str_make(text.ptr, len));
		text_add_cstr(t, is_first ? "" : between);
		text_add_cstr(t, "=?UTF-8?B?");
		text_add_cstr(t, word);
		text_add_cstr(t, "?=");
		text = str_from(text, len);
		is_first = false;
	}
}

void words_write(struct writer *w, struct postern_str text)
{
	struct text words;

	if (is_ascii(text)) {
		writer_more(w, text);
		return;
	}
	text_init(&words, w->host, w->r);
	words_add(&words, text, " ");
	writer_more(w, str_make(words.data, words.len));
}
