// check.c: the verb Check: judge one SMTP transaction, recipient by recipient.
//
//      READ ----> READ_ALIAS ----> JUDGE ----> PROBE ----> ADD ----> COUNT ----> WRITE ----> ANSWER
//      passed     lists of the     the chain   does it     first     what was    passes,     verdicts
//      entries,   mailbox that               exist?      tries     sent today  alignment   and traces
//      lists ...  an alias names
//
// A state does its work and names the next. Behind PROBE, ADD and COUNT the chain runs again, with what came back, for
// the recipients that needed it; then whatever any of them still needs is done. All that wait are called back in any
// case and in time; where no recipient needs them they wait for nothing. check_prepare has allocated everything before,
// so nothing fails on the way.
#include <string.h>

#include "node/core/plan.h"
#include "node/verbs/internal.h"
#include "proto/base/clock.h"

// ---- the store's answers

static void store_answered(void *arg, uint64_t token, enum store_state state)
{
    struct server *server = arg;
    struct seat *seat = seats_find(server->seats, token);

    if (seat == NULL)
        return;
    if (state != STORE_UP)
        seat->store_state = state;
    seat->waiting--;
    if (seat->waiting == 0 &&
        !seat->running) // else the store answered at once, and check_go is still on the stack
        check_go(server, seat);
}

static struct store_done when_answered(struct server *server, struct seat *seat)
{
    uint64_t now_ms = clock_mono_ms();

    seat->waiting++;
    return (struct store_done){.fn = store_answered,
                               .arg = server,
                               .token = seat_token(seat),
                               .within_ms =
                                   seat->deadline_ms > now_ms ? seat->deadline_ms - now_ms : 1};
}

// The recipients that need a trip, as the store wants them: a list.
static struct store_triplet *list_of(struct seat *seat,
                                     bool (*needs)(const struct recipient *recipient))
{
    uint64_t life_ms = seat_policy(seat)->settings.greylist.life_ms;
    struct store_triplet *list = NULL;

    for (size_t i = seat->recipient_count; i-- > 0;) {
        struct recipient *recipient = &seat->recipients[i];

        if (!needs(recipient))
            continue;
        recipient->triplet = (struct store_triplet){.next = list,
                                                    .key = &recipient->facts.triplet,
                                                    .facts = &recipient->facts.grey,
                                                    .now_ms = seat->facts.now_ms,
                                                    .mark = recipient->facts.mark,
                                                    .life_ms = life_ms};
        list = &recipient->triplet;
    }
    return list;
}

static bool is_reading(const struct recipient *recipient)
{
    return recipient->reading;
}

static bool is_adding(const struct recipient *recipient)
{
    return recipient->adding;
}

// ---- what this node remembers

// The key of the transaction, by which a recipient that was known in another Check carries these.
static uint64_t transaction_of(const struct server *server, const struct seat *seat)
{
    const struct key_ring *ring = store_ring(server->store);
    const char *transaction = seat->request.check.transaction;
    const char *sender_key = seat->recipients[0].pair.sender_key; // of all recipients

    if (transaction[0] == '\0' || sender_key == NULL || ring->count == 0 ||
        seat->facts.client.family == 0)
        return 0;
    const struct ip_net net = plan_net(&seat->facts.client, seat_policy(seat));

    return key_transaction(ring, transaction, sender_key, &net);
}

static bool is_over(const struct rate *rate, const struct seat *seat)
{
    if (seat->facts.client.family == 0)
        return false;
    const struct ip_net net = plan_net(&seat->facts.client, seat_policy(seat));

    return rate_is_over(rate, &net, seat->facts.now_ms,
                        seat_policy(seat)->settings.greylist.new_per_hour);
}

static void remember(struct server *server, struct seat *seat)
{
    seat->transaction = transaction_of(server, seat);
    seat->facts.carried = seat->transaction != 0 &&
                          carried_find(server->carried, seat->transaction, seat->facts.now_ms);
    seat->facts.over_rate = is_over(server->rate, seat);
    seat->facts.over_carried = is_over(server->carried_rate, seat);
    clients_name(server, seat);
}

// ---- the states

