/* What rows.c and rows_upkeep.c share: the writer's statements. */
#pragma once

#include <store/rows.h>

#include <base/buf.h>

enum rows_statement {
	Q_BEGIN = 0,
	Q_COMMIT,
	Q_ROLLBACK,
	Q_SAVE,
	Q_RELEASE,
	Q_UNDO,
	Q_MESSAGE,
	Q_RECIPIENT,
	Q_BODY,
	Q_FIRST,
	Q_VOUCH,
	Q_VOUCHED,
	Q_GUARDS,
	Q_SET_FINAL,
	Q_SET_OPEN,
	Q_ATTEMPT,
	Q_KNOWN,
	Q_FINISHED,
	Q_RELEASE_BODY,
	Q_KEEP_BODY,
	Q_DEAD_PLACE,
	Q_REVIVE_BODY,
	Q_SET_RELEASE,
	Q_DEAD,
	Q_BURY,
	Q_USER,
	Q_CHARGE,
	Q_SPEND,
	Q_SET_UNSURE,
	Q_UNSURE,
	Q_PLACE,
	Q_MOVE,
	Q_MOVE_DEAD,
	Q_BODIES,
	Q_PURGEABLE,
	Q_PURGE_ATTEMPTS,
	Q_PURGE_RECIPIENTS,
	Q_PURGE_MESSAGE,
	Q_PURGE_QUOTA,
	Q_PURGE_SPENT,
	Q_COUNT
};

struct rows {
	sqlite3 *db;
	sqlite3_stmt *q[Q_COUNT];
	int wal_pages;
	struct buf user; /* of the last update that changed a body */
};

/* Columns 0 to 4 of q: segment, offset, size, header, crc. */
void rows_take_place(sqlite3_stmt *q, struct place *out);
/* One that takes the message as its first parameter. 0 or a negative errno. */
int rows_run_for(struct rows *r, enum rows_statement s, const struct id *id);
