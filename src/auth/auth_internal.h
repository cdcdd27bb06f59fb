/* The service as its sessions see it. Private to auth. */
#pragma once

#include <auth/auth.h>
#include <auth/verify.h>
#include <auth/view.h>

struct verifier *auth_verifier(struct auth *a);
/* A reference to the view of this configuration. NULL for memory. */
struct view *auth_view(struct auth *a, struct config *config);
