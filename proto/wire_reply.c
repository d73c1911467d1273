// wire_reply.c: Reply, written by the node and read by the client. Promises of wire.h hold.
//
// The client trusts the node no more than the node trusts the client: texts are cleaned on both
// ways (a reply text with a line break in it would be a second SMTP reply), and numbers that this
// version does not know become the one that decides nothing.
#include <math.h>

#include "proto/reeve.pb-c.h"
#include "proto/wire.h"
#include "proto/wire_parts.h"

// ---- Verdict

static const struct msg_step *read_steps(struct wire *wire, const Reeve__V1__Verdict *from)
{
    struct msg_step *steps = wire_array(wire, from->n_trace, sizeof(*steps));

    for (size_t i = 0; steps != NULL && i < from->n_trace; i++) {
        steps[i].step = wire_text(wire, from->trace[i]->step);
        steps[i].outcome = wire_text(wire, from->trace[i]->outcome);
        steps[i].rule = wire_text(wire, from->trace[i]->rule);
        steps[i].why = wire_text(wire, from->trace[i]->why);
    }
    return steps;
}

static enum msg_action read_action(Reeve__V1__Action action)
{
    unsigned number = (unsigned)action;

    return number <= MSG_SECURE ? (enum msg_action)number : MSG_NO_ACTION;
}

static enum msg_direction read_direction(Reeve__V1__Direction direction)
{
    unsigned number = (unsigned)direction;

    return number <= MSG_RELAY ? (enum msg_direction)number : MSG_NO_DIRECTION;
}

void wire_read_verdict(struct wire *wire, const Reeve__V1__Verdict *from, struct msg_verdict *out)
{
    bool score_known = from->score_known && isfinite(from->score);

    *out = (struct msg_verdict){
        .recipient = wire_text(wire, from->recipient),
        .action = read_action(from->action),
        .code = from->code,
        .enhanced = wire_text(wire, from->enhanced),
        .text = wire_text(wire, from->text),
        .reason = wire_text(wire, from->reason),
        .rule = wire_text(wire, from->rule),
        .narrative = wire_text(wire, from->narrative),
        .direction = read_direction(from->direction),
        .skip_reputation = from->skip_reputation,
        .skip_greylist = from->skip_greylist,
        .skip_spam = from->skip_spam,
        .ticket = wire_text(wire, from->ticket),
        .retry_after_s = from->retry_after_s,
        .score_known = score_known,
        .score = score_known ? from->score : 0,
        .trace = read_steps(wire, from),
        .trace_count = from->n_trace,
        .hold_for = wire_text(wire, from->hold_for),
        .waited_s = from->waited_s,
        .shadow = wire_text(wire, from->shadow),
        .reputation = wire_read_reputation(wire, from->reputation),
    };
}

static void write_steps(struct wire *wire, const struct msg_verdict *from, Reeve__V1__Verdict *out)
{
    Reeve__V1__Step *steps = wire_array(wire, from->trace_count, sizeof(*steps));

    out->trace = wire_array(wire, from->trace_count, sizeof(*out->trace));
    out->n_trace = from->trace_count;
    for (size_t i = 0; wire->err == ERR_NONE && i < from->trace_count; i++) {
        reeve__v1__step__init(&steps[i]);
        steps[i].step = wire_text(wire, from->trace[i].step);
        steps[i].outcome = wire_text(wire, from->trace[i].outcome);
        steps[i].rule = wire_text(wire, from->trace[i].rule);
        steps[i].why = wire_text(wire, from->trace[i].why);
        out->trace[i] = &steps[i];
    }
}

void wire_write_verdict(struct wire *wire, const struct msg_verdict *from, Reeve__V1__Verdict *out)
{
    reeve__v1__verdict__init(out);
    out->recipient = wire_text(wire, from->recipient);
    out->action = (Reeve__V1__Action)from->action;
    out->code = from->code;
    out->enhanced = wire_text(wire, from->enhanced);
    out->text = wire_text(wire, from->text);
    out->reason = wire_text(wire, from->reason);
    out->rule = wire_text(wire, from->rule);
    out->narrative = wire_text(wire, from->narrative);
    out->direction = (Reeve__V1__Direction)from->direction;
    out->skip_reputation = from->skip_reputation;
    out->skip_greylist = from->skip_greylist;
    out->skip_spam = from->skip_spam;
    out->ticket = wire_text(wire, from->ticket);
    out->retry_after_s = from->retry_after_s;
    out->score_known = from->score_known;
    out->score = from->score;
    write_steps(wire, from, out);
    out->hold_for = wire_text(wire, from->hold_for);
    out->waited_s = from->waited_s;
    out->shadow = wire_text(wire, from->shadow);
    out->reputation = wire_write_reputation(wire, from->reputation);
}

