// used.c: how often policies are used: counted in arrays beside the set's own, so that a lookup pays for an addition, and
// told to the store by and by; policy.used: what the whole cluster counted. Promises: what the store could not be told
// is told later, as long as the node lives and the set is in force.
#include "node/verbs/used.h"

#include <stdlib.h>
#include <string.h>

#include "node/policy/set.h"
#include "node/verbs/admin.h"

enum { FLUSH_MAX = 256, PAGE_MAX = STORE_USED_MAX };

// Of one policy, in the order of the set's rules.
struct count {
    uint32_t hits, shadow_hits;
    uint64_t last_ms;
    bool is_listed;
};

struct used {
    struct count *count;
    uint32_t *changed; // those that the store was not told of
    size_t changed_count;
    size_t rule_count;
};

struct used *used_new(size_t rule_count)
{
    struct used *used = mem_new(sizeof(*used));

    used->rule_count = rule_count;
    used->count = mem_new_array(rule_count, sizeof(*used->count));
    used->changed = mem_new_array(rule_count, sizeof(*used->changed));
    return used;
}

void used_free(struct used **used)
{
    if (*used == NULL)
        return;
    mem_free((*used)->count);
    mem_free((*used)->changed);
    mem_free(*used);
    *used = NULL;
}

// ---- counting

static void count_one(struct used *used, size_t rule, bool in_shadow, uint64_t now_ms)
{
    struct count *count = &used->count[rule];
    uint32_t *sum = in_shadow ? &count->shadow_hits : &count->hits;

    *sum += *sum < UINT32_MAX;
    count->last_ms = now_ms;
    if (count->is_listed)
        return;
    count->is_listed = true;
    used->changed[used->changed_count++] = (uint32_t)rule;
}

static int compare_id(const void *key, const void *element)
{
    const struct policy_rule *rule = element;

    return strcmp(key, rule->id);
}

static bool is_counted(const struct verdict *verdict, const char *id)
{
    for (unsigned i = 0; i < verdict->used_count; i++)
        if (strcmp(verdict->used[i].rule->id, id) == 0)
            return true;
    return false;
}

// What decided, where its step did not say that it used it.
static void count_id(struct used *used, const struct policy *policy, const struct verdict *verdict,
                     const char *id, bool in_shadow, uint64_t now_ms)
{
    const struct policy_rule *rule = NULL;

    if (id[0] == '\0' || policy->rule_count == 0 || is_counted(verdict, id))
        return;
    rule = bsearch(id, policy->rule, policy->rule_count, sizeof(*policy->rule), compare_id);
    if (rule != NULL && rule->id == id) // not a word that only reads like one: `expect`
        count_one(used, (size_t)(rule - policy->rule), in_shadow, now_ms);
}

void used_count(struct used *used, const struct policy *policy, const struct verdict *verdict,
                uint64_t now_ms)
{
    for (unsigned i = 0; i < verdict->used_count; i++)
        count_one(used, (size_t)(verdict->used[i].rule - policy->rule), verdict->used[i].in_shadow,
                  now_ms);
    count_id(used, policy, verdict, verdict->rule, false, now_ms);
    count_id(used, policy, verdict, verdict->shadow_rule, true, now_ms);
}

// ---- telling

static bool tell(struct used *used, const struct policy *policy, uint32_t rule, struct store *store)
{
    struct count *count = &used->count[rule];
    const struct store_used sum = {.id = policy->rule[rule].id,
                                   .hits = count->hits,
                                   .shadow_hits = count->shadow_hits,
                                   .last_ms = count->last_ms};

    if (!store_used_add(store, &sum))
        return false;
    *count = (struct count){.hits = 0};
    return true;
}

void used_flush(struct used *used, const struct policy *policy, struct store *store)
{
    for (unsigned told = 0; told < FLUSH_MAX && used->changed_count > 0; told++) {
        if (!tell(used, policy, used->changed[used->changed_count - 1], store))
            return;
        used->changed_count--;
    }
}

void used_add(const struct used *used, size_t rule, struct store_used *out)
{
    const struct count *count = &used->count[rule];

    out->hits += count->hits;
    out->shadow_hits += count->shadow_hits;
    if (count->last_ms > out->last_ms)
        out->last_ms = count->last_ms;
}

// ---- of an operator

// The first rule behind the id; "" = the first of all.
static size_t behind(const struct policy *policy, const char *id)
{
    size_t low = 0;
    size_t high = policy->rule_count;

    if (id[0] == '\0')
        return 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(policy->rule[middle].id, id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_row(struct admin_call *call, const struct policy_rule *rule,
                    const struct store_used *used)
{
    rows_add(&call->rows);
    rows_field(&call->rows, "policy", "%s", rule->id);
    rows_field(&call->rows, "kind", "%s", policy_kind_word(rule->kind));
    rows_field(&call->rows, "mode", "%s", rule->mode == POLICY_SHADOW ? "shadow" : "enforce");
    rows_field(&call->rows, "hits", "%llu", (unsigned long long)used->hits);
    rows_field(&call->rows, "shadow_hits", "%llu", (unsigned long long)used->shadow_hits);
    if (used->last_ms != 0)
        rows_field(&call->rows, "last", "%llu", (unsigned long long)used->last_ms);
}

static void read(void *arg, enum store_state state, const struct store_used *rows, size_t count)
{
    struct admin_call *call = arg;
    const struct policy *policy = seat_policy(call->seat);
    size_t first = behind(policy, admin_arg(call, "cursor"));

    for (size_t i = 0; i < count && state == STORE_UP; i++) {
        struct store_used sum = rows[i];

        used_add(call->seat->policy->used, first + i, &sum);
        add_row(call, &policy->rule[first + i], &sum);
    }
    if (count > 0 && first + count < policy->rule_count)
        call->cursor = policy->rule[first + count - 1].id;
    admin_answer_store(call, state);
}

void policy_used(struct admin_call *call)
{
    const struct policy *policy = seat_policy(call->seat);
    const size_t first = behind(policy, admin_arg(call, "cursor"));
    const char *id[PAGE_MAX];
    uint64_t limit = 0;
    size_t count = 0;

    if (!admin_number(call, "limit", PAGE_MAX, &limit))
        return;
    while (count < PAGE_MAX && count < limit && first + count < policy->rule_count) {
        id[count] = policy->rule[first + count].id;
        count++;
    }
    store_used_read(call->server->store, id, count, (struct used_done){read, call});
}
