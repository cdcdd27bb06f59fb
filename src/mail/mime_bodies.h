/*
 * The text and the HTML of a message put together from its parts, as a reader
 * would see them one after the other. Private to mail/mime. Pure.
 */
#pragma once

#include <base/buf.h>

#include <stdbool.h>
#include <stddef.h>

/* A stretch of the message as the HTML shows it. */
struct mime_segment {
	bool is_html;       /* else it is text, which has no form of its own */
	bool is_free;       /* in no multipart/alternative */
	bool is_dropped;    /* text whose other form came */
	size_t offset, len; /* in html or text */
};

/* A multipart/alternative, while its parts are gone through. */
struct mime_choice {
	const struct mime_choice *outer; /* that it is within, or NULL */
	size_t first;                    /* segments before it */
	size_t part;                     /* segments before its present part */
};

struct mime_bodies {
	struct buf text, html; /* UTF-8 */
	bool has_text, has_html;
	struct mime_segment *segments;
	size_t count, cap;
};

void mime_bodies_init(struct mime_bodies *b);
void mime_bodies_finish(struct mime_bodies *b);
/*
 * The next text of the message was appended to b->text or to b->html, whose
 * length was offset before; in is the innermost alternative it is within, or
 * NULL. 0 or -ENOMEM.
 */
int mime_bodies_note(struct mime_bodies *b, bool is_html,
    const struct mime_choice *in, size_t offset);
/* Make the line break before a further text. 0 or -ENOMEM. */
int mime_bodies_part(struct mime_bodies *b, bool is_html);
/*
 * Append text of no known charset, whose lines end in LF, as the next text. 0
 * or -ENOMEM.
 */
int mime_bodies_add_lines(
    struct mime_bodies *b, const struct mime_choice *in, struct span lines);
/*
 * After the last: text that has no form in the HTML is shown there too, where
 * it stood; memory beyond the texts goes. 0 or -ENOMEM.
 */
int mime_bodies_join(struct mime_bodies *b);
