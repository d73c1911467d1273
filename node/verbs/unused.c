// unused.c: lint's last question: which policies of a set have not decided anything since some moment, by what the whole
// cluster has counted under their names (used.c). The counts are read page by page; nobody waits in between.
#include <string.h>

#include "node/keeper/keeper.h"
#include "node/policy/hold.h"
#include "node/policy/lint.h"
#include "node/verbs/admin.h"
#include "proto/base/mem.h"

enum { FINDINGS_MAX = 900 };

struct unused {
    struct admin_call *call;
    struct policy_hold *set;
    uint64_t since_ms;
    uint64_t *last_ms; // of each rule
    size_t known;      // of how many rules it was read
    size_t at;         // the rule that lint asks about: it goes through them in their order
    size_t found;
    const char *id[STORE_USED_MAX];
};

static uint64_t last_of(const char *id, void *arg)
{
    struct unused *unused = arg;
    const struct policy *policy = unused->set->policy;

    while (strcmp(policy->rule[unused->at].id, id) != 0)
        unused->at++;
    return unused->last_ms[unused->at];
}

static bool take_finding(const struct policy_finding *finding, void *arg)
{
    struct unused *unused = arg;
    struct rows *rows = &unused->call->rows;

    if (++unused->found > FINDINGS_MAX)
        return true;
    rows_add(rows);
    rows_field(rows, "severity", "warning");
    rows_field(rows, "kind", "%s", finding->kind);
    rows_field(rows, "what", "%s", finding->what);
    rows_field(rows, "file", "%s", finding->file);
    rows_field(rows, "line", "%u", finding->line);
    return true;
}

static void end(struct unused *unused, enum store_state state)
{
    struct admin_call *call = unused->call;

    if (state == STORE_UP)
        policy_lint_used(unused->set->policy, admin_now_ms(call), unused->since_ms, last_of,
                         take_finding, unused);
    if (unused->found > FINDINGS_MAX) {
        rows_add(&call->rows);
        rows_field(&call->rows, "severity", "warning");
        rows_field(&call->rows, "what", "%zu more unused policies are not listed",
                   unused->found - FINDINGS_MAX);
    }
    hold_release(&unused->set);
    mem_free(unused->last_ms);
    mem_free(unused);
    admin_answer_store(call, state);
}

static void read_page(struct unused *unused);

static void is_read(void *arg, enum store_state state, const struct store_used *rows, size_t count)
{
    struct unused *unused = arg;

    for (size_t i = 0; i < count && state == STORE_UP; i++)
        unused->last_ms[unused->known++] = rows[i].last_ms;
    if (state != STORE_UP || unused->known == unused->set->policy->rule_count)
        end(unused, state);
    else
        read_page(unused);
}

static void read_page(struct unused *unused)
{
    const struct policy *policy = unused->set->policy;
    size_t count = 0;

    while (count < STORE_USED_MAX && unused->known + count < policy->rule_count) {
        unused->id[count] = policy->rule[unused->known + count].id;
        count++;
    }
    store_used_read(unused->call->server->store, unused->id, count,
                    (struct used_done){is_read, unused});
}

void policy_unused(struct admin_call *call, struct policy_hold *set, uint64_t since_ms)
{
    struct unused *unused = NULL;

    if (set == NULL || set->policy->rule_count == 0) {
        admin_answer(call);
        return;
    }
    unused = mem_new(sizeof(*unused));
    *unused = (struct unused){.call = call, .set = hold_take(set), .since_ms = since_ms};
    unused->last_ms = mem_new_array(set->policy->rule_count, sizeof(*unused->last_ms));
    read_page(unused);
}
