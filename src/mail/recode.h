/*
 * A message re-encoded for a transport that does not take its bytes (RFC 6152
 * section 3, RFC 2045 section 6): its leaves that hold octets above 127, or
 * lines over 998 octets, become quoted-printable or base64. What a reader
 * decodes is the same, octet for octet; where readers could differ about that,
 * a leaf stays as it came.
 */
#pragma once

#include <mail/message.h>
#include <mail/octets.h>

/*
 * In *out a reference: to another message, or to m when nothing can be or need
 * be changed. avoid: bits of OCTETS_.... The other one holds m and encodes
 * while it is read, so it takes little memory; its size is exact, its
 * message_crc is of no use. It differs in the lines of
 * Content-Transfer-Encoding, and in MIME-Version where a message without one
 * is all text; everything else stays octet for octet, also octets that were
 * to be avoided: in header fields, between parts, and in what must not be
 * changed (mail/mime_leaves.h).
 *
 * Text becomes quoted-printable, or base64 where it would be half as long
 * again; a leaf that is encoded already stays so. Reads the message, up to
 * four times. 1 when m holds what is to be avoided, 0 when it does not;
 * -ENOMEM, or what message_read answered. Any thread.
 */
int recode_message(struct message *m, unsigned avoid, struct message **out);
