/*
 * The services of struct postern_host: what a module's build may do, all of
 * it collecting into one request. The first failure sticks, so that a module
 * that does not look at a result cannot send half a request.
 */
#include <provider/request_internal.h>

#include <base/b64.h>
#include <base/hash.h>
#include <base/rsa.h>
#include <mail/header.h>

#include <errno.h>
#include <stdlib.h>

static struct span from_str(struct postern_str s)
{
	return span_make(s.ptr ? s.ptr : "", s.len);
}

static int note(struct postern_request *r, int rc)
{
	if (rc < 0 && r->rc == 0)
		r->rc = rc;
	return rc;
}

static void *host_alloc(struct postern_request *r, size_t size)
{
	void *p = arena_alloc(&r->arena, size);

	if (!p)
		(void)note(r, -ENOMEM);
	return p;
}

/* Without controls; UTF-8 is let through. */
static bool is_clean(const char *s, bool allows_space)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c < ' ' || c == 0x7f || (c == ' ' && !allows_space))
			return false;
	}
	return true;
}

static int set_string(
    struct postern_request *r, const char **to, const char *value)
{
	if (!is_clean(value, false))
		return note(r, -EBADMSG);
	*to = arena_str(&r->arena, span_of(value));
	return *to ? 0 : note(r, -ENOMEM);
}

static int host_method(struct postern_request *r, const char *method)
{
	return set_string(r, &r->method, method);
}

static int host_url(struct postern_request *r, const char *url)
{
	return set_string(r, &r->url, url);
}