// ---- Decision

static void read_decision(struct wire *wire, const Reeve__V1__Decision *from,
                          struct msg_decision *out)
{
    static const Reeve__V1__Verdict nothing = {0};
    struct msg_verdict *verdicts = wire_array(wire, from->n_verdicts, sizeof(*verdicts));

    for (size_t i = 0; verdicts != NULL && i < from->n_verdicts; i++)
        wire_read_verdict(wire, from->verdicts[i], &verdicts[i]);
    out->verdicts = verdicts;
    out->verdict_count = from->n_verdicts;
    out->policy_version = from->policy_version;
    out->has_message = from->message != NULL;
    wire_read_verdict(wire, out->has_message ? from->message : &nothing, &out->message);
}

static void write_decision(struct wire *wire, const struct msg_decision *from,
                           Reeve__V1__Decision *out)
{
    size_t count = from->verdict_count;
    Reeve__V1__Verdict *verdicts = wire_array(wire, count, sizeof(*verdicts));

    reeve__v1__decision__init(out);
    out->verdicts = wire_array(wire, count, sizeof(*out->verdicts));
    out->n_verdicts = count;
    for (size_t i = 0; wire->err == ERR_NONE && i < count; i++) {
        wire_write_verdict(wire, &from->verdicts[i], &verdicts[i]);
        out->verdicts[i] = &verdicts[i];
    }
    out->policy_version = from->policy_version;
    if (from->has_message)
        out->message = wire_array(wire, 1, sizeof(*out->message));
    if (out->message != NULL)
        wire_write_verdict(wire, &from->message, out->message);
}

// ---- AdminReply

static void read_admin_reply(struct wire *wire, const Reeve__V1__AdminReply *from,
                             struct msg_admin_reply *out)
{
    struct msg_row *rows = wire_array(wire, from->n_rows, sizeof(*rows));

    for (size_t i = 0; rows != NULL && i < from->n_rows; i++) {
        rows[i].fields = wire_read_pairs(wire, from->rows[i]->fields, from->rows[i]->n_fields);
        rows[i].field_count = from->rows[i]->n_fields;
    }
    out->rows = rows;
    out->row_count = from->n_rows;
    out->cursor = wire_text(wire, from->cursor);
    out->document = from->document.data;
    out->document_bytes = from->document.len;
    out->policy_version = from->policy_version;
}

static void write_admin_reply(struct wire *wire, const struct msg_admin_reply *from,
                              Reeve__V1__AdminReply *out)
{
    Reeve__V1__Row *rows = wire_array(wire, from->row_count, sizeof(*rows));

    reeve__v1__admin_reply__init(out);
    out->rows = wire_array(wire, from->row_count, sizeof(*out->rows));
    out->n_rows = from->row_count;
    for (size_t i = 0; wire->err == ERR_NONE && i < from->row_count; i++) {
        reeve__v1__row__init(&rows[i]);
        rows[i].fields = wire_write_pairs(wire, &reeve__v1__row__fields_entry__descriptor,
                                          from->rows[i].fields, from->rows[i].field_count);
        rows[i].n_fields = from->rows[i].field_count;
        out->rows[i] = &rows[i];
    }
    out->cursor = wire_text(wire, from->cursor);
    out->document.data = wire_borrow_bytes(from->document);
    out->document.len = from->document_bytes;
    out->policy_version = from->policy_version;
}

// ---- Ack

static void read_ack(struct wire *wire, const Reeve__V1__Ack *from, struct msg_ack *out)
{
    char **why = wire_array(wire, from->n_skipped_why, sizeof(*why));

    for (size_t i = 0; why != NULL && i < from->n_skipped_why; i++)
        why[i] = wire_text(wire, from->skipped_why[i]);
    out->recorded = from->recorded;
    out->queued = from->queued;
    out->skipped_why = (const char *const *)why;
    out->skipped_count = from->n_skipped_why;
}

static void write_ack(struct wire *wire, const struct msg_ack *from, Reeve__V1__Ack *out)
{
    reeve__v1__ack__init(out);
    out->recorded = from->recorded;
    out->queued = from->queued;
    out->skipped_why = wire_array(wire, from->skipped_count, sizeof(*out->skipped_why));
    out->n_skipped_why = from->skipped_count;
    for (size_t i = 0; out->skipped_why != NULL && i < from->skipped_count; i++)
        out->skipped_why[i] = wire_text(wire, from->skipped_why[i]);
}

// ---- Pong

