/*
 * One call to a provider: the message is shown to the module, the module
 * fills a request, the request is lent to http. Built on a loop's thread or,
 * when heavy, in the pool; read on the loop.
 */
#include <provider/provider.h>

#include <provider/request_internal.h>
#include <provider/view_internal.h>

#include <mail/recode.h>

#include <errno.h>
#include <stdlib.h>

enum {
	HEAVY_BYTES = 128 * 1024, /* about a millisecond of encoding */
	SHRINKS_TO = 4, /* a quarter: a soft line break behind each letter */
	COPY_SIZE = 16 * 1024
};

struct provider_call {
	struct provider_input input;
	struct message *recoded; /* what is sent, or NULL: as it came */
	bool is_recoded;         /* it is another one */
	struct postern_request request;
	struct postern_mail mail;
};

struct provider_call *provider_call_new(const struct provider_input *input)
{
	struct provider_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->input = *input;
	request_init(&c->request, input->message);
	if (input->grant)
		c->request.grant = input->grant->bytes;
	return c;
}

void provider_call_free(struct provider_call *c)
{
	if (!c)
		return;
	mime_view_free(c->request.mime);
	request_finish(&c->request);
	message_unref(c->recoded);
	free(c);
}

/* What the bytes that p takes are without. */
static unsigned avoided_by(const struct postern_provider *p)
{
	return (p->flags & POSTERN_NEEDS_7BIT ? OCTETS_8BIT : 0) |
	       (p->flags & POSTERN_NEEDS_SHORT_LINES ? OCTETS_LONG_LINES : 0);
}

/* Or may be: a body in a file is not read for this, on a loop. */
static bool is_parsed(const struct postern_provider *p, const struct message *m)
{
	uint64_t header = message_header(m).len;
	unsigned avoid = avoided_by(p);

	if (p->flags & POSTERN_NEEDS_CONTENT)
		return true;
	return avoid != 0 &&
	       (!message_body(m).ptr ||
		   octets_find(m, header, message_size(m) - header, avoid));
}

bool provider_call_is_heavy(
    const struct postern_provider *p, const struct provider_input *input)
{
	uint64_t size = message_size(input->message);

	/* Parsing costs several times what encoding does. */
	return size > HEAVY_BYTES ||
	       (size > HEAVY_BYTES / 4 && is_parsed(p, input->message));
}

/*
 * However it is encoded, so that it need not be read first. Only line breaks
 * that stand for nothing could shrink by more.
 */
static bool is_far_too_large(
    const struct provider_call *c, const struct postern_provider *p)
{
	return p->limits.message_size > 0 &&
	       message_size(c->input.message) / SHRINKS_TO >
		   p->limits.message_size;
}

/*
 * Who does not take such lines would refuse them for good; another provider
 * may take them. 8-bit text is taken, if not always kept.
 */
static int check_lines(
    const struct message *m, const struct postern_provider *p, struct err *e)
{
	uint64_t header = message_header(m).len;
	int rc;

	if (!(p->flags & POSTERN_NEEDS_SHORT_LINES))
		return 0;
	rc =
	    octets_find(m, header, message_size(m) - header, OCTETS_LONG_LINES);
	if (rc < 0)
		return err_errno(e, rc, "the message could not be read");
	return rc == 0 ? 0
		       : err_set(e, -EINVAL,
			     "a line is longer than 998 octets, which %s does "
			     "not take, where nothing can be encoded anew "
			     "(signed, or broken)",
			     p->name);
}

/* From here on the message is the one that goes out. */
static int recode(
    struct provider_call *c, const struct postern_provider *p, struct err *e)
{
	unsigned avoid = avoided_by(p);
	int rc;

	if (avoid == 0 || c->recoded || is_far_too_large(c, p))
		return 0;
	rc = recode_message(c->input.message, avoid, &c->recoded);
	if (rc < 0)
		return err_errno(e, rc, "the message could not be read");
	c->is_recoded = c->recoded != c->input.message;
	c->input.message = c->recoded;
	c->request.message = c->recoded;
	c->request.header = message_header(c->recoded);
	return rc > 0 ? check_lines(c->recoded, p, e) : 0;
}

static int check_limits(const struct provider_call *c,
    const struct postern_provider *p, struct err *e)
{
	uint64_t size = message_size(c->input.message);

	if (p->limits.message_size > 0 && size > p->limits.message_size)
		return err_set(e, -EMSGSIZE,
		    "the message of %llu bytes is larger than the %llu that "
		    "%s takes",
		    (unsigned long long)size,
		    (unsigned long long)p->limits.message_size, p->name);
	if (p->limits.recipients > 0 &&
	    c->input.recipient_count > p->limits.recipients)
		return err_set(e, -EINVAL,
		    "%s takes at most %u recipients in one call", p->name,
		    (unsigned)p->limits.recipients);
	return 0;
}

/* What the module sees, and what goes out. */
static int show_header(struct provider_call *c,
    const struct postern_provider *p, struct span *shown)
{
	struct postern_request *r = &c->request;
	struct span whole = message_header(c->input.message);
	const char *const *wanted = view_control_fields(p);
	int rc = view_header(&r->arena, whole, wanted, shown);

	r->header = *shown;
	if (rc == 0 && wanted && !(p->flags & POSTERN_SENDS_CONTROL_FIELDS))
		rc = view_header(&r->arena, whole, NULL, &r->header);
	return rc;
}

