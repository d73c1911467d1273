// report_ends.c: what a report of spam ends, once it is counted: its client earned it to be spared by retrying honestly, and a
// user's letter let the sender's answers through; neither says anything of what they send now.
//
// Promises: only a gateway that is trusted ends anything; nothing is written where there was nothing; what the pair's owner writes later
// counts again, and so does what the client earns later.
#include "node/verbs/internal.h"
#include "node/verbs/report.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

#include <string.h>

static const struct policy_settings *settings_of(const struct report_flight *flight)
{
    return &server_policy(flight->server)->settings;
}

static void done(struct report_flight *flight)
{
    if (--flight->waiting == 0)
        flight->over(flight, flight->end);
}

// ---- its client

static void forgotten(void *arg, enum store_state state, const struct spared_client *client,
                      const struct spared_row *row)
{
    struct report_flight *flight = arg;

    (void)client;
    (void)row;
    if (state != STORE_UP)
        log_warn("a client that sent spam could not be taken out of those that are spared, the "
                 "store is %s",
                 store_state_text(state));
    done(flight);
}

// What it earned after that message stays.
static bool is_to_end(const struct report_flight *flight, const struct spared_row *row)
{
    const uint64_t now_ms = store_now_ms(flight->server->store);

    return spared_holds(row, now_ms, settings_of(flight)->greylist.life_ms) &&
           spared_day(flight->item.at_ms) >= row->rests;
}

static void end_spared(struct report_flight *flight)
{
    struct store *store = flight->server->store;
    struct spared_clients *spared = &flight->spared;

    spared->count = 0;
    if (flight->item.client.ip.family != 0)
        spared_add_ip(spared, &flight->item.client.ip);
    if (flight->item.spf_domain[0] != '\0')
        spared_add_domain(spared, flight->item.spf_domain);
    for (unsigned i = 0; i < spared->count; i++) {
        const struct spared_row row = store_spared(store, spared->client[i].name);

        if (!is_to_end(flight, &row))
            continue;
        flight->waiting++;
        store_spared_forget(store, spared->client[i].name,
                            (struct spared_done){.fn = forgotten, .arg = flight});
    }
}

// ---- its pair

static void disabled(void *arg, uint64_t token, enum store_state state)
{
    struct report_flight *flight = arg;

    (void)token;
    if (state != STORE_UP)
        sent_keep(flight->server, &flight->disabled);
    done(flight);
}

// Written to before that message, by the user or, where that counts, by somebody else here. An entry of the user's own that is
// disabled goes before one of the organisation.
static bool is_let_through(const struct report_flight *flight, const struct person_allow *allow)
{
    return allow->state == FACT_PRESENT && allow->sent_ms <= flight->item.at_ms;
}

static void disable(struct report_flight *flight)
{
    flight->disabled = (struct store_allow){.owner = flight->person.mailbox,
                                            .external = flight->person.external,
                                            .disabled_ms = flight->item.at_ms};
    flight->waiting++;
    store_allow_note(flight->server->store, &flight->disabled,
                     settings_of(flight)->auto_allow.life_ms, false,
                     (struct store_done){.fn = disabled, .arg = flight});
}

static void read_pair(void *arg, uint64_t token, enum store_state state);

static void ask(struct report_flight *flight)
{
    flight->waiting++;
    store_read_person(flight->server->store, &flight->person,
                      (struct store_done){.fn = read_pair, .arg = flight});
}

// The directory says that the recipient is another mailbox's address.
static bool is_alias(const struct report_flight *flight)
{
    const struct person_row *row = &flight->facts.row;

    return flight->person.directory.version != 0 && row->state == FACT_PRESENT &&
           row->mailbox[0] != '\0' && strcmp(row->mailbox, flight->person.mailbox) != 0;
}

static void read_pair(void *arg, uint64_t token, enum store_state state)
{
    struct report_flight *flight = arg;
    const struct person_allow *allow = flight->facts.allow;

    (void)token;
    (void)state; // what was not read is not known, and ends nothing
    if (is_alias(flight)) {
        flight->person.mailbox = flight->facts.row.mailbox;
        flight->person.directory.version = 0;
        person_mailbox_clear(&flight->facts, false, true);
        ask(flight);
    } else if (!person_allow_is_disabled(&allow[PERSON_OWN]) &&
               (is_let_through(flight, &allow[PERSON_OWN]) ||
                is_let_through(flight, &allow[PERSON_ORG]))) {
        disable(flight);
    }
    done(flight);
}

static void find_directory(struct report_flight *flight)
{
    const char *at = strrchr(flight->item.address, '@');
    const struct policy_domain *domain =
        at != NULL ? policy_domain_of(server_policy(flight->server), at + 1) : NULL;

    if (domain == NULL || domain->recipients != POLICY_RECIPIENTS_DIRECTORY ||
        !store_directory(flight->server->store, domain->name, &flight->person.directory))
        flight->person.directory.version = 0;
}

static void end_pair(struct report_flight *flight)
{
    const int scope = settings_of(flight)->auto_allow.scope;

    if (flight->item.mailbox[0] == '\0' || scope == POLICY_SCOPE_OFF)
        return;
    person_facts_clear(&flight->facts);
    flight->person = (struct store_person){.mailbox = flight->item.mailbox,
                                           .external = flight->item.external,
                                           .org = scope == POLICY_SCOPE_ORG,
                                           .address = flight->item.address,
                                           .now_ms = store_now_ms(flight->server->store),
                                           .facts = &flight->facts};
    find_directory(flight);
    ask(flight);
}

void report_ends(struct report_flight *flight)
{
    flight->waiting = 1; // itself, so that nothing is over before all was begun
    end_spared(flight);
    end_pair(flight);
    done(flight);
}
