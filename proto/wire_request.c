// wire_request.c: Request, read by the node and written by the client. Promises of wire.h hold.
//
//     bytes -> guard -> protobuf-c -> limits and texts -> struct msg_request      (and back,
//     without the guard)
//
// Verbs that this version does not serve are passed on by name alone, so that whoever answers can
// say so.
#include <math.h>
#include <string.h>

#include "proto/reeve.pb-c.h"
#include "proto/text.h"
#include "proto/wire.h"
#include "proto/wire_guard.h"
#include "proto/wire_parts.h"

enum {
    CLIENT_IP_MAX = 64, // longer than any address; whether it is one is judged later
    SPF_DOMAIN_MAX = 255,
    FACTS_TEXT_MAX = 1 << 20,
    COUNTRY_TEXT_MAX = 16, // whether it is a country is judged behind it
};

// ---- Check, in

static enum msg_stage read_stage(struct wire *wire, Reeve__V1__Stage stage)
{
    unsigned number = (unsigned)stage;

    if (wire->err == ERR_NONE && number > MSG_END)
        wire->err = err_say(wire->detail, ERR_SYNTAX, "Check.stage: %d is no stage (0 to %d)",
                            (int)stage, MSG_END);
    return number == MSG_STAGE_UNSPECIFIED ? MSG_RCPT : (enum msg_stage)number;
}

// A repeated field of a message that stands twice is joined, so what the guard allowed for each is
// counted again.
static void limit_count(struct wire *wire, const char *field, size_t count, size_t most)
{
    if (wire->err == ERR_NONE && count > most)
        wire->err =
            err_say(wire->detail, ERR_LIMIT, "%s: %zu given, at most %zu", field, count, most);
}

static void limit_bytes(struct wire *wire, const char *field, size_t bytes, size_t most)
{
    if (wire->err == ERR_NONE && bytes > most)
        wire->err = err_say(wire->detail, ERR_LIMIT, "%s: %zu bytes given, at most %zu", field,
                            bytes, most);
}

static void limit_facts(struct wire *wire, const Reeve__V1__MessageFacts *facts)
{
    limit_count(wire, "MessageFacts.headers", facts->n_headers, MSG_HEADERS_MAX);
    limit_count(wire, "MessageFacts.attachments", facts->n_attachments, MSG_ATTACHMENTS_MAX);
    limit_bytes(wire, "MessageFacts.text", strlen(facts->text), FACTS_TEXT_MAX);
}

static enum msg_auth read_auth(Reeve__V1__AuthOutcome outcome)
{
    unsigned number = (unsigned)outcome;

    return number <= MSG_AUTH_PERMERROR ? (enum msg_auth)number : MSG_AUTH_UNSPECIFIED;
}

// from: NULL = the gateway said nothing of it.
static void read_authentication(struct wire *wire, const Reeve__V1__Authentication *from,
                                enum msg_auth *spf, const char **spf_domain)
{
    static const Reeve__V1__Authentication nothing = {0};
    const Reeve__V1__Authentication *given = from != NULL ? from : &nothing;

    limit_count(wire, "Authentication.dkim", given->n_dkim, MSG_DKIM_MAX);
    *spf = read_auth(given->spf);
    *spf_domain = wire_text_cut(wire, given->spf_domain, SPF_DOMAIN_MAX);
}

// Addresses that a mail client chose.
static char **read_addresses(struct wire *wire, char **from, size_t count)
{
    char **addresses = wire_array(wire, count, sizeof(*addresses));

    for (size_t i = 0; addresses != NULL && i < count; i++)
        addresses[i] = wire_text_cut(wire, from[i], MSG_ADDRESS_MAX);
    return addresses;
}

static bool is_capital(char letter)
{
    return letter >= 'A' && letter <= 'Z';
}

static const char *read_country(struct wire *wire, const char *field, const char *country)
{
    const char *text = wire_text_given(wire, field, country, COUNTRY_TEXT_MAX);
    const bool is_one = is_capital(text[0]) && is_capital(text[1]) && text[2] == '\0';

    if (wire->err == ERR_NONE && text[0] != '\0' && !is_one)
        wire->err = err_say(wire->detail, ERR_SYNTAX,
                            "%s: '%s' is no country: two capital letters (ISO 3166-1), or empty",
                            field, text);
    return text;
}

