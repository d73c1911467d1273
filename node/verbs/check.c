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

enum { TRACE_TEXT_BYTES = 2048, WHY_TEXT_BYTES = 6144 }; // who asks why is told more

// ---- preparing

static bool read_client(const char *text, struct ip *out, struct err_detail *detail)
{
    if (text[0] == '\0' || ip_parse(text, out))
        return true;
    (void)err_say(detail, ERR_SYNTAX,
                  "client_ip: '%s' is no IPv4 or IPv6 address; send it empty if it is not known",
                  text);
    return false;
}

// auth_user without @ belongs to settings.auth_domain.
static const char *full_user(struct seat *seat)
{
    const char *user = seat->request.check.auth_user;
    const char *domain = seat_policy(seat)->settings.auth_domain;

    if (user[0] == '\0' || strchr(user, '@') != NULL || domain == NULL || domain[0] == '\0')
        return user;
    char *full = arena_alloc(&seat->arena, strlen(user) + strlen(domain) + 2);

    if (full == NULL)
        return NULL;
    struct text_buf text;

    text_buf_init(&text, full, strlen(user) + strlen(domain) + 2);
    text_buf_add(&text, "%s@%s", user, domain);
    return full;
}

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

// What the world knows of the client's address.
static bool find_country(const struct server *server, struct seat *seat)
{
    struct facts *facts = &seat->facts;
    char *country = arena_alloc(&seat->arena, SERVER_COUNTRY_MAX);

    if (country == NULL)
        return false;
    country[0] = '\0';
    if (server->out.country != NULL && facts->client.family != 0)
        (void)server->out.country(server->out.arg, &facts->client, country);
    facts->country = country;
    return true;
}

// Since when the sender's domain is ours: of interest to those who may not use it.
static void find_declared(const struct server *server, struct seat *seat)
{
    struct facts *facts = &seat->facts;
    const struct policy_domain *domain =
        facts->trusted ? NULL : policy_domain_over(seat_policy(seat), facts->sender.domain);

    facts->declared_ms = domain != NULL ? store_declared(server->store, domain->name) : 0;
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
    server->unique++; // a Check without a transaction is its own
    facts->now_ms = check->at_ms > 0 ? check->at_ms : store_now_ms(server->store);
    facts->clock_ok = store_clock_ok(server->store);
    facts->keys_known = store_ring(server->store)->count > 0;
    facts->auth_user = full_user(seat);
    facts->spared = arena_alloc(&seat->arena, sizeof(*facts->spared));
    facts->members = arena_alloc(&seat->arena, sizeof(*facts->members));
    if (facts->auth_user == NULL || facts->spared == NULL || facts->members == NULL)
        return ERR_MEMORY;
    facts->members->count = 0;
    facts->spared->count = 0;
    if (!read_client(check->client_ip, &facts->client, detail))
        return ERR_SYNTAX;
    if (!client_identify(server->names, facts, &seat->arena, check->client_name,
                         check->spf == MSG_AUTH_PASS ? check->spf_domain : ""))
        return ERR_MEMORY;
    facts->spf = spf_of(check, facts->spf_domain);
    if (!find_country(server, seat))
        return ERR_MEMORY;
    facts->trusted =
        facts->auth_user[0] != '\0' || policy_is_trusted_ip(seat_policy(seat), &facts->client);
    enum err err = prepare_parties(seat);

    if (err == ERR_NONE)
        find_declared(server, seat);
    return err;
}

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

static struct chain_in chain_of(const struct seat *seat, const struct recipient *recipient)
{
    return (struct chain_in){&seat->facts, &recipient->facts, seat_policy(seat)};
}

// Whose list and entries count for a recipient: the user's whose alias it is, else its own.
static const char *mailbox_of(struct seat *seat, const struct recipient *recipient)
{
    const struct policy *policy = seat_policy(seat);
    const struct policy_user *user = policy_user_of(policy, &recipient->facts.party);

    if (user == NULL)
        return recipient->pair.recipient_key;
    const struct policy_pattern *pattern = &policy->known[user->mailbox].pattern;
    const size_t size = strlen(pattern->local) + strlen(pattern->domain) + 2;
    char *mailbox = arena_alloc(&seat->arena, size);
    struct text_buf text;

    if (mailbox == NULL)
        return NULL;
    text_buf_init(&text, mailbox, size);
    text_buf_add(&text, "%s@%s", pattern->local, pattern->domain);
    return mailbox;
}

// What is read of it first.
static enum err prepare_reads(struct server *server, struct seat *seat, struct recipient *recipient)
{
    const struct chain_in in = chain_of(seat, recipient);
    const struct facts *facts = &seat->facts;
    const struct plan plan = plan_recipient(&in, &recipient->facts, &recipient->start,
                                            store_ring(server->store), &recipient->pair);

    recipient->reading = plan.passed;
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
    const struct chain_in in = chain_of(seat, recipient);

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
    return err;
}

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
    return CHECK_READ_ALIAS;
}

// The directory may say that a recipient is another mailbox's address: then that one's list and entries count.
static bool is_alias(const struct recipient *recipient)
{
    const struct store_person *asked = &recipient->person;
    const struct person_row *row = &asked->facts->row;

    return row->state == FACT_PRESENT && row->mailbox[0] != '\0' &&
           strcmp(row->mailbox, asked->mailbox) != 0 &&
           (asked->patterns != NULL || asked->external != NULL);
}

static enum check_state check_read_alias(struct server *server, struct seat *seat)
{
    for (size_t i = 0; i < seat->recipient_count; i++) {
        struct recipient *recipient = &seat->recipients[i];
        struct store_person *person = &recipient->person;

        recipient->reading_person = recipient->reading_person && is_alias(recipient);
        if (!recipient->reading_person)
            continue;
        person->mailbox = person->facts->row.mailbox;
        person->directory.version = 0;
        person->answer = false;
        person_mailbox_clear(person->facts, person->patterns != NULL, person->external != NULL);
    }
    read_persons(server, seat);
    return CHECK_JUDGE;
}

static void judge(struct seat *seat, struct recipient *recipient)
{
    const struct chain_in in = chain_of(seat, recipient);

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
    for (size_t i = 0; i < seat->recipient_count; i++)
        judge(seat, &seat->recipients[i]);
    carry(seat, is_adding);
    spread(seat);
    return after_judging(seat);
}

static enum check_state check_probe(struct server *server, struct seat *seat)
{
    (void)server;
    for (size_t i = 0; i < seat->recipient_count; i++)
        if (seat->recipients[i].probing)
            seat->recipients[i].facts.probe = FACTS_REFUSED;
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
    if (!seat->facts.dry_run)
        limits_settle(server, seat);
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
