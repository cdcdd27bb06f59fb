/* Metrics of TLS with clients: handshakes and certificates. */
#include <admin/metrics_internal.h>

#include <config/config.h>

static void render_sessions(struct metrics *r)
{
	static const char *const modes[] = {
		[CONFIG_TLS_STARTTLS] = "starttls",
		[CONFIG_TLS_IMPLICIT] = "implicit",
	};
	size_t n = r->config->listeners.count;

	exposition_family(&r->x, "smtp_tls_sessions", EXPOSITION_COUNTER,
	    "TLS handshakes that succeeded.");
	for (size_t i = 0; i < n; i++) {
		const struct config_listener *l =
		    CONFIG_AT(r->config->listeners, struct config_listener, i);

		if (l->tls == CONFIG_TLS_NONE)
			continue;
		for (size_t v = 0; v < COUNTER_TLS_VERSIONS; v++)
			exposition_u64(&r->x,
			    LABELS("listener", l->name, "version",
				counter_tls_version_names[v], "mode",
				modes[l->tls]),
			    counter_get(
				&r->c->listeners[l->slot].tls_sessions[v]));
	}
}

static void render_failures(struct metrics *r)
{
	exposition_family(&r->x, "smtp_tls_failures", EXPOSITION_COUNTER,
	    "TLS that failed, in the handshake or later, by reason.");
	for (size_t i = 0; i < COUNTER_TLS_FAILURES; i++)
		exposition_u64(&r->x,
		    LABELS("reason", counter_tls_failure_names[i]),
		    counter_get(&r->c->tls_failures[i]));
}

static void render_certificates(struct metrics *r)
{
	const struct admin_tls *tls = r->a->services.tls;

	if (!tls || tls->count == 0)
		return;
	exposition_family(&r->x, "tls_certificate_not_after_timestamp_seconds",
	    EXPOSITION_GAUGE, "When a certificate in use expires.");
	for (size_t i = 0; i < tls->count; i++) {
		const struct admin_certificate *c = &tls->certificates[i];

		exposition_u64(&r->x, LABELS("name", c->name, "file", c->file),
		    (uint64_t)c->not_after_s);
	}
	metrics_gauge(r, "tls_last_reload_successful",
	    "1 while the certificates in use are those of the files.",
	    tls->is_current);
}

void metrics_tls(struct metrics *r)
{
	render_sessions(r);
	render_failures(r);
	render_certificates(r);
}
