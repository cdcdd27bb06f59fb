/*
 * `postern passwd`: make the credential of a user. The password comes from
 * the terminal, from one line on standard input, or is made up; what goes to
 * standard output is safe to store.
 */
#include <cli/cli.h>

#include <auth/password.h>
#include <base/hash.h>
#include <base/span.h>
#include <config/config.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
	USAGE = 2,
	GENERATED_LEN = 26 /* of 32 symbols: 130 bits */
};

struct options {
	const char *user;
	bool is_generated;
	unsigned iterations;
};

/* A line as typed; wiped by its owner. */
struct line {
	size_t len;
	char text[PASSWORD_MAX];
};

static bool usage(const char *what, const char *arg)
{
	(void)fprintf(stderr,
	    "postern passwd: %s '%s'\n"
	    "usage: postern passwd [--user NAME] [--generate] "
	    "[--iterations N]\n",
	    what, arg);
	return false;
}

/* What the server accepts as a name, so that it ends up in no file. */
static bool is_user_name(struct span name)
{
	if (name.len == 0 || name.len > CONFIG_USER_MAX || !span_is_utf8(name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] <= ' ' || name.ptr[i] == 0x7f)
			return false;
	return true;
}

static bool parse_iterations(const char *text, unsigned *out)
{
	unsigned long long n;

	if (!span_parse_u64(span_of(text), PASSWORD_ITERATIONS_MAX, &n) ||
	    n < PASSWORD_ITERATIONS_MIN) {
		(void)fprintf(stderr,
		    "postern passwd: --iterations must be within %d and %d\n",
		    PASSWORD_ITERATIONS_MIN, PASSWORD_ITERATIONS_MAX);
		return false;
	}
	*out = (unsigned)n;
	return true;
}

static bool parse_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--generate") == 0) {
			o->is_generated = true;
		} else if (strcmp(argv[i], "--user") == 0 && value) {
			if (!is_user_name(span_of(value)))
				return usage("not a user name", value);
			o->user = value;
			i++;
		} else if (strcmp(argv[i], "--iterations") == 0 && value) {
			if (!parse_iterations(value, &o->iterations))
				return false;
			i++;
		} else {
			return usage("unknown or incomplete argument", argv[i]);
		}
	}
	return true;
}

/* --- where passwords come from --- */

static void generate(struct line *out)
{
	/* Without l, o, 0 and 1, which people mix up. */
	static const char symbols[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char bytes[GENERATED_LEN];

	hash_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < GENERATED_LEN; i++)
		out->text[i] = symbols[bytes[i] % 32];
	out->len = GENERATED_LEN;
	hash_cleanse(bytes, sizeof(bytes));
}

/*
 * Read to the end of the line or of the input, unbuffered, so that no copy
 * stays behind. 0, -EMSGSIZE, -ENODATA, or -EINTR for a signal.
 */
static int read_line(struct line *out)
{
	char c = '\0';
	ssize_t n;

	out->len = 0;
	while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
		if (out->len == sizeof(out->text))
			return -EMSGSIZE;
		out->text[out->len++] = c;
	}
	if (n < 0)
		return -errno;
	if (n == 0 && out->len == 0)
		return -ENODATA;
	if (out->len > 0 && out->text[out->len - 1] == '\r')
		out->len--;
	return 0;
}

static volatile sig_atomic_t caught;

static void on_signal(int signum)
{
	caught = signum;
}

/* A signal must not leave the terminal without echo. */
static int read_hidden(const char *prompt, struct line *out)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	enum {
		COUNT = sizeof(signals) / sizeof(signals[0])
	};
	struct sigaction catch = { .sa_handler = on_signal };
	struct sigaction before[COUNT];
	struct termios shown, hidden;
	int rc;

	if (tcgetattr(STDIN_FILENO, &shown) < 0)
		return -errno;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	caught = 0;
	for (size_t i = 0; i < COUNT; i++)
		(void)sigaction(signals[i], &catch, &before[i]);
	(void)fputs(prompt, stderr);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	rc = read_line(out);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	(void)fputc('\n', stderr);
	for (size_t i = 0; i < COUNT; i++)
		(void)sigaction(signals[i], &before[i], NULL);
	if (caught)
		(void)raise(caught);
	return rc;
}

static int ask_twice(struct line *out)
{
	struct line again = { .len = 0 };
	int rc = read_hidden("Password: ", out);

	if (rc == 0)
		rc = read_hidden("Once more: ", &again);
	if (rc == 0 && !span_eq(span_make(out->text, out->len),
			   span_make(again.text, again.len)))
		rc = -EBADMSG;
	hash_cleanse(&again, sizeof(again));
	return rc;
}

static int get_password(const struct options *o, struct line *out)
{
	int rc = 0;

	if (o->is_generated)
		generate(out);
	else if (isatty(STDIN_FILENO))
		rc = ask_twice(out);
	else
		rc = read_line(out);
	if (rc == -EBADMSG)
		(void)fputs("postern passwd: the two differ\n", stderr);
	else if (rc == -EMSGSIZE)
		(void)fprintf(stderr,
		    "postern passwd: the password is longer than %d bytes\n",
		    PASSWORD_MAX);
	else if (rc == -ENODATA)
		(void)fputs("postern passwd: no password was given\n", stderr);
	else if (rc < 0)
		(void)fprintf(stderr,
		    "postern passwd: cannot read the password: %s\n",
		    strerror(-rc));
	return rc;
}

/* --- what comes out --- */

/* A single-quoted YAML scalar; the configuration reads $$ as $. */
static void print_quoted(const char *text)
{
	(void)putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '$')
			(void)putchar(*text);
		(void)putchar(*text);
	}
	(void)putchar('\'');
}

static int print_result(const struct options *o, const char *record)
{
	if (o->user) {
		(void)printf("users:\n  - name: ");
		print_quoted(o->user);
		/* A record has no $ that would need doubling. */
		(void)printf("\n    password_hash: '%s'\n", record);
	} else {
		(void)printf("%s\n", record);
	}
	if (fflush(stdout) != 0) {
		(void)fprintf(stderr, "postern passwd: cannot write: %s\n",
		    strerror(errno));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int cli_passwd(int argc, char **argv)
{
	struct options options = { .iterations = PASSWORD_ITERATIONS };
	char record[PASSWORD_RECORD_SIZE];
	struct line password = { .len = 0 };
	struct err e = { .code = 0 };
	int code = EXIT_FAILURE;

	if (!parse_options(argc, argv, &options))
		return USAGE;
	if (get_password(&options, &password) < 0)
		goto out;
	if (password_make_record(span_make(password.text, password.len),
		options.iterations, record, &e) < 0) {
		(void)fprintf(stderr, "postern passwd: %s\n", e.text);
		goto out;
	}
	if (options.is_generated)
		(void)fprintf(stderr, "password: %.*s\n", (int)password.len,
		    password.text);
	code = print_result(&options, record);
out:
	hash_cleanse(&password, sizeof(password));
	return code;
}
