// report.c: the verb Report: what an address or a message turned out to be.
//
//      fields -> who it is about -> evidence -> class and weight -> the store -> Ack recorded
//                                                         it is away, or too slow: -> Ack queued (report_desk.c)
//
// Promises: a report that is wrong is refused with the field that is; one that can teach nothing is answered with why; an
// event counts once, however often and to how many nodes it is told.
#include <stdlib.h>
#include <string.h>

#include "node/core/capture.h"
#include "node/verbs/internal.h"
#include "proto/base/clock.h"
#include "proto/host.h"

#define REPORT_PAST_MS   (30ULL * 24 * 3600 * 1000)
#define REPORT_FUTURE_MS (60ULL * 1000)

// Why a report teaches nothing: words of Ack.skipped_why.
static const char SEEN[] = "seen"; // its event was counted before
static const char OFF[] = "off";   // settings.reputation.mode is off
static const char WEIGHTLESS[] =
    "weightless"; // by the settings its evidence or its gateway is worth nothing
static const char NOBODY[] =
    "nobody"; // neither a client from outside nor a sender that may be meant

// One Report under way; lives in its seat.
struct report_work {
    struct report_flight flight;
    struct facts facts; // of whom it comes
    struct mail_address recipient;
    char country[SERVER_COUNTRY_MAX];
    const char *skip; // NULL = it is counted
};

// ---- what it says

static enum err expect_time(const struct msg_report *report, uint64_t now_ms,
                            struct err_detail *detail)
{
    if (report->at_ms == 0 ||
        (report->at_ms + REPORT_PAST_MS >= now_ms && report->at_ms <= now_ms + REPORT_FUTURE_MS))
        return ERR_NONE;
    return err_say(detail, ERR_SYNTAX,
                   "Report.at_ms: %llu is not within 30 days before and a minute after this node's "
                   "time (%llu); Unix ms, or 0 for now",
                   (unsigned long long)report->at_ms, (unsigned long long)now_ms);
}

static enum err expect_names(const struct server *server, const struct seat *seat,
                             struct err_detail *detail)
{
    const struct msg_report *report = &seat->request.report;

    if (seat->request.gateway[0] == '\0')
        return err_say(detail, ERR_SYNTAX,
                       "Request.gateway: empty; a report is weighed by the gateway that makes it");
    if (report->client_ip[0] == '\0' && report->sender[0] == '\0')
        return err_say(detail, ERR_SYNTAX,
                       "Report.client_ip, Report.sender: both are empty; say at least one of them");
    if (!server->config.replay && (report->asn != 0 || report->country[0] != '\0'))
        return err_say(detail, ERR_SYNTAX,
                       "%s: only a node that was started with --replay takes it from a request",
                       report->asn != 0 ? "Report.asn" : "Report.country");
    return ERR_NONE;
}

static bool is_spam(enum msg_evidence evidence)
{
    return evidence != MSG_HAM && evidence != MSG_NOT_SPAM;
}

// Whether it says that what its client and sender earned by honest mail does not count now.
static bool is_ending(enum msg_evidence evidence)
{
    return evidence == MSG_SPAM || evidence == MSG_TRAP || evidence == MSG_COMPLAINT;
}

static int compare_gateway(const void *key, const void *row)
{
    return strcmp(key, ((const struct policy_gateway *)row)->name);
}

double report_gateway_weight(const struct policy *policy, const char *gateway)
{
    const struct policy_settings *settings = &policy->settings;
    const struct policy_gateway *found =
        settings->reputation.gateway_count == 0
            ? NULL
            : bsearch(gateway, settings->reputation.gateway, settings->reputation.gateway_count,
                      sizeof(*found), compare_gateway);

    return found != NULL ? found->weight : 1;
}

static double weight_of(const struct seat *seat)
{
    const struct msg_report *report = &seat->request.report;
    const struct policy *policy = seat_policy(seat);
    const double weight =
        report->weight > 0 ? report->weight : policy->settings.reputation.report[report->evidence];

    return weight * report_gateway_weight(policy, seat->request.gateway);
}

// ---- whom it is about

// A pass for something that is no domain says nothing: without a name it would be the sender's domain that passed.
static void take_spf(struct report_work *work, const struct msg_report *report, char *domain)
{
    struct facts *facts = &work->facts;
    const bool is_given = report->spf_domain[0] != '\0';
    const bool is_read = is_given && mail_domain_normalise(report->spf_domain, domain);

    facts->spf_domain = is_read && report->spf == MSG_AUTH_PASS ? domain : "";
    facts->spf = report->spf == MSG_AUTH_PASS && is_given && !is_read ? MSG_AUTH_NONE : report->spf;
}

// Where its client is. One of our own gateways has only passed on what others sent: of its address nothing is learnt.
static void take_client(const struct server *server, const struct seat *seat,
                        struct report_work *work)
{
    const struct msg_report *report = &seat->request.report;
    struct facts *facts = &work->facts;

    facts->country = work->country;
    if (facts->client.family == 0)
        return;
    if (policy_is_trusted_ip(seat_policy(seat), &facts->client)) {
        facts->client = (struct ip){.family = 0};
        return;
    }
    if (server->out.country != NULL)
        (void)server->out.country(server->out.arg, &facts->client, work->country);
    if (server->out.asn != NULL)
        facts->asn = server->out.asn(server->out.arg, &facts->client);
    if (report->country[0] != '\0')
        facts->country = report->country;
    if (report->asn != 0)
        facts->asn = report->asn;
}

