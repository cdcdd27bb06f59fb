/* See console.h. */
#include <admin/console.h>

#include <stdlib.h>

#include <admin/admin_internal.h>
#include <admin/reply.h>
#include <config/config.h>

/* Owned by itself until its reload is done. */
struct reload_answer {
	struct pending pending;
	struct admin *admin; /* alive as long as r is */
	struct admin_reload reload;
};

static json_t *problem(
    const struct config_report *report, const struct config_problem *p)
{
	return json_pack("{s:o, s:I, s:I, s:o, s:s, s:o}", "file",
	    reply_string(span_of(config_problem_file(report, p))), "line",
	    (json_int_t)p->line, "column", (json_int_t)p->column, "path",
	    reply_string(span_of(p->path ? p->path : "")), "severity",
	    p->is_warning ? "warning" : "error", "message",
	    reply_string(span_of(p->message ? p->message : "out of memory")));
}

static json_t *problems(const struct config_report *report)
{
	json_t *list = json_array();

	for (size_t i = 0; report && i < report->count; i++)
		(void)json_array_append_new(
		    list, problem(report, &report->problems[i]));
	return list;
}

static void on_reloaded(struct admin_reload *reload, const char *why,
    const struct config_report *report)
{
	struct reload_answer *w =
	    container_of(reload, struct reload_answer, reload);
	struct httpd_request *r = w->pending.r;

	if (r && why)
		reply_json(r, 422,
		    json_pack("{s:o, s:o}", "error", reply_string(span_of(why)),
			"problems", problems(report)));
	else if (r)
		reply_json(r, 200,
		    json_pack("{s:s, s:o}", "hash",
			w->admin->services.config->hash, "problems",
			problems(report)));
	free(w);
}

void console_reload(struct admin *a, struct httpd_request *r)
{
	struct reload_answer *w = calloc(1, sizeof(*w));

	if (!w) {
		reply_error(r, 503, "out of memory");
		return;
	}
	w->pending.r = r;
	w->admin = a;
	w->reload.done = on_reloaded;
	httpd_set_data(r, &w->pending);
	a->services.reload(&w->reload, a->services.ctx);
}
