/*
 * What the sandbox got, as pages for people: a list, each message, and a form
 * for faults. Without scripts; nothing in a message is taken for markup.
 */
#pragma once

#include <admin/httpd.h>

#include <stdbool.h>

struct sandbox;

/* Answer r if its path is that of a page; else false, and r is as it was. */
bool page_answer(struct sandbox *s, struct httpd_request *r);
