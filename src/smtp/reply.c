/*
 * Replies. Texts may quote what a client or a provider said, so everything
 * but printable ASCII is replaced and the line has an end.
 */
#include <smtp/reply.h>

#include <stdio.h>

enum {
	TAIL_MAX = 64 /* " (" id ")" */
};

size_t smtp_reply_format(const struct smtp_reply *r, char out[SMTP_REPLY_MAX])
{
	char head[24], tail[TAIL_MAX] = "";
	size_t len, tail_len;

	(void)snprintf(head, sizeof(head), "%03u %s%s", r->code,
	    r->enhanced ? r->enhanced : "", r->enhanced ? " " : "");
	if (r->ref && r->code >= 400)
		(void)snprintf(tail, sizeof(tail), " (%s)", r->ref);
	len = strlen(head);
	tail_len = strlen(tail);
	memcpy(out, head, len);
	for (const char *p = r->text; *p && len + tail_len + 2 < SMTP_REPLY_MAX;
	     p++) {
		unsigned char c = (unsigned char)*p;
		out[len++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	for (size_t i = 0; i < tail_len; i++)
		out[len++] = tail[i];
	out[len++] = '\r';
	out[len++] = '\n';
	return len;
}
