// Replies and what a node publishes: every field by its number in the contract, and a node that is
// not to be trusted.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/text.h"
#include "proto/wire.h"
#include "tests/support/decoding.h"
#include "tests/support/frame.h"
#include "tests/support/table.h"

enum {
    // numbers of the contract
    DECISION = 10,
    ACK = 11,
    ACCESS = 13,
    ADMIN = 14,
    PONG = 15,
    HELD = 16,
    MESSAGE = 3,
    EVENT_VERDICT = 6,
};

// ---- every field by its number

enum type { TEXT, U32, U64, BOOL, ENUM };

struct field_row {
    const char *name;
    enum kind kind;
    uint32_t inside; // number of the message in the frame that has the field; 0 = the frame itself
    uint32_t field;
    enum type type;
    size_t offset;
};

#define R(member) offsetof(union decoded, reply.member)
#define S(member) offsetof(union decoded, stats.member)
#define E(member) offsetof(union decoded, event.member)

// A verdict as it stands in a Decision's message (by way of its number there) and in an event.
#define VERDICT_FIELD(name, number, type)                                     \
    {                                                                         \
        "Verdict." #name, EVENT, EVENT_VERDICT, number, type, E(verdict.name) \
    }

static const struct field_row field_rows[] = {
    {"Reply.id", REPLY, 0, 1, U64, R(id)},
    {"Reply.status", REPLY, 0, 2, ENUM, R(status)},
    {"Reply.error", REPLY, 0, 3, TEXT, R(error)},
    {"Reply.node", REPLY, 0, 4, TEXT, R(node)},
    {"Reply.draining", REPLY, 0, 5, BOOL, R(draining)},
    {"Reply.degraded", REPLY, 0, 6, BOOL, R(degraded)},
    {"Reply.degraded_why", REPLY, 0, 7, TEXT, R(degraded_why)},
    {"Decision.policy_version", REPLY, DECISION, 2, U64, R(decision.policy_version)},
    {"AdminReply.cursor", REPLY, ADMIN, 2, TEXT, R(admin.cursor)},
    {"AdminReply.policy_version", REPLY, ADMIN, 4, U64, R(admin.policy_version)},
    {"Pong.version", REPLY, PONG, 1, TEXT, R(pong.version)},
    {"Pong.uptime_ms", REPLY, PONG, 2, U64, R(pong.uptime_ms)},
    {"Pong.policy_version", REPLY, PONG, 3, U64, R(pong.policy_version)},
    {"Pong.store", REPLY, PONG, 4, TEXT, R(pong.store)},
    {"Stats.node", STATS, 0, 1, TEXT, S(node)},
    {"Stats.epoch_ms", STATS, 0, 2, U64, S(epoch_ms)},
    {"Stats.sequence", STATS, 0, 3, U64, S(sequence)},
    {"Stats.at_ms", STATS, 0, 4, U64, S(at_ms)},
    {"DecisionEvent.node", EVENT, 0, 1, TEXT, E(node)},
    {"DecisionEvent.at_ms", EVENT, 0, 2, U64, E(at_ms)},
    {"DecisionEvent.gateway", EVENT, 0, 3, TEXT, E(gateway)},
    {"DecisionEvent.client_ip", EVENT, 0, 4, TEXT, E(client_ip)},
    {"DecisionEvent.sender", EVENT, 0, 5, TEXT, E(sender)},
    {"DecisionEvent.took_us", EVENT, 0, 7, U32, E(took_us)},
    VERDICT_FIELD(recipient, 1, TEXT),
    VERDICT_FIELD(action, 2, ENUM),
    VERDICT_FIELD(code, 3, U32),
    VERDICT_FIELD(enhanced, 4, TEXT),
    VERDICT_FIELD(text, 5, TEXT),
    VERDICT_FIELD(reason, 6, TEXT),
    VERDICT_FIELD(rule, 7, TEXT),
    VERDICT_FIELD(narrative, 8, TEXT),
    VERDICT_FIELD(direction, 9, ENUM),
    VERDICT_FIELD(skip_reputation, 10, BOOL),
    VERDICT_FIELD(skip_greylist, 11, BOOL),
    VERDICT_FIELD(skip_spam, 12, BOOL),
    VERDICT_FIELD(ticket, 13, TEXT),
    VERDICT_FIELD(retry_after_s, 14, U32),
    VERDICT_FIELD(score_known, 15, BOOL),
    VERDICT_FIELD(hold_for, 19, TEXT),
    VERDICT_FIELD(waited_s, 20, U32),
    VERDICT_FIELD(shadow, 21, TEXT),
};

static struct decoding *decode_text_field(const struct field_row *row, const char *text, size_t len)
{
    struct frame frame = {0};

    frame_bytes(&frame, row->field, text, len);
    if (row->inside != 0)
        frame_wrap(&frame, row->inside);
    return decode_frame(row->kind, &frame);
}

