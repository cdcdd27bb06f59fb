/*
 * A connection whose other end is the target: the functions of net/conn.h a
 * session calls, on a fake loop. TLS is a flag; what is written is kept.
 */
#pragma once

#include <net/conn.h>

/* NULL for memory. It frees itself at its end; out and *is_over live on. */
struct conn *fake_conn_new(struct loop *l, struct buf *out, bool *is_over);
/*
 * As many bytes of in as there is room for, as one read. Returns how many;
 * 0 when the session does not want any now.
 */
size_t fake_conn_feed(struct conn *c, struct span in);
/* The client says no more. */
void fake_conn_eof(struct conn *c);
