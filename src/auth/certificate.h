/* Whose login a client certificate is. Pure. Private to auth. */
#pragma once

#include <config/config.h>

/*
 * proven as in struct auth_channel. A user whose certificates list has one of
 * the names comes first, in the order of the users; then one without such a
 * list who is called like one of them. NULL when there is none.
 */
const struct config_user *certificate_user(
    const struct config *config, const char *const *proven);