static const char *spared_domain(const struct facts *facts)
{
    const bool is_aligned =
        facts->spf_domain[0] != '\0' && host_aligned(facts->spf_domain, facts->sender.domain);

    return is_aligned ? facts->spf_domain : "";
}

static bool is_address(const struct mail_address *address)
{
    return address->flaw == MAIL_OK && !address->null && address->domain[0] != '\0';
}

// The pair that it names, as Auto Allow knows it. False: the arena is full.
static bool name_pair(struct seat *seat, const struct report_work *work, struct report_item *item)
{
    const struct policy *policy = seat_policy(seat);
    struct policy_party party;

    item->mailbox = "";
    item->address = "";
    item->external = "";
    if (!item->ends || !is_address(&work->facts.sender) || !is_address(&work->recipient))
        return true;
    policy_party_of(policy, &work->recipient, POLICY_AS_RECIPIENT, &party);
    item->mailbox = capture_mailbox(policy, &work->recipient, &party, &seat->arena);
    item->address = mail_recipient_key(&work->recipient, &seat->arena);
    item->external = mail_sender_key(&work->facts.sender, false, &seat->arena);
    return item->mailbox != NULL && item->address != NULL && item->external != NULL;
}

// Of a domain of our own nothing is learnt: who sends as it from outside is not it.
static struct reputation_client client_of(const struct seat *seat, const struct facts *facts)
{
    struct reputation_client client = levels_client(facts);

    if (policy_is_internal(seat_policy(seat), facts->sender.domain))
        client.domain = "";
    return client;
}

static const char *why_not(const struct seat *seat, const struct report_item *item)
{
    struct reputation_facts levels;

    if (seat_policy(seat)->settings.reputation.mode == POLICY_REPUTATION_OFF)
        return OFF;
    if (!(item->weight > 0))
        return WEIGHTLESS;
    reputation_levels(&item->client, &levels);
    return levels.count == 0 ? NOBODY : NULL;
}

static enum err fill_item(const struct server *server, struct seat *seat, struct report_work *work)
{
    const struct msg_report *report = &seat->request.report;
    struct report_item *item = &work->flight.item;
    char *domain = arena_alloc(&seat->arena, MAIL_DOMAIN_MAX + 1);

    if (domain == NULL ||
        mail_parse(report->sender, &seat->arena, &work->facts.sender) != ERR_NONE ||
        mail_parse(report->recipient, &seat->arena, &work->recipient) != ERR_NONE)
        return ERR_MEMORY;
    take_spf(work, report, domain);
    take_client(server, seat, work);
    *item = (struct report_item){
        .event = report->event,
        .gateway = seat->request.gateway,
        .is_spam = is_spam(report->evidence),
        .judges = report->evidence != MSG_UNKNOWN_RECIPIENT,
        .ends = is_ending(report->evidence),
        .weight = weight_of(seat),
        .at_ms = report->at_ms != 0 ? report->at_ms : store_now_ms(server->store),
        .client = client_of(seat, &work->facts),
        .spf_domain = spared_domain(&work->facts),
    };
    work->skip = why_not(seat, item);
    return name_pair(seat, work, item) ? ERR_NONE : ERR_MEMORY;
}

enum err report_prepare(struct server *server, struct seat *seat, struct err_detail *detail)
{
    const struct msg_report *report = &seat->request.report;
    struct report_work *work = arena_zalloc(&seat->arena, sizeof(*work));
    enum err err = work == NULL ? ERR_MEMORY : ERR_NONE;

    if (err == ERR_NONE)
        err = expect_names(server, seat, detail);
    if (err == ERR_NONE)
        err = expect_time(report, store_now_ms(server->store), detail);
    if (err == ERR_NONE && !asker_client(report->client_ip, &work->facts.client, detail))
        err = ERR_SYNTAX;
    if (err == ERR_NONE)
        err = fill_item(server, seat, work);
    seat->work = work;
    return err;
}

// ---- answering

static void answer(struct server *server, struct seat *seat, const char *skip)
{
    struct msg_reply reply = {
        .answer = MSG_ACK,
        .ack = {.recorded = skip == NULL, .skipped_why = &skip, .skipped_count = skip != NULL}};

    server_answer(server, seat, &reply);
}

static void answer_degraded(struct server *server, struct seat *seat,
                            const struct report_flight *flight)
{
    const bool waits = flight->end == REPORT_WAITS;
    struct msg_reply reply = {.answer = MSG_ACK,
                              .degraded = true,
                              .degraded_why = store_state_text(flight->state),
                              .ack = {.recorded = flight->end == REPORT_IN_PART, .queued = waits}};

    server_answer(server, seat, &reply);
}

static void over(struct report_flight *flight, enum report_end end)
{
    struct server *server = flight->server;
    struct seat *seat = seats_find(server->seats, flight->token);

    if (end == REPORT_WAITS) {
        report_keep(server, &flight->item);
        server->stats->reports_queued++;
    }
    if (seat == NULL)
        return;
    if (end == REPORT_RECORDED || end == REPORT_SEEN)
        answer(server, seat, end == REPORT_SEEN ? SEEN : NULL);
    else
        answer_degraded(server, seat, flight);
}

void report_go(struct server *server, struct seat *seat)
{
    struct report_work *work = seat->work;
    const uint64_t now_ms = clock_mono_ms();

    server->stats->reports++;
    if (work->skip != NULL) {
        answer(server, seat, work->skip);
        return;
    }
    work->flight.server = server;
    work->flight.token = seat_token(seat);
    work->flight.within_ms = seat->deadline_ms > now_ms ? seat->deadline_ms - now_ms : 1;
    work->flight.over = over;
    report_fly(&work->flight);
}