static void read_pong(struct wire *wire, const Reeve__V1__Pong *from, struct msg_pong *out)
{
    out->version = wire_text(wire, from->version);
    out->uptime_ms = from->uptime_ms;
    out->policy_version = from->policy_version;
    out->store = wire_text(wire, from->store);
}

static void write_pong(struct wire *wire, const struct msg_pong *from, Reeve__V1__Pong *out)
{
    reeve__v1__pong__init(out);
    out->version = wire_text(wire, from->version);
    out->uptime_ms = from->uptime_ms;
    out->policy_version = from->policy_version;
    out->store = wire_text(wire, from->store);
}

// ---- Reply

// A status that this version does not know is surely not success.
static enum msg_status read_status(Reeve__V1__Status status)
{
    unsigned number = (unsigned)status;

    return number <= MSG_INTERNAL ? (enum msg_status)number : MSG_INTERNAL;
}

// Answers to verbs that this version does not send are none.
static enum msg_answer read_answer(Reeve__V1__Reply__AnswerCase answer)
{
    static const enum msg_answer known[] = {MSG_DECISION, MSG_ACK, MSG_ADMIN_REPLY, MSG_PONG};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if ((unsigned)answer == known[i])
            return known[i];
    }
    return MSG_NO_ANSWER;
}

static void read_reply(struct wire *wire, const Reeve__V1__Reply *from, struct msg_reply *out)
{
    static const Reeve__V1__Decision no_decision = {0};
    static const Reeve__V1__Ack no_ack = {0};
    static const Reeve__V1__AdminReply no_admin = {0};
    static const Reeve__V1__Pong no_pong = {0};

    out->id = from->id;
    out->status = read_status(from->status);
    out->error = wire_text(wire, from->error);
    out->node = wire_text(wire, from->node);
    out->draining = from->draining;
    out->degraded = from->degraded;
    out->degraded_why = wire_text(wire, from->degraded_why);
    out->answer = read_answer(from->answer_case);
    read_decision(wire, out->answer == MSG_DECISION ? from->decision : &no_decision,
                  &out->decision);
    read_ack(wire, out->answer == MSG_ACK ? from->ack : &no_ack, &out->ack);
    read_admin_reply(wire, out->answer == MSG_ADMIN_REPLY ? from->admin : &no_admin, &out->admin);
    read_pong(wire, out->answer == MSG_PONG ? from->pong : &no_pong, &out->pong);
}

enum err wire_decode_reply(void *bytes, size_t len, struct arena *arena, struct msg_reply *out,
                           struct err_detail *detail)
{
    struct wire wire = {.arena = arena, .detail = detail};
    struct msg_reply reply = {0};
    const Reeve__V1__Reply *from = wire_unpack(&wire, &reeve__v1__reply__descriptor, bytes, len);

    if (from != NULL)
        read_reply(&wire, from, &reply);
    if (wire.err == ERR_NONE)
        *out = reply;
    return wire.err;
}

// Room for whichever answer is written.
union answers {
    Reeve__V1__Decision decision;
    Reeve__V1__Ack ack;
    Reeve__V1__AdminReply admin;
    Reeve__V1__Pong pong;
};

static void write_answer(struct wire *wire, const struct msg_reply *from, union answers *answers,
                         Reeve__V1__Reply *out)
{
    out->answer_case = (Reeve__V1__Reply__AnswerCase)from->answer;
    switch (from->answer) {
    case MSG_DECISION:
        write_decision(wire, &from->decision, &answers->decision);
        out->decision = &answers->decision;
        return;
    case MSG_ACK:
        write_ack(wire, &from->ack, &answers->ack);
        out->ack = &answers->ack;
        return;
    case MSG_ADMIN_REPLY:
        write_admin_reply(wire, &from->admin, &answers->admin);
        out->admin = &answers->admin;
        return;
    case MSG_PONG:
        write_pong(wire, &from->pong, &answers->pong);
        out->pong = &answers->pong;
        return;
    case MSG_NO_ANSWER:
        return;
    }
}

enum err wire_encode_reply(const struct msg_reply *reply, struct arena *scratch, void *bytes,
                           size_t size, size_t *len)
{
    struct wire wire = {.arena = scratch};
    Reeve__V1__Reply out;
    union answers answers;

    reeve__v1__reply__init(&out);
    out.id = reply->id;
    out.status = (Reeve__V1__Status)reply->status;
    out.error = wire_text(&wire, reply->error);
    out.node = wire_text(&wire, reply->node);
    out.draining = reply->draining;
    out.degraded = reply->degraded;
    out.degraded_why = wire_text(&wire, reply->degraded_why);
    write_answer(&wire, reply, &answers, &out);
    return wire_pack(&wire, &out.base, bytes, size, len);
}
