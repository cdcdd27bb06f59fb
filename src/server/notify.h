/*
 * Tell the service manager how we are: the sd_notify protocol, a datagram to
 * $NOTIFY_SOCKET. Does nothing when nobody listens. Main thread.
 */
#pragma once

#include <stdint.h>

/* State lines such as "READY=1" or "STATUS=text". */
void notify_send(const char *state);
/* We stop, which may take that long. */
void notify_draining(uint64_t ms);
/* Interval at which WATCHDOG=1 must be sent, in ms; 0 = not wanted. */
uint64_t notify_watchdog_ms(void);