static int show(
    struct provider_call *c, const struct postern_provider *p, struct err *e)
{
	struct postern_request *r = &c->request;
	struct span shown;
	int rc;

	if (p->flags & POSTERN_NEEDS_CONTENT && !r->mime) {
		r->mime = mime_view_new(c->input.message, e);
		if (!r->mime)
			return e->code;
		r->content = mime_view_fields(r->mime);
	}
	rc = show_header(c, p, &shown);
	if (rc == 0)
		rc = view_fill(
		    &r->arena, &c->input, shown, r->content, &c->mail);
	c->mail.raw_size = message_size(c->input.message) -
			   message_header(c->input.message).len + r->header.len;
	return rc < 0 ? err_errno(e, rc, "the message could not be read") : 0;
}

/*
 * Parts that go as base64 are larger in the request than in the message, and
 * it is the request that is refused then.
 */
static int check_body(const struct provider_call *c,
    const struct postern_provider *p, struct err *e)
{
	uint64_t size = c->request.body_size, max = p->limits.message_size;

	if (!(p->flags & POSTERN_NEEDS_CONTENT) || max == 0 || size <= max)
		return 0;
	return err_set(e, -EMSGSIZE,
	    "the message takes a request of %llu bytes, which is larger than "
	    "the %llu that %s takes",
	    (unsigned long long)size, (unsigned long long)max, p->name);
}

/* What a build that returned rc comes to. */
static int judge(const struct provider_call *c,
    const struct postern_provider *p, int rc, struct err *e)
{
	const struct postern_request *r = &c->request;

	if (rc == 0)
		rc = r->rc;
	if ((rc == -EINVAL || rc == -E2BIG) && r->refusal.code == rc) {
		*e = r->refusal;
		/* Fewer than one there cannot be. */
		if (c->input.recipient_count < 2)
			e->code = -EINVAL;
		return e->code;
	}
	/* -EINVAL is the module's refusal and needs its sentence. */
	if (rc == -EINVAL || (rc == 0 && (!r->method || !r->url)))
		rc = -EPROTO;
	if (rc < 0)
		return err_errno(
		    e, rc, "provider type %s built no request", p->name);
	return check_body(c, p, e);
}

int provider_call_build(struct provider_call *c,
    const struct postern_provider *p, const void *settings, struct err *e)
{
	struct err unused = { .code = 0 };
	int rc;

	if (!e)
		e = &unused;
	rc = recode(c, p, e);
	if (rc == 0)
		rc = check_limits(c, p, e);
	if (rc == 0)
		rc = show(c, p, e);
	if (rc < 0)
		return rc;
	rc = p->build(settings, &c->mail, &request_host, &c->request);
	return judge(c, p, rc, e);
}

uint64_t provider_call_held(const struct provider_call *c)
{
	const struct postern_request *r = &c->request;

	return sizeof(*c) + r->arena.used + r->text.cap +
	       (r->mime ? mime_view_held(r->mime) : 0) +
	       (c->is_recoded ? message_held(c->recoded) : 0);
}

static ptrdiff_t call_body_read(
    void *ctx, uint64_t offset, char *out, size_t len)
{
	struct provider_call *c = ctx;

	return body_read(&c->request, offset, out, len);
}

struct provider_asked provider_call_asked(
    const struct provider_call *c, int64_t now)
{
	return (
	    struct provider_asked){ .recipient_count = c->mail.recipient_count,
		.recipients = c->mail.recipients,
		.now = now };
}

void provider_call_http(struct provider_call *c, struct http_call *out)
{
	out->method = c->request.method;
	out->url = c->request.url;
	out->headers = request_headers(&c->request);
	out->body_size = c->request.body_size;
	out->body_read = call_body_read;
	out->ctx = c;
	out->smtp = c->request.is_smtp ? &c->request.smtp : NULL;
	out->is_direct = c->request.is_direct;
	c->request.smtp.sender = c->input.sender;
	c->request.smtp.recipients = c->input.recipients;
	c->request.smtp.recipient_count = c->input.recipient_count;
	c->request.smtp.needs_utf8 = c->input.needs_utf8;
}

bool provider_call_sends_message(const struct provider_call *c)
{
	const struct postern_request *r = &c->request;

	for (size_t i = 0; i < r->piece_count; i++) {
		if (r->pieces[i].source == PIECE_MESSAGE)
			return true;
	}
	return false;
}

bool provider_call_is_recoded(const struct provider_call *c)
{
	return c->is_recoded;
}

int provider_call_body(struct provider_call *c, struct buf *out)
{
	uint64_t offset = 0;

	while (offset < c->request.body_size) {
		uint64_t left = c->request.body_size - offset;
		size_t step = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
		ptrdiff_t n;
		int rc = buf_reserve(out, step);
		if (rc < 0)
			return rc;
		n = body_read(&c->request, offset, buf_tail(out), step);
		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		buf_commit(out, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}
