/*
 * See operations.h. An operation goes from worker to worker until one has the
 * message. Two for the same held message meet at its last worker: the second
 * finds it at work there.
 */
#include <server/operations.h>

#include <admin/admin.h>
#include <base/id.h>
#include <base/list.h>
#include <loop/loop.h>
#include <server/reload.h>
#include <server/worker.h>

static void on_home(struct task *t)
{
	struct admin_operation *o =
	    container_of(t, struct admin_operation, task);

	o->done(o);
}

/* On the worker's thread. */
static void on_operated(struct deliver_operation *op)
{
	struct admin_operation *o =
	    container_of(op, struct admin_operation, op);
	const struct operations *all = o->carrier;

	o->task.run = on_home;
	loop_post(all->loop, &o->task);
}

static void on_hop(struct task *t)
{
	struct admin_operation *o =
	    container_of(t, struct admin_operation, task);
	const struct operations *all = o->carrier;
	struct deliver *here = worker_deliver(all->workers[o->hop]);

	if (o->is_last || deliver_has(here, o->op.id)) {
		deliver_operate(here, &o->op);
		return;
	}
	o->hop++;
	if (o->hop == all->count) {
		o->is_last = true;
		o->hop = (unsigned)(id_hash(o->op.id) % all->count);
	}
	loop_post(worker_loop(all->workers[o->hop]), &o->task);
}

void operations_reload(struct admin_reload *r, void *operations)
{
	const struct operations *all = operations;

	reload_ask(all->reload, r);
}

void operations_carry(struct admin_operation *o, void *operations)
{
	struct operations *all = operations;

	o->op.done = on_operated;
	o->carrier = all;
	o->hop = 0;
	o->is_last = false;
	o->task.run = on_hop;
	loop_post(worker_loop(all->workers[0]), &o->task);
}
