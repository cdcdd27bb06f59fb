/* The bytes of one part of a letter, to be saved. */
#pragma once

#include <admin/httpd.h>
#include <sandbox/letter.h>

/*
 * Fields of answers with bytes of a message: should a browser show them, they
 * may do nothing.
 */
#define PARTS_HEADERS                                                          \
	"Content-Security-Policy: default-src 'none'; sandbox",                \
	    "X-Content-Type-Options: nosniff", "Cache-Control: no-store"

/* Answer r with the part of this number, or 404. */
void parts_answer(
    struct httpd_request *r, const struct letter *l, struct span number);
