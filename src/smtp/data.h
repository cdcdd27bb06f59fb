/*
 * Message content as it comes after DATA: finds its end, takes the dots off
 * and leaves only CRLF as line end (RFC 5321 4.5.2 and 2.3.8). Pure but for
 * the buffer it fills; the cut between two feeds may be anywhere.
 *
 * Only CRLF.CRLF ends the content. A bare LF becomes CRLF, a bare CR a space,
 * and a line of one dot next to a bare LF is left out: what is stored cannot
 * be read by anyone as the end of a message where the client did not mean it.
 *
 * BDAT (RFC 3030) says how long its content is, so that there a dot is a dot;
 * the line ends are treated the same.
 */
#pragma once

#include <base/buf.h>
#include <base/span.h>

#include <stdbool.h>
#include <stdint.h>

enum smtp_data_kind {
	SMTP_DATA_STRICT = 0,
	/*
	 * For old devices: when the first line ends in a bare LF, LF is the
	 * line end of this message, with or without a CR before it, and ends
	 * it too. When it ends in CRLF all is as if strict.
	 */
	SMTP_DATA_LENIENT,
	SMTP_DATA_CHUNKS /* after BDAT; its end is smtp_data_end */
};

enum smtp_data_state {
	SMTP_DATA_LINE = 0, /* at the start, or after CRLF */
	SMTP_DATA_DOT,      /* and a dot */
	SMTP_DATA_DOT_CR,   /* and a CR */
	SMTP_DATA_TEXT,     /* inside a line */
	SMTP_DATA_CR,       /* inside, after a CR */
	SMTP_DATA_LF,       /* after a bare LF */
	SMTP_DATA_LF_DOT,
	SMTP_DATA_LF_DOT_CR,
	SMTP_DATA_DONE
};

struct smtp_data {
	enum smtp_data_kind kind;
	enum smtp_data_state state;
	bool is_past_first; /* the first line has ended */
	bool is_lf;         /* in a bare LF, which is this one's line end */
	bool has_nul, has_bare_cr, has_bare_lf;
	char first_bare;   /* which of '\r' and '\n' came first, or 0 */
	bool is_too_large; /* above out's maximum; the rest was dropped */
	bool is_out_of_memory;
	bool is_dropped; /* set by the caller: read over the rest */
};

/* Ready for the first byte after DATA or BDAT; zeroed memory is: strict. */
void smtp_data_init(struct smtp_data *d, enum smtp_data_kind kind);
/*
 * Take bytes up to the end of the content, adding what is to be stored to
 * out. Once something rules the content out (the flags above) out is freed
 * and the rest is only read over. Returns how many bytes were taken: all,
 * unless state became DONE.
 */
size_t smtp_data_feed(struct smtp_data *d, struct span in, struct buf *out);
/*
 * The last chunk is over: state becomes DONE. A last line without an end gets
 * one.
 */
void smtp_data_end(struct smtp_data *d, struct buf *out);
/* Whether nothing was found that rules the content out. */
bool smtp_data_is_good(const struct smtp_data *d);
