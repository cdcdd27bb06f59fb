/* Arguments to subcommands; exit codes. Nothing else. */
#include <cli/cli.h>
#include <config/json_memory.h>
#include <server/server.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cmd_serve(int argc, char **argv);
static int cmd_version(int argc, char **argv);
static int cmd_help(int argc, char **argv);

static const struct {
	const char *name, *args, *what;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "serve", "[-c FILE] [--takeover]", "run the server", cmd_serve },
	{ "check", "[-c FILE] [--online]", "check a configuration", cli_check },
	{ "explain", "FILE [--user NAME] [--all]",
	    "what would be done with a message, and the request", cli_explain },
	{ "passwd", "[--user NAME] [--generate]",
	    "make a credential for a user", cli_passwd },
	{ "salvage", "FROM TO", "make a new spool of a damaged one",
	    cli_salvage },
	{ "sandbox", "[--address ADDR] [--archive DIR]",
	    "run a fake of the providers' APIs and mail servers", cli_sandbox },
	{ "queue", "ls|find|show|retry|hold|release|expire|rm",
	    "look at what waits, and change it", cli_queue },
	{ "stats", "[-o json]", "figures of the running server", cli_stats },
	{ "reload", "", "have the running server read its file again",
	    cli_reload },
	{ "version", "", "print the version", cmd_version },
	{ "help", "", "print this", cmd_help },
};

enum {
	COMMANDS = sizeof(commands) / sizeof(commands[0])
};

static void usage(FILE *out)
{
	fputs("usage: postern COMMAND [OPTIONS]\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %-36s %s\n", commands[i].name,
		    commands[i].args, commands[i].what);
	fputs("\nThe configuration is FILE, else $POSTERN_CONFIG, else "
	      "/etc/postern/postern.yaml.\n",
	    out);
}

static int cmd_serve(int argc, char **argv)
{
	const char *path = cli_config_path();
	bool wants_takeover = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			path = argv[++i];
			continue;
		}
		if (strcmp(argv[i], "--takeover") == 0) {
			wants_takeover = true;
			continue;
		}
		fprintf(
		    stderr, "postern serve: unknown argument '%s'\n", argv[i]);
		return 2;
	}
	return server_run(path, wants_takeover);
}

static int cmd_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("postern " POSTERN_VERSION);
	return EXIT_SUCCESS;
}

static int cmd_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	usage(stdout);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	json_memory_init();
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return cmd_help(argc, argv);
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "postern: there is no command '%s'\n", argv[1]);
	usage(stderr);
	return 2;
}
