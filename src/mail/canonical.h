/*
 * Whether encoded bytes stand for the same to everybody who decodes them
 * (RFC 2045 6.7 and 6.8). Where they break the rules, decoders differ: one
 * stops, one reads on, one takes the text as it is.
 */
#pragma once

#include <mail/mime_leaves.h>

/*
 * Of base64: nothing but the alphabet, blanks and line ends, in whole groups
 * of four with = only at the very end. Of quoted-printable: each = has two hex
 * digits or a line end behind it, and no line ends in blanks. A leaf that is
 * not encoded stands for itself. Reads the leaf up to the first fault: 1, 0,
 * or a negative errno when it cannot be read. Any thread.
 */
int canonical_check(const struct message *m, const struct mime_leaf *leaf);
