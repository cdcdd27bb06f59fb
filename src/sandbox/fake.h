/*
 * A provider's API as a row: which paths are its own, what it says to a
 * request, how its errors look. Checks are pure but for the clock: they read
 * the request and fill an answer.
 */
#pragma once

#include <admin/httpd.h>
#include <base/buf.h>
#include <sandbox/letter.h>
#include <sandbox/limits.h>
#include <sandbox/sandbox.h>

#include <jansson.h>

enum {
	FAKE_HEADERS_MAX = 16,
	FAKE_HEADER_SIZE = 512
};

struct fake_answer {
	int status;
	const char *content_type; /* static, or NULL */
	char headers[FAKE_HEADERS_MAX][FAKE_HEADER_SIZE];
	size_t header_count;
	struct buf body;
	struct letter *letter; /* owned; set when the message was taken */
};

struct api;
struct spelling;

struct fake {
	const char *name; /* its paths begin with it */
	/*
	 * Check r and answer it; a 2xx usually comes with a letter. NULL: it
	 * has no paths.
	 */
	void (*check)(const struct fake *self, const struct sandbox_settings *s,
	    struct httpd_request *r, struct fake_answer *out);
	/*
	 * Whether r asks about the account and brings no message: neither
	 * counts, faults nor limits of calls are for it. NULL: nothing does.
	 */
	bool (*is_question)(struct httpd_request *r);
	/*
	 * A question of that kind, a GET behind the name, answered once the
	 * key is good; NULL: there is none.
	 */
	const char *account_path;
	void (*account)(struct httpd_request *r, struct fake_answer *out);
	/* The provider's own error answer with this status. */
	void (*fail)(struct fake_answer *out, int status);
	/* Add the fields it tells its limit with; NULL: it has none. */
	void (*tell_limit)(
	    struct fake_answer *out, const struct limit *l, uint64_t now_s);
	const struct api *api;           /* of api_check; or NULL */
	const struct spelling *spelling; /* of its JSON, or NULL */
};

/* All there are: a new one is one word here and a file. */
#define FAKES(X)                                                               \
	X(ses)                                                                 \
	X(sendgrid)                                                            \
	X(mailgun)                                                             \
	X(msgraph)                                                             \
	X(gmail)                                                               \
	X(postmark)                                                            \
	X(brevo)                                                               \
	X(sendlayer)                                                           \
	X(resend)                                                              \
	X(mandrill)                                                            \
	X(sparkpost)                                                           \
	X(mailjet)                                                             \
	X(mailersend)                                                          \
	X(smtp2go)                                                             \
	X(mailtrap)                                                            \
	X(scaleway)                                                            \
	X(azure)                                                               \
	X(raw)                                                                 \
	X(smtp) /* the last: it has no paths, see smtpd.h */

#define FAKE_DECLARE(name) extern const struct fake fake_##name;
#define FAKE_INDEX(name) FAKE_##name,
FAKES(FAKE_DECLARE)
enum {
	FAKES(FAKE_INDEX) FAKES_ALL
};
_Static_assert(FAKE_smtp == FAKES_ALL - 1, "smtp is the last");

extern const struct fake *const fakes[FAKES_ALL];
extern const char fakes_wrong[]; /* "provider is none of ses sendgrid ..." */
/* Index in fakes, of those with paths; or FAKES_ALL. */
size_t fake_of_path(const char *path);
size_t fake_of_name(const char *name); /* or of NULL */

void fake_answer_init(struct fake_answer *a);
void fake_answer_finish(struct fake_answer *a);
/* Forget status, headers and body; the letter stays. */
void fake_answer_reset(struct fake_answer *a);
/* "Name: value"; too long or too many are left out. */
void fake_answer_header(struct fake_answer *a, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether r is the fake's account_path. */
bool fake_is_account(const struct fake *fake, struct httpd_request *r);
/* Takes the reference. */
void fake_answer_json(struct fake_answer *a, int status, json_t *body);
/* Send it; a is unchanged. */
void fake_answer_send(const struct fake_answer *a, struct httpd_request *r);
/* As the bytes of HTTP/1.1; *out_head is where its body begins. */
int fake_answer_text(
    const struct fake_answer *a, struct buf *out, size_t *out_head);
/* What a status says in general: "Service Unavailable". */
const char *fake_status_text(int status);
/*
 * The letter of an accepted message in a's, 500 instead when there is no
 * memory for it. True when made.
 */
bool fake_take(struct fake_answer *a, const struct fake *fake,
    enum letter_kind kind, struct span raw);
/* As providers take it: whole groups, no line breaks; nothing is fine. */
bool fake_is_base64(struct span text);
/* Letters, digits, _ and -; one at least and max at most. */
bool fake_is_name(const char *text, size_t max);
