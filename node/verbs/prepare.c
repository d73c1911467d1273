// prepare.c: what a Check needs before its first state: who the message comes from, who its recipients are to the policy
// set, the steps that need nothing stored, and what is to be read. Promises: everything that a Check ever
// allocates is allocated here, so that nothing fails later.
#include <string.h>

#include "node/core/capture.h"
#include "node/core/plan.h"
#include "node/verbs/internal.h"

enum { TRACE_TEXT_BYTES = 2048, WHY_TEXT_BYTES = 6144 }; // who asks why is told more

// ---- the message

// What the sender is called in personal lists, and in what Auto Allow has learnt.
static bool name_sender(struct seat *seat)
{
    struct facts *facts = &seat->facts;
    const size_t size = person_patterns_size(&facts->sender);
    char *memory = arena_alloc(&seat->arena, size);
    struct text_buf text;

    if (memory == NULL)
        return false;
    text_buf_init(&text, memory, size);
    person_patterns_of(&facts->sender, &text, &facts->patterns);
    facts->external = facts->sender.domain[0] == '\0' ? "" : facts->patterns.of[0].text;
    return true;
}

// Who the sender and the login are to the policy set.
static enum err prepare_parties(struct seat *seat)
{
    struct facts *facts = &seat->facts;
    enum err err = mail_parse(seat->request.check.sender, &seat->arena, &facts->sender);

    if (err != ERR_NONE)
        return err;
    policy_party_of(seat_policy(seat), &facts->sender, POLICY_AS_SENDER, &facts->sender_party);
    if (!name_sender(seat))
        return ERR_MEMORY;
    if (facts->auth_user[0] == '\0')
        return ERR_NONE;
    if (strcmp(facts->auth_user, seat->request.check.sender) == 0) { // as nearly all logins send
        facts->login = facts->sender;
        facts->login_party = facts->sender_party;
        return ERR_NONE;
    }
    err = mail_parse(facts->auth_user, &seat->arena, &facts->login);
    if (err == ERR_NONE)
        policy_party_of(seat_policy(seat), &facts->login, POLICY_AS_SENDER, &facts->login_party);
    return err;
}

// What the world knows of the client's address. A node that replays is told by who asks.
static bool find_place(const struct server *server, struct seat *seat)
{
    const struct msg_check *check = &seat->request.check;
    struct facts *facts = &seat->facts;
    char *country = arena_alloc(&seat->arena, SERVER_COUNTRY_MAX);

    if (country == NULL)
        return false;
    country[0] = '\0';
    if (server->out.country != NULL && facts->client.family != 0)
        (void)server->out.country(server->out.arg, &facts->client, country);
    if (server->out.asn != NULL && facts->client.family != 0)
        facts->asn = server->out.asn(server->out.arg, &facts->client);
    facts->country = check->country[0] != '\0' ? check->country : country;
    if (check->asn != 0)
        facts->asn = check->asn;
    return true;
}

// What only a node that replays takes from who asks.
static enum err expect_own_place(const struct server *server, const struct msg_check *check,
                                 struct err_detail *detail)
{
    if (server->config.replay || (check->asn == 0 && check->country[0] == '\0'))
        return ERR_NONE;
    return err_say(detail, ERR_SYNTAX,
                   "%s: only a node that was started with --replay takes it from a request",
                   check->asn != 0 ? "Check.asn" : "Check.country");
}

// Since when the sender's domain is ours: of interest to those who may not use it.
static void find_declared(const struct server *server, struct seat *seat)
{
    struct facts *facts = &seat->facts;
    const struct policy_domain *domain =
        facts->trusted ? NULL : policy_domain_over(seat_policy(seat), facts->sender.domain);

    facts->declared_ms = domain != NULL ? store_declared(server->store, domain->name) : 0;
}

// Whether its client is banned: of interest where it is not ours.
static void find_ban(const struct server *server, struct seat *seat)
{
    struct facts *facts = &seat->facts;
    const struct ip_net client = harvest_client(&facts->client);

    if (!facts->trusted && facts->client.family != 0)
        facts->ban = store_ban(server->store, &client);
}

// How many recipients the transaction has, as far as that is known: a gateway that asks one by one says how many
// there were.
static void count_recipients(struct seat *seat)
{
    const struct msg_check *check = &seat->request.check;
    struct facts *facts = &seat->facts;
    const uint32_t named = (uint32_t)check->recipient_total;

    facts->recipient_count = check->recipient_count > named ? check->recipient_count : named;
    facts->names_all = check->stage == MSG_END || check->recipient_count == named ||
                       (check->recipient_count == 0 && named > 1);
}