static void read_persons(struct server *server, struct seat *seat)
{
    struct store_person *list = NULL;

    for (size_t i = seat->recipient_count; i-- > 0;) {
        struct recipient *recipient = &seat->recipients[i];

        if (!recipient->reading_person)
            continue;
        recipient->person.next = list;
        list = &recipient->person;
    }
    if (list != NULL)
        store_read_person(server->store, list, when_answered(server, seat));
}

static enum check_state check_read(struct server *server, struct seat *seat)
{
    struct store_triplet *list = list_of(seat, is_reading);

    if (list != NULL)
        store_read_passed(server->store, STORE_LOOKUPS, list, when_answered(server, seat));
    read_persons(server, seat);
    if (seat->levels != NULL)
        levels_read(server, seat, when_answered(server, seat));
    lists_ask(server, seat);
    return CHECK_READ_ALIAS;
}

// The directory, or the server that knows the domain's recipients, may say that a recipient is another mailbox's address:
// then that one's list and entries count.
static bool is_alias(const struct recipient *recipient)
{
    const struct store_person *asked = &recipient->person;
    const struct policy_domain *domain = recipient->facts.domain;

    if (asked->facts == NULL || domain == NULL ||
        (asked->patterns == NULL && asked->external == NULL))
        return false;
    const struct person_row *row = &asked->facts->row;
    const bool is_told =
        row->state == FACT_PRESENT || domain->recipients >= POLICY_RECIPIENTS_CALLFORWARD;

    return is_told && row->mailbox[0] != '\0' && strcmp(row->mailbox, asked->mailbox) != 0;
}

static void read_aliases(struct server *server, struct seat *seat)
{
    for (size_t i = 0; i < seat->recipient_count; i++) {
        struct recipient *recipient = &seat->recipients[i];
        struct store_person *person = &recipient->person;

        recipient->reading_person = is_alias(recipient);
        if (!recipient->reading_person)
            continue;
        person->mailbox = person->facts->row.mailbox;
        person->directory.version = 0;
        person->answer = false;
        person_mailbox_clear(person->facts, person->patterns != NULL, person->external != NULL);
    }
    read_persons(server, seat);
}

static enum check_state check_read_alias(struct server *server, struct seat *seat)
{
    read_aliases(server, seat);
    return CHECK_JUDGE;
}

static void judge(struct seat *seat, struct recipient *recipient)
{
    const struct chain_in in = seat_chain(seat, recipient);

    const bool waits =
        chain_run(&in, &recipient->start, &recipient->verdict, &recipient->trace) == OUTCOME_WAIT;

    recipient->probing = waits && recipient->verdict.changes.want_probe;
    recipient->adding = waits && recipient->verdict.changes.want_pending;
    recipient->counting = waits && !recipient->adding && !recipient->probing;
}

// A recipient that is known carries the others, whatever their order: those that `needs` picks are judged again.
static void carry(struct seat *seat, bool (*needs)(const struct recipient *recipient))
{
    bool carries = false;

    for (size_t i = 0; i < seat->recipient_count; i++)
        carries |= !seat->recipients[i].adding && seat->recipients[i].verdict.carries;
    if (!carries)
        return;
    seat->facts.carried = true;
    for (size_t i = 0; i < seat->recipient_count; i++)
        if (needs(&seat->recipients[i]))
            judge(seat, &seat->recipients[i]);
}

// Of two that are equally strict the one with the lower id, whatever the order of recipients: policies are sorted by it.
static bool is_stricter(const struct facts_for_all *a, const struct facts_for_all *b)
{
    if (a->rule == NULL || b->rule == NULL)
        return a->rule != NULL;
    return a->action > b->action || (a->action == b->action && a->rule < b->rule);
}

// What a policy that looks at all recipients says of one of them holds for all: those that do not wait for their first
// try are judged again.
static void spread(struct seat *seat)
{
    struct facts_for_all *for_all = &seat->facts.for_all;
    const struct policy_rule *before = for_all->rule;

    for (size_t i = 0; i < seat->recipient_count; i++) {
        const struct recipient *recipient = &seat->recipients[i];

        if (!recipient->adding && is_stricter(&recipient->verdict.for_all, for_all))
            *for_all = recipient->verdict.for_all;
    }
    if (for_all->rule == before)
        return;
    for (size_t i = 0; i < seat->recipient_count; i++)
        if (!seat->recipients[i].adding)
            judge(seat, &seat->recipients[i]);
}

