/*
 * A request in the making, shared by the files of this folder. Its body is a
 * list of pieces: bytes collected in `text`, or references to the message, to
 * a part of it or to its text, decoded and encoded when they are read.
 */
#pragma once

#include <base/arena.h>
#include <base/buf.h>
#include <mail/message.h>
#include <mail/mime.h>
#include <postern/provider.h>
#include <provider/json.h>
#include <provider/provider.h>

enum {
	BODY_WINDOW = 4096 /* source bytes looked at at a time for JSON */
};

enum piece_source {
	PIECE_TEXT = 0, /* request.text */
	PIECE_MESSAGE,  /* bytes as its header, then what follows that */
	PIECE_CONTENT,  /* the message without its header */
	PIECE_PART,     /* a decoded part */
	PIECE_BYTES     /* a text of the view */
};

struct piece {
	enum piece_source source;
	enum postern_encoding encoding;
	size_t text_offset;   /* PIECE_TEXT: position in text */
	size_t part;          /* PIECE_PART: index */
	struct span bytes;    /* PIECE_BYTES, PIECE_MESSAGE */
	uint64_t source_size; /* before encoding */
	uint64_t start, size; /* place in the body, encoded */
};

/* Where reading an escaped piece stands: it has no random access. */
struct body_cursor {
	size_t piece; /* index; meaningful while is_valid */
	bool is_valid;
	uint64_t offset;     /* of the piece's encoded bytes given out */
	uint64_t source;     /* of the window in the source */
	size_t used, filled; /* of the window */
	bool is_foreign;     /* bytes were no UTF-8 */
	char window[BODY_WINDOW];
	char unit[JSON_UNIT_MAX];
	size_t unit_used, unit_len;
};

struct postern_request {
	struct arena arena;
	const struct message *message;
	struct span header;                /* of the message, as it goes out */
	struct mime_view *mime;            /* NULL unless asked for */
	const struct mime_fields *content; /* of mime, or NULL */
	const char *method, *url;
	bool is_direct;        /* without the proxy */
	bool is_smtp;          /* by that, and not by HTTP: */
	struct http_smtp smtp; /* the envelope is added when it is sent */
	const char **headers;  /* NULL-terminated when finished */
	size_t header_count, header_cap;
	struct buf text;
	struct piece *pieces;
	size_t piece_count, piece_cap;
	uint64_t body_size;
	size_t last_piece; /* read last: where the next read looks first */
	struct body_cursor cursor;
	struct err refusal;
	int rc; /* first failure of a service */
	struct postern_secret grant;
	/* Of a preparation, which may look around; else NULL. */
	const struct provider_world *world;
};

/* Memory limit of one request beside what it refers to. */
enum {
	REQUEST_TEXT_MAX = 256 * 1024 * 1024,
	REQUEST_FILE_MAX = 64 * 1024,      /* that a preparation may read */
	REQUEST_REFERENCE_MIN = 16 * 1024, /* a text that is not copied */
	/* Of an arena that holds an answer. */
	RESPONSE_KEPT_MAX = HTTP_BODY_MAX + HTTP_HEADERS_MAX + 64 * 1024
};

extern const struct postern_host request_host;

/* A complete answer as modules see it, copied into a. */
void response_keep(struct arena *a, const struct http_response *response,
    struct postern_response *out);

void request_init(struct postern_request *r, const struct message *message);
/* All of it is overwritten: keys and tokens are in headers, or in the body. */
void request_finish(struct postern_request *r);
/* NULL-terminated. */
const char *const *request_headers(const struct postern_request *r);

/*
 * Append a reference; computes its encoded size. 0 or a negative errno, which
 * is -EILSEQ when bytes of the message are no text for JSON.
 */
int body_add_reference(struct postern_request *r, const struct piece *piece);
/* Append bytes (copied). 0 or a negative errno. */
int body_add_text(struct postern_request *r, struct span text);
/* After bytes were appended to r->text behind its back from offset on. */
int body_note_text(struct postern_request *r, size_t offset);
/*
 * Copy up to len bytes of the body at offset; cheap when read in order. How
 * many, 0 at the end, or a negative errno.
 */
ptrdiff_t body_read(
    struct postern_request *r, uint64_t offset, char *out, size_t len);
/* SHA-256 of the body as it is now, 64 hex digits and NUL. */
int body_sha256(struct postern_request *r, char out[65]);
/* HMAC-SHA256 of prefix and the body as it is now. */
int body_hmac_sha256(struct postern_request *r, struct span key,
    struct span prefix, uint8_t out[32]);