// A pass for something that is no domain says nothing: without a name it would be the sender's domain that passed.
static enum msg_auth spf_of(const struct msg_check *check, const char *domain)
{
    const bool is_unread = check->spf_domain[0] != '\0' && domain[0] == '\0';

    return check->spf == MSG_AUTH_PASS && is_unread ? MSG_AUTH_NONE : check->spf;
}

static enum err prepare_message(struct server *server, struct seat *seat, struct err_detail *detail)
{
    const struct msg_check *check = &seat->request.check;
    struct facts *facts = &seat->facts;

    facts->stage = check->stage;
    facts->client_name = check->client_name;
    facts->helo = check->helo;
    facts->tls = check->tls;
    facts->smtputf8 = check->smtputf8;
    facts->size_bytes = check->size_bytes;
    count_recipients(seat);
    facts->dry_run = check->dry_run;
    facts->asks_nobody = check->dry_run || server->out.probe == NULL;
    server->unique++; // a Check without a transaction is its own
    facts->now_ms = check->at_ms > 0 ? check->at_ms : store_now_ms(server->store);
    facts->clock_ok = store_clock_ok(server->store);
    facts->keys_known = store_ring(server->store)->count > 0;
    facts->auth_user = asker_login(seat, check->auth_user);
    facts->spared = arena_alloc(&seat->arena, sizeof(*facts->spared));
    facts->members = arena_alloc(&seat->arena, sizeof(*facts->members));
    if (facts->auth_user == NULL || facts->spared == NULL || facts->members == NULL)
        return ERR_MEMORY;
    facts->members->count = 0;
    facts->spared->count = 0;
    if (!asker_client(check->client_ip, &facts->client, detail) ||
        expect_own_place(server, check, detail) != ERR_NONE)
        return ERR_SYNTAX;
    if (!client_identify(server->names, facts, &seat->arena, check->client_name,
                         check->spf == MSG_AUTH_PASS ? check->spf_domain : ""))
        return ERR_MEMORY;
    facts->spf = spf_of(check, facts->spf_domain);
    if (!find_place(server, seat))
        return ERR_MEMORY;
    facts->trusted =
        facts->auth_user[0] != '\0' || policy_is_trusted_ip(seat_policy(seat), &facts->client);
    enum err err = prepare_parties(seat);

    if (err == ERR_NONE)
        find_declared(server, seat);
    find_ban(server, seat);
    return err;
}

// ---- its recipients

static enum err prepare_trace(struct seat *seat, struct recipient *recipient)
{
    const size_t size = seat->facts.dry_run ? WHY_TEXT_BYTES : TRACE_TEXT_BYTES;
    char *text = arena_alloc(&seat->arena, size);

    recipient->trace.rows =
        arena_zalloc(&seat->arena, CHAIN_STEPS_MAX * sizeof(*recipient->trace.rows));
    recipient->steps = arena_zalloc(&seat->arena, CHAIN_STEPS_MAX * sizeof(*recipient->steps));
    if (text == NULL || recipient->trace.rows == NULL || recipient->steps == NULL)
        return ERR_MEMORY;
    text_buf_init(&recipient->trace.text, text, size);
    return ERR_NONE;
}

// Whose list and entries count for a recipient: the user's whose alias it is, else its own.
static const char *mailbox_of(struct seat *seat, const struct recipient *recipient)
{
    const struct policy *policy = seat_policy(seat);
    const struct facts_recipient *facts = &recipient->facts;

    if (policy_user_of(policy, &facts->party) == NULL)
        return recipient->pair.recipient_key;
    return capture_mailbox(policy, &facts->address, &facts->party, &seat->arena);
}

// What is read of it first.
static enum err prepare_reads(struct server *server, struct seat *seat, struct recipient *recipient)
{
    const struct chain_in in = seat_chain(seat, recipient);
    const struct facts *facts = &seat->facts;
    const struct plan plan = plan_recipient(&in, &recipient->facts, &recipient->start,
                                            store_ring(server->store), &recipient->pair);

    recipient->reading = plan.passed;
    seat->reads_levels |= plan.reputation;
    seat->asks_lists |= plan.dns_lists;
    recipient->reading_person = plan.list || plan.allow || plan.row || plan.answer;
    if (!recipient->reading_person)
        return ERR_NONE;
    recipient->person = (struct store_person){
        .mailbox = mailbox_of(seat, recipient),
        .patterns = plan.list ? &facts->patterns : NULL,
        .external = plan.allow ? facts->external : NULL,
        .org = seat_policy(seat)->settings.auto_allow.scope == POLICY_SCOPE_ORG,
        .address = recipient->pair.recipient_key,
        .answer = plan.answer,
        .now_ms = facts->now_ms,
        .facts = recipient->facts.person,
    };
    if (plan.row)
        recipient->person.directory = recipient->facts.directory;
    return recipient->person.mailbox != NULL ? ERR_NONE : ERR_MEMORY;
}

