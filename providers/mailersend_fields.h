/* Header fields of a message as MailerSend has them. */
#pragma once

#include <common/letter.h>

enum {
	MAILERSEND_TAGS_MAX = 5
};

/* in_reply_to and references, of the message ids in the header. */
void mailersend_add_threading(struct letter *l);
/* Not those with a member of their own, nor names it does not take. */
bool mailersend_may_pass(const struct postern_header *h);
/*
 * The tags of the settings, of mail->controls and of X-MailerSend-Tags: "a, b".
 * 0 or what build is to return.
 */
int mailersend_add_tags(struct letter *l, const struct postern_list *own);
/* Nothing is tracked for whom does not ask for it. */
void mailersend_add_tracking(struct letter *l);
