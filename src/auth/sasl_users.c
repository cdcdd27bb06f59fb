/*
 * The user database as libsasl2 sees it: libscram asks here for the record to
 * verify against. Runs inside a step, in memory only. Names nobody has, and
 * users without a SCRAM record, get a decoy; all three cost the same.
 */
#include <auth/sasl_internal.h>

#include <string.h>

/*
 * Properties of the one who proves are asked for with a star before their
 * names, those of the one to act as without. Never the password itself:
 * libscram would prefer it and run PBKDF2 inside the step.
 */
static bool is_wanted(const struct propval *p, unsigned flags)
{
	bool has_value = p->values && p->values[0];

	return !(flags & SASL_AUXPROP_AUTHZID) &&
	       !strcmp(p->name, "*authPassword") &&
	       (!has_value || flags & SASL_AUXPROP_OVERRIDE);
}

static int lookup(void *global, sasl_server_params_t *params, unsigned flags,
    const char *user, unsigned user_len)
{
	struct exchange *x = sasl_exchange_of(params);
	const struct view *view = x->setup.view;
	const struct propval *p = params->utils->prop_get(params->propctx);
	struct span name = span_make(user, user_len);
	struct span record = view_record_of(sasl_find_user(x, name));
	struct password_scram scram;
	char text[PASSWORD_RECORD_SIZE];

	(void)global;
	view_decoy_record(view, name, text);
	/* In the one notation that libscram reads. */
	if (password_parse_scram(record, &scram, NULL) == 0)
		password_format_scram(&scram, text);
	record = span_of(text);
	for (; p && p->name; p++)
		if (is_wanted(p, flags) &&
		    params->utils->prop_set(params->propctx, p->name,
			record.ptr, (int)record.len) != SASL_OK)
			return SASL_NOMEM;
	/* Anything else would tell who exists. */
	return SASL_OK;
}

int sasl_users_init(const sasl_utils_t *utils, int max_version,
    int *out_version, sasl_auxprop_plug_t **plug, const char *name)
{
	static char plugin_name[] = "postern";
	static sasl_auxprop_plug_t plugin = {
		.auxprop_lookup = lookup,
		.name = plugin_name,
	};

	(void)utils;
	(void)name;
	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*out_version = SASL_AUXPROP_PLUG_VERSION;
	*plug = &plugin;
	return SASL_OK;
}
