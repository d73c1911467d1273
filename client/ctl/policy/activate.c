// activate.c: a version comes into force, and everybody is asked whether they have it.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "proto/base/clock.h"
#include "proto/text.h"

enum { WAIT_MS = 5000, LOOK_MS = 100, NAMES_MAX = 1024 };

static int activate(struct ctl *ctl, const struct policy_order *order, uint64_t *version)
{
    char base[POLICY_NUMBER_MAX], number[POLICY_NUMBER_MAX], by[POLICY_BY_MAX];
    struct reeve_pair args[5] = {{"base", policy_number(base, order->base)}, {"by", policy_by(by)}};
    struct reeve_answer *answer = NULL;
    size_t count = 2;
    int code;

    if (order->note != NULL)
        args[count++] = (struct reeve_pair){"note", order->note};
    if (order->document != NULL)
        args[count++] = (struct reeve_pair){"document", order->document};
    if (order->version > 0)
        args[count++] = (struct reeve_pair){"version", policy_number(number, order->version)};
    code = ctl_admin(ctl, order->verb, args, count, false, &answer);
    if (code == CTL_FINE)
        *version = answer->policy_version;
    if (code == CTL_FINE && answer->row_count > 0 &&
        print_field(&answer->rows[0], "warning")[0] != '\0')
        ctl_warn("%s", print_field(&answer->rows[0], "warning"));
    reeve_answer_free(&answer);
    return code;
}

// ---- who has it

// A later version than ours came after it.
static bool has_it(const struct reeve_row *row, uint64_t version)
{
    return strtoull(print_field(row, "version"), NULL, 10) >= version &&
           strcmp(print_field(row, "state"), "in force") == 0;
}

static size_t count_those(const struct reeve_answer *answer, uint64_t version)
{
    size_t count = 0;

    for (size_t i = 0; i < answer->row_count; i++)
        count += has_it(&answer->rows[i], version);
    return count;
}

// wait_for_all: the last answer to policy.status, when all have it or the time is over.
static int wait_for_all(struct ctl *ctl, uint64_t version, struct reeve_answer **out)
{
    const uint64_t until_ms = clock_mono_ms() + WAIT_MS;

    for (;;) {
        int code = ctl_admin(ctl, "policy.status", NULL, 0, false, out);

        if (code != CTL_FINE || count_those(*out, version) == (*out)->row_count ||
            clock_mono_ms() >= until_ms)
            return code;
        reeve_answer_free(out);
        (void)poll(NULL, 0, LOOK_MS);
    }
}

// warn_of_others: names those that do not have it.
static void warn_of_others(const struct reeve_answer *answer, uint64_t version)
{
    char memory[NAMES_MAX];
    struct text_buf names;

    text_buf_init(&names, memory, sizeof(memory));
    for (size_t i = 0; i < answer->row_count; i++) {
        const struct reeve_row *row = &answer->rows[i];
        const char *error = print_field(row, "error");

        if (has_it(row, version))
            continue;
        text_buf_add(&names, "%s%s (%s%s%s)", names.used > 0 ? ", " : "", print_field(row, "node"),
                     print_field(row, "state"), error[0] == '\0' ? "" : ": ", error);
    }
    ctl_warn("after %d s these nodes do not have version %llu: %s; see: reevectl policy status",
             WAIT_MS / 1000, (unsigned long long)version, memory);
}

void policy_print_outcome(struct ctl *ctl, uint64_t base, const struct policy_outcome *outcome)
{
    const struct reeve_answer *nodes = outcome->nodes;
    char memory[POLICY_NUMBER_MAX * 2];

    if (ctl->want_json) {
        json_count(&ctl->json, "version", outcome->version);
        print_rows_json(&ctl->json, "nodes", nodes->rows, nodes->row_count);
        return;
    }
    (void)printf("version %llu is in force (before: %s); %zu of %zu nodes have it\n",
                 (unsigned long long)outcome->version, policy_name_version(base, memory),
                 outcome->have_it, nodes->row_count);
}

int policy_activate(struct ctl *ctl, const struct policy_order *order, struct policy_outcome *out)
{
    int code;

    *out = (struct policy_outcome){.version = 0};
    code = activate(ctl, order, &out->version);
    if (code == CTL_FINE)
        code = wait_for_all(ctl, out->version, &out->nodes);
    if (code != CTL_FINE)
        return code;
    out->have_it = count_those(out->nodes, out->version);
    if (out->have_it == out->nodes->row_count)
        return CTL_FINE;
    warn_of_others(out->nodes, out->version);
    return CTL_NEGATIVE;
}
