/*
 * One transaction: MAIL, RCPT for each, DATA, the message, the dot (RFC 5321,
 * 1870, 2920, 6152, 6531), over the connection of curl, which is asked to
 * send and receive and never waits.
 *
 * What may have been taken is known exactly: nothing before the line with the
 * dot was handed to curl, which is done alone, when all before it has left;
 * perhaps all of it from then on. A message that breaks off before is none,
 * and a refusal of one of the recipients ends it before it begins.
 *
 * A place in the sequence of commands: RSET 0, MAIL 1, the recipients from 2
 * on, DATA last.
 */
#include <http/relay_internal.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PLACE_RSET = 0,
	PLACE_MAIL = 1,
	PLACE_RCPT = 2,
	ADDRESS_MAX = 1024, /* RFC 5321 allows 320 and less */
	ROUNDS_MAX = 8      /* of sending in one turn of the loop */
};

/* A command with an address, and its parameters, fits. */
_Static_assert(RELAY_OUT_SIZE > ADDRESS_MAX + 128, "no room for a command");

struct relay_talk *talk_new(void)
{
	struct relay_talk *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	buf_init(&t->reply.text, RELAY_TEXT_MAX);
	buf_init(&t->refusal.text, RELAY_TEXT_MAX);
	return t;
}

void talk_free(struct relay_talk *t)
{
	if (!t)
		return;
	buf_finish(&t->reply.text);
	buf_finish(&t->refusal.text);
	free(t);
}

static bool may_be_said(struct span address)
{
	for (size_t i = 0; i < address.len; i++) {
		unsigned char c = (unsigned char)address.ptr[i];
		if (c < ' ' || c == 0x7f)
			return false;
	}
	return address.len <= ADDRESS_MAX;
}

bool talk_may_say(const struct http_smtp *how)
{
	for (size_t i = 0; i < how->recipient_count; i++) {
		if (how->recipients[i].len == 0 ||
		    !may_be_said(how->recipients[i]))
			return false;
	}
	return how->recipient_count > 0 && may_be_said(how->sender);
}

/* --- replies --- */

