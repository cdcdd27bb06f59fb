/*
 * An error a person must understand: filled by functions that can fail for a
 * reason worth a sentence. Mechanics return a negative errno instead; a
 * function that does both returns the errno and fills the sentence.
 */
#pragma once

struct err {
	int code;       /* negative errno, 0 when nothing was set */
	char text[512]; /* one line, no trailing period, never a secret */
};

/*
 * Write a sentence into e (which may be NULL) and return code, so that a
 * failing function can end with `return err_set(e, -EINVAL, "...")`.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Like err_set, with ": <description of errno code>" appended. */
int err_errno(struct err *e, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
