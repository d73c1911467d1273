// verdict.c: a verdict of the core becomes a verdict on the wire: ticket, tracking row, reply text,
// counters, event.
//
// A ticket is given exactly where a tracking row is written, so that a ticket always finds its row:
// to every verdict that is no accept, to what a shadow rule would have decided, to a retry that
// passed, and to a sample of the other accepts.
#include <string.h>

#include "node/verbs/internal.h"
#include "proto/base/clock.h"

static bool is_tracked(struct server *server, const struct seat *seat,
                       const struct verdict *verdict)
{
    if (reason_row(verdict->reason)->action != MSG_ACCEPT || verdict->shadow != REASON_COUNT ||
        verdict->reason == REASON_greylist_pass)
        return true;
    server->sample += seat_policy(seat)->settings.tracking_sample;
    if (server->sample < 1)
        return false;
    server->sample -= 1;
    return true;
}

static uint32_t seconds_up(uint64_t ms)
{
    return (uint32_t)((ms + 999) / 1000);
}

// A deferral's "try again" is never 0: an answer repeated in one transaction would else tell to
// retry at once.
static uint32_t retry_after_s(const struct verdict *verdict)
{
    uint32_t seconds = seconds_up(verdict->retry_after_ms);

    return seconds > 0 ? seconds : 1;
}

static bool says_when(enum reason reason)
{
    return reason == REASON_greylist_new || reason == REASON_greylist_early ||
           reason == REASON_rate || reason == REASON_dha || reason == REASON_reputation_defer;
}

static void write_text(struct recipient *recipient)
{
    const struct reason_row *row = reason_row(recipient->verdict.reason);
    struct text_buf text;

    text_buf_init(&text, recipient->text, sizeof(recipient->text));
    text_buf_put(&text, row->text);
    if (recipient->verdict.reason == REASON_reputation_list)
        text_buf_add(&text, " by %s", recipient->verdict.rule);
    if (says_when(recipient->verdict.reason)) {
        text_buf_add(&text, ", please try again in %u s",
                     (unsigned)retry_after_s(&recipient->verdict));
    }
    if (recipient->ticket[0] == '\0')
        return;
    text_buf_put(&text, " (ticket ");
    text_buf_put(&text, recipient->ticket);
    text_buf_put(&text, ")");
}

static const char *stage_word(enum msg_stage stage)
{
    static const char *const words[] = {"", "connect", "mail", "rcpt", "end"};

    return words[stage];
}

static const char *spf_word(enum msg_auth spf)
{
    static const char *const words[] = {"",         "none",    "pass",      "fail",
                                        "softfail", "neutral", "temperror", "permerror"};

    return words[spf];
}

// How many the transaction has, as far as the gateway has said.
static uint64_t recipient_count(const struct msg_check *check)
{
    return check->recipient_count > check->recipient_total ? check->recipient_count
                                                           : check->recipient_total;
}

static void track(struct server *server, const struct seat *seat, struct recipient *recipient)
{
    const struct msg_check *check = &seat->request.check;
    const struct verdict *verdict = &recipient->verdict;
    const struct reason_row *row = reason_row(verdict->reason);
    bool waits = says_when(verdict->reason) ||
                 (verdict->shadow != REASON_COUNT && says_when(verdict->shadow));
    char client[IP_TEXT_MAX];
    struct track_row out = {
        .ticket = ticket_next(server->store, seat->facts.now_ms),
        .at_ms = seat->facts.now_ms,
        .action = reason_action(row->action),
        .reason = row->name,
        .rule = verdict->rule,
        .shadow = verdict->shadow != REASON_COUNT ? reason_row(verdict->shadow)->name : "",
        .stage = stage_word(seat->facts.stage),
        .client_ip = seat->facts.client.family != 0 ? ip_format(&seat->facts.client, client) : "",
        .client_name = check->client_name,
        .spf_domain = seat->facts.spf_domain,
        .helo = check->helo,
        .sender = check->sender,
        .recipient = check->recipient_total > 0 ? recipient->facts.address.text : "",
        .gateway = seat->request.gateway,
        .transaction = check->transaction,
        .auth_user = seat->facts.auth_user,
        .spf = spf_word(check->spf),
        .flags = (check->tls ? TRACK_TLS : 0) | (check->smtputf8 ? TRACK_SMTPUTF8 : 0),
        .size_bytes = check->size_bytes,
        .recipient_count = recipient_count(check),
        .policy_version = seat_policy(seat)->version,
        .retry_after_s = waits ? retry_after_s(verdict) : 0,
        .waited_s = (uint32_t)(verdict->waited_ms / 1000),
    };

    (void)ticket_format(&out.ticket, recipient->ticket);
    store_track(server->store, &out);
}