static void read_check(struct wire *wire, const Reeve__V1__Check *from, struct msg_check *out)
{
    out->stage = read_stage(wire, from->stage);
    out->transaction =
        wire_text_given(wire, "Check.transaction", from->transaction, MSG_TRANSACTION_MAX);
    out->client_ip = wire_text_given(wire, "Check.client_ip", from->client_ip, CLIENT_IP_MAX);
    out->client_name = wire_text_cut(wire, from->client_name, MSG_CLIENT_NAME_MAX);
    out->helo = wire_text_cut(wire, from->helo, MSG_HELO_MAX);
    out->auth_user = wire_text_given(wire, "Check.auth_user", from->auth_user, MSG_AUTH_USER_MAX);
    out->tls = from->tls;
    out->smtputf8 = from->smtputf8;
    out->sender = wire_text_cut(wire, from->sender, MSG_ADDRESS_MAX);
    out->recipients =
        (const char *const *)read_addresses(wire, from->recipients, from->n_recipients);
    out->recipient_total = from->n_recipients;
    out->recipient_count = from->recipient_count;
    out->size_bytes = from->size_bytes;
    read_authentication(wire, from->authentication, &out->spf, &out->spf_domain);
    if (from->message != NULL)
        limit_facts(wire, from->message);
    out->dry_run = from->dry_run;
    out->trace = from->trace;
    out->asn = from->asn;
    out->country = read_country(wire, "Check.country", from->country);
    out->policy = wire_text_given(wire, "Check.policy", from->policy, MSG_POLICY_MAX);
    out->at_ms = from->at_ms;
}

// What is not so must change nothing.
static void expect_dry_run(struct wire *wire, const struct msg_check *check)
{
    bool what_if = check->policy[0] != '\0' || check->at_ms != 0;

    if (wire->err == ERR_NONE && what_if && !check->dry_run)
        wire->err = err_say(wire->detail, ERR_SYNTAX, "%s: a question what would be needs dry_run",
                            check->at_ms != 0 ? "Check.at_ms" : "Check.policy");
}

static void expect_recipients(struct wire *wire, const struct msg_check *check)
{
    bool early = check->stage == MSG_CONNECT || check->stage == MSG_MAIL;

    if (wire->err != ERR_NONE || early == (check->recipient_total == 0))
        return;
    wire->err = err_say(
        wire->detail, ERR_SYNTAX,
        early ? "Check.recipients: %zu given, but there is none at STAGE_CONNECT and STAGE_MAIL"
              : "Check.recipients: %zu given, but STAGE_RCPT and STAGE_END need one at least",
        check->recipient_total);
}

// ---- Sent, in

static const struct msg_header *read_headers(struct wire *wire, Reeve__V1__Header **from,
                                             size_t count)
{
    struct msg_header *headers = wire_array(wire, count, sizeof(*headers));

    for (size_t i = 0; headers != NULL && i < count; i++) {
        headers[i].name = wire_text_cut(wire, from[i]->name, MSG_HEADER_NAME_MAX);
        headers[i].value = wire_text_cut(wire, from[i]->value, MSG_HEADER_VALUE_MAX);
    }
    return headers;
}

static void read_sent(struct wire *wire, const Reeve__V1__Sent *from, struct msg_sent *out)
{
    out->transaction =
        wire_text_given(wire, "Sent.transaction", from->transaction, MSG_TRANSACTION_MAX);
    out->auth_user = wire_text_given(wire, "Sent.auth_user", from->auth_user, MSG_AUTH_USER_MAX);
    out->client_ip = wire_text_given(wire, "Sent.client_ip", from->client_ip, CLIENT_IP_MAX);
    out->sender = wire_text_cut(wire, from->sender, MSG_ADDRESS_MAX);
    limit_count(wire, "Sent.recipients", from->n_recipients, MSG_RECIPIENTS_MAX);
    out->recipients =
        (const char *const *)read_addresses(wire, from->recipients, from->n_recipients);
    out->recipient_total = from->n_recipients;
    limit_count(wire, "Sent.headers", from->n_headers, MSG_HEADERS_MAX);
    out->headers = read_headers(wire, from->headers, from->n_headers);
    out->header_count = from->n_headers;
    out->at_ms = from->at_ms;
}

