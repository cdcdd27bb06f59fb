/*
 * What the store's tests share: a store in a temporary directory with a
 * loop, messages whose bytes follow from a number, and calls that wait.
 */
#pragma once

#include <store/body.h>
#include <store/store_internal.h>
#include <support/unit.h>

struct fix {
	struct loop *loop;
	struct store *store;
	char dir[64]; /* the store is in dir/store */
	struct store_settings settings;
	char path[80];
};

/* Directory and loop; no store yet. */
void fix_init(struct fix *f, enum store_engine engine);
/* Closes the store when it is open; removes the directory. */
void fix_finish(struct fix *f);
/* io NULL = the system's. NULL, or the error is printed and the test fails. */
void fix_open(struct fix *f, const struct store_io *io);
void fix_close(struct fix *f);

/* Post the request from the loop and wait for done. The result. */
int fix_accept(struct fix *f, struct store_accept *r);
int fix_update(struct fix *f, struct store_update *r);
int fix_charge(struct fix *f, struct store_charge *r);
int fix_load(struct fix *f, struct store_load *r);
int fix_find(struct fix *f, struct store_find *r);
int fix_search(struct fix *f, struct store_search *r);
/* All in one turn of the loop; results are in the requests. */
void fix_load_all(struct fix *f, struct store_load *r, size_t n);
void fix_accept_all(struct fix *f, struct store_accept *r, size_t n);

/* size bytes that follow from seed, in lines; at least 64. */
struct message *fix_message(unsigned seed, size_t size);
void fix_check_message(const struct message *m, unsigned seed, size_t size);

/* The same message with its body in a file, written in pieces; NULL when that
 * failed, with out_rc. out_rc may be NULL: then it must not fail. */
struct message *fix_spooled(
    struct fix *f, unsigned seed, size_t size, bool is_volatile, int *out_rc);
/* fix_add of such a message. */
struct id fix_add_spooled(
    struct fix *f, unsigned seed, size_t size, int *result);

/* An entry with one PENDING recipient and its accept. */
struct fix_mail {
	struct store_entry entry;
	struct store_recipient recipient;
	struct store_accept accept;
};
void fix_mail_init(struct fix_mail *m, unsigned seed, size_t size);
void fix_mail_finish(struct fix_mail *m);
/* Accept one such message; its id. result may be NULL: then it must be 0. */
struct id fix_add(struct fix *f, unsigned seed, size_t size, int *result);
/* Accept all from the loop, close the store at once, wait for the answers. */
void fix_accept_and_close(struct fix *f, struct fix_mail *m, size_t n);
/* One attempt on recipient 0 which becomes `state`. */
int fix_set(struct fix *f, struct id id, enum store_state state);
/* Load with the body: 0 and equal bytes, or the error. */
int fix_verify(struct fix *f, struct id id, unsigned seed, size_t size);
/* store_walk from begin to end. */
int fix_walk(struct fix *f,
    int (*each)(const struct store_pending *p, void *ctx), void *ctx);
/* How many messages it tells of. */
size_t fix_pending(struct fix *f);
/* How many files there are in the store's sub directory. */
size_t fix_files(const struct fix *f, const char *sub);