static struct decoding *decode_number_field(const struct field_row *row, uint64_t number)
{
    struct frame frame = {0};

    frame_number(&frame, row->field, number);
    if (row->inside != 0)
        frame_wrap(&frame, row->inside);
    return decode_frame(row->kind, &frame);
}

static void expect_text(const struct field_row *row, const char *text, size_t len, const char *want)
{
    struct decoding *decoding = decode_text_field(row, text, len);

    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(text_in(decoding, row->offset), want);
    decoding_free(decoding);
}

static void expect_number(const struct field_row *row, uint64_t number)
{
    struct decoding *decoding = decode_number_field(row, number);
    const char *at = (const char *)&decoding->out + row->offset;
    uint64_t u64;
    uint32_t u32;

    assert_int_equal(decoding->err, ERR_NONE);
    if (row->type == BOOL) {
        assert_int_equal(*at, 1);
    } else if (row->type == U64) {
        memcpy(&u64, at, sizeof(u64));
        assert_int_equal(u64, number);
    } else {
        memcpy(&u32, at, sizeof(u32)); // enums are as large
        assert_int_equal(u32, (uint32_t)number);
    }
    decoding_free(decoding);
}

static void field(void **state)
{
    const struct field_row *row = *state;

    if (row->type == TEXT) {
        expect_text(row, "a text", 6, "a text");
        expect_text(row, "", 0, "");
        expect_text(row, "a\xFF", 2, "a" TEXT_DAMAGE "FF");
        expect_text(row, "a\0b", 3, "a" TEXT_DAMAGE "01b");
        expect_text(row, "a\r\n250 b", 8, "a" TEXT_DAMAGE "0D" TEXT_DAMAGE "0A250 b");
        return;
    }
    expect_number(row, 1);
    if (row->type == ENUM)
        expect_number(row, 4);
    if (row->type == U32)
        expect_number(row, UINT32_MAX);
    if (row->type == U64)
        expect_number(row, UINT64_MAX);
}

// ---- numbers of the future

struct future_row {
    const char *name;
    const struct field_row field;
    uint64_t given;
    int want;
};

static const struct future_row future_rows[] = {
    {"the last status", {"", REPLY, 0, 2, ENUM, R(status)}, 6, MSG_INTERNAL},
    {"a status of the future is no success", {"", REPLY, 0, 2, ENUM, R(status)}, 7, MSG_INTERNAL},
    {"a status below zero is no success",
     {"", REPLY, 0, 2, ENUM, R(status)},
     UINT64_MAX,
     MSG_INTERNAL},
    {"the last action", {"", EVENT, EVENT_VERDICT, 2, ENUM, E(verdict.action)}, 5, MSG_SECURE},
    {"an action of the future",
     {"", EVENT, EVENT_VERDICT, 2, ENUM, E(verdict.action)},
     6,
     MSG_NO_ACTION},
    {"an action below zero",
     {"", EVENT, EVENT_VERDICT, 2, ENUM, E(verdict.action)},
     UINT64_MAX,
     MSG_NO_ACTION},
    {"the last direction", {"", EVENT, EVENT_VERDICT, 9, ENUM, E(verdict.direction)}, 4, MSG_RELAY},
    {"a direction of the future",
     {"", EVENT, EVENT_VERDICT, 9, ENUM, E(verdict.direction)},
     5,
     MSG_NO_DIRECTION},
};

static void future(void **state)
{
    const struct future_row *row = *state;
    struct decoding *decoding = decode_number_field(&row->field, row->given);
    int got;

    assert_int_equal(decoding->err, ERR_NONE);
    memcpy(&got, (const char *)&decoding->out + row->field.offset, sizeof(got));
    assert_int_equal(got, row->want);
    decoding_free(decoding);
}

struct answer_row {
    const char *name;
    uint32_t field; // 0 = none
    enum msg_answer want;
};

static const struct answer_row answer_rows[] = {
    {"no answer", 0, MSG_NO_ANSWER},
    {"a decision", DECISION, MSG_DECISION},
    {"an ack", ACK, MSG_ACK},
    {"an admin reply", ADMIN, MSG_ADMIN_REPLY},
    {"a pong", PONG, MSG_PONG},
    {"an access decision is not known", ACCESS, MSG_NO_ANSWER},
    {"orders are not known", HELD, MSG_NO_ANSWER},
    {"an answer of the future", 900, MSG_NO_ANSWER},
};

static void answer(void **state)
{
    const struct answer_row *row = *state;
    struct frame frame = {0};
    struct decoding *decoding;
    const struct msg_reply *reply;

    frame_number(&frame, 1, 5);
    if (row->field != 0)
        frame_text(&frame, row->field, "");
    decoding = decode_frame(REPLY, &frame);
    reply = &decoding->out.reply;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(reply->answer, row->want);
    assert_int_equal(reply->decision.verdict_count, 0);
    assert_false(reply->decision.has_message);
    assert_string_equal(reply->decision.message.text, ""); // never NULL
    assert_string_equal(reply->admin.cursor, "");
    assert_string_equal(reply->pong.version, "");
    decoding_free(decoding);
}

