/* See user.h. A user's own limits can only be narrower than those of all. */
#include <smtp/user.h>

#include <smtp/author.h>

/* --- limits --- */

enum config_mode smtp_user_mode(const struct config *c,
    const struct config_listener *l, const struct config_user *user)
{
	int mode = user ? user->mode : CONFIG_MODE_INHERIT;

	if (mode == CONFIG_MODE_INHERIT && l)
		mode = l->mode;
	if (mode == CONFIG_MODE_INHERIT)
		mode = c->queue.mode;
	return (enum config_mode)mode;
}

uint64_t smtp_user_size(const struct config *c, const struct config_user *user)
{
	uint64_t all = c->smtp.max_message_size;
	uint64_t own = user ? user->max_message_size : 0;

	return own > 0 && own < all ? own : all;
}

int64_t smtp_user_recipients(
    const struct config *c, const struct config_user *user)
{
	int64_t all = c->smtp.max_recipients;
	int64_t own = user ? user->max_recipients : 0;

	return own > 0 && (all <= 0 || own < all) ? own : all;
}

static bool is_beyond(size_t value, int64_t limit)
{
	return limit > 0 && value > (uint64_t)limit;
}

const char *smtp_user_parts(
    const struct config *c, const struct mime_scan *content)
{
	if (is_beyond(content->deepest, c->smtp.mime_depth))
		return "MIME parts are nested too deeply";
	if (is_beyond(content->parts, c->smtp.mime_parts))
		return "Message has too many MIME parts";
	return NULL;
}

/* --- envelope --- */

bool smtp_user_null_sender(
    const struct config *c, const struct config_user *user)
{
	if (user->null_sender == CONFIG_CHOICE_INHERIT)
		return c->smtp.null_sender;
	return user->null_sender == CONFIG_CHOICE_ALLOW;
}

bool smtp_user_sender(const struct config_user *user, struct span address)
{
	return user->senders.count == 0 ||
	       config_patterns_match(&user->senders, address);
}

enum smtp_user_rcpt smtp_user_rcpt(
    const struct config *c, const struct config_user *user, struct span address)
{
	const struct postern_list *own = &user->recipients;

	if (own->count > 0 && !config_patterns_match(own, address))
		return SMTP_USER_RCPT_FOREIGN;
	if (config_patterns_match(&c->suppress, address))
		return SMTP_USER_RCPT_SUPPRESSED;
	return SMTP_USER_RCPT_OK;
}

/* --- header --- */

struct may_write {
	const struct config_user *user;
};

static bool is_allowed(struct span address, void *ctx)
{
	const struct may_write *m = ctx;

	return smtp_user_sender(m->user, address);
}

/* Every field of that name in block names only addresses user may use. */
static bool may_write_as(
    const struct config_user *user, struct span block, struct span name)
{
	struct may_write ctx = { .user = user };
	struct message_field field;
	struct buf value;
	bool is_fine = true;

	buf_init(&value, block.len);
	while (is_fine && header_next(&block, &field)) {
		if (!span_ieq(field.name, name))
			continue;
		buf_clear(&value);
		is_fine =
		    header_unfold(field.value, &value) == 0 &&
		    smtp_author_check(buf_span(&value), is_allowed, &ctx) == 0;
	}
	buf_finish(&value);
	return is_fine;
}

bool smtp_user_may_write(const struct config_user *user, struct span header)
{
	return user->senders.count == 0 ||
	       (may_write_as(user, header, SPAN("From")) &&
		   may_write_as(user, header, SPAN("Sender")));
}

enum header_verdict smtp_user_header(const struct config *c, struct span block,
    const struct header_stamp *who, struct buf *out, struct err *why)
{
	struct header_limits limits = {
		.bytes = c->smtp.header_bytes,
		.fields = (size_t)c->smtp.header_fields,
		.field_bytes = c->smtp.header_field_bytes,
		.hops = (size_t)c->smtp.max_hops,
	};
	struct header_stamp stamp = *who;

	stamp.hostname = c->hostname;
	stamp.hide_client = c->smtp.hide_client;
	stamp.add_sender = c->smtp.add_sender;
	stamp.strip = (enum header_strip)c->smtp.received_strip;
	return header_rewrite(block, &limits, &stamp, out, why);
}
