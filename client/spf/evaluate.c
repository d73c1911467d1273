// evaluate.c: check_host(). Promises: bounded by the limits of RFC 7208 section 4.6.4 whatever is
// published; recursion is no deeper than SPF_TERMS_MAX. A question that DNS has not answered yet
// stops the evaluation on its way (MATCH_WAITS, SPF_UNKNOWN), and the caller asks it.
#include "client/spf/evaluate.h"

#include <string.h>
#include <strings.h>

struct evaluation {
    const struct spf_subject *subject;
    const struct spf_facts *facts;
    struct spf_result *result;
    unsigned terms;
    unsigned voids;
};

enum match { MATCH_NO, MATCH_YES, MATCH_WAITS, MATCH_TEMPERROR, MATCH_PERMERROR };

static enum spf_outcome check_host(struct evaluation *evaluation, const char *domain);

// ---- asking DNS

// ask: what DNS said; NULL = not yet, and the result says what to ask.
static const struct spf_fact *ask(struct evaluation *evaluation, const char *name,
                                  enum spf_type type)
{
    static const struct spf_fact nothing = {.state = DNS_VOID};
    const struct spf_fact *fact = NULL;

    if (!spf_name_is_fit(name))
        return &nothing;
    fact = spf_facts_find(evaluation->facts, name, type);
    if (fact == NULL) {
        memcpy(evaluation->result->query.name, name, strlen(name) + 1);
        evaluation->result->query.type = type;
    }
    return fact;
}

static enum spf_type address_type(const struct evaluation *evaluation)
{
    return evaluation->subject->client.family == 4 ? SPF_TYPE_A : SPF_TYPE_AAAA;
}

// term_state: what the answer to a term's own question means for the term: MATCH_YES = look into
// it.
static enum match term_state(struct evaluation *evaluation, const struct spf_fact *fact)
{
    if (fact == NULL)
        return MATCH_WAITS;
    if (fact->state == DNS_FAILED)
        return MATCH_TEMPERROR;
    if (fact->state == DNS_FOUND)
        return MATCH_YES;
    return ++evaluation->voids > SPF_VOIDS_MAX ? MATCH_PERMERROR : MATCH_NO;
}

// has_client: true if one of the fact's addresses is in the client's network of that length.
static bool has_client(const struct evaluation *evaluation, const struct spf_fact *fact,
                       unsigned bits)
{
    const struct ip *client = &evaluation->subject->client;
    const struct ip_net net = ip_net_of(client, bits);
    const size_t size = client->family == 4 ? 4 : 16;

    for (unsigned i = 0; i < fact->count; i++) {
        struct ip ip = {.family = client->family};

        memcpy(ip.bytes, fact->address + i * size, size);
        if (ip_net_contains(&net, &ip))
            return true;
    }
    return false;
}

// ---- names that the client's address has, and that have the client's address (section 5.5)

// is_below: true if name is domain, or below it.
static bool is_below(const char *name, const char *domain)
{
    const size_t len = strlen(name);
    const size_t domain_len = strlen(domain);

    return len >= domain_len && strcasecmp(name + len - domain_len, domain) == 0 &&
           (len == domain_len || name[len - domain_len - 1] == '.');
}

// confirm: whether a name has the client's address. No answer is no.
static enum match confirm(struct evaluation *evaluation, const char *name)
{
    const struct spf_fact *fact = ask(evaluation, name, address_type(evaluation));

    if (fact == NULL)
        return MATCH_WAITS;
    return fact->state == DNS_FOUND && has_client(evaluation, fact, 128) ? MATCH_YES : MATCH_NO;
}

// find_below: the first confirmed name that is domain or below it, or with any, that is at all.
static enum match find_below(struct evaluation *evaluation, const struct spf_fact *names,
                             const char *domain, const char **out)
{
    for (unsigned i = 0; i < names->count && i < SPF_NAMES_MAX; i++) {
        enum match match = MATCH_NO;

        if (domain == NULL || is_below(names->names[i], domain))
            match = confirm(evaluation, names->names[i]);
        if (match != MATCH_NO) {
            *out = names->names[i];
            return match;
        }
    }
    return MATCH_NO;
}

static const struct spf_fact *ask_names(struct evaluation *evaluation)
{
    char name[SPF_NAME_MAX + 1];

    spf_ip_reversed(&evaluation->subject->client, name);
    return ask(evaluation, name, SPF_TYPE_PTR);
}

// find_validated: what %{p} stands for (section 7.3): a name in the domain rather than another one;
// "unknown" if there is none. False if DNS must be asked first.
static bool find_validated(struct evaluation *evaluation, const char *domain, const char **out)
{
    const struct spf_fact *names = ask_names(evaluation);
    enum match match = MATCH_NO;

    *out = "unknown";
    if (names == NULL)
        return false;
    match = find_below(evaluation, names, domain, out);
    if (match == MATCH_NO)
        match = find_below(evaluation, names, NULL, out);
    return match != MATCH_WAITS;
}

