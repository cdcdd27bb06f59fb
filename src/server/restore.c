/* See restore.h. */
#include <server/restore.h>

#include <base/clock.h>
#include <base/date.h>
#include <health/health.h>
#include <policy/quota.h>
#include <store/store.h>

static void take_quota(
    struct span user, int64_t day, uint64_t messages, void *quota)
{
	quota_restore(quota, user, day, messages);
}

static void take_spent(
    struct span provider, int64_t day, uint64_t recipients, void *config)
{
	health_restore_spent(config, provider, day, recipients);
}

int restore_counts(struct store *store, struct quota *quota,
    struct config *config, struct err *e)
{
	int64_t month = date_month(date_day(clock_wall_ms()));
	int rc = store_each_quota(store, take_quota, quota);

	if (rc)
		return err_errno(e, rc, "cannot read quotas from the store");
	rc = store_each_spent(store, month, take_spent, config);
	if (rc)
		return err_errno(e, rc, "cannot read budgets from the store");
	return 0;
}

void restore_started(const struct config *config, const struct store_pending *p)
{
	if (p->started > 0)
		health_restore_spent(config, span_of(p->provider),
		    date_day(clock_wall_ms()), p->started);
}
