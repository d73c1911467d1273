// facts.c: DNS answers, read by glibc's parser of messages (arpa/nameser.h). Promises: no byte of
// an answer does harm; what does not fit the memory of the evaluation ends it, nothing else.
#include "client/spf/facts.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

// A message while it is read.
struct reading {
    ns_msg message;
    struct spf_facts *facts;
    struct spf_fact *fact;
    uint8_t *addresses; // room for as many as there are records
    uint32_t ttl_s;
};

void spf_facts_init(struct spf_facts *facts)
{
    arena_init(&facts->arena, facts->memory, sizeof(facts->memory));
    facts->first = NULL;
    facts->count = 0;
    facts->ttl_s = SPF_TTL_MAX_S;
}

const struct spf_fact *spf_facts_find(const struct spf_facts *facts, const char *name,
                                      enum spf_type type)
{
    const struct spf_fact *fact = facts->first;

    while (fact != NULL && (fact->type != type || strcasecmp(fact->name, name) != 0))
        fact = fact->next;
    return fact;
}

// ---- one record

static enum err take_address(struct reading *reading, const ns_rr *rr)
{
    const size_t size = reading->fact->type == SPF_TYPE_A ? 4 : 16;

    if (ns_rr_rdlen(*rr) != size)
        return ERR_SYNTAX;
    memcpy(reading->addresses + size * reading->fact->count++, ns_rr_rdata(*rr), size);
    return ERR_NONE;
}

// take_name: of an MX, whose name stands behind two bytes of preference, or of a PTR.
static enum err take_name(struct reading *reading, const ns_rr *rr)
{
    const size_t skip = reading->fact->type == SPF_TYPE_MX ? 2 : 0;
    char name[NS_MAXDNAME];
    char *copy = NULL;

    if (ns_rr_rdlen(*rr) <= skip ||
        ns_name_uncompress(ns_msg_base(reading->message), ns_msg_end(reading->message),
                           ns_rr_rdata(*rr) + skip, name, sizeof(name)) < 0)
        return ERR_SYNTAX;
    if (reading->fact->count++ >= SPF_NAMES_MAX)
        return ERR_NONE;
    copy = arena_text(&reading->facts->arena, name, strlen(name));
    reading->fact->names[reading->fact->count - 1] = copy;
    return copy != NULL ? ERR_NONE : ERR_MEMORY;
}

// join_strings: the character-strings of a TXT record as one text without anything between them
// (RFC 7208 section 3.3). out has room for rdlen bytes.
static bool join_strings(const ns_rr *rr, char *out, size_t *out_len)
{
    const unsigned char *at = ns_rr_rdata(*rr);
    const unsigned char *end = at + ns_rr_rdlen(*rr);

    *out_len = 0;
    while (at < end) {
        const size_t len = *at++;

        if (len > (size_t)(end - at))
            return false;
        memcpy(out + *out_len, at, len);
        *out_len += len;
        at += len;
    }
    out[*out_len] = '\0';
    return true;
}

static enum err take_text(struct reading *reading, const ns_rr *rr)
{
    struct arena *arena = &reading->facts->arena;
    const struct arena before = *arena;
    char *text = arena_alloc(arena, (size_t)ns_rr_rdlen(*rr) + 1);
    size_t len = 0;

    if (text == NULL)
        return ERR_MEMORY;
    if (!join_strings(rr, text, &len))
        return ERR_SYNTAX;
    if (spf_record_is(text, len) && reading->fact->count++ == 0) {
        reading->fact->record = len <= SPF_RECORD_MAX ? text : NULL;
        reading->fact->record_len = len;
        reading->fact->is_valid = len <= SPF_RECORD_MAX && spf_record_is_valid(text, len);
    }
    if (reading->fact->record != text)
        *arena = before; // nobody needs it
    return ERR_NONE;
}

static enum err take_record(struct reading *reading, const ns_rr *rr)
{
    if (ns_rr_class(*rr) != ns_c_in || (int)ns_rr_type(*rr) != (int)reading->fact->type)
        return ERR_NONE;
    if (ns_rr_ttl(*rr) < reading->ttl_s)
        reading->ttl_s = ns_rr_ttl(*rr);
    switch (reading->fact->type) {
    case SPF_TYPE_A:
    case SPF_TYPE_AAAA:
        return take_address(reading, rr);
    case SPF_TYPE_MX:
    case SPF_TYPE_PTR:
        return take_name(reading, rr);
    case SPF_TYPE_TXT:
        return take_text(reading, rr);
    }
    return ERR_SYNTAX;
}

// ---- one message

static enum err read_answers(struct reading *reading)
{
    const unsigned count = ns_msg_count(reading->message, ns_s_an);
    const enum spf_type type = reading->fact->type;
    enum err err = ERR_NONE;

    if (type == SPF_TYPE_A || type == SPF_TYPE_AAAA) {
        reading->addresses =
            arena_alloc(&reading->facts->arena, count * (type == SPF_TYPE_A ? 4U : 16U));
        if (reading->addresses == NULL)
            return ERR_MEMORY;
        reading->fact->address = reading->addresses;
    }
    for (unsigned i = 0; i < count && err == ERR_NONE; i++) {
        ns_rr rr;

        err = ns_parserr(&reading->message, ns_s_an, (int)i, &rr) == 0 ? take_record(reading, &rr)
                                                                       : ERR_SYNTAX;
    }
    return err;
}

// read_message: fills the fact. Whether anything of that type was there is TXT's own affair: a name
// with other texts has no SPF record, and that is no void lookup.
static enum err read_message(struct spf_facts *facts, struct spf_fact *fact,
                             const unsigned char *bytes, size_t len)
{
    struct reading reading = {.facts = facts, .fact = fact, .ttl_s = SPF_TTL_MAX_S};
    enum err err = ERR_SYNTAX;

    if (len <= INT_MAX && ns_initparse(bytes, (int)len, &reading.message) == 0)
        err = read_answers(&reading);
    if (err != ERR_NONE) {
        fact->count = 0;
        return err;
    }
    fact->state = fact->count > 0 ? DNS_FOUND : DNS_VOID;
    if (reading.ttl_s < facts->ttl_s)
        facts->ttl_s = reading.ttl_s;
    return ERR_NONE;
}

enum err spf_facts_add(struct spf_facts *facts, const char *name, enum spf_type type,
                       enum dns_state state, const unsigned char *bytes, size_t len)
{
    struct spf_fact *fact = arena_zalloc(&facts->arena, sizeof(*fact));

    if (fact == NULL)
        return ERR_MEMORY;
    fact->name = arena_text(&facts->arena, name, strlen(name));
    if (fact->name == NULL)
        return ERR_MEMORY;
    fact->type = type;
    fact->state = state == DNS_FOUND ? DNS_FAILED : state; // until it has been read
    if (state == DNS_FOUND && read_message(facts, fact, bytes, len) == ERR_MEMORY)
        return ERR_MEMORY;
    fact->next = facts->first;
    facts->first = fact;
    facts->count++;
    return ERR_NONE;
}
