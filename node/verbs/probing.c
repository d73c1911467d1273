// probing.c: what a Check asks another server: whether a recipient exists that nobody here knows. Promises: a Check waits
// for the answer only as long as it can still be answered itself; an answer that came is kept, whoever waited for it; a
// dry run asks nobody.
#include <string.h>

#include "node/verbs/internal.h"
#include "proto/base/clock.h"

// Of the time that is left, this is for what comes behind the answer: the share, and at most so much.
enum { REST_SHARE = 4, REST_MOST_MS = 30 };

enum err probes_prepare(struct seat *seat, struct recipient *recipient)
{
    const struct policy_domain *domain = recipient->facts.domain;

    if (seat->facts.asks_nobody || domain == NULL ||
        domain->recipients < POLICY_RECIPIENTS_CALLFORWARD)
        return ERR_NONE;
    recipient->asked.why = arena_zalloc(&seat->arena, PROBE_WHY_MAX + 1);
    recipient->facts.probe_why = recipient->asked.why;
    return recipient->asked.why != NULL ? ERR_NONE : ERR_MEMORY;
}

uint64_t seat_time_to_wait(const struct seat *seat)
{
    const uint64_t now_ms = clock_mono_ms();
    const uint64_t left_ms = seat->deadline_ms > now_ms ? seat->deadline_ms - now_ms : 0;
    const uint64_t rest_ms =
        left_ms / REST_SHARE < REST_MOST_MS ? left_ms / REST_SHARE : REST_MOST_MS;

    return left_ms - rest_ms;
}

static void is_told(void *arg, uint64_t token, const struct probe_answer *answer)
{
    struct recipient *recipient = arg;
    struct server *server = recipient->asked.server;
    struct seat *seat = seats_find(server->seats, token);

    if (seat == NULL)
        return;
    recipient->facts.probe = answer->said;
    if (answer->said == FACTS_EXISTS)
        memcpy(recipient->facts.person->row.mailbox, answer->mailbox, sizeof(answer->mailbox));
    if (recipient->asked.why != NULL)
        memcpy(recipient->asked.why, answer->why, sizeof(answer->why));
    seat->waiting--;
    if (seat->waiting == 0 && !seat->running) // else it was told at once
        check_go(server, seat);
}

static void ask(struct server *server, struct seat *seat, struct recipient *recipient,
                struct probe_done done)
{
    const struct probe_question question = {.domain = recipient->facts.domain,
                                            .settings = &seat_policy(seat)->settings,
                                            .address = recipient->person.address,
                                            .within_ms = seat_time_to_wait(seat)};

    server->out.probe(server->out.arg, &question, done);
}

void probes_ask(struct server *server, struct seat *seat)
{
    for (size_t i = 0; i < seat->recipient_count; i++) {
        struct recipient *recipient = &seat->recipients[i];

        if (!recipient->probing)
            continue;
        recipient->asked.server = server;
        seat->waiting++;
        ask(server, seat, recipient, (struct probe_done){is_told, recipient, seat_token(seat)});
    }
}

// ---- answers that are kept

static uint64_t positive_life_ms(const struct seat *seat, const struct policy_domain *domain)
{
    const struct policy_settings *settings = &seat_policy(seat)->settings;

    return domain->recipients == POLICY_RECIPIENTS_LDAP ? settings->ldap.positive_ms
                                                        : settings->callforward.positive_ms;
}

// A yes that has less than half of its life left.
static bool is_aging(const struct seat *seat, const struct recipient *recipient)
{
    const struct policy_domain *domain = recipient->facts.domain;
    const struct person_answer *answer = &recipient->facts.person->answer;
    const uint64_t now_ms = seat->facts.now_ms;

    return domain != NULL && recipient->facts.probe == FACTS_UNASKED &&
           answer->state == FACT_PRESENT && answer->exists && now_ms <= answer->until_ms &&
           answer->until_ms - now_ms < positive_life_ms(seat, domain) / 2;
}

void probes_renew(struct server *server, struct seat *seat)
{
    if (seat->facts.asks_nobody)
        return;
    for (size_t i = 0; i < seat->recipient_count; i++)
        if (is_aging(seat, &seat->recipients[i]))
            ask(server, seat, &seat->recipients[i], (struct probe_done){.fn = NULL});
}

void server_probed(struct server *server, const char *address, const struct probe_answer *answer)
{
    store_write_answer(
        server->store, address,
        &(struct person_answer){.state = FACT_PRESENT,
                                .exists = answer->said == FACTS_EXISTS,
                                .until_ms = store_now_ms(server->store) + answer->life_ms},
        answer->mailbox);
}