// ---- Report, in

static enum msg_evidence read_evidence(struct wire *wire, Reeve__V1__Evidence evidence)
{
    unsigned number = (unsigned)evidence;

    if (wire->err == ERR_NONE && (number == MSG_NO_EVIDENCE || number > MSG_UNKNOWN_RECIPIENT))
        wire->err =
            err_say(wire->detail, ERR_SYNTAX, "Report.evidence: %d is no evidence (%d to %d)",
                    (int)evidence, MSG_HAM, MSG_UNKNOWN_RECIPIENT);
    return (enum msg_evidence)number;
}

static double read_weight(struct wire *wire, double weight)
{
    const bool is_one = isfinite(weight) && weight >= 0 && weight <= MSG_WEIGHT_MAX;

    if (wire->err == ERR_NONE && !is_one)
        wire->err = err_say(wire->detail, ERR_SYNTAX,
                            "Report.weight: %g is none: above 0 and at most %g, or 0 for the "
                            "default of the evidence",
                            weight, MSG_WEIGHT_MAX);
    return is_one ? weight : 0;
}

static const char *read_event(struct wire *wire, const char *event)
{
    const char *text = wire_text_given(wire, "Report.event", event, MSG_EVENT_MAX);

    if (wire->err == ERR_NONE && text[0] == '\0')
        wire->err = err_say(wire->detail, ERR_SYNTAX,
                            "Report.event: empty; give each event a name of its own, so that it "
                            "counts once");
    return text;
}

static void read_report(struct wire *wire, const Reeve__V1__Report *from, struct msg_report *out)
{
    out->event = read_event(wire, from->event);
    out->evidence = read_evidence(wire, from->evidence);
    out->client_ip = wire_text_given(wire, "Report.client_ip", from->client_ip, CLIENT_IP_MAX);
    out->sender = wire_text_cut(wire, from->sender, MSG_ADDRESS_MAX);
    out->recipient = wire_text_cut(wire, from->recipient, MSG_ADDRESS_MAX);
    read_authentication(wire, from->authentication, &out->spf, &out->spf_domain);
    out->weight = read_weight(wire, from->weight);
    out->at_ms = from->at_ms;
    out->asn = from->asn;
    out->country = read_country(wire, "Report.country", from->country);
}

static const struct msg_report no_report = {
    .event = "", .client_ip = "", .sender = "", .recipient = "", .spf_domain = "", .country = ""};

// ---- Admin, in

static void read_admin(struct wire *wire, const Reeve__V1__Admin *from, struct msg_admin *out)
{
    out->verb = wire_text_given(wire, "Admin.verb", from->verb, MSG_ADMIN_VERB_MAX);
    for (size_t i = 0; i < from->n_args; i++) {
        (void)wire_text_given(wire, "Admin.args", from->args[i]->key, MSG_ADMIN_ARG_MAX);
        (void)wire_text_given(wire, "Admin.args", from->args[i]->value, MSG_ADMIN_ARG_MAX);
    }
    out->args = wire_read_pairs(wire, from->args, from->n_args);
    out->arg_count = from->n_args;
    limit_bytes(wire, "Admin.document", from->document.len, MSG_ADMIN_DOCUMENT_MAX);
    out->document = from->document.data;
    out->document_bytes = from->document.len;
    out->dry_run = from->dry_run;
    out->as_user = wire_text_given(wire, "Admin.as_user", from->as_user, MSG_AUTH_USER_MAX);
}

// ---- Request, in

// protobuf-c knows no verb but the contract's, whose numbers are ours.
static enum msg_verb read_verb(struct wire *wire, const Reeve__V1__Request *from)
{
    if (wire->err == ERR_NONE && from->verb_case == REEVE__V1__REQUEST__VERB__NOT_SET)
        wire->err = err_say(wire->detail, ERR_SYNTAX, "Request.verb: none that this version knows");
    return (enum msg_verb)from->verb_case;
}

