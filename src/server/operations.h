/*
 * Operators' work on messages, carried to the worker each belongs to. A
 * message that waits or is at work is known to one worker only; one that is
 * held is known to none, and then belongs to the one its id names, as after a
 * start. Main thread.
 */
#pragma once

struct admin_operation;
struct admin_reload;
struct loop;
struct reload;
struct worker;

struct operations {
	struct loop *loop; /* where done runs */
	struct worker *const *workers;
	unsigned count;
	struct reload *reload;
};

/* For struct admin_services; operations: a struct operations. */
void operations_carry(struct admin_operation *o, void *operations);
void operations_reload(struct admin_reload *r, void *operations);