static bool is_deferred(const struct recipient *recipient)
{
    return recipient->facts.grey.pending_asked && recipient->verdict.greylisted;
}

// What any of them needs now.
static enum check_state after_judging(const struct seat *seat)
{
    bool adding = false;

    for (size_t i = 0; i < seat->recipient_count; i++) {
        if (seat->recipients[i].probing)
            return CHECK_PROBE;
        adding |= seat->recipients[i].adding;
    }
    return adding ? CHECK_ADD : CHECK_COUNT;
}

static enum check_state check_judge(struct server *server, struct seat *seat)
{
    remember(server, seat);
    levels_judge(server, seat);
    for (size_t i = 0; i < seat->recipient_count; i++)
        judge(seat, &seat->recipients[i]);
    carry(seat, is_adding);
    spread(seat);
    return after_judging(seat);
}

static enum check_state check_probe(struct server *server, struct seat *seat)
{
    probes_ask(server, seat);
    return CHECK_READ_PROBED;
}

static enum check_state check_read_probed(struct server *server, struct seat *seat)
{
    read_aliases(server, seat);
    return CHECK_JUDGE_PROBED;
}

static enum check_state check_judge_probed(struct server *server, struct seat *seat)
{
    (void)server;
    for (size_t i = 0; i < seat->recipient_count; i++)
        if (seat->recipients[i].probing)
            judge(seat, &seat->recipients[i]);
    spread(seat);
    return after_judging(seat);
}

static enum check_state check_add(struct server *server, struct seat *seat)
{
    struct store_triplet *list = list_of(seat, is_adding);

    store_add_pending(server->store, list, seat->facts.dry_run || seat->facts.over_rate,
                      when_answered(server, seat));
    return CHECK_JUDGE_AGAIN;
}

static enum check_state check_judge_again(struct server *server, struct seat *seat)
{
    (void)server;
    for (size_t i = 0; i < seat->recipient_count; i++) {
        if (!seat->recipients[i].adding)
            continue;
        seat->recipients[i].facts.grey.pending_asked = true;
        judge(seat, &seat->recipients[i]);
    }
    carry(seat, is_deferred);
    spread(seat);
    return after_judging(seat);
}

static enum check_state check_count(struct server *server, struct seat *seat)
{
    struct store_limit *list = limits_list(server, seat);

    if (list != NULL)
        store_limit_add(server->store, list, seat->facts.dry_run, when_answered(server, seat));
    return CHECK_JUDGE_COUNTED;
}

static enum check_state check_judge_counted(struct server *server, struct seat *seat)
{
    (void)server;
    for (size_t i = 0; i < seat->recipient_count; i++) {
        struct recipient *recipient = &seat->recipients[i];

        if (!recipient->counting)
            continue;
        recipient->facts.limit.asked = true;
        recipient->facts.limit.mails = seat->mail_count;
        judge(seat, recipient);
        recipient->was_counted = true;
    }
    return CHECK_WRITE;
}

static void count_for_net(struct rate *rate, const struct seat *seat)
{
    const struct ip_net net = plan_net(&seat->facts.client, seat_policy(seat));

    rate_add(rate, &net, seat->facts.now_ms);
}

static void write_changes(struct server *server, struct seat *seat,
                          const struct recipient *recipient)
{
    const struct verdict *verdict = &recipient->verdict;
    const struct key_triplet *key = &recipient->facts.triplet;
    uint64_t now_ms = seat->facts.now_ms;
    uint64_t window_ms = seat_policy(seat)->settings.greylist.window_ms;
    bool is_first = verdict->is_new && verdict->first_seen_ms == now_ms; // else it was asked again

    if (verdict->changes.write_passed)
        store_write_passed(server->store, key, now_ms, verdict->changes.passed_mark);
    if (verdict->changes.align_pending)
        store_align_pending(server->store, key, verdict->changes.earliest_ms,
                            verdict->changes.earliest_mark);
    clients_note(server, seat, recipient);
    if (verdict->carries && seat->transaction != 0)
        carried_keep(server->carried, seat->transaction, now_ms);
    if (is_first)
        count_for_net(server->rate, seat);
    if (verdict->is_carried && verdict->changes.write_passed)
        count_for_net(server->carried_rate, seat);
    if (is_first || verdict->waited_ms > 0)
        store_count_retry(server->store, verdict->first_seen_ms / window_ms, window_ms,
                          is_first ? 1 : 0, is_first ? 0 : 1);
}

