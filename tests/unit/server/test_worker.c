/* A worker that is given TLS contexts, one set after the other. */
#include <server/worker.h>

#include <support/certs.h>
#include <support/unit.h>

#include <auth/auth.h>
#include <config/config.h>
#include <health/health.h>
#include <loop/blocking.h>
#include <net/tls.h>
#include <net/tls_set.h>
#include <policy/peers.h>
#include <policy/pressure.h>
#include <policy/quota.h>
#include <postern/provider.h>
#include <server/ports.h>
#include <store/store.h>

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SETS = 4
};

static struct certs certs[SETS]; /* of one name each */
static const char *const names[SETS] = { "first.test", "second.test",
	"third.test", "fourth.test" };
static struct config *config;
static struct worker_services services;
static struct worker *worker;
static sem_t finished;
static int port; /* where it listens */

/* --- a configuration: one listener with TLS --- */

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

static int take_record(struct span record, struct err *e)
{
	(void)record;
	(void)e;
	return 0;
}

static struct config *load(void)
{
	static const struct config_helpers helpers = {
		.set_module_directory = ignore_directory,
		.load_module = load_stub,
		.check_password_record = take_record,
	};
	char path[] = "/tmp/postern-worker-XXXXXX";
	struct config_report report = { 0 };
	FILE *f = fdopen(mkstemp(path), "w");
	struct config *c;

	ck_assert_ptr_nonnull(f);
	fprintf(f,
	    "hostname: mail.test\n"
	    "listeners: [{name: t, address: '127.0.0.1:2525', tls: implicit}]\n"
	    "tls: {certificates: [{cert: %s, key: %s}]}\n"
	    "users: [{name: a, password_hash: x}]\n"
	    "providers: [{name: stub, type: stub}]\n"
	    "routes: [{name: all, providers: [stub]}]\n",
	    certs[0].items[0].cert, certs[0].items[0].key);
	fclose(f);
	c = config_load(path, &helpers, &report);
	if (!c)
		config_report_print(&report, stderr);
	config_report_finish(&report);
	(void)unlink(path);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(health_configure(c, NULL), 0);
	return c;
}

/* --- a worker that has not started --- */

static struct tls_set *set_of(size_t i)
{
	struct err e = { 0 };
	struct tls_files *files = tls_files_read(&certs[i].tls, &e);
	struct tls_set *set = files ? tls_set_new(files, config, &e) : NULL;

	ck_assert_msg(set != NULL, "%s", e.text);
	tls_files_free(files);
	return set;
}

static void on_finished(struct worker *w, void *ctx)
{
	(void)w;
	(void)ctx;
	(void)sem_post(&finished);
}

static int listen_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	port = ntohs(at.sin_port);
	return fd;
}

static struct store *open_store(void)
{
	const struct store_settings settings = { .engine = STORE_MEMORY };
	struct err e = { 0 };
	struct store *s = store_open(&settings, &e);

	ck_assert_msg(s != NULL, "%s", e.text);
	return s;
}

static void set_up(void)
{
	struct err e = { 0 };

	for (size_t i = 0; i < SETS; i++) {
		certs_init(&certs[i]);
		certs_add(&certs[i], names[i], CERTS_ECDSA);
	}
	ck_assert_int_eq(auth_library_init(&e), 0);
	config = load();
	ck_assert_int_eq(sem_init(&finished, 0, 0), 0);
	services = (struct worker_services){ .config = config,
		.auth = auth_new(config, &e),
		.quota = quota_new(),
		.store = open_store(),
		.volatile_store = open_store(),
		.pool = blocking_new(1, 10),
		.peers = peers_new(100),
		.pressure = pressure_new(),
		.tls = set_of(0),
		.on_finished = on_finished };
	ck_assert_msg(services.auth != NULL, "%s", e.text);
	struct port p = { .fd = listen_somewhere() };
	worker = worker_new(0, &services, &p, 1, &e);
	ck_assert_msg(worker != NULL, "%s", e.text);
}

static void tear_down(void)
{
	worker_stop(worker, 1000);
	while (sem_wait(&finished) != 0)
		;
	worker_join(worker);
	blocking_free(services.pool);
	auth_free(services.auth);
	store_close(services.store);
	store_close(services.volatile_store);
	worker_free(worker);
	quota_free(services.quota);
	peers_free(services.peers);
	pressure_free(services.pressure);
	config_unref(config);
	auth_library_done();
	for (size_t i = 0; i < SETS; i++)
		certs_finish(&certs[i]);
	(void)sem_destroy(&finished);
}

/* --- what it shows --- */

static bool shows(const char *name)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	bool is_shown;

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ck_assert_int_eq(SSL_set_fd(ssl, fd), 1);
	ck_assert_int_eq(SSL_connect(ssl), 1);
	is_shown = X509_check_host(
		       SSL_get0_peer_certificate(ssl), name, 0, 0, NULL) == 1;
	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	(void)close(fd);
	return is_shown;
}

static void on_applied(struct worker_update *u)
{
	(void)u;
}

START_TEST(uses_what_it_was_given_first)
{
	ck_assert_int_eq(worker_start(worker), 0);
	ck_assert(shows(names[0]));
}
END_TEST

START_TEST(uses_the_last_contexts_whatever_is_on_its_way)
{
	struct port p = { .fd = listen_somewhere() };
	struct worker_update update = { .config = config_ref(config),
		.tls = set_of(2),
		.ports = &p,
		.port_count = 1,
		.on_applied = on_applied };

	/* A renewed certificate, a reload that has read its files before,
	 * and one more certificate: the worker is busy and sees all at once. */
	worker_set_tls(worker, set_of(1));
	worker_update(worker, &update);
	worker_set_tls(worker, set_of(3));
	ck_assert_int_eq(worker_start(worker), 0);
	ck_assert(shows(names[3]));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("server/worker");
	TCase *t = tcase_create("tls");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, uses_what_it_was_given_first);
	tcase_add_test(t, uses_the_last_contexts_whatever_is_on_its_way);
	suite_add_tcase(suite, t);
	return suite;
}

UNIT_MAIN(make_suite)
