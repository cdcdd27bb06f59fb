/*
 * SASL exchanges with the real plugins and two users: any mechanism, any
 * responses, given up at any moment. Each call is answered once; nobody is
 * let in whose password nobody found good, nor by another name than ours.
 *
 * An input: two bytes that choose, then responses, a length before each.
 */
#include "fake_loop.h"
#include "fake_verify.h"
#include "fuzz.h"

#include <auth/auth.h>
#include <auth/password.h>
#include <config/config.h>
#include <postern/provider.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);

enum {
	STEPS_MAX = 8,
	RECORD_SIZE = 256
};

static const char *const mechanisms[] = { "PLAIN", "LOGIN", "SCRAM-SHA-256",
	"EXTERNAL", "XOAUTH2", "OAUTHBEARER", "scram-sha-256-plus", "" };

static struct config *config;
static struct auth *auth;

/* --- the service --- */

static const struct postern_provider *load_module(
    const char *type, struct err *e)
{
	static const struct postern_field none[] = { { .name = NULL } };
	static const struct postern_provider module = {
		.abi = POSTERN_PROVIDER_ABI,
		.size = sizeof(module),
		.name = "fake",
		.fields = none,
	};

	(void)type;
	(void)e;
	return &module;
}

static int check_record(struct span record, struct err *e)
{
	return password_check_record(record, e) == PASSWORD_INVALID ? -1 : 0;
}

static void write_config(FILE *f)
{
	char alice[RECORD_SIZE], bob[RECORD_SIZE];

	fuzz_claim(password_make_record(SPAN("secret"), PASSWORD_ITERATIONS_MIN,
		       alice, NULL) == 0);
	fuzz_claim(password_make_record(SPAN("secret"), PASSWORD_ITERATIONS_MIN,
		       bob, NULL) == 0);
	(void)fprintf(f,
	    "hostname: mx.test\n"
	    "listeners:\n"
	    "  - {name: test, address: '127.0.0.1:2525', tls: none,\n"
	    "     allow_insecure: true}\n"
	    "providers: [{name: fake, type: fake}]\n"
	    "routes: [{name: all, providers: [fake]}]\n"
	    "auth: {mechanisms: [PLAIN, LOGIN, SCRAM-SHA-256]}\n"
	    "users:\n"
	    "  - {name: alice, password_hash: '%s'}\n"
	    "  - {name: bob@example.com, password_hash: '%s'}\n",
	    alice, bob);
}

static void load(void)
{
	const struct config_helpers helpers = {
		.load_module = load_module,
		.check_password_record = check_record,
	};
	struct config_report report = { 0 };
	char path[64];
	int fd = memfd_create("config", 0);
	FILE *f = fdopen(fd, "w");

	fuzz_claim(f && fchmod(fd, 0600) == 0);
	write_config(f);
	(void)fflush(f);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	config = config_load(path, &helpers, &report);
	config_report_print(&report, stderr);
	config_report_finish(&report);
	(void)fclose(f);
	fuzz_claim(config != NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err e = { .code = 0 };

	(void)argc;
	(void)argv;
	fuzz_claim(auth_library_init(&e) == 0);
	load();
	auth = auth_new(config, &e);
	fuzz_claim(auth != NULL);
	return 0;
}

/* --- an exchange --- */

struct talk {
	struct loop *loop;
	struct auth_session *session;
	struct span in; /* responses to come */
	unsigned steps;
	bool is_inside; /* a call of auth */
	bool is_scram;
	size_t asked, answered;
};

static struct span next_response(struct talk *t)
{
	unsigned length = fuzz_take(&t->in);
	struct span response = span_first(t->in, length);

	t->in = span_from(t->in, response.len);
	return response;
}

static bool is_ours(const char *user)
{
	return user &&
	       (!strcmp(user, "alice") || !strcmp(user, "bob@example.com"));
}

static void check(const struct talk *t, const struct auth_answer *a)
{
	fuzz_claim(!t->is_inside && t->answered <= t->asked);
	if (a->result != AUTH_OK)
		return;
	fuzz_claim(is_ours(a->user));
	fuzz_claim(fake_verify.said_good || t->is_scram);
}

static void end(struct talk *t)
{
	auth_end(t->session);
	t->session = NULL;
}

static void on_answer(void *ctx, const struct auth_answer *a)
{
	struct talk *t = ctx;
	struct span response;

	t->answered++;
	check(t, a);
	if (a->result != AUTH_CONTINUE || t->in.len == 0 ||
	    ++t->steps > STEPS_MAX) {
		end(t);
		return;
	}
	response = next_response(t);
	t->is_inside = true;
	t->asked++;
	auth_step(t->session, response);
	t->is_inside = false;
}

static void begin(struct talk *t, unsigned how)
{
	struct auth_start start = {
		.loop = t->loop,
		.config = config,
		.hostname = "mx.test",
		.mechanism = span_of(mechanisms[how & 7]),
		.has_initial = (how & 8) != 0,
		.channel = { .tls_bits = (how & 16) ? 0 : 256,
		    .allow_plaintext = (how & 32) != 0 },
		.on_answer = on_answer,
		.ctx = t,
	};

	if (start.mechanism.len == 0)
		start.mechanism = next_response(t);
	if (start.has_initial)
		start.initial = next_response(t);
	t->is_scram = span_istarts_with(start.mechanism, SPAN("SCRAM"));
	t->is_inside = true;
	t->asked = 1;
	t->session = auth_begin(auth, &start);
	t->is_inside = false;
	fuzz_claim(t->session != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { .in = span_make(data, size) };
	unsigned how = fuzz_take(&t.in), flags = fuzz_take(&t.in);

	fake_verify = (struct fake_verify){ .is_slow = flags & 1,
		.is_busy = (flags & 6) == 6 };
	t.loop = fake_loop_new();
	fuzz_claim(t.loop != NULL);
	begin(&t, how);
	if ((flags & 0x38) == 0x38)
		end(&t); /* given up at once */
	fake_loop_settle(t.loop);
	fuzz_claim(!t.session && fake_loop_is_idle(t.loop));
	fake_loop_free(t.loop);
	return 0;
}