static enum check_state check_write(struct server *server, struct seat *seat)
{
    for (size_t i = 0; i < seat->recipient_count && !seat->facts.dry_run; i++)
        write_changes(server, seat, &seat->recipients[i]);
    if (!seat->facts.dry_run) {
        limits_settle(server, seat);
        harvest_note(server, seat);
        report_own(server, seat);
    }
    probes_renew(server, seat);
    return CHECK_ANSWER;
}

// STAGE_END's one reply to the client is that of the verdict that speaks for all; its recipient is
// empty.
static void merge(struct seat *seat, struct msg_decision *decision)
{
    struct msg_verdict *message = &decision->message;

    for (size_t i = 0; i < seat->recipient_count; i++)
        seat->reasons[i] = seat->recipients[i].verdict.reason;
    *message = seat->verdicts[chain_merge(seat->reasons, seat->recipient_count)];
    message->recipient = "";
    message->reputation = NULL;
    message->trace = NULL;
    message->trace_count = 0;
    decision->has_message = true;
}

// Why the store did not say: what it answered, or, where it was not even asked, how it is. Between
// its first connection and the reading of its secrets it is up and yet not to be asked.
static enum store_state silence_of(const struct server *server, const struct seat *seat)
{
    enum store_state state =
        seat->store_state != STORE_UP ? seat->store_state : store_state(server->store);

    return state != STORE_UP ? state : STORE_LOADING;
}

static enum check_state check_answer(struct server *server, struct seat *seat)
{
    struct msg_reply reply = {.answer = MSG_DECISION, .degraded_why = ""};
    char memory[128];
    struct text_buf why;

    for (size_t i = 0; i < seat->recipient_count; i++) {
        const struct verdict *verdict = &seat->recipients[i].verdict;

        verdict_finish(server, seat, i);
        reply.degraded |= verdict->degraded;
        if (verdict->degraded)
            reply.degraded_why = verdict->degraded_why;
    }
    if (reply.degraded && reply.degraded_why == NULL) {
        text_buf_init(&why, memory, sizeof(memory));
        text_buf_add(&why, "the store is %s", store_state_text(silence_of(server, seat)));
        reply.degraded_why = memory;
    }
    reply.decision = (struct msg_decision){.verdicts = seat->verdicts,
                                           .verdict_count = seat->recipient_count,
                                           .policy_version = seat_policy(seat)->version};
    if (seat->facts.stage == MSG_END)
        merge(seat, &reply.decision);
    stats_took(server->stats, clock_mono_us() - seat->came_us);
    server_answer(server, seat, &reply);
    return CHECK_OVER;
}

// The life of a Check.
static enum check_state (*const life[])(struct server *server, struct seat *seat) = {
    [CHECK_READ] = check_read,
    [CHECK_READ_ALIAS] = check_read_alias,
    [CHECK_JUDGE] = check_judge,
    [CHECK_PROBE] = check_probe,
    [CHECK_READ_PROBED] = check_read_probed,
    [CHECK_JUDGE_PROBED] = check_judge_probed,
    [CHECK_ADD] = check_add,
    [CHECK_JUDGE_AGAIN] = check_judge_again,
    [CHECK_COUNT] = check_count,
    [CHECK_JUDGE_COUNTED] = check_judge_counted,
    [CHECK_WRITE] = check_write,
    [CHECK_ANSWER] = check_answer,
};

void check_go(struct server *server, struct seat *seat)
{
    enum check_state state = seat->state;

    seat->running = true;
    while (state != CHECK_OVER && seat->waiting == 0) {
        state = life[state](server, seat);
        if (state != CHECK_OVER) // else the seat is somebody else's
            seat->state = state;
    }
    if (state != CHECK_OVER)
        seat->running = false;
}
