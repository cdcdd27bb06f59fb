/* See fixture.h. */
#include "fixture.h"

#include <auth/password.h>
#include <base/b64.h>
#include <base/list.h>
#include <loop/loop.h>
#include <postern/provider.h>
#include <support/onloop.h>
#include <support/unit.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <unistd.h>

/* --- configuration --- */

static const struct postern_provider *load_stub(const char *type, struct err *e)
{
	static const struct postern_field no_fields[] = { { .name = NULL } };
	static const struct postern_provider stub = {
		.abi = POSTERN_PROVIDER_ABI,
		.size = sizeof(stub),
		.name = "stub",
		.limits = { .recipients = 1 },
		.fields = no_fields,
	};

	(void)type;
	(void)e;
	return &stub;
}

static void ignore_directory(const char *dir)
{
	(void)dir;
}

static int check_record(struct span record, struct err *e)
{
	return password_check_record(record, e) == PASSWORD_INVALID ? -1 : 0;
}

static void write_user(FILE *f, const struct fixture_user *u)
{
	fprintf(f, "  - name: '%s'\n", u->name);
	if (u->record)
		fprintf(f, "    password_hash: '%s'\n", u->record);
	if (u->more)
		fprintf(f, "    %s\n", u->more);
}

static void write_config(FILE *f, const struct fixture_user *users,
    const char *mechanisms, const char *cache_ttl)
{
	fprintf(f, "hostname: mail.example.com\n"
		   "listeners:\n"
		   "  - name: test\n"
		   "    address: 127.0.0.1:2525\n"
		   "    tls: none\n"
		   "    allow_insecure: true\n"
		   "providers:\n"
		   "  - name: stub\n"
		   "    type: stub\n"
		   "routes:\n"
		   "  - name: all\n"
		   "    providers: [stub]\n");
	fprintf(f, "auth:\n  workers: 2\n");
	if (mechanisms)
		fprintf(f, "  mechanisms: %s\n", mechanisms);
	if (cache_ttl)
		fprintf(f, "  cache_ttl: %s\n", cache_ttl);
	if (fixture.more)
		fprintf(f, "%s", fixture.more);
	fprintf(f, "users:\n");
	for (; users->name; users++)
		write_user(f, users);
}

struct config *fixture_config(const struct fixture_user *users,
    const char *mechanisms, const char *cache_ttl)
{
	static const struct config_helpers helpers = {
		.set_module_directory = ignore_directory,
		.load_module = load_stub,
		.check_password_record = check_record,
	};
	char path[] = "/tmp/postern-auth-XXXXXX";
	struct config_report report = { 0 };
	struct config *config;
	int fd = mkstemp(path);
	FILE *f;

	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	ck_assert_ptr_nonnull(f);
	write_config(f, users, mechanisms, cache_ttl);
	fclose(f);
	config = config_load(path, &helpers, &report);
	if (!config)
		config_report_print(&report, stderr);
	config_report_finish(&report);
	(void)unlink(path);
	ck_assert_ptr_nonnull(config);
	return config;
}

const char *fixture_scram(
    const char *password, char out[static FIXTURE_TEXT_SIZE])
{
	ck_assert_int_eq(password_make_record(span_of(password),
			     PASSWORD_ITERATIONS_MIN, out, NULL),
	    0);
	return out;
}

/* --- clients --- */

static void copy(char out[FIXTURE_TEXT_SIZE], const char *from, size_t len)
{
	if (len >= FIXTURE_TEXT_SIZE)
		len = FIXTURE_TEXT_SIZE - 1;
	if (len)
		memcpy(out, from, len);
	out[len] = '\0';
}

static void record(struct client *c, const struct auth_answer *a)
{
	c->answer = *a;
	copy(c->user, a->user, a->user ? strlen(a->user) : 0);
	copy(c->detail, a->detail, a->detail ? strlen(a->detail) : 0);
	copy(c->last_mechanism, auth_session_mechanism(c->session),
	    strlen(auth_session_mechanism(c->session)));
	if (a->result == AUTH_CONTINUE)
		copy(c->challenge, a->challenge.ptr, a->challenge.len);
	c->answer.user = c->user;
	c->answer.detail = c->detail;
}

