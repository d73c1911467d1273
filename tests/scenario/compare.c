// compare.c: whether a reply is what was expected; every difference becomes a line.
#include <string.h>

#include "proto/base/mem.h"
#include "tests/scenario/reply.h"
#include "tests/scenario/want.h"
#include "tests/scenario/when.h"

// Where differences go, and how many there were.
struct differences {
    FILE *out;
    size_t count;
};

static void differs(struct differences *to, const char *what, const char *want, const char *came)
{
    to->count++;
    (void)fprintf(to->out, "    wanted %s %s, came \"%s\"\n", what, want, came);
}

static bool text_holds(enum want_how how, const char *want, const char *came)
{
    switch (how) {
    case WANT_IS:
        return strcmp(came, want) == 0;
    case WANT_CONTAINS:
        return strstr(came, want) != NULL;
    case WANT_SOME:
        return *came != '\0';
    case WANT_NONE:
        break;
    }
    return *came == '\0';
}

static const char *how_text(enum want_how how)
{
    static const char *const TEXTS[] = {"=", "~", " (not empty)", " (empty)"};

    return TEXTS[how];
}

static void pair_differs(struct differences *to, const struct want_pair *pair, const char *came)
{
    char *want = mem_format("%s%s", how_text(pair->how), pair->value == NULL ? "" : pair->value);

    differs(to, pair->key, want, came);
    mem_free(want);
}

// A span may be written 12h where the reply says 43200.
static bool span_holds(const struct want_pair *pair, const char *came)
{
    char seconds[REPLY_NUMBER_TEXT];
    int64_t ms;

    if (pair->how != WANT_IS || !when_span(pair->value, &ms))
        return text_holds(pair->how, pair->value, came);
    (void)snprintf(seconds, sizeof(seconds), "%lld", (long long)(ms / 1000));
    return strcmp(*came == '\0' ? "0" : came, seconds) == 0;
}

static void compare_pair(const struct want_pair *pair, const struct msg_verdict *verdict,
                         struct differences *to)
{
    char number[REPLY_NUMBER_TEXT];
    const char *came = reply_value(verdict, pair->key, number);
    bool holds = reply_is_span(pair->key) ? span_holds(pair, came)
                                          : text_holds(pair->how, pair->value, came);

    if (!holds)
        pair_differs(to, pair, came);
}

// What a line does not mention is empty: a verdict that a rule made, or a shadow one, always says
// so.
static void compare_unsaid(const struct want_group *group, const struct msg_verdict *verdict,
                           struct differences *to)
{
    static const char *const EMPTY[] = {"rule", "shadow"};

    for (size_t i = 0; i < sizeof(EMPTY) / sizeof(EMPTY[0]); i++) {
        struct want_pair pair = {.key = EMPTY[i], .how = WANT_NONE};
        bool is_said = false;

        for (size_t k = 0; k < group->pair_count; k++)
            is_said = is_said || strcmp(group->pair[k].key, EMPTY[i]) == 0;
        if (!is_said)
            compare_pair(&pair, verdict, to);
    }
}

// says: the text is in it; with a $ at its end, it ends so.
static bool says(const char *came, const char *text)
{
    const size_t len = strlen(text);
    const size_t came_len = strlen(came);

    if (len == 0 || text[len - 1] != '$')
        return strstr(came, text) != NULL;
    return came_len >= len - 1 && strncmp(came + came_len - (len - 1), text, len - 1) == 0;
}

static void compare_step(const struct want_step *want, const struct msg_verdict *verdict,
                         struct differences *to)
{
    const struct msg_step *came = NULL;

    for (size_t i = 0; i < verdict->trace_count; i++)
        if (strcmp(verdict->trace[i].step, want->name) == 0)
            came = &verdict->trace[i];
    if (want->outcome == NULL || came == NULL) {
        if ((want->outcome == NULL) != (came == NULL))
            differs(to, "step", want->name, came == NULL ? "none" : came->outcome);
        return;
    }
    if (strcmp(came->outcome, want->outcome) != 0)
        differs(to, want->name, want->outcome, came->outcome);
    if (want->why != NULL && !says(came->why, want->why))
        differs(to, want->name, want->why, came->why);
}

static void compare_verdict(const struct want_group *group, const struct msg_verdict *verdict,
                            bool steps, struct differences *to)
{
    char *want = mem_format("%u %s", group->code, group->reason);
    char *came = mem_format("%u %s", verdict->code, verdict->reason);

    if (strcmp(want, came) != 0)
        differs(to, "verdict", want, came);
    for (size_t i = 0; i < group->pair_count; i++)
        compare_pair(&group->pair[i], verdict, to);
    compare_unsaid(group, verdict, to);
    for (size_t i = 0; steps && i < group->step_count; i++)
        compare_step(&group->step[i], verdict, to);
    mem_free(want);
    mem_free(came);
}

