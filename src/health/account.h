/* Between the files of this folder: what an account is. */
#pragma once

#include <config/config.h>
#include <health/breaker.h>
#include <health/budget.h>
#include <health/pace.h>
#include <health/spend.h>
#include <postern/inquiry.h>

#include <pthread.h>
#include <stdatomic.h>

enum {
	ACCOUNT_NAME_SIZE = 65, /* what the configuration allows */
	ACCOUNT_CAUSE_SIZE = 64,
	ACCOUNT_SAID_SIZE = 160
};

struct health_account {
	/* Set once: */
	char name[ACCOUNT_NAME_SIZE];
	atomic_size_t refs;      /* snapshots of the configuration */
	struct spend_book *book; /* a reference */
	struct spend *spend;     /* in it; has a lock of its own, taken last */

	pthread_mutex_t lock; /* of what follows */
	struct breaker breaker;
	struct pace pace;
	struct budget budget;
	struct list queue; /* struct health_call.link, oldest first */
	size_t queued;
	uint64_t opened; /* times */
	uint64_t down_since_ms;
	uint64_t sender_told_ms; /* a refused sender was logged; 0 = never */
	struct {
		bool is_asking;
		uint64_t asked_ms; /* last; 0 = never */
		uint64_t ask_ms;   /* again, from then on */
		bool is_known;
		struct postern_inquiry told; /* if it is */
		/* Why it could not be asked last; "" when it could. */
		char trouble[POSTERN_REASON_SIZE];
	} facts;                        /* what it says of itself */
	char cause[ACCOUNT_CAUSE_SIZE]; /* what opened the breaker last */
	char said[ACCOUNT_SAID_SIZE];   /* and what the provider said then */
};

/*
 * The account is refused, though no call has said so: as if one had, with o.
 * Takes the lock.
 */
void account_refuse(
    struct health_account *a, const struct postern_outcome *o, uint64_t now_ms);