static void forget_reply(struct relay_reply *r)
{
	r->code = 0;
	r->bytes = 0;
	r->is_open = false;
	buf_clear(&r->text);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "250-text", "250 text", "250". False: it is no line of a reply. */
static bool take_line(struct relay_reply *r, struct span line)
{
	while (line.len > 0 && (line.ptr[line.len - 1] == '\n' ||
				   line.ptr[line.len - 1] == '\r'))
		line.len--;
	if (line.len < 3 || line.ptr[0] < '2' || line.ptr[0] > '5' ||
	    !is_digit(line.ptr[1]) || !is_digit(line.ptr[2]) ||
	    (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-'))
		return false;
	if (!r->is_open)
		forget_reply(r);
	r->code = (line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 +
		  (line.ptr[2] - '0');
	/* What is beyond the room for it is not missed. */
	if (buf_len(&r->text) > 0)
		(void)buf_add_str(&r->text, "\n");
	(void)buf_add_span(&r->text, span_from(line, 4));
	r->is_open = line.len > 3 && line.ptr[3] == '-';
	r->bytes += line.len + 2;
	return r->bytes <= RELAY_REPLY_MAX;
}

static bool is_keyword(struct span line, struct span word)
{
	struct span text = span_from(line, 4);

	return span_istarts_with(text, word) &&
	       (text.len == word.len || text.ptr[word.len] <= ' ');
}

/* After STARTTLS, EHLO is said anew, and what it said before is forgotten. */
void talk_note(struct relay_session *s, struct span line)
{
	static const struct {
		const char *word;
		enum relay_capability bit;
	} words[] = {
		{ "SIZE", RELAY_HAS_SIZE },
		{ "8BITMIME", RELAY_HAS_8BITMIME },
		{ "PIPELINING", RELAY_HAS_PIPELINING },
		{ "SMTPUTF8", RELAY_HAS_UTF8 },
	};
	struct relay_reply *r = &s->talk->reply;

	if (!take_line(r, line))
		return;
	if (r->code == 220) {
		s->capabilities = 0;
		s->is_logged_in = false;
	} else if (r->code == 235) {
		s->is_logged_in = true;
	}
	for (size_t i = 0; r->code == 250 && i < 4; i++) {
		if (is_keyword(line, span_of(words[i].word)))
			s->capabilities |= words[i].bit;
	}
}

/* --- commands --- */

static size_t place_of_data(const struct relay_session *s)
{
	return PLACE_RCPT + s->call->smtp->recipient_count;
}

static const char *name_of(const struct relay_session *s, size_t place)
{
	if (place <= PLACE_MAIL)
		return "MAIL";
	return place < place_of_data(s) ? "RCPT" : "DATA";
}

static void write_mail(struct relay_session *s)
{
	const struct http_smtp *how = s->call->smtp;
	struct relay_talk *t = s->talk;
	char size[32] = "";

	if (s->capabilities & RELAY_HAS_SIZE)
		(void)snprintf(
		    size, sizeof(size), " SIZE=%" PRIu64, s->call->body_size);
	t->out_len +=
	    (size_t)snprintf(t->out + t->out_len, sizeof(t->out) - t->out_len,
		"MAIL FROM:<%.*s>%s%s%s\r\n", SPAN_FMT(how->sender), size,
		s->capabilities & RELAY_HAS_8BITMIME ? " BODY=8BITMIME" : "",
		how->needs_utf8 ? " SMTPUTF8" : "");
}

static void write_command(struct relay_session *s, size_t place)
{
	struct relay_talk *t = s->talk;
	size_t room = sizeof(t->out) - t->out_len;
	const char *text = place == PLACE_RSET ? "RSET" : "DATA";

	if (place == PLACE_MAIL)
		write_mail(s);
	else if (place >= PLACE_RCPT && place < place_of_data(s))
		t->out_len += (size_t)snprintf(t->out + t->out_len, room,
		    "RCPT TO:<%.*s>\r\n",
		    SPAN_FMT(s->call->smtp->recipients[place - PLACE_RCPT]));
	else
		t->out_len +=
		    (size_t)snprintf(t->out + t->out_len, room, "%s\r\n", text);
}

/* DATA waits for all before it: none may be sent when one is refused. */
static bool may_send_command(const struct relay_session *s)
{
	const struct relay_talk *t = s->talk;
	size_t data = place_of_data(s);

	if (t->sent > data || sizeof(t->out) - t->out_len < ADDRESS_MAX + 128)
		return false;
	if (t->sent < data && t->sent > PLACE_MAIL &&
	    s->capabilities & RELAY_HAS_PIPELINING)
		return true;
	return t->answered == t->sent && t->refusal.code == 0;
}

/* --- the message --- */

/* A dot at the start of a line is doubled (RFC 5321 4.5.2). */
static void stuff(struct relay_talk *t, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (from[i] == '.' && !t->is_line_begun)
			t->out[t->out_len++] = '.';
		t->is_line_begun = from[i] != '\n';
		t->out[t->out_len++] = from[i];
	}
}

/* 0 or a negative errno. */
static int write_message(struct relay_session *s)
{
	struct http_call *call = s->call;
	struct relay_talk *t = s->talk;
	uint64_t left = call->body_size - t->offset;
	size_t want =
	    left < RELAY_SOURCE_SIZE ? (size_t)left : RELAY_SOURCE_SIZE;
	char source[RELAY_SOURCE_SIZE];
	ptrdiff_t got = call->body_read(call->ctx, t->offset, source, want);

	if (got <= 0)
		return got < 0 ? (int)got : -EIO;
	stuff(t, source, (size_t)got);
	t->offset += (uint64_t)got;
	return 0;
}

static void write_text(struct relay_talk *t, const char *text)
{
	size_t len = strlen(text);

	memcpy(t->out + t->out_len, text, len);
	t->out_len += len;
}

/* All that was written has left: more. False: there is none at the moment. */
static bool write_more(struct relay_session *s)
{
	struct relay_talk *t = s->talk;
	int rc;

	t->out_len = t->out_used = 0;
	if (!t->is_in_body) {
		while (may_send_command(s))
			write_command(s, t->sent++);
	} else if (t->offset < s->call->body_size) {
		rc = write_message(s);
		if (rc) {
			relay_end(s, HTTP_FAULT_UNSENT, strerror(-rc));
			return false;
		}
	} else if (t->is_line_begun) {
		write_text(t, "\r\n");
		t->is_line_begun = false;
	} else if (!t->is_dot_tried) {
		write_text(t, ".\r\n");
		t->is_dot_tried = true;
	}
	return t->out_len > 0;
}

/* --- what replies lead to --- */

static void broken(struct relay_session *s, const char *why)
{
	const struct relay_talk *t = s->talk;
	bool is_fresh =
	    t->answered == (s->is_reset_due ? PLACE_RSET : PLACE_MAIL);

	if (t->is_dot_tried)
		relay_end(s, HTTP_FAULT_UNANSWERED, why);
	else if (!is_fresh || !relay_start_over(s))
		relay_end(s, HTTP_FAULT_UNSENT, why);
}

static void end_by(
    struct relay_session *s, const char *command, const struct relay_reply *r)
{
	relay_end_by(s, command, r->code, buf_span(&r->text));
}

static void note_refusal(struct relay_session *s)
{
	struct relay_talk *t = s->talk;

	if (t->refusal.code != 0)
		return;
	t->refusal.code = t->reply.code;
	(void)buf_add_span(&t->refusal.text, buf_span(&t->reply.text));
	t->command = name_of(s, t->answered);
}

/* A session in which no more is taken for now, or no more at all. */
static bool is_leaving(const struct relay_session *s)
{
	const struct relay_talk *t = s->talk;

	return t->refusal.code == 421 ||
	       (t->refusal.code / 100 == 4 && strcmp(t->command, "MAIL") == 0);
}

static void on_command_reply(struct relay_session *s)
{
	struct relay_talk *t = s->talk;
	size_t data = place_of_data(s);
	int code = t->reply.code;

	/* With a 421 the server leaves; nothing of this call was begun. */
	if (t->answered <= PLACE_MAIL && code == 421 && relay_start_over(s))
		return;
	/* What is left of another call is not this one's to answer for. */
	if (t->answered == PLACE_RSET && code / 100 != 2 && relay_start_over(s))
		return;
	if (t->answered == data && code == 354) {
		t->is_in_body = true;
	} else if (t->answered == data && code < 400) {
		broken(s, "The server answered DATA with a success");
		return;
	} else if (t->answered == data || code / 100 != 2) {
		note_refusal(s);
	}
	t->answered++;
	if (t->refusal.code == 0 || t->answered < t->sent)
		return;
	s->is_reset_due = true;
	/* Half a command must not stand before those of the next call. */
	s->is_usable = !is_leaving(s) && t->out_used == t->out_len;
	end_by(s, t->command, &t->refusal);
}

/* To the message: the one that decides, or one that comes too early. */
static void on_message_reply(struct relay_session *s)
{
	struct relay_talk *t = s->talk;
	int code = t->reply.code;

	if (!t->is_dot_tried && code < 400) {
		broken(s, "The server answered before the message ended");
		return;
	}
	s->is_usable = t->is_dot_tried && code != 421;
	s->is_reset_due = false;
	end_by(s, t->is_dot_tried ? "." : "DATA", &t->reply);
}

static void on_line(struct relay_session *s)
{
	struct relay_talk *t = s->talk;

	if (!take_line(&t->reply, span_make(t->line, t->line_len))) {
		broken(s, "The server's reply is no reply of SMTP");
		return;
	}
	t->line_len = 0;
	if (t->reply.is_open)
		return;
	if (t->is_in_body)
		on_message_reply(s);
	else if (t->answered < t->sent)
		on_command_reply(s);
	else
		broken(s, "The server replied to nothing");
}

/* --- reading and writing --- */

static bool is_talking(const struct relay_session *s)
{
	return s->state == RELAY_TALKING;
}

static void take_bytes(struct relay_session *s, const char *from, size_t len)
{
	struct relay_talk *t = s->talk;

	for (size_t i = 0; i < len; i++) {
		if (t->line_len == sizeof(t->line)) {
			broken(s, "The server's reply has too long a line");
			return;
		}
		t->line[t->line_len++] = from[i];
		if (from[i] == '\n')
			on_line(s);
		/* A new connection has nothing to do with what follows. */
		if (!is_talking(s))
			return;
	}
}

/* Until nothing is there: what TLS keeps does not show at the socket. */
static void read_all(struct relay_session *s)
{
	char block[4096];
	size_t len = 0;
	CURLcode code = CURLE_OK;

	while (is_talking(s)) {
		code = curl_easy_recv(s->easy, block, sizeof(block), &len);
		if (code == CURLE_AGAIN)
			return;
		if (code != CURLE_OK || len == 0)
			break;
		take_bytes(s, block, len);
	}
	if (is_talking(s))
		broken(s, code == CURLE_OK ? "The server closed the connection"
					   : curl_easy_strerror(code));
}

/* True: all has left. Curl wants to see the same bytes after CURLE_AGAIN. */
static bool flush(struct relay_session *s)
{
	struct relay_talk *t = s->talk;

	while (t->out_used < t->out_len) {
		size_t len = 0;
		CURLcode code = curl_easy_send(s->easy, t->out + t->out_used,
		    t->out_len - t->out_used, &len);

		t->out_used += len;
		if (code == CURLE_AGAIN)
			return false;
		if (code == CURLE_OK)
			continue;
		/* It may have said why before it left. */
		read_all(s);
		if (is_talking(s))
			broken(s, curl_easy_strerror(code));
		return false;
	}
	return true;
}

void talk_go_on(struct relay_session *s)
{
	bool has_more = true;

	read_all(s);
	for (unsigned n = 0; n < ROUNDS_MAX && has_more; n++) {
		if (!is_talking(s) || !flush(s))
			break;
		has_more = write_more(s);
	}
	if (is_talking(s) && connect_watch(s, has_more) != 0)
		broken(s, "The connection cannot be watched");
}

void talk_begin(struct relay_session *s)
{
	struct relay_talk *t = s->talk;

	s->state = RELAY_TALKING;
	s->is_usable = false;
	t->sent = t->answered = s->is_reset_due ? PLACE_RSET : PLACE_MAIL;
	forget_reply(&t->reply);
	forget_reply(&t->refusal);
	t->offset = t->line_len = t->out_len = t->out_used = 0;
	t->is_in_body = t->is_line_begun = t->is_dot_tried = false;
	if (s->call->smtp->needs_utf8 && !(s->capabilities & RELAY_HAS_UTF8)) {
		s->is_usable = true;
		relay_end_by(s, "MAIL", 555,
		    SPAN("5.6.7 SMTPUTF8 is not offered; nothing was sent"));
		return;
	}
	talk_go_on(s);
}

void talk_quit(struct relay_session *s)
{
	static const char quit[] = "QUIT\r\n";
	size_t len = 0;

	if (s->easy && s->watch)
		(void)curl_easy_send(s->easy, quit, sizeof(quit) - 1, &len);
}
