/*
 * Certificates, keys, authorities and revocation lists that are replaced while
 * the server runs. Their files are watched; when they change, contexts are
 * made from them for every worker, and only if all of it is good do the
 * workers get them: sessions from then on use them, those there are keep what
 * they have. Main thread.
 */
#pragma once

#include <admin/admin.h>
#include <base/err.h>

struct certificates;
struct config;
struct loop;
struct tls_files;
struct tls_set;
struct worker;

/*
 * Read the files of config (a reference is taken), as the privileges at start
 * allow, and watch them. NULL with e filled.
 */
struct certificates *certificates_new(
    struct loop *l, struct config *config, struct err *e);
/* Contexts for one worker, before certificates_start; 0 and NULL in *out where
 * no certificate is configured, else a negative errno with e filled. */
int certificates_make(
    const struct certificates *c, struct tls_set **out, struct err *e);
/*
 * All workers have theirs, which are borrowed: from now on give changes to
 * them. Logs which files cannot be read again, by a server that is not root
 * any more.
 */
void certificates_start(
    struct certificates *c, struct worker *const *workers, unsigned count);
/*
 * Whether files may take the place of those in use: 0, or -EINVAL with e
 * naming one that is new and not valid now.
 */
int certificates_judge(
    const struct certificates *c, const struct tls_files *files, struct err *e);
/*
 * The workers are being given contexts of another configuration (a reference
 * is taken), made from files, which is taken over; NULL without TLS.
 */
void certificates_follow(
    struct certificates *c, struct config *config, struct tls_files *files);
/* For figures: lives as long as c, and changes with it. */
const struct admin_tls *certificates_status(const struct certificates *c);
/* Look no more. */
void certificates_stop(struct certificates *c);
void certificates_free(struct certificates *c); /* accepts NULL */