/* The last touch of c: the test may go on. */
static void end(struct client *c)
{
	auth_end(c->session);
	c->session = NULL;
	if (c->done)
		c->done(c->done_ctx);
}

static void on_answer(void *ctx, const struct auth_answer *a)
{
	struct client *c = ctx;
	struct span response;

	ck_assert(!c->is_inside);
	ck_assert_ptr_eq(loop_current(), c->loop);
	ck_assert_ptr_nonnull(c->session);
	record(c, a);
	c->was_refused |= a->is_refused;
	if (a->result != AUTH_CONTINUE) {
		end(c);
		return;
	}
	ck_assert_uint_lt(c->steps, FIXTURE_STEPS_MAX);
	response =
	    c->respond ? c->respond(c, a->challenge) : c->responses[c->steps];
	if (!response.ptr) {
		end(c);
		return;
	}
	c->steps++;
	c->is_inside = true;
	auth_step(c->session, response);
	c->is_inside = false;
}

void fixture_begin(struct client *c)
{
	struct auth_start start = {
		.loop = c->loop,
		.config = c->config,
		.hostname = "mail.example.com",
		.mechanism = span_of(c->mechanism),
		.has_initial = c->has_initial,
		.initial = c->initial,
		.channel = c->channel,
		.on_answer = on_answer,
		.ctx = c,
	};

	c->steps = 0;
	c->is_inside = true;
	c->session = auth_begin(c->auth, &start);
	c->is_inside = false;
	ck_assert_ptr_nonnull(c->session);
}

struct crowd {
	struct client *clients;
	size_t count, left;
	void (*done)(void *ctx);
	void *done_ctx;
};

static void on_one_done(void *ctx)
{
	struct crowd *crowd = ctx;

	if (--crowd->left == 0)
		crowd->done(crowd->done_ctx);
}

static void start_crowd(void *ctx, void (*done)(void *), void *done_ctx)
{
	struct crowd *crowd = ctx;

	crowd->done = done;
	crowd->done_ctx = done_ctx;
	crowd->left = crowd->count;
	for (size_t i = 0; i < crowd->count; i++) {
		crowd->clients[i].done = on_one_done;
		crowd->clients[i].done_ctx = crowd;
		fixture_begin(&crowd->clients[i]);
	}
}

void fixture_login_all(struct client *clients, size_t n)
{
	struct crowd crowd = { .clients = clients, .count = n };

	onloop_await(clients[0].loop, start_crowd, &crowd);
}

enum auth_result fixture_login(struct client *c)
{
	fixture_login_all(c, 1);
	return c->answer.result;
}

/* --- SCRAM, the client's half (RFC 5802) --- */

static struct span text_of(struct client *c, int len)
{
	ck_assert_int_gt(len, 0);
	ck_assert_uint_lt((size_t)len, sizeof(c->buf));
	return span_make(c->buf, (size_t)len);
}

static const char *gs2_of(const struct client *c)
{
	return c->gs2 ? c->gs2 : "n,,";
}

static struct span first_message(struct client *c)
{
	(void)snprintf(c->client_first, sizeof(c->client_first),
	    "n=%s,r=fyko+d2lbbFgONRv9qkxdawL", c->name);
	return text_of(c, snprintf(c->buf, sizeof(c->buf), "%s%s", gs2_of(c),
			      c->client_first));
}

static void make_proof(struct client *c, struct span server_first,
    struct span final, char proof[45])
{
	struct span rest = server_first, salt, key;
	uint8_t bytes[64], salted[32], client[32], stored[32], signature[32];
	unsigned long long iterations;
	char message[1024];
	ptrdiff_t salt_len;
	int len;

