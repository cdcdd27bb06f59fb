/*
 * A piece of work that moves between threads. A task is embedded in the
 * object that sends it, so posting cannot fail for memory. It is moved, not
 * shared: after posting, the sender must not touch it until it comes back.
 */
#pragma once

struct task {
	struct task *next; /* while queued; owned by the queue */
	void (*run)(struct task *t);
};