// ---- the names that terms are about

// target_of: the name that a term asks about, "" if DNS cannot hold it. False if DNS must be asked
// first (for %{p}).
static bool target_of(struct evaluation *evaluation, const char *domain, struct spf_span spec,
                      char out[SPF_NAME_MAX + 1])
{
    const struct spf_subject *subject = evaluation->subject;
    struct spf_values values = {.client = &subject->client,
                                .local = subject->local,
                                .sender_domain = subject->domain,
                                .domain = domain,
                                .helo = subject->helo,
                                .validated = "unknown"};

    if (spec.len == 0) {
        memcpy(out, domain, strlen(domain) + 1);
        return true;
    }
    if (spf_macros_use(spec, "lsh"))
        evaluation->result->varies = true;
    if (spf_macros_use(spec, "p") && !find_validated(evaluation, domain, &values.validated))
        return false;
    if (!spf_macros_expand(spec, &values, out))
        out[0] = '\0';
    return true;
}

// ---- mechanisms

static enum match match_a(struct evaluation *evaluation, const char *target,
                          const struct spf_term *term)
{
    const unsigned bits = evaluation->subject->client.family == 4 ? term->bits4 : term->bits6;
    const struct spf_fact *fact = ask(evaluation, target, address_type(evaluation));
    enum match match = term_state(evaluation, fact);

    if (match == MATCH_YES && !has_client(evaluation, fact, bits))
        return MATCH_NO;
    return match;
}

// match_mx: the addresses of the MX hosts are no terms: one without any is not counted as void.
static enum match match_mx(struct evaluation *evaluation, const char *target,
                           const struct spf_term *term)
{
    const unsigned bits = evaluation->subject->client.family == 4 ? term->bits4 : term->bits6;
    const struct spf_fact *hosts = ask(evaluation, target, SPF_TYPE_MX);
    enum match match = term_state(evaluation, hosts);

    if (match != MATCH_YES)
        return match;
    if (hosts->count > SPF_NAMES_MAX)
        return MATCH_PERMERROR;
    for (unsigned i = 0; i < hosts->count; i++) {
        const struct spf_fact *fact = ask(evaluation, hosts->names[i], address_type(evaluation));

        if (fact == NULL)
            return MATCH_WAITS;
        if (fact->state == DNS_FAILED)
            return MATCH_TEMPERROR;
        if (fact->state == DNS_FOUND && has_client(evaluation, fact, bits))
            return MATCH_YES;
    }
    return MATCH_NO;
}

// match_ptr: without an answer there is no name, and no error (section 5.5).
static enum match match_ptr(struct evaluation *evaluation, const char *target,
                            const struct spf_term *term)
{
    const struct spf_fact *names = ask_names(evaluation);
    const char *name = NULL;

    (void)term;
    if (names != NULL && names->state == DNS_FAILED)
        return MATCH_NO;
    const enum match match = term_state(evaluation, names);
    return match == MATCH_YES ? find_below(evaluation, names, target, &name) : match;
}

static enum match match_exists(struct evaluation *evaluation, const char *target,
                               const struct spf_term *term)
{
    (void)term;
    return term_state(evaluation, ask(evaluation, target, SPF_TYPE_A)); // A for IPv6 clients too
}

static enum match match_include(struct evaluation *evaluation, const char *target,
                                const struct spf_term *term)
{
    (void)term;
    switch (check_host(evaluation, target)) {
    case SPF_UNKNOWN:
        return MATCH_WAITS;
    case SPF_PASS:
        return MATCH_YES;
    case SPF_FAIL:
    case SPF_SOFTFAIL:
    case SPF_NEUTRAL:
        return MATCH_NO;
    case SPF_TEMPERROR:
        return MATCH_TEMPERROR;
    case SPF_NONE:
    case SPF_PERMERROR:
        break;
    }
    return MATCH_PERMERROR;
}

// match_asking: a term that asks DNS.
static enum match match_asking(struct evaluation *evaluation, const char *domain,
                               const struct spf_term *term)
{
    static enum match (*const asking[])(struct evaluation *, const char *,
                                        const struct spf_term *) = {
        [SPF_INCLUDE] = match_include, [SPF_A] = match_a,           [SPF_MX] = match_mx,
        [SPF_PTR] = match_ptr,         [SPF_EXISTS] = match_exists,
    };
    char target[SPF_NAME_MAX + 1];

    if (++evaluation->terms > SPF_TERMS_MAX)
        return MATCH_PERMERROR;
    if (!target_of(evaluation, domain, term->spec, target))
        return MATCH_WAITS;
    return asking[term->kind](evaluation, target, term);
}

