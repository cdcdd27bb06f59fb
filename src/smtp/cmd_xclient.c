/*
 * XCLIENT: an SMTP proxy in front of us, which we trust, says who its client
 * is (Postfix's XCLIENT_README; nginx speaks it too). What it says replaces
 * what the socket says, and the session starts anew with another greeting.
 *
 * A value is xtext; [UNAVAILABLE] and [TEMPUNAVAIL] stand for what the proxy
 * does not know. All attributes are read before any takes effect.
 */
#include <smtp/session_internal.h>

#include <base/log.h>
#include <net/conn.h>

#include <stdlib.h>

enum {
	VALUE_MAX = 255 /* bytes, decoded */
};

/* What one command says; texts are kept for the log. */
struct xclient {
	const struct smtp_session *session;
	bool has_addr, has_port, has_login, has_local_addr, has_local_port;
	struct conn_name peer, local;
	const struct config_user *user;
	char name[VALUE_MAX + 1], helo[VALUE_MAX + 1];
};

/* A decoded value. */
struct value {
	bool is_known; /* not [UNAVAILABLE] */
	struct span text;
	char bytes[VALUE_MAX];
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* xtext (RFC 3461 4): "+" and two digits for a byte; nothing unprintable. */
static bool decode(struct span s, struct value *out)
{
	size_t len = 0;

	out->is_known = !span_ieq(s, SPAN("[UNAVAILABLE]")) &&
			!span_ieq(s, SPAN("[TEMPUNAVAIL]"));
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c == '=' || len == sizeof(out->bytes))
			return false;
		if (c == '+') {
			int high = i + 2 < s.len ? hex_digit(s.ptr[i + 1]) : -1;
			int low = i + 2 < s.len ? hex_digit(s.ptr[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		}
		if (c < ' ' || c == 0x7f)
			return false;
		out->bytes[len++] = (char)c;
	}
	out->text = span_make(out->bytes, len);
	return len > 0;
}

/* --- attributes --- */

static bool take_address(const struct value *v, bool *has, struct netaddr *addr)
{
	struct span text = v->text;
	bool is_v6 = span_istarts_with(text, SPAN("IPV6:"));

	*has = true;
	*addr = (struct netaddr){ .family = NETADDR_NONE };
	if (!v->is_known)
		return true;
	if (is_v6)
		text = span_from(text, SPAN("IPV6:").len);
	return netaddr_parse(text, addr) &&
	       (span_index(text, ':') >= 0) == is_v6;
}

static bool take_port(const struct value *v, bool *has, uint16_t *port)
{
	unsigned long long n = 0;

	*has = true;
	if (v->is_known && !span_parse_u64(v->text, UINT16_MAX, &n))
		return false;
	*port = (uint16_t)n;
	return true;
}

static bool take_text(const struct value *v, char out[VALUE_MAX + 1])
{
	out[0] = '\0';
	if (v->is_known) {
		memcpy(out, v->text.ptr, v->text.len);
		out[v->text.len] = '\0';
	}
	return true;
}

static bool take_name(const struct value *v, struct xclient *x)
{
	return take_text(v, x->name);
}

static bool take_helo(const struct value *v, struct xclient *x)
{
	return take_text(v, x->helo);
}

static bool take_addr(const struct value *v, struct xclient *x)
{
	return take_address(v, &x->has_addr, &x->peer.addr);
}

static bool take_peer_port(const struct value *v, struct xclient *x)
{
	return take_port(v, &x->has_port, &x->peer.port);
}

static bool take_local_addr(const struct value *v, struct xclient *x)
{
	return take_address(v, &x->has_local_addr, &x->local.addr);
}

static bool take_local_port(const struct value *v, struct xclient *x)
{
	return take_port(v, &x->has_local_port, &x->local.port);
}

/* The EHLO or HELO that follows says it again. */
static bool take_proto(const struct value *v, struct xclient *x)
{
	(void)x;
	return !v->is_known || span_ieq(v->text, SPAN("SMTP")) ||
	       span_ieq(v->text, SPAN("ESMTP"));
}

static bool take_login(const struct value *v, struct xclient *x)
{
	const struct smtp_session *s = x->session;

	if (!s->listener->xclient_login)
		return false;
	x->has_login = true;
	x->user = v->is_known ? config_find_user(s->config, v->text) : NULL;
	return x->user || !v->is_known;
}

static const struct attribute {
	const char *name;
	bool (*take)(const struct value *v, struct xclient *x);
} attributes[] = {
	{ "NAME", take_name },
	{ "ADDR", take_addr },
	{ "PORT", take_peer_port },
	{ "PROTO", take_proto },
	{ "HELO", take_helo },
	{ "LOGIN", take_login },
	{ "DESTADDR", take_local_addr },
	{ "DESTPORT", take_local_port },
};

static bool take_attribute(struct span item, struct xclient *x)
{
	struct span name = span_cut(&item, '=');
	struct value value;

	if (!item.ptr || !decode(item, &value))
		return false;
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if (span_ieq(name, span_of(attributes[i].name)))
			return attributes[i].take(&value, x);
	return false;
}

/* As after a password; wherever the address stands in the command. */
static bool may_log_in(const struct xclient *x)
{
	const struct config_user *user = x->user;

	return !user ||
	       (!user->disabled &&
		   (user->allow_from.count == 0 ||
		       CONFIG_NETWORKS_HAVE(user->allow_from, &x->peer.addr)));
}

/* False with the attribute that is wrong, if one is. */
static bool parse(const struct smtp_session *s, struct span args,
    struct xclient *x, struct span *out_culprit)
{
	*x = (struct xclient){ .session = s,
		.peer.addr = *conn_peer_addr(s->conn),
		.peer.port = conn_peer_port(s->conn),
		.local = *conn_local(s->conn) };
	*out_culprit = args;
	while (args.ptr) {
		struct span item = span_cut(&args, ' ');

		*out_culprit =
		    span_cut(&(struct span){ item.ptr, item.len }, '=');
		if (!take_attribute(item, x))
			return false;
	}
	*out_culprit = SPAN("LOGIN");
	return may_log_in(x);
}

/* --- what it changes --- */

bool smtp_session_trusts_peer(const struct smtp_session *s)
{
	return CONFIG_NETWORKS_HAVE(
	    s->listener->xclient_trusted, conn_peer_addr(s->conn));
}

static void apply(struct smtp_session *s, const struct xclient *x)
{
	/* The port of another address says nothing about this one. */
	struct conn_name peer = x->peer;
	if (x->has_addr && !x->has_port)
		peer.port = 0;
	conn_set_peer(s->conn, &peer);
	conn_set_local(s->conn, &x->local);
	/* The proxy may pass on what this client says, XCLIENT included. */
	s->may_xclient = !x->user && smtp_session_trusts_peer(s);
	smtp_session_restart(s);
	log_info("xclient", SMTP_LOG_CLIENT(s->conn),
	    LOG_STR("session_id", s->id),
	    LOG_STR("listener", s->listener->name), LOG_STR("name", x->name),
	    LOG_STR("helo", x->helo),
	    LOG_STR("user.name", x->user ? x->user->name : ""));
}

/* Another client, which has to be let in like any other. */
static enum smtp_next begin_anew(
    struct smtp_session *s, const struct config_user *user)
{
	if (!smtp_abuse_readmit(s))
		return smtp_session_close(s, "refused");
	if (user && !smtp_abuse_log_in(s, user)) {
		smtp_session_reply(
		    s, 421, "4.7.0", "Too many sessions of this user");
		return smtp_session_close(s, "abuse");
	}
	smtp_session_greet(s);
	return SMTP_NEXT;
}

enum smtp_next smtp_cmd_xclient(
    struct smtp_session *s, const struct smtp_command *cmd)
{
	struct xclient x;
	struct span culprit;

	if (!s->may_xclient) {
		smtp_session_reply(
		    s, 550, "5.7.0", "You may not name another client");
		return SMTP_NEXT;
	}
	if (s->state != SMTP_ST_START && s->state != SMTP_ST_READY) {
		smtp_session_reply(s, 503, "5.5.1", "Bad sequence of commands");
		return SMTP_NEXT;
	}
	if (!parse(s, cmd->args, &x, &culprit)) {
		smtp_session_reply(s, 501, "5.5.4",
		    "Bad XCLIENT attribute %.*s", SPAN_FMT(culprit));
		return SMTP_NEXT;
	}
	apply(s, &x);
	return begin_anew(s, x.user);
}