static enum err prepare_keys(struct server *server, struct seat *seat, struct recipient *recipient)
{
    const struct policy_settings *settings = &seat_policy(seat)->settings;
    const struct key_ring *ring = store_ring(server->store);

    recipient->pair.sender_key =
        mail_sender_key(&seat->facts.sender, settings->greylist.fold_sender, &seat->arena);
    recipient->pair.recipient_key = mail_recipient_key(&recipient->facts.address, &seat->arena);
    if (recipient->pair.sender_key == NULL || recipient->pair.recipient_key == NULL)
        return ERR_MEMORY;
    recipient->facts.expected_ms = store_expected(server->store, recipient->pair.recipient_key);
    if (ring->count > 0)
        recipient->facts.mark = key_mark(ring, seat->request.check.transaction,
                                         recipient->pair.recipient_key, server->unique);
    return prepare_reads(server, seat, recipient);
}

// Whose recipient it is, and by which version of its directory it is looked for.
static void find_directory(const struct server *server, const struct seat *seat,
                           struct recipient *recipient)
{
    struct facts_recipient *facts = &recipient->facts;

    facts->domain = policy_domain_of(seat_policy(seat), facts->address.domain);
    if (facts->domain != NULL && facts->domain->recipients == POLICY_RECIPIENTS_DIRECTORY)
        facts->directory_unread =
            !store_directory(server->store, facts->domain->name, &facts->directory);
}

static void begin(const struct server *server, struct seat *seat, struct recipient *recipient,
                  size_t index)
{
    const struct msg_check *check = &seat->request.check;
    const struct chain_in in = seat_chain(seat, recipient);

    recipient->facts.place =
        (uint32_t)(seat->facts.recipient_count - check->recipient_total + index + 1);
    if (check->recipient_total > 0) {
        policy_party_of(seat_policy(seat), &recipient->facts.address, POLICY_AS_RECIPIENT,
                        &recipient->facts.party);
        find_directory(server, seat, recipient);
    }
    chain_begin(&in, &recipient->start, &recipient->trace);
}

static enum err prepare_recipient(struct server *server, struct seat *seat, size_t index)
{
    const struct msg_check *check = &seat->request.check;
    struct recipient *recipient = &seat->recipients[index];
    enum err err = ERR_NONE;

    if (check->recipient_total > 0)
        err = mail_parse(check->recipients[index], &seat->arena, &recipient->facts.address);
    recipient->facts.person = arena_alloc(&seat->arena, sizeof(*recipient->facts.person));
    if (recipient->facts.person == NULL)
        return ERR_MEMORY;
    person_facts_clear(recipient->facts.person);
    if (err == ERR_NONE && check->trace)
        err = prepare_trace(seat, recipient);
    if (err == ERR_NONE)
        begin(server, seat, recipient, index);
    if (err == ERR_NONE && check->trace)
        err = probes_prepare(seat, recipient);
    if (err == ERR_NONE && check->recipient_total > 0)
        err = prepare_keys(server, seat, recipient);
    return err;
}

enum err check_prepare(struct server *server, struct seat *seat, struct err_detail *detail)
{
    size_t count = seat->request.check.recipient_total;
    enum err err = prepare_message(server, seat, detail);

    seat->recipient_count = count > 0 ? count : 1; // at CONNECT and MAIL one verdict, of nobody
    seat->recipients =
        arena_zalloc(&seat->arena, seat->recipient_count * sizeof(*seat->recipients));
    seat->verdicts = arena_zalloc(&seat->arena, seat->recipient_count * sizeof(*seat->verdicts));
    seat->reasons = arena_zalloc(&seat->arena, seat->recipient_count * sizeof(*seat->reasons));
    const struct facts_recipient **named =
        arena_zalloc(&seat->arena, seat->recipient_count * sizeof(*named));

    if (err == ERR_NONE && (seat->recipients == NULL || seat->verdicts == NULL ||
                            seat->reasons == NULL || named == NULL))
        err = ERR_MEMORY;
    seat->facts.named = named;
    seat->facts.named_count = count;
    for (size_t i = 0; i < seat->recipient_count && err == ERR_NONE; i++) {
        named[i] = &seat->recipients[i].facts;
        err = prepare_recipient(server, seat, i);
    }
    if (err == ERR_NONE)
        err = levels_prepare(seat);
    return err == ERR_NONE ? lists_prepare(server, seat) : err;
}