static enum match match_term(struct evaluation *evaluation, const char *domain,
                             const struct spf_term *term)
{
    switch (term->kind) {
    case SPF_ALL:
        return MATCH_YES;
    case SPF_IP4:
    case SPF_IP6:
        return ip_net_contains(&term->net, &evaluation->subject->client) ? MATCH_YES : MATCH_NO;
    case SPF_INCLUDE:
    case SPF_A:
    case SPF_MX:
    case SPF_PTR:
    case SPF_EXISTS:
        return match_asking(evaluation, domain, term);
    case SPF_REDIRECT: // after all mechanisms
    case SPF_EXP:      // what Reeve tells a client it says itself
    case SPF_OTHER:
        break;
    }
    return MATCH_NO;
}

// ---- records

static enum spf_outcome outcome_of(enum match match, const struct spf_term *term)
{
    switch (match) {
    case MATCH_YES:
        return term->qualifier;
    case MATCH_TEMPERROR:
        return SPF_TEMPERROR;
    case MATCH_PERMERROR:
        return SPF_PERMERROR;
    case MATCH_NO: // the caller went on
    case MATCH_WAITS:
        break;
    }
    return SPF_UNKNOWN;
}

// redirect: section 6.1; a target that says nothing is a permerror.
static enum spf_outcome redirect(struct evaluation *evaluation, const char *domain,
                                 struct spf_span spec)
{
    char target[SPF_NAME_MAX + 1];
    enum spf_outcome outcome = SPF_UNKNOWN;

    if (++evaluation->terms > SPF_TERMS_MAX)
        return SPF_PERMERROR;
    if (!target_of(evaluation, domain, spec, target))
        return SPF_UNKNOWN;
    outcome = check_host(evaluation, target);
    return outcome == SPF_NONE ? SPF_PERMERROR : outcome;
}

static enum spf_outcome run_record(struct evaluation *evaluation, const char *domain,
                                   struct spf_span rest)
{
    struct spf_span elsewhere = {0};
    struct spf_term term = {0};

    while (spf_record_next(&rest, &term) == SPF_READ_TERM) {
        enum match match = match_term(evaluation, domain, &term);

        if (match != MATCH_NO)
            return outcome_of(match, &term);
        if (term.kind == SPF_REDIRECT)
            elsewhere = term.spec;
    }
    return elsewhere.len > 0 ? redirect(evaluation, domain, elsewhere) : SPF_NEUTRAL;
}

static enum spf_outcome check_host(struct evaluation *evaluation, const char *domain)
{
    const struct spf_fact *fact = NULL;

    if (!spf_name_is_fit(domain) || strchr(domain, '.') == NULL)
        return SPF_NONE;
    fact = ask(evaluation, domain, SPF_TYPE_TXT);
    if (fact == NULL)
        return SPF_UNKNOWN;
    if (fact->state == DNS_FAILED)
        return SPF_TEMPERROR;
    if (fact->count == 0)
        return SPF_NONE;
    if (fact->count > 1 || !fact->is_valid)
        return SPF_PERMERROR;
    return run_record(evaluation, domain, spf_record_terms(fact->record, fact->record_len));
}

void spf_evaluate(const struct spf_subject *subject, const struct spf_facts *facts,
                  struct spf_result *out)
{
    struct evaluation evaluation = {.subject = subject, .facts = facts, .result = out};

    out->varies = false;
    out->outcome = check_host(&evaluation, subject->domain);
}

// ---- who asks

// is_public: true of an address that a record on the Internet can speak of.
static bool is_public(const struct ip *client)
{
    static const struct ip_net private[] = {
        {{4, {10}}, 8},        {{4, {172, 16}}, 12},    {{4, {192, 168}}, 16},
        {{4, {169, 254}}, 16}, {{6, {0xfe, 0x80}}, 10}, {{6, {0xfc}}, 7},
    };

    if (ip_is_loopback(client))
        return false;
    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++) {
        if (ip_net_contains(&private[i], client))
            return false;
    }
    return true;
}

static void copy_cut(char *out, size_t size, const char *text, size_t len)
{
    len = len < size ? len : size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

bool spf_subject_init(struct spf_subject *subject, const char *client, const char *sender,
                      const char *helo)
{
    const char *at = strrchr(sender, '@');
    const char *domain = sender[0] == '\0' ? helo : at != NULL ? at + 1 : "";

    *subject = (struct spf_subject){.local = "postmaster"};
    if (!ip_parse(client, &subject->client) || !is_public(&subject->client))
        return false;
    if (at != NULL && at > sender)
        copy_cut(subject->local, sizeof(subject->local), sender, (size_t)(at - sender));
    copy_cut(subject->helo, sizeof(subject->helo), helo, strlen(helo));
    if (!mail_domain_normalise(domain, subject->domain) || subject->domain[0] == '[')
        subject->domain[0] = '\0';
    return true;
}
