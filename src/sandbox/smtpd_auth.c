/*
 * AUTH PLAIN and LOGIN (RFC 4954, 4616). Without a user in the settings any
 * login is good.
 */
#include <sandbox/smtpd_internal.h>

#include <base/b64.h>

static bool is_good(
    const struct smtpd_session *c, struct span user, struct span password)
{
	const struct sandbox_settings *s = &c->sandbox->settings;

	return !s->smtp_user ||
	       (span_eq(user, span_of(s->smtp_user)) &&
		   span_eq(password, span_of(s->smtp_password)));
}

static void judge(
    struct smtpd_session *c, struct span user, struct span password)
{
	c->is_logged_in = user.len > 0 && is_good(c, user, password);
	if (c->is_logged_in)
		smtpd_say(c, "235 2.7.0 Welcome");
	else
		smtpd_refuse(c, "535 5.7.8 User name or password is wrong");
}

/* who to act for NUL who NUL password */
static void take_plain(struct smtpd_session *c, struct span text)
{
	struct span rest = text, user;

	(void)span_cut(&rest, '\0');
	user = span_cut(&rest, '\0');
	judge(c, user, rest);
}

static void take_user(struct smtpd_session *c, struct span text)
{
	memcpy(c->user, text.ptr, text.len);
	c->user[text.len] = '\0';
	c->mode = SMTPD_AUTH_PASSWORD;
	smtpd_say(c, "334 UGFzc3dvcmQ6");
}

void smtpd_auth_go_on(struct smtpd_session *c, struct span line)
{
	char text[SMTPD_LINE_MAX];
	enum smtpd_mode step = c->mode;
	/* Three of four characters, so that it fits with a NUL. */
	ptrdiff_t len = b64_decode(line, text);

	c->mode = SMTPD_COMMAND;
	if (span_eq(line, SPAN("*")))
		smtpd_refuse(c, "501 5.7.0 Called off");
	else if (len < 0)
		smtpd_refuse(c, "501 5.5.2 Not base64");
	else if (step == SMTPD_AUTH_PLAIN)
		take_plain(c, span_make(text, (size_t)len));
	else if (step == SMTPD_AUTH_USER)
		take_user(c, span_make(text, (size_t)len));
	else
		judge(c, span_of(c->user), span_make(text, (size_t)len));
}

void smtpd_auth(struct smtpd_session *c, struct span args)
{
	struct span rest = args, name = span_cut(&rest, ' ');
	bool is_plain = span_ieq(name, SPAN("PLAIN"));

	if (!c->is_extended || c->is_logged_in || c->sender) {
		smtpd_refuse(
		    c, "503 5.5.1 AUTH comes once, after EHLO, before MAIL");
		return;
	}
	if (!is_plain && !span_ieq(name, SPAN("LOGIN"))) {
		smtpd_refuse(c, "504 5.5.4 PLAIN or LOGIN");
		return;
	}
	c->mode = is_plain ? SMTPD_AUTH_PLAIN : SMTPD_AUTH_USER;
	if (rest.ptr)
		smtpd_auth_go_on(c, rest);
	else
		smtpd_say(c, is_plain ? "334 " : "334 VXNlcm5hbWU6");
}