static void compare_decision(const struct want *want, const struct msg_decision *decision,
                             bool steps, struct differences *to)
{
    size_t at = 0;
    bool wants_message = false;

    for (size_t g = 0; g < want->group_count; g++) {
        const struct want_group *group = &want->group[g];

        wants_message = wants_message || group->is_message;
        if (group->is_message && decision->has_message)
            compare_verdict(group, &decision->message, steps, to);
        for (size_t i = 0; !group->is_message && i < group->times; i++, at++)
            if (at < decision->verdict_count)
                compare_verdict(group, &decision->verdicts[at], steps, to);
    }
    if (at != decision->verdict_count) {
        to->count++;
        (void)fprintf(to->out, "    wanted %zu verdicts, came %zu\n", at, decision->verdict_count);
    }
    if (wants_message && !decision->has_message)
        differs(to, "=>", "one reply to the client", "none");
}

static bool row_holds(const struct want_group *group, const struct msg_row *row)
{
    for (size_t i = 0; i < group->pair_count; i++) {
        const struct want_pair *pair = &group->pair[i];
        const char *came = "";

        for (size_t k = 0; k < row->field_count; k++)
            if (strcmp(row->fields[k].key, pair->key) == 0)
                came = row->fields[k].value;
        if (!text_holds(pair->how, pair->value, came))
            return false;
    }
    return true;
}

// Every group has its row; their order does not matter.
static void compare_rows(const struct want *want, const struct msg_admin_reply *admin,
                         struct differences *to)
{
    if (want->counts_rows && want->rows != admin->row_count) {
        to->count++;
        (void)fprintf(to->out, "    wanted %zu rows, came %zu\n", want->rows, admin->row_count);
    }
    if (want->cursor != NULL && strcmp(want->cursor, admin->cursor) != 0) {
        to->count++;
        (void)fprintf(to->out, "    wanted cursor=%s, came %s\n", want->cursor, admin->cursor);
    }
    for (size_t g = 0; g < want->group_count; g++) {
        bool is_there = false;

        for (size_t i = 0; i < admin->row_count; i++)
            is_there = is_there || row_holds(&want->group[g], &admin->rows[i]);
        if (!is_there) {
            to->count++;
            (void)fprintf(to->out, "    no row holds all of group %zu\n", g + 1);
        }
    }
}

// An Ack is a row of its own, and one for each thing that was skipped.
static void compare_ack(const struct want *want, const struct msg_ack *ack, struct differences *to)
{
    enum { FIELDS = 2 };
    const size_t count = ack->skipped_count + 1;
    struct msg_row *rows = mem_new_array(count, sizeof(*rows));
    struct msg_pair *pairs = mem_new_array(count * FIELDS, sizeof(*pairs));
    char *recorded = mem_format("%u", ack->recorded);

    pairs[0] = (struct msg_pair){"recorded", recorded};
    pairs[1] = (struct msg_pair){"queued", ack->queued ? "yes" : ""};
    rows[0] = (struct msg_row){pairs, FIELDS};
    for (size_t i = 1; i < count; i++) {
        pairs[FIELDS * i] = (struct msg_pair){"skipped", ack->skipped_why[i - 1]};
        rows[i] = (struct msg_row){&pairs[FIELDS * i], 1};
    }
    compare_rows(want, &(struct msg_admin_reply){.rows = rows, .row_count = count, .cursor = ""},
                 to);
    mem_free(rows);
    mem_free(pairs);
    mem_free(recorded);
}

static void compare_reply(const struct want *want, const struct msg_reply *reply,
                          struct differences *to)
{
    if (reply->status != want->status)
        differs(to, "status", reply_status_word(want->status), reply_status_word(reply->status));
    if (want->error != NULL && strstr(reply->error, want->error) == NULL)
        differs(to, "error ~", want->error, reply->error);
    if (reply->degraded != want->degraded)
        differs(to, "degraded", want->degraded ? "yes" : "no", reply->degraded ? "yes" : "no");
    if (want->degraded_why != NULL && strstr(reply->degraded_why, want->degraded_why) == NULL)
        differs(to, "degraded ~", want->degraded_why, reply->degraded_why);
    if (reply->draining != want->draining)
        differs(to, "draining", want->draining ? "yes" : "no", reply->draining ? "yes" : "no");
}

bool want_holds(const struct want *want, const struct msg_reply *reply, bool steps, FILE *out)
{
    struct differences differences = {.out = out};

    compare_reply(want, reply, &differences);
    if (reply->answer == MSG_ACK)
        compare_ack(want, &reply->ack, &differences);
    else if (reply->answer == MSG_ADMIN_REPLY || want->counts_rows)
        compare_rows(want, &reply->admin, &differences);
    else
        compare_decision(want, &reply->decision, steps, &differences);
    if (differences.count > 0)
        reply_print(reply, out);
    return differences.count == 0;
}