static void read_request(struct wire *wire, const Reeve__V1__Request *from, struct msg_request *out)
{
    static const Reeve__V1__Check no_check = {0};
    static const Reeve__V1__Sent no_sent = {0};
    static const Reeve__V1__Admin no_admin = {0};

    out->id = from->id;
    out->budget_ms = from->budget_ms;
    out->gateway = wire_text_given(wire, "Request.gateway", from->gateway, MSG_GATEWAY_MAX);
    out->at_ms = from->at_ms;
    out->verb = read_verb(wire, from);
    read_check(wire, out->verb == MSG_CHECK ? from->check : &no_check, &out->check);
    if (out->verb == MSG_CHECK) {
        expect_recipients(wire, &out->check);
        expect_dry_run(wire, &out->check);
    }
    read_sent(wire, out->verb == MSG_SENT ? from->sent : &no_sent, &out->sent);
    out->report = no_report;
    if (out->verb == MSG_REPORT)
        read_report(wire, from->report, &out->report);
    read_admin(wire, out->verb == MSG_ADMIN ? from->admin : &no_admin, &out->admin);
}

enum err wire_decode_request(void *bytes, size_t len, struct arena *arena, struct msg_request *out,
                             struct err_detail *detail)
{
    struct wire wire = {.arena = arena, .detail = detail};
    struct msg_request request = {0};
    const Reeve__V1__Request *from =
        wire_unpack(&wire, &reeve__v1__request__descriptor, bytes, len);

    if (from != NULL)
        read_request(&wire, from, &request);
    if (wire.err != ERR_NONE) {
        out->id = wire_guard_id(bytes, len);
        return wire.err;
    }
    *out = request;
    return ERR_NONE;
}

// ---- out

static char **write_addresses(struct wire *wire, const char *const *from, size_t count)
{
    char **addresses = wire_array(wire, count, sizeof(*addresses));

    for (size_t i = 0; addresses != NULL && i < count; i++)
        addresses[i] = wire_text_cut(wire, from[i], MSG_ADDRESS_MAX);
    return addresses;
}

static void write_authentication(struct wire *wire, enum msg_auth spf, const char *spf_domain,
                                 Reeve__V1__Authentication *out)
{
    reeve__v1__authentication__init(out);
    out->spf = (Reeve__V1__AuthOutcome)spf;
    out->spf_domain = wire_text_cut(wire, spf_domain, SPF_DOMAIN_MAX);
}

static void write_check(struct wire *wire, const struct msg_check *from, Reeve__V1__Check *out)
{
    reeve__v1__check__init(out);
    out->stage = (Reeve__V1__Stage)from->stage;
    out->transaction = wire_borrow(from->transaction);
    out->client_ip = wire_borrow(from->client_ip);
    out->client_name = wire_text_cut(wire, from->client_name, MSG_CLIENT_NAME_MAX);
    out->helo = wire_text_cut(wire, from->helo, MSG_HELO_MAX);
    out->auth_user = wire_borrow(from->auth_user);
    out->tls = from->tls;
    out->smtputf8 = from->smtputf8;
    out->sender = wire_text_cut(wire, from->sender, MSG_ADDRESS_MAX);
    out->recipients = write_addresses(wire, from->recipients, from->recipient_total);
    out->n_recipients = from->recipient_total;
    out->recipient_count = from->recipient_count;
    out->size_bytes = from->size_bytes;
    out->dry_run = from->dry_run;
    out->asn = from->asn;
    out->country = wire_borrow(from->country);
    out->trace = from->trace;
    out->policy = wire_borrow(from->policy);
    out->at_ms = from->at_ms;
}

static void write_headers(struct wire *wire, const struct msg_sent *from, Reeve__V1__Sent *out)
{
    const size_t count = from->header_count;
    Reeve__V1__Header *headers = wire_array(wire, count, sizeof(*headers));

    out->headers = wire_array(wire, count, sizeof(*out->headers));
    out->n_headers = count;
    for (size_t i = 0; wire->err == ERR_NONE && i < count; i++) {
        reeve__v1__header__init(&headers[i]);
        headers[i].name = wire_text_cut(wire, from->headers[i].name, MSG_HEADER_NAME_MAX);
        headers[i].value = wire_text_cut(wire, from->headers[i].value, MSG_HEADER_VALUE_MAX);
        out->headers[i] = &headers[i];
    }
}

