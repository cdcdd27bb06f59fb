/*
 * One SendGrid request under examination, and the pieces its rules are made
 * of. A check that fails has filled the answer and returns false.
 */
#pragma once

#include <sandbox/fake.h>

#include <stdbool.h>

struct map;

struct exam {
	json_t *root;
	struct fake_answer *out;
	struct map *seen; /* addresses of all personalizations */
	size_t recipients;
};

void exam_answer_error(
    struct fake_answer *a, int status, const char *text, const char *field);
/* SendGrid's own words for a status. */
void exam_fail(struct fake_answer *a, int status);
/* 400 with a message; field is a format. */
bool exam_wrong(struct exam *x, const char *text, const char *field, ...)
    __attribute__((format(printf, 3, 4)));
/* A wrong JSON type: the real answer does not say where. */
bool exam_bad(struct exam *x);

/* NULL, or a value of this type. */
bool exam_is_null_or(const json_t *value, json_type type);
/* A string that is not empty. */
bool exam_is_text(const json_t *value);
struct span exam_text(const json_t *value);

/* {email, name?}; where is for the error. */
bool exam_address(
    struct exam *x, const json_t *value, const char *where, struct span *out);
bool exam_headers(struct exam *x, json_t *headers, const char *where);
bool exam_args(struct exam *x, json_t *args, const char *where);
bool exam_send_at(struct exam *x, const json_t *value, const char *where);
/* Only keys of the table, which ends with NULL. */
bool exam_keys(struct exam *x, json_t *object, const char *const *known);

/* sendgrid_content.c: everything but who gets it. */
bool exam_content(struct exam *x);