struct score_row {
    const char *name;
    bool known;
    double given;
    bool want_known;
    double want;
};

static const struct score_row score_rows[] = {
    {"a score", true, 71.25, true, 71.25},
    {"a score of zero", true, 0, true, 0},
    {"a score that is not known", false, 50, false, 0},
    {"a score that is no number", true, NAN, false, 0},
    {"an infinite score", true, INFINITY, false, 0},
};

static void score(void **state)
{
    const struct score_row *row = *state;
    struct frame frame = {0};
    struct decoding *decoding;

    frame_number(&frame, 15, row->known);
    frame_double(&frame, 16, row->given);
    frame_wrap(&frame, EVENT_VERDICT);
    decoding = decode_frame(EVENT, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->out.event.verdict.score_known, row->want_known);
    assert_true(decoding->out.event.verdict.score >= row->want &&
                decoding->out.event.verdict.score <= row->want);
    decoding_free(decoding);
}

// ---- counts

struct count_row {
    const char *name;
    enum kind kind;
    uint32_t path[4];
    unsigned most;
};

static const struct count_row count_rows[] = {
    {"Decision.verdicts", REPLY, {DECISION, 1}, MSG_RECIPIENTS_MAX},
    {"Verdict.trace", REPLY, {DECISION, MESSAGE, 17}, MSG_STEPS_MAX},
    {"Verdict.trace", REPLY, {DECISION, 1, 17}, MSG_STEPS_MAX},
    {"Verdict.trace", EVENT, {EVENT_VERDICT, 17}, MSG_STEPS_MAX},
    {"Verdict.dispositions", EVENT, {EVENT_VERDICT, 18}, 1000},
    {"AccessDecision.trace", REPLY, {ACCESS, 7}, MSG_STEPS_MAX},
    {"AdminReply.rows", REPLY, {ADMIN, 1}, MSG_ROWS_MAX},
    {"Row.fields", REPLY, {ADMIN, 1, 1}, MSG_FIELDS_MAX},
    {"Ack.skipped_why", REPLY, {ACK, 3}, 1000},
    {"HeldOrders.orders", REPLY, {HELD, 1}, 1000},
    {"Stats.metrics", STATS, {5}, 10000},
    {"Metric.labels", STATS, {5, 3}, MSG_FIELDS_MAX},
    {"Reply: more than 64 fields", REPLY, {900}, 64},
    {"Stats.node", STATS, {1}, 64},
};

static struct decoding *decode_count(const struct count_row *row, unsigned count)
{
    struct frame frame = {0};
    size_t depth = 0;

    while (depth < 4 && row->path[depth] != 0)
        depth++;
    for (unsigned i = 0; i < count; i++)
        frame_text(&frame, row->path[depth - 1], "");
    while (--depth > 0)
        frame_wrap(&frame, row->path[depth - 1]);
    return decode_frame(row->kind, &frame);
}

static void count(void **state)
{
    const struct count_row *row = *state;
    struct decoding *decoding = decode_count(row, row->most);

    assert_int_equal(decoding->err, ERR_NONE);
    decoding_free(decoding);
    decoding = decode_count(row, row->most + 1);
    assert_int_equal(decoding->err, ERR_LIMIT);
    assert_ptr_equal(strstr(decoding->detail.text, row->name), decoding->detail.text);
    decoding_free(decoding);
}

static void an_event_without_a_verdict(void **state)
{
    struct decoding *decoding = decode(EVENT, "", 0, DECODING_ARENA_BYTES);

    (void)state;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(decoding->out.event.verdict.reason, "");
    assert_int_equal(decoding->out.event.verdict.action, MSG_NO_ACTION);
    decoding_free(decoding);
}

// A node echoes nothing that would be a second line of an SMTP reply, whatever it was given.
static void a_node_cleans_before_it_sends(void **state)
{
    const struct msg_reply reply = {.error = "a\r\n250 b", .node = "\xFF", .degraded_why = NULL};
    struct encoded encoded;

    (void)state;
    encode(REPLY, &reply, &encoded);
    assert_true(text_is_utf8((const char *)encoded.bytes, encoded.len));
    assert_null(memchr(encoded.bytes, '\r', encoded.len));
    assert_non_null(memmem(encoded.bytes, encoded.len, TEXT_DAMAGE "0D", 5));
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, field_rows, field);
    TABLE_ROWS(&table, future_rows, future);
    TABLE_ROWS(&table, answer_rows, answer);
    TABLE_ROWS(&table, score_rows, score);
    TABLE_ROWS(&table, count_rows, count);
    TABLE_TEST(&table, an_event_without_a_verdict);
    TABLE_TEST(&table, a_node_cleans_before_it_sends);
    return table_run(&table, "wire reply");
}