static void write_sent(struct wire *wire, const struct msg_sent *from, Reeve__V1__Sent *out)
{
    reeve__v1__sent__init(out);
    out->transaction = wire_borrow(from->transaction);
    out->auth_user = wire_borrow(from->auth_user);
    out->client_ip = wire_borrow(from->client_ip);
    out->sender = wire_text_cut(wire, from->sender, MSG_ADDRESS_MAX);
    out->recipients = write_addresses(wire, from->recipients, from->recipient_total);
    out->n_recipients = from->recipient_total;
    write_headers(wire, from, out);
    out->at_ms = from->at_ms;
}

static void write_report(struct wire *wire, const struct msg_report *from, Reeve__V1__Report *out)
{
    reeve__v1__report__init(out);
    out->event = wire_borrow(from->event);
    out->evidence = (Reeve__V1__Evidence)from->evidence;
    out->client_ip = wire_borrow(from->client_ip);
    out->sender = wire_text_cut(wire, from->sender, MSG_ADDRESS_MAX);
    out->recipient = wire_text_cut(wire, from->recipient, MSG_ADDRESS_MAX);
    out->weight = from->weight;
    out->at_ms = from->at_ms;
    out->asn = from->asn;
    out->country = wire_borrow(from->country);
}

static void write_admin(struct wire *wire, const struct msg_admin *from, Reeve__V1__Admin *out)
{
    reeve__v1__admin__init(out);
    out->verb = wire_borrow(from->verb);
    out->args = wire_write_pairs(wire, &reeve__v1__admin__args_entry__descriptor, from->args,
                                 from->arg_count);
    out->n_args = from->arg_count;
    out->document.data = wire_borrow_bytes(from->document);
    out->document.len = from->document_bytes;
    out->dry_run = from->dry_run;
    out->as_user = wire_borrow(from->as_user);
}

// Room for whichever verb is written.
struct verbs {
    Reeve__V1__Check check;
    Reeve__V1__Authentication authentication;
    Reeve__V1__Report report;
    Reeve__V1__Sent sent;
    Reeve__V1__Access access;
    Reeve__V1__Admin admin;
    Reeve__V1__Ping ping;
    Reeve__V1__Held held;
};

static void write_verb(struct wire *wire, const struct msg_request *from, struct verbs *verbs,
                       Reeve__V1__Request *out)
{
    out->verb_case = (Reeve__V1__Request__VerbCase)from->verb;
    switch (from->verb) {
    case MSG_CHECK:
        write_check(wire, &from->check, &verbs->check);
        write_authentication(wire, from->check.spf, from->check.spf_domain, &verbs->authentication);
        verbs->check.authentication = &verbs->authentication;
        out->check = &verbs->check;
        return;
    case MSG_ADMIN:
        write_admin(wire, &from->admin, &verbs->admin);
        out->admin = &verbs->admin;
        return;
    case MSG_REPORT:
        write_report(wire, &from->report, &verbs->report);
        write_authentication(wire, from->report.spf, from->report.spf_domain,
                             &verbs->authentication);
        verbs->report.authentication = &verbs->authentication;
        out->report = &verbs->report;
        return;
    case MSG_SENT:
        write_sent(wire, &from->sent, &verbs->sent);
        out->sent = &verbs->sent;
        return;
    case MSG_ACCESS:
        reeve__v1__access__init(&verbs->access);
        out->access = &verbs->access;
        return;
    case MSG_PING:
        reeve__v1__ping__init(&verbs->ping);
        out->ping = &verbs->ping;
        return;
    case MSG_HELD:
        reeve__v1__held__init(&verbs->held);
        out->held = &verbs->held;
        return;
    case MSG_NONE:
        return;
    }
}

enum err wire_encode_request(const struct msg_request *request, struct arena *scratch, void *bytes,
                             size_t size, size_t *len)
{
    struct wire wire = {.arena = scratch};
    Reeve__V1__Request out;
    struct verbs verbs;

    reeve__v1__request__init(&out);
    out.id = request->id;
    out.budget_ms = request->budget_ms;
    out.gateway = wire_borrow(request->gateway);
    out.at_ms = request->at_ms;
    write_verb(&wire, request, &verbs, &out);
    return wire_pack(&wire, &out.base, bytes, size, len);
}
