/*
 * AWS keys in the forms they come in: profiles of a shared file, JSON of
 * instances and containers, XML of STS; and the grant that carries them to
 * build. Pure. What is found points into the text, or is made with
 * host->alloc.
 */
#pragma once

#include <postern/provider.h>

struct ses_keys {
	struct postern_str id, secret;
	struct postern_str token; /* empty: keys that stay */
	struct postern_str region;
	int64_t expires; /* seconds; 0: not told */
};

/*
 * Those of [profile] in a shared credentials file; false when there is no
 * such profile. One without keys leaves them empty.
 */
bool ses_keys_from_profile(
    struct postern_str text, struct postern_str profile, struct ses_keys *out);
/* AccessKeyId, SecretAccessKey, Token, Expiration. 0, -EINVAL or -ENOMEM. */
int ses_keys_from_json(struct postern_str text, const struct postern_host *host,
    struct postern_request *r, struct ses_keys *out);
/* From the Credentials of an answer of STS. */
bool ses_keys_from_xml(struct postern_str text, struct ses_keys *out);
/*
 * The text of the first element of that name in an answer of AWS: without
 * elements inside, and empty when there is none. Entities stay as they are.
 */
struct postern_str ses_xml_text(struct postern_str xml, const char *name);

/* Whether they can stand in a header: visible ASCII, of bounded length. */
bool ses_keys_are_sound(const struct ses_keys *keys);
/* As bytes for struct postern_preparation; ptr NULL for memory. */
struct postern_secret ses_keys_pack(const struct ses_keys *keys,
    const struct postern_host *host, struct postern_request *r);
/* The reverse; all NUL-terminated, into the grant. */
bool ses_keys_unpack(struct postern_secret grant, struct ses_keys *out);
