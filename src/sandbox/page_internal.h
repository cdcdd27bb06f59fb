/* What the files of the pages share. */
#pragma once

#include <sandbox/html.h>
#include <sandbox/sandbox_internal.h>

#define PAGE_STYLE "/_sandbox/style.css"
#define PAGE_MESSAGE "/_sandbox/page/"
#define PAGE_FAULTS "/_sandbox/page/faults"

/* Of every page: nothing but our style, our pictures, our frames and forms. */
#define PAGE_POLICY                                                            \
	"Content-Security-Policy: default-src 'none'; style-src 'self'; "      \
	"frame-src 'self'; form-action 'self'; base-uri 'none'; "              \
	"frame-ancestors 'none'"

extern const char page_style[];

/* The head of a page up to its first heading. refresh_s: 0 for never. */
void page_begin(struct html *h, struct span title, unsigned refresh_s);
void page_end(struct html *h);

enum {
	PAGE_FRAME_MAX = 1000 * 1000 /* bytes of HTML shown */
};

/* page_message.c: all of one letter. */
void page_message(struct httpd_request *r, const struct letter *l);
/* page_frame.c: its HTML alone. */
void page_frame(struct httpd_request *r, const struct letter *l);
