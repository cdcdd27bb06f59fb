#include <common/form.h>

#include <common/text.h>

#include <string.h>

static void add(const struct form *f, const char *text)
{
	(void)f->host->body(f->r, text, strlen(text));
}

void form_init(struct form *f, const char *id, const struct postern_host *host,
    struct postern_request *r)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[32];
	char *to;

	*f = (struct form){ .host = host, .r = r };
	to = f->boundary + 8;
	host->sha256(str_of(id), digest);
	memcpy(f->boundary, "postern-", 8);
	for (size_t i = 0; i < 16; i++) {
		*to++ = digits[digest[i] >> 4];
		*to++ = digits[digest[i] & 15];
	}
	*to = '\0';
}

const char *form_type(const struct form *f)
{
	struct text type;

	text_init(&type, f->host, f->r);
	text_add_cstr(&type, "multipart/form-data; boundary=");
	text_add_cstr(&type, f->boundary);
	return text_finish(&type) ? type.data : NULL;
}

static void begin_part(
    const struct form *f, const char *prefix, struct postern_str name)
{
	add(f, "--");
	add(f, f->boundary);
	add(f, "\r\nContent-Disposition: form-data; name=\"");
	add(f, prefix);
	form_more(f, name);
	add(f, "\"");
}

void form_begin(const struct form *f, const char *name)
{
	begin_part(f, name, STR(""));
	add(f, "\r\n\r\n");
}

void form_more(const struct form *f, struct postern_str piece)
{
	(void)f->host->body(f->r, piece.ptr, piece.len);
}

void form_end(const struct form *f)
{
	add(f, "\r\n");
}

void form_field(const struct form *f, const char *prefix,
    struct postern_str name, struct postern_str value)
{
	begin_part(f, prefix, name);
	add(f, "\r\n\r\n");
	form_more(f, value);
	form_end(f);
}

int form_message(const struct form *f, const char *name)
{
	begin_part(f, name, STR(""));
	add(f, "; filename=\"message.mime\"\r\n"
	       "Content-Type: application/octet-stream\r\n\r\n");
	(void)f->host->body_message(f->r, POSTERN_AS_IS);
	add(f, "\r\n--");
	add(f, f->boundary);
	return f->host->body(f->r, "--\r\n", 4);
}
