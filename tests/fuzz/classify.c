/*
 * Answers of providers: what a module makes of any response must be an
 * outcome the core can act on and print.
 */
#include "fuzz.h"

#include <provider/provider.h>

#include <stdio.h>

enum {
	HEADERS_MAX = 8,
	RECIPIENTS_MAX = 64,
	SETTINGS_MAX = 1024
};

static const char *const modules[] = { "raw", "ses", "sendgrid", "mailgun",
	"msgraph", "gmail", "postmark", "brevo", "sendlayer", "resend",
	"mandrill", "sparkpost", "mailjet", "mailersend", "smtp2go", "mailtrap",
	"smtp", "scaleway", "azure" };

/* Those asked for: every second one is what answers of the corpus name. */
static void fill_addresses(struct postern_str *out)
{
	for (size_t i = 0; i < RECIPIENTS_MAX; i++)
		out[i] = i % 2 ? (struct postern_str){ "ann@dest.example", 16 }
			       : (struct postern_str){ "b@c", 3 };
}

enum {
	MODULES = sizeof(modules) / sizeof(modules[0])
};

static const struct postern_provider *module_at(unsigned choice)
{
	struct err e = { .code = 0 };

	provider_set_directory(FUZZ_MODULES);
	const struct postern_provider *p =
	    provider_load(modules[choice % MODULES], &e);

	if (!p || p->settings_size > SETTINGS_MAX) {
		(void)fprintf(stderr, "%s\n", e.text);
		abort();
	}
	return p;
}

/* "Name: value" lines up to an empty one; the rest is the body. */
static size_t read_headers(struct span *in, struct http_header *out)
{
	size_t n = 0;

	while (in->len > 0 && n < HEADERS_MAX) {
		struct span value = span_cut(in, '\n');
		struct span name = span_cut(&value, ':');

		if (name.len == 0)
			break;
		out[n++] = (struct http_header){ span_trim(name),
			span_trim(value.ptr ? value : SPAN("")) };
	}
	return n;
}

/* Its end, and nothing in it that must not reach a log or a reply. */
static void check_text(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	fuzz_claim(end != NULL);
	fuzz_claim(span_is_utf8(span_make(text, (size_t)(end - text))));
	for (; text < end; text++)
		fuzz_claim((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_outcome(const struct provider_result *r, size_t recipients)
{
	const struct postern_outcome *o = &r->outcome;

	fuzz_claim(o->result >= POSTERN_ACCEPTED);
	fuzz_claim(o->result <= POSTERN_UNKNOWN);
	check_text(o->provider_id, sizeof(o->provider_id));
	check_text(o->reason, sizeof(o->reason));
	if (o->try_singly)
		fuzz_claim(o->result == POSTERN_REJECTED && recipients > 1);
	if (o->is_about_sender)
		fuzz_claim(o->result == POSTERN_ACCOUNT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Aligned as a module's settings may need; none are set. */
	static const _Alignas(max_align_t) char settings[SETTINGS_MAX];
	struct span in = span_make(data, size);
	const struct postern_provider *p = module_at(fuzz_take(&in));
	struct http_header headers[HEADERS_MAX];
	uint8_t rejected[(RECIPIENTS_MAX + 7) / 8];
	struct postern_str addresses[RECIPIENTS_MAX];
	struct provider_result result;
	struct http_response response = { .fault = HTTP_FAULT_NONE };
	size_t recipients = 1 + fuzz_take(&in) % RECIPIENTS_MAX;
	unsigned kind = fuzz_take(&in);

	fill_addresses(addresses);
	response.fault = kind % 8 == 7 ? HTTP_FAULT_CUT : HTTP_FAULT_NONE;
	response.status = 100 + (int)(fuzz_take(&in) * 2);
	response.headers = headers;
	response.header_count = read_headers(&in, headers);
	response.body = in.ptr ? in : SPAN("");
	const struct provider_asked asked = { .recipient_count = recipients,
		.recipients = addresses,
		.now = 1700000000 };
	provider_classify(p, settings, &response, &asked, rejected, &result);
	check_outcome(&result, recipients);
	return 0;
}
