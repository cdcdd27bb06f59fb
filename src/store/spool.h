/*
 * Bodies in files of their own: bodies/XXXXXXXX.msg, numbered from SPOOL_FIRST
 * on, so that a place tells which kind it is. The body begins at
 * SPOOL_BODY_START; the header, known last, is put right before it, and what
 * lies before that is a hole.
 *
 * A file is written by the threads here (struct spool has a pool) while it is
 * received, synced by them when it is accepted, and only then given to the
 * writer, which syncs the directory and commits the row. Who has the row has
 * the file: until then it goes with its last reference, afterwards the
 * writer removes it.
 */
#pragma once

#include <store/body.h>
#include <store/place.h>

#define SPOOL_FIRST UINT32_C(0x80000000)

enum {
	SPOOL_BODY_START = 1024 * 1024,
	SPOOL_NAME_SIZE = sizeof("00000000.msg")
};

struct disk;
struct spool;

static inline bool spool_has(uint32_t number)
{
	return number >= SPOOL_FIRST;
}

void spool_format_name(uint32_t number, char out[SPOOL_NAME_SIZE]);
/* The number in a name, or 0. */
uint32_t spool_parse_name(const char *name);

/* next: no file has this number or a higher one. -errno, e filled. */
int spool_open(
    struct disk *d, uint32_t next, struct spool **out, struct err *e);
/* Ends what is under way; nothing more can be begun. Accepts NULL. */
void spool_stop(struct spool *s);
/* Stops it first. Messages may outlive it. Accepts NULL. */
void spool_close(struct spool *s);

struct store_body *spool_body(
    struct spool *s, struct loop *l, bool is_volatile);
/*
 * The body of m, when it lies in a file of s that can be accepted as it is,
 * else NULL.
 */
struct store_body *spool_find(const struct spool *s, const struct message *m);
/*
 * Sync it with its header, then hand r, its accept, to the writer; a failure
 * is answered at once.
 */
void spool_seal(struct store_body *b, struct store_accept *r);
/* Writer: the row will tell of it; where it lies. */
struct place spool_keep(struct store_body *b);
/* Reader: a message from its file. -EBADMSG when it is damaged or missing. */
int spool_load(struct spool *s, const struct place *p, struct message **out);
