/*
 * A reply is judged by what it answers, by its enhanced code (RFC 3463) where
 * there is one, and by its code (RFC 5321, 4954). Words count where servers
 * agree on them and say too little in codes. Only the reply to the end of the
 * message can mean that it was taken.
 */
#include "smtp_answer.h"

#include <common/answer.h>
#include <common/str.h>

enum {
	ID_MIN = 12 /* where nothing says that it is an id */
};

/* What a reply says, taken apart. */
struct reply {
	int code;
	unsigned subject, detail; /* of the enhanced code; 0: none, or 0 */
	bool has_enhanced;
	struct postern_str command, text; /* text: what follows that code */
	size_t recipients;
};

/* Up to three digits at the start of s; false when there are none. */
static bool take_number(struct postern_str *s, unsigned *out)
{
	size_t len = 0;

	for (*out = 0; len < s->len && len < 3; len++) {
		if (s->ptr[len] < '0' || s->ptr[len] > '9')
			break;
		*out = *out * 10 + (unsigned)(s->ptr[len] - '0');
	}
	*s = str_from(*s, len);
	return len > 0;
}

static bool take_char(struct postern_str *s, char c)
{
	bool is_there = s->len > 0 && s->ptr[0] == c;

	if (is_there)
		*s = str_from(*s, 1);
	return is_there;
}

/* "5.7.1 Not you" */
static void take_enhanced(struct reply *r)
{
	struct postern_str rest = r->text;
	unsigned class, subject, detail;

	if (!take_number(&rest, &class) || (int)class != r->code / 100 ||
	    !take_char(&rest, '.') || !take_number(&rest, &subject) ||
	    !take_char(&rest, '.') || !take_number(&rest, &detail))
		return;
	r->has_enhanced = true;
	r->subject = subject;
	r->detail = detail;
	while (take_char(&rest, ' ')) {
	}
	r->text = rest;
}

static bool is_to(const struct reply *r, const char *command)
{
	return str_ieq(r->command, str_of(command));
}

static bool says(const struct reply *r, unsigned subject, unsigned detail)
{
	return r->has_enhanced && r->subject == subject && r->detail == detail;
}

/* Up to the next address in <>, which is cut off with it. */
static struct postern_str cut_words(struct postern_str *text)
{
	const char *open = memchr(text->ptr, '<', text->len);
	size_t len = open ? (size_t)(open - text->ptr) : text->len;
	struct postern_str words = str_make(text->ptr, len);
	const char *close;

	*text = str_from(*text, len);
	close = text->len > 0 ? memchr(text->ptr, '>', text->len) : NULL;
	*text = str_from(
	    *text, close ? (size_t)(close - text->ptr) + 1 : text->len);
	return words;
}

/* What the server says, but for addresses, in which anything may stand. */
static bool has_word(const struct reply *r, const char *const *words)
{
	struct postern_str rest = r->text;

	while (rest.len > 0) {
		struct postern_str piece = cut_words(&rest);
		for (const char *const *word = words; *word; word++) {
			if (str_has(piece, *word))
				return true;
		}
	}
	return false;
}

/* X.1.x and X.2.x, but for the sender's: it is about a mailbox, no more. */
static bool is_of_mailbox(const struct reply *r)
{
	return r->has_enhanced && (r->subject == 1 || r->subject == 2) &&
	       !says(r, 1, 7) && !says(r, 1, 8) && !is_to(r, "MAIL");
}

/* --- taken --- */

static struct postern_str word_after(struct postern_str text, const char *mark)
{
	struct postern_str at = str_ifind(text, str_of(mark));
	size_t len = 0;

	if (at.len == 0)
		return at;
	at = str_from(at, strlen(mark));
	while (len < at.len && at.ptr[len] > ' ' && at.ptr[len] != ',' &&
	       at.ptr[len] != ')')
		len++;
	return str_make(at.ptr, len);
}

/*
 * "Ok: queued as 4Xy" of Postfix, "OK id=1tA-02" of Exim, "Ok: 01m8... taken"
 * of Postern, "Ok 0100-00" of SES. What is short is a word.
 */
static void accept(const struct reply *r, struct postern_outcome *out)
{
	static const char *const marks[] = { "queued as ",
		"id=", "ok: ", "ok " };
	struct postern_str id = STR("");

	for (size_t i = 0; id.len == 0 && i < 4; i++) {
		id = word_after(r->text, marks[i]);
		if (i >= 2 && id.len < ID_MIN)
			id.len = 0;
	}
	answer_set(out, POSTERN_ACCEPTED, STR(""), STR(""));
	answer_set_id(out, id);
}

/* --- not now --- */

static enum postern_class class_of_delay(const struct reply *r)
{
	static const char *const rates[] = { "rate", "too many", "too much",
		"limit", "quota", "throttl", "slow down", "exceeded", NULL };

