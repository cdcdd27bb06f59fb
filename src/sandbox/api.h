/*
 * A provider whose API takes JSON, as tables: the members of a request, how
 * addresses, headers and attachments are spelled, what errors look like. A
 * new one is such a table and the two or three functions that say the rest.
 */
#pragma once

#include <sandbox/fake.h>

#include <stdbool.h>

enum api_kind {
	API_STRING = 1, /* max: bytes */
	API_TEXT,       /* the same, not empty */
	API_BOOL,
	API_NUMBER,    /* an integer */
	API_WORD,      /* one of words */
	API_STRINGS,   /* max: items */
	API_MAP,       /* names and strings */
	API_VALUES,    /* names and values of any kind */
	API_OBJECT,    /* fields */
	API_OBJECTS,   /* a list of them */
	API_ADDRESS,   /* an object with address and name */
	API_ADDRESSES, /* a list of them */
	API_LINE,      /* "Ann <a@b.example>, c@d.example" */
	API_MAILBOXES, /* a list of "Ann <a@b.example>"; max: items */
	API_NAME,      /* a string of letters, digits, _ and -; max: bytes */
	API_BASE64,    /* a string */
	API_FILENAME   /* a string; words: the extensions, see below */
};

enum {
	API_REQUIRED = 1 << 0,
	API_SENDER = 1 << 1,    /* its address is that of the letter */
	API_RECIPIENT = 1 << 2, /* each one is */
	API_NOT_WORDS = 1 << 3, /* FILENAME: all but those in words */
	API_ONE = 1 << 4        /* ADDRESSES, LINE: of a single one */
};

/* A member; the code is the provider's, for a wrong and for a missing one. */
struct api_field {
	const char *name; /* NULL ends a table */
	enum api_kind kind;
	unsigned flags;
	size_t max; /* 0: any */
	const char *wrong, *missing;
	const char *const *words;       /* ends with NULL */
	const struct api_field *fields; /* ends with name NULL */
};

/* One request under examination. */
struct api_exam {
	const struct fake *fake;
	const struct api *api;
	struct httpd_request *r;
	json_t *root;
	struct fake_answer *out;
	size_t recipients; /* so far */
	bool is_dry;       /* checked only: more sets it */
};

struct api {
	const char *path; /* "/email", behind the name */
	/* How each key begins; NULL: it is not in a header. */
	const char *key_header, *key_begin;
	const char *email, *name; /* members of an address */
	size_t max_request;       /* bytes */
	int bad_status;           /* of wrong requests */
	const char *unknown;      /* code: member not in the table */
	/* Its words before and behind the member, then comes the address. */
	const char *bad_address, *bad_address_end;
	const struct api_field *fields;
	/* A provider's error answer. */
	void (*refuse)(struct fake_answer *out, int status, const char *code,
	    const char *text);
	/* What the table cannot say; false after api_wrong. May be NULL. */
	bool (*more)(struct api_exam *x);
	/* Answer a good request: id of out->letter, status, body. */
	void (*accept)(struct api_exam *x);
};

enum {
	API_UUID_SIZE = 37
};

/* The check of struct fake for all with an api. */
void api_check(const struct fake *fake, const struct sandbox_settings *s,
    struct httpd_request *r, struct fake_answer *out);
/* Refuse with bad_status; false. */
bool api_wrong(struct api_exam *x, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A random one, as most providers name messages. */
void api_uuid(char out[API_UUID_SIZE]);
/*
 * Whether the provider will not mail to this recipient: those whose address
 * begins with "inactive" play addresses that bounced before.
 */
bool api_is_inactive(struct span address);
