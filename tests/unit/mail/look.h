/*
 * What tests of the mail view share: one message, what a module is shown of it
 * (fields; NULL with why when it is refused), and a text in the making.
 */
#pragma once

#include <base/buf.h>
#include <base/err.h>
#include <mail/message.h>
#include <mail/mime.h>

enum {
	TEXT_MAX = 64 * 1024 * 1024
};

extern struct message *message;
extern struct mime_view *view;
extern const struct mime_fields *fields;
extern struct err why;
extern struct buf text;

void set_up(void);
void drop(void); /* message and view */
void tear_down(void);
/* m instead of the one before; takes the reference. */
void look_at(struct message *m);
/* A message in memory. */
void parse(struct span raw);
void add(const char *s); /* to text */
void add_times(size_t count, const char *s);
void check_span(struct span got, const char *expected);
