/* See parts.h. */
#include <sandbox/parts.h>

#include <stdlib.h>
#include <string.h>

#include <admin/reply.h>
#include <sandbox/decode.h>

enum {
	NAME_BYTES_MAX = 1024,
	DISPOSITION_MAX = 4 * NAME_BYTES_MAX
};

static bool is_token(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("!#$&+-.^_`|~", c));
}

/* type, when it is one that a header can say. */
static const char *safe_type(const char *type)
{
	size_t slashes = 0;

	for (const char *c = type; c && *c; c++) {
		if (*c == '/')
			slashes++;
		else if (!is_token(*c))
			return "application/octet-stream";
	}
	return slashes == 1 ? type : "application/octet-stream";
}

/* filename*=UTF-8''... (RFC 8187); a name that is too long is left out. */
static int add_disposition(struct buf *out, const char *name)
{
	int rc = buf_add_str(out, "Content-Disposition: attachment");

	if (rc || !name || !*name || strlen(name) > NAME_BYTES_MAX)
		return rc;
	rc = buf_add_str(out, "; filename*=UTF-8''");
	for (; rc == 0 && *name; name++)
		rc = is_token(*name)
			 ? buf_add(out, name, 1)
			 : buf_printf(out, "%%%02X", (unsigned char)*name);
	return rc;
}

/* The bytes of a part, which part describes. */
static void reply_part(struct httpd_request *r, const json_t *part,
    const struct letter *l, size_t index)
{
	struct buf bytes, head;
	char *disposition = NULL;

	buf_init(&bytes, buf_len(&l->raw) + 4);
	buf_init(&head, DISPOSITION_MAX);
	if (decode_part(l, index, &bytes) == 0 &&
	    add_disposition(
		&head, json_string_value(json_object_get(part, "name"))) == 0)
		disposition = buf_take_cstr(&head);
	const char *const headers[] = { PARTS_HEADERS, disposition, NULL };
	const struct httpd_reply reply = {
		.status = 200,
		.content_type =
		    safe_type(json_string_value(json_object_get(part, "type"))),
		.headers = headers,
		.body = buf_span(&bytes),
	};
	if (disposition)
		httpd_reply(r, &reply);
	else
		reply_error(r, 500, "the part cannot be decoded");
	free(disposition);
	buf_finish(&head);
	buf_finish(&bytes);
}

void parts_answer(
    struct httpd_request *r, const struct letter *l, struct span number)
{
	json_t *decoded = decode_letter(l);
	const json_t *parts = json_object_get(decoded, "parts"), *part = NULL;
	unsigned long long index = 0;

	if (span_parse_u64(number, SIZE_MAX, &index))
		part = json_array_get(parts, (size_t)index);
	if (part)
		reply_part(r, part, l, (size_t)index);
	else
		reply_error(r, 404, "the message has no such part");
	json_decref(decoded);
}
