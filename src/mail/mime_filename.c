/*
 * File names come from strangers and go to strangers' disks: what is left of
 * them here is a name, never a path.
 */
#include <mail/mime_filename.h>

enum {
	FILENAME_MAX_BYTES = 255
};

static const char *extension(struct span type)
{
	static const struct {
		const char *type, *extension;
	} known[] = {
		{ "application/gzip", "gz" },
		{ "application/json", "json" },
		{ "application/msword", "doc" },
		{ "application/pdf", "pdf" },
		{ "application/pgp-signature", "asc" },
		{ "application/pkcs7-signature", "p7s" },
		{ "application/rtf", "rtf" },
		{ "application/vnd.ms-excel", "xls" },
		{ "application/xml", "xml" },
		{ "application/zip", "zip" },
		{ "audio/mpeg", "mp3" },
		{ "image/gif", "gif" },
		{ "image/jpeg", "jpg" },
		{ "image/png", "png" },
		{ "image/svg+xml", "svg" },
		{ "image/tiff", "tif" },
		{ "image/webp", "webp" },
		{ "message/delivery-status", "txt" },
		{ "message/rfc822", "eml" },
		{ "text/calendar", "ics" },
		{ "text/csv", "csv" },
		{ "text/html", "html" },
		{ "text/plain", "txt" },
		{ "text/vcard", "vcf" },
		{ "text/xml", "xml" },
		{ "video/mp4", "mp4" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_eq(type, span_of(known[i].type)))
			return known[i].extension;
	}
	/* Not "bin": some providers take it for a program and refuse it. */
	return span_starts_with(type, SPAN("text/")) ||
		       span_starts_with(type, SPAN("message/"))
		   ? "txt"
		   : "dat";
}

static struct span last_component(struct span path)
{
	for (size_t i = path.len; i > 0; i--) {
		if (path.ptr[i - 1] == '/' || path.ptr[i - 1] == '\\')
			return span_from(path, i);
	}
	return path;
}

/* At most max bytes, without cutting a character in two. */
static struct span shorten(struct span s, size_t max)
{
	if (s.len <= max)
		return s;
	while (max > 0 && ((unsigned char)s.ptr[max] & 0xc0) == 0x80)
		max--;
	return span_first(s, max);
}

struct span mime_filename(struct arena *a, struct span name, struct span type)
{
	struct span kept = span_trim(last_component(name));
	char *text;

	kept = shorten(kept, FILENAME_MAX_BYTES);
	if (kept.len == 0 || span_eq(kept, SPAN(".")) ||
	    span_eq(kept, SPAN("..")))
		text = arena_printf(a, "attachment.%s", extension(type));
	else
		text = arena_str(a, kept);
	for (char *c = text; c && *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '"')
			*c = '_';
	}
	return span_of(text);
}
