/* A module with one fault, chosen when it is compiled. */
#include <postern/provider.h>

#include <stddef.h>

static const struct postern_field fields[] = { { .name = NULL } };

static int build(const void *settings, const struct postern_mail *mail,
    const struct postern_host *host, struct postern_request *r)
{
	(void)settings;
	(void)mail;
	return host->refuse(r, "no");
}

static void classify(const void *settings,
    const struct postern_response *response, struct postern_outcome *out)
{
	(void)settings;
	(void)response;
	out->result = POSTERN_UNKNOWN;
}

#ifdef FAULT_SYMBOL
#define SYMBOL another_symbol
#else
#define SYMBOL postern_provider_v1
#endif

POSTERN_EXPORT extern const struct postern_provider SYMBOL;
const struct postern_provider SYMBOL = {
#ifdef FAULT_ABI
	.abi = POSTERN_PROVIDER_ABI + 1,
	.name = "faulty_abi",
#elif defined FAULT_OLD
	.abi = 1, /* before struct postern_part grew */
	.name = "faulty_old",
#else
	.abi = POSTERN_PROVIDER_ABI,
#endif
#ifdef FAULT_SIZE
	.size = offsetof(struct postern_provider, prepare) - 1,
	.name = "faulty_size",
#else
	.size = sizeof(struct postern_provider),
#endif
#ifdef FAULT_NAME
	.name = "another",
#endif
#ifdef FAULT_TABLE
	.name = "faulty_table",
#else
	.classify = classify,
#endif
	.doc = "Faulty.",
	.fields = fields,
	.build = build,
};

#ifdef FAULT_TABLE
POSTERN_EXPORT extern void (*const unused)(
    const void *, const struct postern_response *, struct postern_outcome *);
void (*const unused)(const void *, const struct postern_response *,
    struct postern_outcome *) = classify;
#endif
