/* Tokens and the sets of keys they are verified with. */
#include "fuzz.h"

#include <auth/jwt.h>
#include <base/b64.h>

#include <string.h>

enum {
	KIND_TOKEN = 0, /* as it comes */
	KIND_PARTS,     /* header and claims in JSON, a NUL between them */
	KIND_KEYS       /* a JWK set */
};

/* RFC 8037 appendix A.2. */
static const char key[] =
    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"k\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static const struct jwt_rules rules = {
	.issuer = "i", .audience = "a", .claim = "email", .now_s = 1700000000
};

static void check_token(struct span token)
{
	static struct jwk_set *keys;
	struct jwt_result result;
	enum jwt_verdict verdict;

	if (!keys)
		keys = jwk_set_parse(span_of(key), NULL);
	verdict = jwt_verify(token, keys, &rules, &result);
	/* Nobody but its owner signs with that key. */
	fuzz_claim(verdict != JWT_GOOD && result.why);
	fuzz_claim(jwt_verify(token, NULL, &rules, &result) == verdict);
}

static size_t encode(struct span in, char *out)
{
	size_t len = b64_encode(in.ptr, in.len, out);

	while (len > 0 && out[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++)
		out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
	return len;
}

static void check_parts(struct span in)
{
	struct span header = span_cut(&in, '\0');
	size_t size = b64_encoded_len(header.len) + b64_encoded_len(in.len);
	char *text = malloc(size + 100);
	size_t len;

	if (!text)
		return;
	len = encode(header, text);
	text[len++] = '.';
	len += encode(in, text + len);
	memset(text + len, 'A', 87);
	text[len] = '.';
	check_token(span_make(text, len + 87)); /* 86: an Ed25519 signature */
	free(text);
}

static void check_keys(struct span json)
{
	struct err e = { .code = 0 };
	struct jwk_set *set = jwk_set_parse(json, &e);

	fuzz_claim(set ? jwk_set_count(set) > 0 : e.text[0] != '\0');
	if (set)
		(void)jwk_verify(set, SPAN("k"), SPAN("EdDSA"), SPAN("text"),
		    SPAN("signature"));
	jwk_set_unref(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(data, size);

	switch (fuzz_take(&in) % 3) {
	case KIND_TOKEN:
		check_token(in);
		break;
	case KIND_PARTS:
		check_parts(in);
		break;
	case KIND_KEYS:
		check_keys(in);
		break;
	}
	return 0;
}
