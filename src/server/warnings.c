/* See warnings.h. */
#include <server/warnings.h>

#include <base/hostport.h>
#include <base/log.h>
#include <config/config.h>

#include <stdio.h>

static void warn_if(
    bool is_so, const struct config_listener *l, const char *what)
{
	if (is_so)
		log_warn("insecure_listener", LOG_STR("listener", l->name),
		    LOG_STR("what", what));
}

static void warn_of_listener(
    const struct config *c, const struct config_listener *l)
{
	/* What is said there crosses no network. */
	bool is_local = hostport_unix_path(l->address) != NULL;
	bool has_tls = l->tls != CONFIG_TLS_NONE;

	warn_if(!has_tls && l->allow_insecure && !is_local, l,
	    "accepts mail without TLS");
	warn_if(has_tls && config_tls_policy(c, l) == CONFIG_TLS_LEGACY, l,
	    "speaks TLS 1.0 and 1.1 and ciphers that can be broken "
	    "(tls_policy: legacy)");
	warn_if(l->allow_plaintext_auth && !is_local, l,
	    "accepts passwords without TLS");
	warn_if(l->allow_unauthenticated, l, "accepts mail without a login");
	warn_if(l->plaintext_from.count > 0, l,
	    "accepts mail and passwords without TLS from plaintext_from");
	warn_if(l->lenient_syntax, l, "accepts the syntax of old devices");
}

static void warn_of_provider(const struct config_provider *p)
{
	char what[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < p->allow_altering.count; i++) {
		int n = snprintf(what + len, sizeof(what) - len, "%s%s",
		    i > 0 ? ", " : "", CONFIG_STRING(p->allow_altering, i));
		if (n < 0 || (size_t)n >= sizeof(what) - len)
			break;
		len += (size_t)n;
	}
	if (len > 0)
		log_warn("altering_allowed", LOG_STR("provider", p->name),
		    LOG_STR("what", what),
		    LOG_STR("hint", "messages that hold these may arrive "
				    "damaged by it (allow_altering)"));
}

static void warn_of_insecure(const struct config *c)
{
	for (size_t i = 0; i < c->providers.count; i++)
		warn_of_provider(
		    CONFIG_AT(c->providers, struct config_provider, i));
	for (size_t i = 0; i < c->listeners.count; i++)
		warn_of_listener(
		    c, CONFIG_AT(c->listeners, struct config_listener, i));
}

static void warn_of_ceiling(const struct config *c, size_t ceiling)
{
	int64_t wanted = c->smtp.sessions_total;

	if (wanted > 0 && (size_t)wanted > ceiling)
		log_warn("few_descriptors",
		    LOG_NUM("sessions_possible", ceiling),
		    LOG_NUM("sessions_total", wanted),
		    LOG_STR("hint", "raise LimitNOFILE (ulimit -n), or lower "
				    "smtp.limits.sessions_total"));
}

void warnings_log(const struct config *c, size_t ceiling)
{
	warn_of_insecure(c);
	if (c->spool.durability == CONFIG_DURABILITY_NONE)
		log_warn("spool_not_durable", LOG_STR("path", c->spool.path),
		    LOG_STR("msg", "spool.durability: none: mail that was "
				   "acknowledged may be lost"));
	warn_of_ceiling(c, ceiling);
}
