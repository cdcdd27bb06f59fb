/*
 * Keys on their way to the SES module: whatever a file, STS, an agent or the
 * metadata of an instance say, the preparation ends, in a grant or in a reason
 * that may be logged.
 */
#include "fuzz.h"

#include <provider/provider.h>

#include <errno.h>
#include <stdio.h>

enum {
	SOURCES = 7, /* of `credentials` */
	STEPS_MAX = 16
};

/* The file, then answers: parts between bytes 0xff. */
struct input {
	struct span file;
	struct span rest;
};

static const char *world_env(const void *ctx, const char *name)
{
	static const char *const variables[][2] = {
		{ "AWS_REGION", "eu-west-1" },
		{ "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/a" },
		{ "AWS_WEB_IDENTITY_TOKEN_FILE", "/token" },
		{ "AWS_SHARED_CREDENTIALS_FILE", "/credentials" },
		{ "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/" },
		{ "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/pod" },
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (strcmp(variables[i][0], name) == 0)
			return variables[i][1];
	}
	return NULL;
}

static int world_file(const void *ctx, const char *path, struct buf *out)
{
	const struct input *in = ctx;

	(void)path;
	return in->file.ptr ? buf_add_span(out, in->file) : -ENOENT;
}

static const struct postern_provider *module_of(void)
{
	struct err e = { .code = 0 };

	provider_set_directory(FUZZ_MODULES);
	const struct postern_provider *p = provider_load("ses", &e);
	if (!p) {
		(void)fprintf(stderr, "%s\n", e.text);
		abort();
	}
	return p;
}

static void set_source(
    const struct postern_provider *p, char *settings, unsigned source)
{
	for (const struct postern_field *f = p->fields; f->name; f++) {
		if (strcmp(f->name, "credentials") == 0)
			*(int *)(void *)(settings + f->offset) = (int)source;
	}
}

static void check_text(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	fuzz_claim(end != NULL);
	fuzz_claim(span_is_utf8(span_make(text, (size_t)(end - text))));
	for (; text < end; text++)
		fuzz_claim((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void answer(struct provider_preparation *c, struct input *in)
{
	struct span part = span_cut(&in->rest, (char)0xff);
	struct http_response response = { .fault = HTTP_FAULT_NONE };
	unsigned kind = fuzz_take(&part);

	response.status = kind % 4 ? 200 : 100 + (int)(fuzz_take(&part) * 2);
	if (kind % 16 == 15)
		response.fault = HTTP_FAULT_CUT;
	response.body = part.ptr ? part : SPAN("");
	provider_preparation_answer(c, &response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(max_align_t) char settings[1024];
	struct input in = { .rest = span_make(data, size) };
	const struct provider_world world = {
		.env = world_env, .file = world_file, .ctx = &in
	};
	const struct postern_provider *p = module_of();
	enum provider_step step = PROVIDER_STEP_SEND;

	fuzz_claim(p->settings_size <= sizeof(settings));
	set_source(p, settings, fuzz_take(&in.rest) % SOURCES);
	in.file = span_cut(&in.rest, (char)0xff);
	struct provider_preparation *c =
	    provider_preparation_new(p, settings, &world);
	if (!c)
		return 0;
	for (unsigned i = 0; step == PROVIDER_STEP_SEND; i++) {
		fuzz_claim(i < STEPS_MAX);
		if (i > 0)
			answer(c, &in);
		step = provider_preparation_step(c, 1700000000);
	}
	check_text(provider_preparation_source(c), POSTERN_SOURCE_SIZE);
	if (step == PROVIDER_STEP_REFUSED)
		check_text(provider_preparation_reason(c), POSTERN_REASON_SIZE);
	else
		provider_grant_unref(provider_preparation_grant(c));
	provider_preparation_free(c);
	return 0;
}
