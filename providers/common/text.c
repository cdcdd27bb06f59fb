/* A buffer that doubles; what it outgrows goes with the request. */
#include <common/text.h>

enum {
	FIRST_CAP = 256
};

void text_init(
    struct text *t, const struct postern_host *host, struct postern_request *r)
{
	*t = (struct text){ .host = host, .request = r };
}

/* Room for n bytes and a NUL. */
static bool grow(struct text *t, size_t n)
{
	size_t cap = t->cap ? t->cap : FIRST_CAP;
	char *data;

	if (t->has_failed)
		return false;
	if (t->len + n < t->cap)
		return true;
	while (cap <= t->len + n)
		cap *= 2;
	data = t->host->alloc(t->request, cap);
	if (!data) {
		t->has_failed = true;
		return false;
	}
	if (t->len > 0)
		memcpy(data, t->data, t->len);
	t->data = data;
	t->cap = cap;
	return true;
}

void text_add(struct text *t, struct postern_str s)
{
	if (s.len == 0 || !grow(t, s.len))
		return;
	memcpy(t->data + t->len, s.ptr, s.len);
	t->len += s.len;
}

void text_add_cstr(struct text *t, const char *s)
{
	text_add(t, str_of(s));
}

void text_add_char(struct text *t, char c)
{
	text_add(t, str_make(&c, 1));
}

const char *text_finish(struct text *t)
{
	if (!grow(t, 0))
		return NULL;
	t->data[t->len] = '\0';
	return t->data;
}
