// reply.c: a reply in words.
#include "tests/scenario/reply.h"

#include <inttypes.h>
#include <string.h>

static const char *const STATUS[] = {
    [MSG_OK] = "ok",
    [MSG_BAD_REQUEST] = "bad_request",
    [MSG_FORBIDDEN] = "forbidden",
    [MSG_OVERLOADED] = "overloaded",
    [MSG_EXPIRED] = "expired",
    [MSG_UNAVAILABLE] = "unavailable",
    [MSG_INTERNAL] = "internal",
};
enum { STATUS_COUNT = sizeof(STATUS) / sizeof(STATUS[0]) };

bool reply_status_of(const char *word, enum msg_status *out)
{
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        if (strcmp(word, STATUS[i]) == 0) {
            *out = (enum msg_status)i;
            return true;
        }
    }
    return false;
}

const char *reply_status_word(enum msg_status status)
{
    return (size_t)status < STATUS_COUNT ? STATUS[status] : "?";
}

// ---- What a verdict has

enum kind { KIND_TEXT, KIND_FLAG, KIND_SECONDS, KIND_DIRECTION, KIND_SCORE };

struct known {
    const char *key;
    enum kind kind;
    size_t offset;
};

static const struct known KNOWN[] = {
    {"recipient", KIND_TEXT, offsetof(struct msg_verdict, recipient)},
    {"enhanced", KIND_TEXT, offsetof(struct msg_verdict, enhanced)},
    {"text", KIND_TEXT, offsetof(struct msg_verdict, text)},
    {"rule", KIND_TEXT, offsetof(struct msg_verdict, rule)},
    {"narrative", KIND_TEXT, offsetof(struct msg_verdict, narrative)},
    {"hold_for", KIND_TEXT, offsetof(struct msg_verdict, hold_for)},
    {"shadow", KIND_TEXT, offsetof(struct msg_verdict, shadow)},
    {"ticket", KIND_TEXT, offsetof(struct msg_verdict, ticket)},
    {"direction", KIND_DIRECTION, offsetof(struct msg_verdict, direction)},
    {"retry_after", KIND_SECONDS, offsetof(struct msg_verdict, retry_after_s)},
    {"waited", KIND_SECONDS, offsetof(struct msg_verdict, waited_s)},
    {"score", KIND_SCORE, 0},
    {"skip_greylist", KIND_FLAG, offsetof(struct msg_verdict, skip_greylist)},
    {"skip_reputation", KIND_FLAG, offsetof(struct msg_verdict, skip_reputation)},
    {"skip_spam", KIND_FLAG, offsetof(struct msg_verdict, skip_spam)},
    {"hold_for", KIND_TEXT, offsetof(struct msg_verdict, hold_for)},
};

static const struct known *find(const char *key)
{
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
        if (strcmp(KNOWN[i].key, key) == 0)
            return &KNOWN[i];
    return NULL;
}

bool reply_knows(const char *key)
{
    return find(key) != NULL;
}

bool reply_is_span(const char *key)
{
    const struct known *known = find(key);

    return known != NULL && known->kind == KIND_SECONDS;
}

static const char *direction_word(enum msg_direction direction)
{
    static const char *const WORDS[] = {"", "inbound", "outbound", "internal", "relay"};

    return WORDS[direction];
}

const char *reply_value(const struct msg_verdict *verdict, const char *key,
                        char number[REPLY_NUMBER_TEXT])
{
    const struct known *known = find(key);
    const char *at = (const char *)verdict + known->offset;
    const char *text;
    uint32_t seconds;

    switch (known->kind) {
    case KIND_TEXT:
        memcpy(&text, at, sizeof(text));
        return text;
    case KIND_FLAG:
        return *(const bool *)(const void *)at ? "yes" : "";
    case KIND_DIRECTION:
        return direction_word(verdict->direction);
    case KIND_SCORE:
        (void)snprintf(number, REPLY_NUMBER_TEXT, "%.2f", verdict->score);
        return verdict->score_known ? number : "";
    case KIND_SECONDS:
        break;
    }
    memcpy(&seconds, at, sizeof(seconds));
    (void)snprintf(number, REPLY_NUMBER_TEXT, "%" PRIu32, seconds);
    return seconds == 0 ? "" : number;
}

// ---- Printing

static void print_verdict(const struct msg_verdict *verdict, FILE *out)
{
    (void)fprintf(out, "        %u %s", verdict->code, verdict->reason);
    for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++) {
        char number[REPLY_NUMBER_TEXT];
        const char *value = reply_value(verdict, KNOWN[i].key, number);

        if (*value != '\0')
            (void)fprintf(out, strchr(value, ' ') == NULL ? " %s=%s" : " %s=\"%s\"", KNOWN[i].key,
                          value);
    }
    (void)fprintf(out, "\n");
    for (size_t i = 0; i < verdict->trace_count; i++) {
        const struct msg_step *step = &verdict->trace[i];

        (void)fprintf(out, "            step %-10s %-6s %s%s\"%s\"\n", step->step, step->outcome,
                      step->rule, *step->rule == '\0' ? "" : " ", step->why);
    }
}

// Verdicts that say the same of many recipients are printed once.
static void print_verdicts(const struct msg_decision *decision, FILE *out)
{
    enum { PRINTED_MAX = 8 };

    for (size_t i = 0; i < decision->verdict_count && i < PRINTED_MAX; i++)
        print_verdict(&decision->verdicts[i], out);
    if (decision->verdict_count > PRINTED_MAX)
        (void)fprintf(out, "        ... and %zu more verdicts\n",
                      decision->verdict_count - PRINTED_MAX);
    if (decision->has_message) {
        (void)fprintf(out, "        => \n");
        print_verdict(&decision->message, out);
    }
}

static void print_rows(const struct msg_admin_reply *admin, FILE *out)
{
    for (size_t i = 0; i < admin->row_count; i++) {
        (void)fprintf(out, "        |");
        for (size_t k = 0; k < admin->rows[i].field_count; k++)
            (void)fprintf(out, " %s=\"%s\"", admin->rows[i].fields[k].key,
                          admin->rows[i].fields[k].value);
        (void)fprintf(out, "\n");
    }
}

static void print_ack(const struct msg_ack *ack, FILE *out)
{
    (void)fprintf(out, " rows=%zu | recorded=%u%s", ack->skipped_count + 1, ack->recorded,
                  ack->queued ? " queued" : "");
    for (size_t i = 0; i < ack->skipped_count; i++)
        (void)fprintf(out, " | skipped=\"%s\"", ack->skipped_why[i]);
}

void reply_print(const struct msg_reply *reply, FILE *out)
{
    (void)fprintf(out, "    came: %s", reply_status_word(reply->status));
    if (*reply->error != '\0')
        (void)fprintf(out, " \"%s\"", reply->error);
    if (reply->degraded)
        (void)fprintf(out, " degraded=\"%s\"", reply->degraded_why);
    if (reply->draining)
        (void)fprintf(out, " draining");
    if (reply->answer == MSG_ADMIN_REPLY)
        (void)fprintf(out, " rows=%zu", reply->admin.row_count);
    if (reply->answer == MSG_ACK)
        print_ack(&reply->ack, out);
    (void)fprintf(out, "\n");
    print_verdicts(&reply->decision, out);
    print_rows(&reply->admin, out);
}
