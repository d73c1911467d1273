// report.c: lint and diff of compiled sets, beside the loop. Promises: the sets are used until it is over, also when nobody
// waits for it any more; what is found is bounded, and it is said how much was left out.
#include "node/keeper/report.h"

#include <string.h>

#include "node/policy/diff.h"
#include "node/policy/lint.h"
#include "proto/base/mem.h"

struct reports {
    struct reports *next;
    struct reports **list; // NULL: nobody waits
    struct loop_work *work;
    struct policy_hold *before; // NULL: lint
    struct policy_hold *set;
    uint64_t now_ms;
    struct report_done done;
    struct report report;
};

// The row to fill, or NULL and it is counted.
static struct report_row *row_next(struct report *report)
{
    if (report->count == REPORT_ROWS_MAX) {
        report->left_out++;
        return NULL;
    }
    return &report->row[report->count++];
}

static bool take_finding(const struct policy_finding *finding, void *arg)
{
    struct report_row *row = row_next(arg);

    if (row != NULL)
        *row = (struct report_row){.kind = finding->kind,
                                   .what = mem_text(finding->what),
                                   .file = mem_text(finding->file),
                                   .line = finding->line};
    return true;
}

static bool take_change(const struct policy_change *change, void *arg)
{
    struct report_row *row = row_next(arg);

    if (row != NULL)
        *row = (struct report_row){.kind = policy_change_word(change->kind),
                                   .what = mem_text(change->what),
                                   .before = mem_text(change->before),
                                   .after = mem_text(change->after),
                                   .file = mem_text(change->file),
                                   .line = change->line};
    return true;
}

static void look(void *arg)
{
    struct reports *one = arg;

    if (one->before != NULL)
        policy_diff(one->before->policy, one->set->policy, take_change, &one->report);
    else
        policy_lint(one->set->policy, one->now_ms, take_finding, &one->report);
}

// Nobody waits for it from now on; whoever did is told.
static void leave(struct reports *one, const struct report *report)
{
    struct reports **at = one->list;

    if (at == NULL)
        return;
    while (*at != one)
        at = &(*at)->next;
    *at = one->next;
    one->list = NULL;
    one->done.fn(one->done.arg, report);
}

static void is_over(void *arg, bool wanted)
{
    struct reports *one = arg;

    if (wanted)
        leave(one, &one->report);
    for (size_t i = 0; i < one->report.count; i++) {
        mem_free(one->report.row[i].what);
        mem_free(one->report.row[i].before);
        mem_free(one->report.row[i].after);
        mem_free(one->report.row[i].file);
    }
    hold_release(&one->before);
    hold_release(&one->set);
    mem_free(one);
}

static void begin(struct reports **reports, struct loop *loop, const struct reports *what)
{
    struct reports *one = mem_new(sizeof(*one));
    struct loop_work *work = NULL;

    *one = *what;
    one->next = *reports;
    one->list = reports;
    *reports = one;
    work = loop_work_new(loop, look, is_over, one);
    if (*reports == one) // else it is over
        one->work = work;
}

void report_lint(struct reports **reports, struct loop *loop, struct policy_hold *set,
                 uint64_t now_ms, struct report_done done)
{
    struct reports what = {.set = hold_take(set), .now_ms = now_ms, .done = done};

    begin(reports, loop, &what);
}

void report_diff(struct reports **reports, struct loop *loop, struct policy_hold *before,
                 struct policy_hold *after, struct report_done done)
{
    struct reports what = {.before = hold_take(before), .set = hold_take(after), .done = done};

    begin(reports, loop, &what);
}

void reports_stop(struct reports **reports)
{
    while (*reports != NULL) {
        struct reports *one = *reports;

        leave(one, NULL);
        loop_work_free(&one->work);
    }
}