static void fill_trace(struct recipient *recipient, struct msg_verdict *out)
{
    for (size_t i = 0; i < recipient->trace.count; i++) {
        const struct trace_row *row = &recipient->trace.rows[i];

        recipient->steps[i] =
            (struct msg_step){row->step, outcome_text(row->outcome), row->rule, row->why};
    }
    out->trace = recipient->steps;
    out->trace_count = recipient->trace.count;
}

static void fill(struct seat *seat, struct recipient *recipient, struct msg_verdict *out)
{
    const struct verdict *verdict = &recipient->verdict;
    const struct reason_row *row = reason_row(verdict->reason);

    *out = (struct msg_verdict){
        .recipient = seat->request.check.recipient_total > 0 ? recipient->facts.address.text : "",
        .action = row->action,
        .code = row->code,
        .enhanced = reason_enhanced(verdict->reason, seat->facts.stage),
        .text = recipient->text,
        .reason = row->name,
        .rule = verdict->rule,
        .narrative = verdict->note,
        .direction = verdict->direction,
        .hold_for = verdict->hold_for,
        .skip_reputation = verdict->skip_reputation,
        .skip_greylist = verdict->skip_greylist,
        .skip_spam = verdict->skip_spam,
        .ticket = recipient->ticket,
        .retry_after_s = says_when(verdict->reason) ? retry_after_s(verdict) : 0,
        .waited_s = (uint32_t)(verdict->waited_ms / 1000),
        .shadow = verdict->shadow != REASON_COUNT ? reason_row(verdict->shadow)->name : "",
    };
    if (seat->facts.judged != NULL && seat->facts.judged->is_known) {
        out->score_known = true;
        out->score = 100 * (1 - seat->facts.judged->p);
    }
    fill_trace(recipient, out);
}

static void count(struct stats *stats, const struct verdict *verdict)
{
    stats->verdicts[verdict->reason]++;
    if (verdict->shadow != REASON_COUNT)
        stats->shadowed[verdict->shadow]++;
    if (verdict->degraded)
        stats->degraded++;
}

// Somebody listens: the event is built only then. Addresses of people stay out unless the node is
// set to show them.
static void publish(struct server *server, const struct seat *seat,
                    const struct msg_verdict *verdict)
{
    char topic[96];
    struct text_buf text;
    char client[IP_TEXT_MAX];
    bool hide = server->config.hide_addresses;

    text_buf_init(&text, topic, sizeof(topic));
    text_buf_put(&text, "decision.");
    text_buf_put(&text, reason_action(verdict->action));
    text_buf_put(&text, ".");
    text_buf_put(&text, verdict->reason);
    if (!server->out.wants_event(server->out.arg, topic))
        return;
    struct msg_event event = {
        .node = server->config.node,
        .at_ms = seat->facts.now_ms,
        .gateway = seat->request.gateway,
        .client_ip =
            hide || seat->facts.client.family == 0 ? "" : ip_format(&seat->facts.client, client),
        .sender = hide ? "" : seat->request.check.sender,
        .verdict = *verdict,
        .took_us = (uint32_t)(clock_mono_us() - seat->came_us),
    };

    event.verdict.reputation = NULL;
    event.verdict.trace = NULL;
    event.verdict.trace_count = 0;
    if (hide)
        event.verdict.recipient = "";
    server->stats->events++;
    server->out.event(server->out.arg, topic, &event);
}

void verdict_finish(struct server *server, struct seat *seat, size_t index)
{
    struct recipient *recipient = &seat->recipients[index];
    struct msg_verdict *out = &seat->verdicts[index];

    recipient->ticket[0] = '\0';
    if (!seat->facts.dry_run && is_tracked(server, seat, &recipient->verdict))
        track(server, seat, recipient);
    write_text(recipient);
    fill(seat, recipient, out);
    out->reputation = levels_fill(server, seat, recipient);
    if (seat->facts.dry_run) {
        server->stats->dry_runs += index == 0;
        return;
    }
    server->stats->checks += index == 0;
    if (seat->policy->used != NULL)
        used_count(seat->policy->used, seat_policy(seat), &recipient->verdict, seat->facts.now_ms);
    count(server->stats, &recipient->verdict);
    publish(server, seat, out);
}
