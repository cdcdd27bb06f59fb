/*
 * What a message holds that not every provider can carry, as bits of
 * POSTERN_CARRIES_*. What lies in its parts is found by mail/mime_scan while
 * it arrives; here is what its header says, and how people are told.
 */
#pragma once

#include <base/span.h>
#include <mail/envelope.h>
#include <mail/message.h>

#include <stdbool.h>
#include <stddef.h>

enum {
	TRAITS_TEXT_SIZE = 448
};

struct message_field;

/*
 * Whether a field is a DKIM signature over a field of that header which steers
 * the message, and so does not go on (mail/controls.h).
 */
bool traits_sign_control(const struct message_field *field, struct span header);
/*
 * Of a complete header block: the client's DKIM signatures (RFC 6376), and what
 * its control fields ask of a provider.
 */
unsigned traits_of_header(struct span header);
/*
 * What a message asks of a provider, bits of POSTERN_CARRIES_*: for all of its
 * recipients, its content included, and then for one. Mail that only declares
 * SMTPUTF8 and is all ASCII goes anywhere.
 */
unsigned traits_needed(const struct envelope_terms *terms, struct span sender,
    const struct message *m);
unsigned traits_needed_for(
    unsigned all, const struct envelope_terms *terms, struct span recipient);
/*
 * What a message with these is, to follow "Message ": "is encrypted (S/MIME
 * or PGP) and has a DKIM signature". "" without any.
 */
void traits_describe(unsigned traits, char out[TRAITS_TEXT_SIZE]);