	if (r->code == 454 || (r->has_enhanced && r->subject == 7))
		return POSTERN_THROTTLED;
	/* A mailbox has its own limits. */
	if (is_of_mailbox(r) || (is_to(r, "RCPT") && r->code == 452))
		return POSTERN_TRANSIENT;
	return has_word(r, rates) ? POSTERN_THROTTLED : POSTERN_TRANSIENT;
}

/* --- never --- */

static bool is_too_large(const struct reply *r)
{
	if (r->has_enhanced)
		return says(r, 3, 4) || says(r, 2, 3);
	return r->code == 552;
}

static bool speaks_of_account(const struct reply *r)
{
	static const char *const words[] = { "authentication required",
		"sending limit", "account is disabled", "account disabled",
		"account suspended", NULL };

	return !is_of_mailbox(r) && has_word(r, words);
}

/*
 * The login, or what it may do at all. What is said to RCPT may be about the
 * recipient, whom any user can choose, and closes nothing for all.
 */
static bool is_of_account(const struct reply *r)
{
	switch (r->code) {
	case 530: /* log in, or start TLS, first */
	case 534:
	case 535:
	case 538:
		return true;
	default:
		break;
	}
	if (is_to(r, "RCPT"))
		return says(r, 4, 5);
	/* Commands that are out of place, or not there. */
	if (r->has_enhanced ? r->subject == 5 && r->detail != 3
			    : r->code == 502 || r->code == 503)
		return true;
	return is_to(r, "AUTH") || is_to(r, "connect") || says(r, 4, 5) ||
	       speaks_of_account(r);
}

/* The account may not send from, or to, that address; others may go. */
static bool is_of_sender(const struct reply *r)
{
	static const char *const words[] = { "relay", "send as", "sendas",
		"not verified", "not owned by", "sender address rejected",
		NULL };

	/* What it cannot carry, another provider may. */
	if (says(r, 6, 7) || says(r, 6, 3))
		return true;
	if (is_of_mailbox(r))
		return false;
	if (has_word(r, words) || speaks_of_account(r))
		return true;
	if (is_to(r, "MAIL")) /* all but an address that is malformed */
		return r->has_enhanced ? !says(r, 1, 7) : r->code != 501;
	return is_to(r, "RCPT") &&
	       (r->has_enhanced ? r->subject == 7 : r->code == 554);
}

static enum postern_refusal refusal_of(const struct reply *r)
{
	bool is_address =
	    is_to(r, "RCPT") ||
	    (r->has_enhanced && (r->subject == 1 || r->subject == 2) &&
		!says(r, 1, 7) && !says(r, 1, 8));

	if (is_too_large(r))
		return POSTERN_REFUSED_SIZE;
	return is_address && !is_to(r, "MAIL") ? POSTERN_REFUSED_RECIPIENT
					       : POSTERN_REFUSED_MESSAGE;
}

static void refuse(const struct reply *r, struct postern_outcome *out)
{
	out->result = POSTERN_REJECTED;
	out->refusal = refusal_of(r);
	/* At the end of the message nothing says whose address it is. */
	out->try_singly =
	    r->recipients > 1 && out->refusal == POSTERN_REFUSED_RECIPIENT;
}

/*
 * Of several recipients one is refused, or put off, and the transaction with
 * it; not so when the server leaves, is not well, or wants a login first.
 */
static bool is_of_one_address(const struct reply *r)
{
	if (!is_to(r, "RCPT") || r->recipients < 2 || r->code == 421 ||
	    r->code == 530)
		return false;
	/* 5.3: there are too many of them. */
	return !r->has_enhanced || r->subject == 1 || r->subject == 2 ||
	       says(r, 5, 3) || (r->subject == 7 && r->code >= 500);
}

static void judge(const struct reply *r, struct postern_outcome *out)
{
	if (is_of_one_address(r)) {
		out->result = POSTERN_REJECTED;
		out->refusal = POSTERN_REFUSED_RECIPIENT;
		out->try_singly = true;
	} else if (r->code / 100 == 4) {
		out->result = class_of_delay(r);
	} else if (is_too_large(r) || (!is_of_account(r) && !is_of_sender(r))) {
		refuse(r, out);
	} else {
		out->result = POSTERN_ACCOUNT;
		out->is_about_sender = !is_of_account(r);
	}
}

void smtp_classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	struct reply r = { .code = response->status,
		.command = answer_header(response, "Command"),
		.text = response->body,
		.recipients = response->recipient_count };
	bool is_end = is_to(&r, ".");

	(void)settings;
	take_enhanced(&r);
	if (r.code / 100 == 2 && is_end) {
		accept(&r, out);
		return;
	}
	answer_set(out, is_end ? POSTERN_UNKNOWN : POSTERN_TRANSIENT,
	    is_end ? STR("") : r.command, response->body);
	if (r.code >= 400)
		judge(&r, out);
}
