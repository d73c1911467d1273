// seed.c: grey.seed: senders that passed at another greylist, or stand in a mail log as delivered,
// become known here, each as of the moment when it was last seen.
//
//     a slice of 64 rows:  name them -> read what is known -> write the rest, if absent -> the next
//
// Promises: lookups never wait for it: it uses the operator's connection, one slice is under way a
// document, and between two slices the loop turns. Nothing known becomes older or is forgotten, so
// the same document twice changes nothing. A store that fails on the way ends it, and the answer
// says how far it came. A dry run reads and counts, and writes nothing.
#include <stdio.h>
#include <string.h>

#include "node/core/plan.h"
#include "node/verbs/document.h"

// A stamp of a mail server whose clock is so much ahead of the store's is now.
static const uint64_t SKEW_MS = 60000;

#define OUTCOMES(X)                     \
    X(TAKEN, "taken")                   \
    X(KNOWN, "known")                   \
    X(TOO_OLD, "too_old")               \
    X(FUTURE, "future")                 \
    X(BAD_ADDRESS, "bad_address")       \
    X(NO_CLIENT, "no_client")           \
    X(NOT_GREYLISTED, "not_greylisted") \
    X(MALFORMED, "malformed")
enum seed_outcome {
#define OUTCOME_ENUM(name, word) SEED_##name,
    OUTCOMES(OUTCOME_ENUM)
#undef OUTCOME_ENUM
        SEED_OUTCOMES
};
static const char *const WORDS[] = {
#define OUTCOME_WORD(name, word) [SEED_##name] = (word),
    OUTCOMES(OUTCOME_WORD)
#undef OUTCOME_WORD
};

// One row that is looked up.
struct seed_seat {
    struct facts_recipient recipient;
    struct store_triplet triplet;
    struct store_seed seed;
    size_t line;
    bool is_known;
    bool replaces; // an entry that holds no longer
};

struct seed_work {
    struct document doc;
    struct seed_seat seat[DOCUMENT_SLICE];
};

// ---- naming

static const struct policy *policy_of(const struct seed_work *work)
{
    return seat_policy(work->doc.call->seat);
}

// read_client: an address, or the network that is all that somebody kept of it; that must not be
// wider than the one which a retry must share here.
static const char *read_client(const struct seed_work *work, const char *text, struct ip *out)
{
    const struct policy_settings *settings = &policy_of(work)->settings;
    struct ip_net net;
    uint64_t wanted;

    if (text[0] == '\0')
        return "the client's address is not known";
    if (ip_net_parse(text, &net, NULL) != ERR_NONE)
        return "the client is no address and no network";
    wanted = net.ip.family == 4 ? settings->greylist.net_ipv4 : settings->greylist.net_ipv6;
    if (net.bits < wanted)
        return "of the client only a wider network is known than settings.greylist asks for";
    *out = net.ip;
    return NULL;
}

static bool read_address(struct seed_work *work, const char *what, const char *text,
                         struct mail_address *out)
{
    char why[DOCUMENT_WHY_MAX];

    if (mail_parse(strcmp(text, "<>") == 0 ? "" : text, &work->doc.arena, out) != ERR_NONE)
        (void)snprintf(why, sizeof(why), "%s: too long", what);
    else if (out->flaw != MAIL_OK)
        (void)snprintf(why, sizeof(why), "%s: %s", what, mail_flaw_text(out->flaw));
    else
        return true;
    document_note(&work->doc, SEED_BAD_ADDRESS, work->doc.rows.line, why);
    return false;
}

// judge_time: when it was last seen, or 0 and the row is noted.
static uint64_t judge_time(struct seed_work *work, uint64_t at_ms)
{
    if (at_ms > work->doc.now_ms + SKEW_MS) {
        document_note(&work->doc, SEED_FUTURE, work->doc.rows.line,
                      "last seen in the future of the store's clock");
        return 0;
    }
    if (at_ms > work->doc.now_ms)
        return work->doc.now_ms;
    if (work->doc.now_ms - at_ms > policy_of(work)->settings.greylist.life_ms) {
        document_note(&work->doc, SEED_TOO_OLD, work->doc.rows.line,
                      "last seen longer ago than settings.greylist.life");
        return 0;
    }
    return at_ms;
}