/* Room for one more line and the NULL that ends them. */
static int grow_headers(struct postern_request *r)
{
	size_t cap = r->header_cap ? 2 * r->header_cap : 16;
	const char **grown;

	if (r->header_count + 1 < r->header_cap)
		return 0;
	grown = arena_alloc(&r->arena, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	if (r->header_count > 0)
		memcpy(grown, r->headers, r->header_count * sizeof(*grown));
	r->headers = grown;
	r->header_cap = cap;
	return 0;
}

static int host_header(
    struct postern_request *r, const char *name, const char *value)
{
	char *line;
	int rc;

	if (!*name || !is_clean(name, false) || strchr(name, ':') ||
	    !is_clean(value, true))
		return note(r, -EBADMSG);
	rc = grow_headers(r);
	if (rc < 0)
		return note(r, rc);
	line = arena_printf(&r->arena, "%s: %s", name, value);
	if (!line)
		return note(r, -ENOMEM);
	r->headers[r->header_count++] = line;
	return 0;
}

static int host_body(struct postern_request *r, const void *data, size_t len)
{
	return note(r, body_add_text(r, span_make(data, len)));
}

static bool is_within(struct span part, struct span whole)
{
	return part.ptr >= whole.ptr &&
	       part.ptr + part.len <= whole.ptr + whole.len;
}

/* The long texts of the view stay where they are. */
static bool is_lasting(const struct postern_request *r, struct span text)
{
	return text.len >= REQUEST_REFERENCE_MIN && r->content &&
	       (is_within(text, r->content->text) ||
		   is_within(text, r->content->html));
}

static int host_body_json(struct postern_request *r, struct postern_str text)
{
	size_t offset = buf_len(&r->text);
	int rc;

	if (is_lasting(r, from_str(text)))
		return note(r, body_add_reference(
				   r, &(struct piece){ .source = PIECE_BYTES,
					  .encoding = POSTERN_JSON_STRING,
					  .bytes = from_str(text),
					  .source_size = text.len }));
	rc = json_escape(from_str(text), &r->text);

	return note(r, rc < 0 ? rc : body_note_text(r, offset));
}

static int host_refuse(struct postern_request *r, const char *reason)
{
	(void)err_set(&r->refusal, -EINVAL, "%s", reason);
	return note(r, -EINVAL);
}

/* With a header that lasts. */
static int add_message(struct postern_request *r, struct span header,
    enum postern_encoding encoding)
{
	uint64_t content =
	    message_size(r->message) - message_header(r->message).len;
	int rc =
	    body_add_reference(r, &(struct piece){ .source = PIECE_MESSAGE,
				      .encoding = encoding,
				      .bytes = header,
				      .source_size = header.len + content });

	if (rc == -EILSEQ)
		return host_refuse(r,
		    "the message holds bytes that are not UTF-8, which this "
		    "provider cannot take: encode such text as "
		    "quoted-printable or base64, and header fields as "
		    "RFC 2047 says");
	return note(r, rc);
}

static int host_body_message(
    struct postern_request *r, enum postern_encoding encoding)
{
	return add_message(r, r->header, encoding);
}

static bool is_in(struct span name, const char *const *list)
{
	while (*list && !span_ieq(name, span_of(*list)))
		list++;
	return *list != NULL;
}

static int host_body_changed(struct postern_request *r,
    struct postern_str fields, const char *const *without,
    enum postern_encoding encoding)
{
	struct span rest = r->header, copy = SPAN("");
	struct message_field field;
	struct buf head;
	int rc;

	buf_init(&head, REQUEST_TEXT_MAX);
	rc = buf_add_span(&head, from_str(fields));
	while (rc == 0 && without && header_next(&rest, &field)) {
		if (!is_in(field.name, without))
			rc = buf_add_span(&head, field.whole);
	}
	if (rc == 0)
		rc = buf_add_str(&head, "\r\n");
	if (rc == 0)
		copy = arena_span(&r->arena, buf_span(&head));
	if (!copy.ptr)
		rc = -ENOMEM;
	buf_finish(&head);
	if (rc < 0)
		return note(r, rc);
	return add_message(r, copy, encoding);
}

static struct postern_str host_message_header(struct postern_request *r)
{
	struct span rest = r->header, all = rest;
	struct message_field field;

	while (header_next(&rest, &field))
		;
	return (struct postern_str){ all.ptr, all.len - rest.len };
}

static int host_body_content(struct postern_request *r)
{
	uint64_t header = message_header(r->message).len;

	return note(
	    r, body_add_reference(
		   r, &(struct piece){ .source = PIECE_CONTENT,
			  .encoding = POSTERN_AS_IS,
			  .source_size = message_size(r->message) - header }));
}

static int host_body_part(
    struct postern_request *r, size_t i, enum postern_encoding encoding)
{
	if (!r->content || i >= r->content->part_count)
		return note(r, -ERANGE);
	return note(r, body_add_reference(
			   r, &(struct piece){ .source = PIECE_PART,
				  .encoding = encoding,
				  .part = i,
				  .source_size = r->content->parts[i].size }));
}

static int host_body_sha256(struct postern_request *r, char out[65])
{
	return note(r, body_sha256(r, out));
}

static int host_body_hmac_sha256(struct postern_request *r,
    struct postern_str key, struct postern_str prefix, uint8_t out[32])
{
	return note(
	    r, body_hmac_sha256(r, from_str(key), from_str(prefix), out));
}

static void host_sha256(struct postern_str data, uint8_t out[32])
{
	hash_sha256(from_str(data), out);
}

static void host_hmac_sha256(
    struct postern_str key, struct postern_str data, uint8_t out[32])
{
	hash_hmac_sha256(from_str(key), from_str(data), out);
}

static bool is_unreserved(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

static const char *host_percent(
    struct postern_request *r, struct postern_str text)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = host_alloc(r, 3 * text.len + 1), *to = out;

	for (size_t i = 0; out && i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (is_unreserved(c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	return out;
}

static const char *host_base64(
    struct postern_request *r, struct postern_str data)
{
	char *out = host_alloc(r, b64_encoded_len(data.len) + 1);

	if (out)
		(void)b64_encode(data.ptr, data.len, out);
	return out;
}

static const char *host_decode(
    struct postern_request *r, struct postern_str value)
{
	struct buf text;
	const char *kept = NULL;

	buf_init(&text, REQUEST_TEXT_MAX);
	if (mime_decode_text(from_str(value), &text) == 0)
		kept = arena_str(&r->arena, buf_span(&text));
	buf_finish(&text);
	if (!kept)
		(void)note(r, -ENOMEM);
	return kept;
}

static int host_refuse_together(struct postern_request *r, const char *reason)
{
	(void)err_set(&r->refusal, -E2BIG, "%s", reason);
	return note(r, -E2BIG);
}

static int host_smtp(struct postern_request *r, const struct postern_smtp *how)
{
	static const enum http_smtp_tls levels[] = {
		[POSTERN_SMTP_TLS_REQUIRED] = HTTP_SMTP_TLS_REQUIRED,
		[POSTERN_SMTP_TLS_OPPORTUNISTIC] = HTTP_SMTP_TLS_OPPORTUNISTIC,
		[POSTERN_SMTP_TLS_NONE] = HTTP_SMTP_TLS_NONE,
	};

	if (!r->message || how->tls > POSTERN_SMTP_TLS_NONE)
		return note(r, -EPERM);
	r->is_smtp = true;
	r->is_direct = how->is_direct;
	r->smtp.tls = levels[how->tls];
	if (how->user) {
		r->smtp.user = arena_str(&r->arena, span_of(how->user));
		r->smtp.password = arena_str(&r->arena,
		    span_make(how->password.ptr ? how->password.ptr : "",
			how->password.len));
		if (!r->smtp.user || !r->smtp.password)
			return note(r, -ENOMEM);
	}
	return host_method(r, "SMTP");
}

/* --- for prepare --- */

static const char *host_env(struct postern_request *r, const char *name)
{
	const char *value = NULL;

	if (r->world)
		value = r->world->env(r->world->ctx, name);
	return value && *value ? value : NULL;
}

static int host_file(
    struct postern_request *r, const char *path, struct postern_str *out)
{
	struct buf content;
	struct span copy = SPAN("");
	int rc = -EPERM;

	*out = (struct postern_str){ "", 0 };
	if (!r->world)
		return rc;
	buf_init(&content, REQUEST_FILE_MAX);
	content.is_secret = true;
	rc = r->world->file(r->world->ctx, path, &content);
	if (rc == 0)
		copy = arena_span(&r->arena, buf_span(&content));
	buf_finish(&content);
	if (!copy.ptr)
		return note(r, -ENOMEM);
	*out = (struct postern_str){ copy.ptr, copy.len };
	return rc;
}

static int host_sign_rs256(struct postern_request *r, struct postern_str pem,
    struct postern_str data, struct postern_str *out)
{
	uint8_t signature[RSA_SIGNATURE_MAX];
	struct span copy;
	size_t len;
	int rc = -EPERM;

	*out = (struct postern_str){ "", 0 };
	if (r->world)
		rc = rsa_sign(from_str(pem), from_str(data), signature, &len);
	if (rc == -ENOMEM)
		return note(r, rc);
	if (rc < 0)
		return rc;
	copy = arena_span(&r->arena, span_make((char *)signature, len));
	if (!copy.ptr)
		return note(r, -ENOMEM);
	*out = (struct postern_str){ copy.ptr, copy.len };
	return 0;
}

static struct postern_secret host_grant(struct postern_request *r)
{
	return r->grant;
}

const struct postern_host request_host = {
	.abi = POSTERN_PROVIDER_ABI,
	.size = sizeof(struct postern_host),
	.alloc = host_alloc,
	.method = host_method,
	.url = host_url,
	.header = host_header,
	.body = host_body,
	.body_json = host_body_json,
	.body_message = host_body_message,
	.body_part = host_body_part,
	.body_sha256 = host_body_sha256,
	.sha256 = host_sha256,
	.hmac_sha256 = host_hmac_sha256,
	.percent = host_percent,
	.base64 = host_base64,
	.refuse = host_refuse,
	.env = host_env,
	.file = host_file,
	.grant = host_grant,
	.body_content = host_body_content,
	.body_hmac_sha256 = host_body_hmac_sha256,
	.decode = host_decode,
	.refuse_together = host_refuse_together,
	.body_changed = host_body_changed,
	.message_header = host_message_header,
	.sign_rs256 = host_sign_rs256,
	.smtp = host_smtp,
};

const char *const *request_headers(const struct postern_request *r)
{
	static const char *const none[] = { NULL };

	return r->headers ? r->headers : none;
}

void request_init(struct postern_request *r, const struct message *message)
{
	*r = (struct postern_request){ .message = message };
	if (message)
		r->header = message_header(message);
	arena_init(&r->arena, REQUEST_TEXT_MAX);
	buf_init(&r->text, REQUEST_TEXT_MAX);
	r->text.is_secret = true;
}

void request_finish(struct postern_request *r)
{
	free(r->pieces);
	buf_finish(&r->text);
	arena_finish_secret(&r->arena);
}
