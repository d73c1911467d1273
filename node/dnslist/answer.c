// answer.c: see answer.h. Messages are read by glibc's parser (arpa/nameser.h). Promises: no byte of an answer does harm; a broken
// message is no answer, and never a hit.
#include "node/dnslist/answer.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <string.h>

enum { SOA_NUMBERS = 20 }; // bytes behind its two names: serial, refresh, retry, expire, minimum

static uint32_t number_at(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

bool dnslist_is_error(uint32_t code)
{
    return code >> 24 != 127 || code == 0x7f000001 || code >> 8 == 0x7fffff;
}

// ---- listed

static void take_code(struct dnslist_answer *answer, uint32_t code)
{
    if (answer->said == DNSLIST_UNSOUND)
        return;
    answer->said = DNSLIST_LISTED;
    if (dnslist_is_error(code)) {
        answer->said = DNSLIST_UNSOUND;
        answer->count = 0;
    }
    if (answer->count < DNSLIST_CODES_MAX)
        answer->code[answer->count++] = code;
}

// Whoever the records belong to: the resolver has followed aliases.
static bool read_codes(ns_msg *message, struct dnslist_answer *answer)
{
    const unsigned count = ns_msg_count(*message, ns_s_an);
    ns_rr rr;

    answer->life_s = UINT32_MAX;
    for (unsigned i = 0; i < count; i++) {
        if (ns_parserr(message, ns_s_an, (int)i, &rr) != 0)
            return false;
        if (ns_rr_class(rr) != ns_c_in)
            continue;
        if (ns_rr_ttl(rr) < answer->life_s)
            answer->life_s = ns_rr_ttl(rr);
        if (ns_rr_type(rr) != ns_t_a)
            continue;
        if (ns_rr_rdlen(rr) != 4)
            return false;
        take_code(answer, number_at(ns_rr_rdata(rr)));
    }
    return true;
}

// ---- not listed

// soa_minimum: false if the record's data is none.
static bool soa_minimum(const ns_msg *message, const ns_rr *rr, uint32_t *out)
{
    const unsigned char *at = ns_rr_rdata(*rr);
    const unsigned char *const end = at + ns_rr_rdlen(*rr);

    for (unsigned name = 0; name < 2; name++)
        if (at >= ns_msg_end(*message) || ns_name_skip(&at, end) != 0)
            return false;
    if (end - at != SOA_NUMBERS)
        return false;
    *out = number_at(end - 4);
    return true;
}

// The lesser of the SOA's own TTL and its last number.
static uint32_t life_of_nothing(ns_msg *message)
{
    const unsigned count = ns_msg_count(*message, ns_s_ns);
    uint32_t minimum_s = 0;
    ns_rr rr;

    for (unsigned i = 0; i < count; i++) {
        if (ns_parserr(message, ns_s_ns, (int)i, &rr) != 0)
            return 0;
        if (ns_rr_class(rr) == ns_c_in && ns_rr_type(rr) == ns_t_soa &&
            soa_minimum(message, &rr, &minimum_s))
            return minimum_s < ns_rr_ttl(rr) ? minimum_s : ns_rr_ttl(rr);
    }
    return 0;
}

void dnslist_answer_read(const struct dns_reply *reply, struct dnslist_answer *out)
{
    const struct dnslist_answer failed = {.said = DNSLIST_FAILED};
    const struct dnslist_answer clear = {.said = DNSLIST_CLEAR};
    struct dnslist_answer answer = clear;
    ns_msg message;

    *out = reply->state == DNS_VOID ? clear : failed;
    if (reply->state == DNS_FAILED || reply->bytes == NULL || reply->len > INT_MAX ||
        ns_initparse(reply->bytes, (int)reply->len, &message) != 0)
        return;
    if (reply->state == DNS_FOUND && !read_codes(&message, &answer))
        return;
    if (answer.said == DNSLIST_CLEAR) // an alias that leads nowhere is none, either
        answer.life_s = life_of_nothing(&message);
    *out = answer;
}

// ---- a hit?

static bool counts(const struct policy_dns_list *list, uint32_t code)
{
    for (size_t i = 0; i < list->code_count; i++)
        if (code >= list->code[i].low && code <= list->code[i].high)
            return true;
    return list->code_count == 0;
}

struct facts_list dnslist_judge(const struct policy_dns_list *list,
                                const struct dnslist_answer *answer)
{
    if (answer->said == DNSLIST_FAILED || answer->said == DNSLIST_UNSOUND)
        return (struct facts_list){.said = FACTS_LIST_SILENT};
    for (unsigned i = 0; i < answer->count; i++)
        if (counts(list, answer->code[i]))
            return (struct facts_list){.said = FACTS_LIST_HIT, .code = answer->code[i]};
    return (struct facts_list){.said = FACTS_LIST_CLEAR};
}