// Would such mail meet greylisting? As it stands in the policy set now.
static bool is_greylisted(struct facts *facts, struct facts_recipient *recipient,
                          const struct policy *policy, const struct key_ring *ring,
                          const struct key_pair *pair)
{
    const struct chain_in in = {facts, recipient, policy};
    struct chain_start start;

    policy_party_of(policy, &facts->sender, POLICY_AS_SENDER, &facts->sender_party);
    policy_party_of(policy, &recipient->address, POLICY_AS_RECIPIENT, &recipient->party);
    chain_begin(&in, &start, NULL);
    return plan_recipient(&in, recipient, &start, ring, pair).passed;
}

static bool name_triplet(struct seed_work *work, struct facts *facts, struct seed_seat *seat)
{
    const struct policy *policy = policy_of(work);
    const struct key_pair pair = {
        mail_sender_key(&facts->sender, policy->settings.greylist.fold_sender, &work->doc.arena),
        mail_recipient_key(&seat->recipient.address, &work->doc.arena)};

    if (pair.sender_key == NULL || pair.recipient_key == NULL) {
        document_note(&work->doc, SEED_MALFORMED, work->doc.rows.line,
                      "there is no memory left for this line");
        return false;
    }
    if (is_greylisted(facts, &seat->recipient, policy, store_ring(work->doc.call->server->store),
                      &pair))
        return true;
    document_note(&work->doc, SEED_NOT_GREYLISTED, work->doc.rows.line,
                  facts->trusted ? "the client is in trusted_sources"
                                 : "the policy does not greylist such mail (domains, exceptions)");
    return false;
}

// take_row: into the next seat; or it is noted why not.
static void take_row(struct seed_work *work, const struct seed_row *row)
{
    struct seed_seat *seat = &work->seat[work->doc.count];
    struct facts facts = {.stage = MSG_RCPT,
                          .name = "",
                          .spf_domain = "",
                          .auth_user = "",
                          .client_name = "",
                          .helo = "",
                          .country = "",
                          .external = "",
                          .smtputf8 = true,
                          .now_ms = work->doc.now_ms,
                          .clock_ok = true,
                          .keys_known = true};
    const char *why = read_client(work, row->client, &facts.client);

    *seat = (struct seed_seat){.line = work->doc.rows.line};
    if (why != NULL) {
        document_note(&work->doc, SEED_NO_CLIENT, seat->line, why);
        return;
    }
    if (!read_address(work, "sender", row->sender, &facts.sender) ||
        !read_address(work, "recipient", row->recipient, &seat->recipient.address))
        return;
    if (seat->recipient.address.null) {
        document_note(&work->doc, SEED_BAD_ADDRESS, seat->line, "recipient: there is none");
        return;
    }
    if (!client_identify(work->doc.call->server->names, &facts, &work->doc.arena, row->name, "")) {
        document_note(&work->doc, SEED_MALFORMED, seat->line,
                      "there is no memory left for this line");
        return;
    }
    facts.asn = client_asn(work->doc.call->server, &facts.client);
    facts.trusted = policy_is_trusted_ip(policy_of(work), &facts.client);
    seat->seed.at_ms = judge_time(work, row->at_ms);
    if (seat->seed.at_ms != 0 && name_triplet(work, &facts, seat))
        work->doc.count++;
}

// ---- what is known

static bool holds(const struct seed_work *work, const struct fact_stamp *stamp)
{
    return stamp->state == FACT_PRESENT &&
           (stamp->at_ms >= work->doc.now_ms ||
            work->doc.now_ms - stamp->at_ms <= policy_of(work)->settings.greylist.life_ms);
}

static bool is_known(const struct seed_work *work, const struct grey_facts *facts, unsigned i)
{
    return holds(work, &facts->passed[KEY_CURRENT][i]) ||
           holds(work, &facts->passed[KEY_PREVIOUS][i]);
}