	(void)span_cut(&rest, ',');
	salt = span_from(span_cut(&rest, ','), 2);
	salt_len = b64_decode(salt, bytes);
	ck_assert_int_gt(salt_len, 0);
	ck_assert(span_parse_u64(span_from(rest, 2), 65536, &iterations));
	(void)PKCS5_PBKDF2_HMAC(c->password, (int)strlen(c->password), bytes,
	    (int)salt_len, (int)iterations, EVP_sha256(), 32, salted);
	key = span_make(salted, 32);
	hash_hmac_sha256(key, SPAN("Client Key"), client);
	hash_sha256(span_make(client, 32), stored);
	len = snprintf(message, sizeof(message), "%s,%.*s,%.*s",
	    c->client_first, SPAN_FMT(server_first), SPAN_FMT(final));
	hash_hmac_sha256(
	    span_make(stored, 32), span_make(message, (size_t)len), signature);
	for (size_t i = 0; i < 32; i++)
		client[i] ^= signature[i];
	proof[b64_encode(client, 32, proof)] = '\0';
}

static struct span final_message(struct client *c, struct span server_first)
{
	struct span rest = server_first;
	struct span nonce = span_cut(&rest, ',');
	struct span gs2 = span_of(gs2_of(c));
	char final[256], proof[45], header[64];
	size_t header_len = b64_encode(gs2.ptr, gs2.len, header);
	int len = snprintf(final, sizeof(final), "c=%.*s,%.*s", (int)header_len,
	    header, SPAN_FMT(nonce));

	make_proof(c, server_first, span_make(final, (size_t)len), proof);
	return text_of(
	    c, snprintf(c->buf, sizeof(c->buf), "%s,p=%s", final, proof));
}

struct span fixture_scram_respond(struct client *c, struct span challenge)
{
	if (challenge.len == 0)
		return first_message(c);
	if (span_starts_with(challenge, SPAN("r=")))
		return final_message(c, challenge);
	ck_assert(span_starts_with(challenge, SPAN("v=")));
	return SPAN("");
}

/* --- what most tests start from --- */

struct fixture fixture;

void fixture_open_library(void)
{
	struct err e = { .code = 0 };

	ck_assert_msg(auth_library_init(&e) == 0, "%s", e.text);
	(void)fixture_scram("wonder land", fixture.alice_record);
	(void)fixture_scram("builder", fixture.bob_record);
}

void fixture_close_library(void)
{
	auth_library_done();
}

void fixture_open_with(const struct fixture_user *users)
{
	struct err e = { .code = 0 };

	fixture.config = fixture_config(users, NULL, NULL);
	fixture.auth = auth_new(fixture.config, &e);
	ck_assert_msg(fixture.auth != NULL, "%s", e.text);
	fixture.loop = onloop_start();
}

void fixture_open(void)
{
	const struct fixture_user users[] = { { "Alice", fixture.alice_record,
						  NULL },
		{ "bob@example.com", fixture.bob_record, NULL },
		{ NULL, NULL, NULL } };

	fixture_open_with(users);
}

void fixture_close(void)
{
	auth_free(fixture.auth);
	onloop_stop(fixture.loop);
	config_unref(fixture.config);
}

const char *fixture_offers(
    struct config *config, int tls_bits, bool allow_plaintext)
{
	const struct auth_channel channel = { .tls_bits = tls_bits,
		.allow_plaintext = allow_plaintext };

	return auth_mechanisms(fixture.auth, config, &channel);
}

struct client fixture_client(const char *mechanism)
{
	return (struct client){ .auth = fixture.auth,
		.loop = fixture.loop,
		.config = fixture.config,
		.mechanism = mechanism,
		.channel.tls_bits = 256 };
}

struct client fixture_plain_client(struct span message)
{
	struct client c = fixture_client("PLAIN");

	c.has_initial = true;
	c.initial = message;
	return c;
}

struct client fixture_scram_client(const char *name, const char *password)
{
	struct client c = fixture_client("SCRAM-SHA-256");

	c.respond = fixture_scram_respond;
	c.name = name;
	c.password = password;
	return c;
}

enum auth_result fixture_plain(struct span message)
{
	struct client c = fixture_plain_client(message);

	return fixture_login(&c);
}
