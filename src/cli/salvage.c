/* `postern salvage`: a new spool of what can be read of a damaged one. */
#include <cli/cli.h>

#include <store/salvage.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum {
	USAGE = 2
};

static const char usage[] =
    "usage: postern salvage FROM TO\n"
    "\n"
    "FROM is a spool that no server uses, and is not changed; TO, which must\n"
    "be missing or empty, becomes a spool with all that can be read. What may\n"
    "have been sent since is held, what cannot be sent is in TO/lost+found.\n"
    "Exit codes: 0 all was saved, 1 something was not, or must be looked at,\n"
    "74 nothing was made.\n";

/* What a person must know of, and only that. */
static void print_losses(const struct salvage_report *r, const char *to)
{
	if (r->doubt)
		printf("%s: what is open may be out of date\n", r->doubt);
	if (r->held)
		printf("%" PRIu64 " recipients may have been sent to since: "
		       "they are held; postern queue release sends\n",
		    r->held);
	if (r->without_body)
		printf("%" PRIu64 " messages that wait have no text: they "
		       "will be held as damaged\n",
		    r->without_body);
	if (r->unreadable)
		printf("%" PRIu64 " recipients of messages cannot be read\n",
		    r->unreadable);
	if (r->strangers)
		printf("%" PRIu64 " messages have lost their sender\n",
		    r->strangers);
	if (r->are_counts_lost)
		printf("the counts of quotas and budgets begin anew\n");
	if (r->pages == 0)
		printf("there is no store.db: who mail was for is not known\n");
	if (r->without_body || r->unreadable || r->strangers || r->files)
		printf("see %s/lost+found/messages.txt, and %" PRIu64
		       " texts beside it\n",
		    to, r->files);
}

static void print_report(
    const struct salvage_report *r, const char *from, const char *to)
{
	printf("found in %s: %" PRIu32 " pages of rows, %" PRIu32
	       " of them damaged, %" PRIu32 " in part\n",
	    from, r->pages, r->damaged_pages, r->torn_pages);
	printf("saved in %s: %" PRIu64 " messages, %" PRIu64
	       " of them waiting; %" PRIu64 " texts\n",
	    to, r->messages, r->open, r->bodies);
	print_losses(r, to);
	printf("%s\n", salvage_is_complete(r) ? "nothing is missing"
					      : "not all could be saved");
}

int cli_salvage(int argc, char **argv)
{
	struct salvage_report report;
	struct err e = { 0 };

	if (argc == 2 &&
	    (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		(void)fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (argc != 3 || argv[1][0] == '-' || argv[2][0] == '-') {
		(void)fputs(usage, stderr);
		return USAGE;
	}
	if (salvage_run(argv[1], argv[2], &report, &e) < 0) {
		(void)fprintf(stderr, "postern salvage: %s\n", e.text);
		return EX_IOERR;
	}
	print_report(&report, argv[1], argv[2]);
	return salvage_is_complete(&report) ? EXIT_SUCCESS : EXIT_FAILURE;
}