// plan_writes: each identity that is not known; a row that every client passes with needs none.
static void plan_writes(const struct seed_work *work, struct seed_seat *seat)
{
    const struct key_triplet *key = &seat->recipient.triplet;
    const struct grey_facts *facts = &seat->recipient.grey;
    struct store_seed *seed = &seat->seed;

    seed->key = key;
    seed->age = seed->at_ms / KEY_PASSED_SLICE_MS == key->passed[KEY_CURRENT].slice ? KEY_CURRENT
                                                                                    : KEY_PREVIOUS;
    seat->is_known = true;
    for (unsigned i = 0; i < key->identity_count; i++) {
        if (key->identity[i].kind == KEY_ANY && is_known(work, facts, i))
            return;
        if (key->identity[i].kind == KEY_ANY || is_known(work, facts, i))
            continue;
        seed->write[i] =
            facts->passed[seed->age][i].state == FACT_PRESENT ? STORE_SEED_REPLACE : STORE_SEED_ADD;
        seat->replaces |= seed->write[i] == STORE_SEED_REPLACE;
        seat->is_known = false;
    }
}

// ---- the slices

static void next_slice(struct seed_work *work);

static void answer(struct seed_work *work)
{
    for (int i = 0; i < SEED_OUTCOMES; i++)
        document_tell(&work->doc, i, WORDS[i]);
    admin_answer(work->doc.call);
}

static void refuse_store(struct seed_work *work, enum store_state state)
{
    document_refuse_store(&work->doc, state, work->doc.outcome[SEED_TAKEN].total);
}

// count_slice: what a dry run would take, or a real one has. A row that somebody was faster to write,
// or the same document a line before, was known.
static void count_slice(struct seed_work *work)
{
    bool is_dry = work->doc.call->seat->request.admin.dry_run;

    for (size_t i = 0; i < work->doc.count; i++) {
        const struct seed_seat *seat = &work->seat[i];
        bool is_new = !seat->is_known && (is_dry || seat->replaces || seat->seed.written > 0);

        document_note(&work->doc, is_new ? SEED_TAKEN : SEED_KNOWN, seat->line, "");
    }
}

static void written(void *arg, uint64_t token, enum store_state state)
{
    struct seed_work *work = arg;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    count_slice(work);
    next_slice(work);
}

static void known(void *arg, uint64_t token, enum store_state state)
{
    struct seed_work *work = arg;
    struct store_seed *list = NULL;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    for (size_t i = work->doc.count; i-- > 0;) {
        struct seed_seat *seat = &work->seat[i];

        plan_writes(work, seat);
        seat->seed.next = list;
        list = &seat->seed;
    }
    if (work->doc.call->seat->request.admin.dry_run)
        written(work, 0, STORE_UP);
    else
        store_seed_passed(work->doc.call->server->store, list,
                          (struct store_done){.fn = written, .arg = work});
}

static enum seed_read take_next(struct document *document, const char **why)
{
    struct seed_row row;
    const enum seed_read read = seed_row_next(&document->rows, &document->arena, &row, why);

    if (read == SEED_ROW)
        take_row((struct seed_work *)document, &row);
    return read;
}

static void next_slice(struct seed_work *work)
{
    struct store_triplet *list = NULL;

    if (!document_fill(&work->doc, take_next, SEED_MALFORMED)) {
        answer(work);
        return;
    }
    for (size_t i = work->doc.count; i-- > 0;) {
        struct seed_seat *seat = &work->seat[i];

        seat->triplet = (struct store_triplet){
            .next = list, .key = &seat->recipient.triplet, .facts = &seat->recipient.grey};
        list = &seat->triplet;
    }
    store_read_passed(work->doc.call->server->store, STORE_ADMIN, list,
                      (struct store_done){.fn = known, .arg = work});
}

// ---- the verb

void grey_seed(struct admin_call *call)
{
    const struct store *store = call->server->store;
    struct seed_work *work = document_open(call, sizeof(*work));

    if (work == NULL)
        return;
    if (store_ring(store)->count == 0)
        refuse_store(work, store_state(store) != STORE_UP ? store_state(store) : STORE_DOWN);
    else if (!store_clock_ok(store))
        document_refuse_clock(&work->doc);
    else
        next_slice(work);
}
