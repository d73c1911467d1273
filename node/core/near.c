// near.c: near misses. The patterns that sender and recipient fit, and those that they fail to fit by a tag or by a level of
// their domain, name buckets of policies as they do for policies that apply (match.c); of what stands there each
// policy is held against everything that it asks for.
//
// Promises: PATTERNS_MAX patterns of a side, LOOKED_MAX policies and NEAR_MAX answers, whatever the set holds.
#include "node/core/near.h"

#include <string.h>

#include "node/core/apply.h"
#include "node/core/policy_hash.h"

enum {
    PATTERNS_MAX = 64,
    LOOKED_MAX = 4096,
    NEAR_MAX = 2,
    MISSES_MAX = 2, // who misses by more is not near
    SAID_MAX = 100, // bytes of a pattern
};
#define DAY_MS (24ULL * 3600 * 1000)

// What a policy may miss by.
enum {
    MISS_FROM = 1 << 0,
    MISS_TO = 1 << 1,
    MISS_TAG = 1 << 2,
    MISS_DISABLED = 1 << 3,
    MISS_NOT_YET = 1 << 4,
    MISS_NO_MORE = 1 << 5,
    MISS_SOURCE = 1 << 6,
    MISS_HEADER = 1 << 7,
    MISS_SPF = 1 << 8,
    MISS_RANK = 1 << 9, // another one is more specific
    MISS_BITS = 10,
};

// A pattern that one side fits, or nearly.
struct side {
    uint32_t pattern;
    uint8_t rank;
    bool is_base;
    bool is_near; // it does not fit
};

struct sides {
    struct side side[PATTERNS_MAX];
    unsigned count;
};

struct near {
    const struct policy_rule *rule;
    unsigned misses; // bits
    unsigned count;
    unsigned rank;     // of from and to
    int closeness;     // of the client to its networks, in bits
    uint32_t from, to; // patterns by which it was found
};

struct search {
    const struct chain_in *in;
    const struct near_question *question;
    unsigned looked;
    struct near near[NEAR_MAX]; // nearest first
    unsigned near_count;
};

// ---- the two sides

static void add(struct sides *out, const struct policy *policy, uint32_t pattern, bool is_base,
                bool is_near)
{
    if (pattern == POLICY_NOBODY || out->count == PATTERNS_MAX)
        return;
    out->side[out->count++] =
        (struct side){pattern, policy_rank(&policy->known[pattern].pattern), is_base, is_near};
}

static void add_groups(struct sides *out, const struct policy *policy,
                       const struct policy_party *party, const struct policy_key *key)
{
    const struct policy_known *known = &policy->known[key->pattern];

    for (uint32_t i = 0; i < known->group_count; i++) {
        const struct policy_membership *in = &policy->membership[known->first_group + i];

        if (!in->as_recipient || party->role == POLICY_AS_RECIPIENT)
            add(out, policy, in->pattern, key->is_base, false);
    }
}

static uint32_t find(const struct policy *policy, enum policy_pattern_kind kind, const char *domain)
{
    return policy_find(policy,
                       &(struct policy_pattern){.kind = kind, .local = "", .domain = domain});
}

// The domain that an address lies below, where below is not meant; and .domain, where the domain itself is not.
static void add_neighbours(struct sides *out, const struct policy *policy, const char *domain)
{
    if (domain[0] == '\0')
        return;
    add(out, policy, find(policy, POLICY_BELOW, domain), false, true);
    while ((domain = strchr(domain, '.')) != NULL)
        add(out, policy, find(policy, POLICY_DOMAIN, ++domain), false, true);
}

static void add_side(struct sides *out, const struct policy *policy,
                     const struct policy_party *party, const struct mail_address *address)
{
    out->count = 0;
    for (unsigned i = 0; i < party->count; i++)
        add(out, policy, party->key[i].pattern, party->key[i].is_base, false);
    add_neighbours(out, policy, address->domain);
    for (unsigned i = 0; i < party->count; i++)
        add_groups(out, policy, party, &party->key[i]);
}

// ---- one policy

static unsigned misses_in_time(const struct policy_rule *rule, uint64_t now_ms)
{
    unsigned misses = rule->enabled ? 0 : MISS_DISABLED;

    if (now_ms < rule->valid_from_ms)
        misses |= MISS_NOT_YET;
    if (rule->valid_until_ms != 0 && now_ms >= rule->valid_until_ms)
        misses |= MISS_NO_MORE;
    return misses;
}

static bool misses_source(const struct policy_rule *rule, const struct ip *client)
{
    return rule->source_count > 0 &&
           policy_source_fits(rule->source, rule->source_count, client) < 0;
}

static bool misses_spf(const struct policy_rule *rule, const struct facts *facts)
{
    return rule->option == POLICY_SPF_BYPASS && facts->spf != MSG_AUTH_PASS;
}

static unsigned misses_of(const struct search *search, const struct policy_rule *rule,
                          const struct side *from, const struct side *to)
{
    const struct facts *facts = search->in->facts;
    unsigned misses = misses_in_time(rule, facts->now_ms);

    if (from->is_near)
        misses |= MISS_FROM;
    if (to->is_near)
        misses |= MISS_TO;
    if ((from->is_base || to->is_base) && !policy_takes_base(rule))
        misses |= MISS_TAG;
    if (misses_source(rule, &facts->client))
        misses |= MISS_SOURCE;
    if ((rule->part & POLICY_ENVELOPE) == 0)
        misses |= MISS_HEADER;
    if (misses_spf(rule, facts))
        misses |= MISS_SPF;
    // It would apply: then another one goes before it.
    return misses == 0 && search->question->applied != NULL ? MISS_RANK : misses;
}

static unsigned count_bits(unsigned bits)
{
    unsigned count = 0;

    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

// How many leading bits of the client its closest network shares.
static int closeness_of(const struct policy_rule *rule, const struct ip *client)
{
    int closest = -1;

    for (size_t i = 0; i < rule->source_count; i++) {
        const struct ip_net *net = &rule->source[i];
        int shared = 0;

        if (net->ip.family != client->family)
            continue;
        while (shared < net->bits &&
               ((net->ip.bytes[shared / 8] ^ client->bytes[shared / 8]) >> (7 - shared % 8) & 1) ==
                   0)
            shared++;
        if (shared > closest)
            closest = shared;
    }
    return closest;
}

// ---- the nearest

static bool is_nearer(const struct near *a, const struct near *b)
{
    if (a->count != b->count)
        return a->count < b->count;
    if (a->rank != b->rank)
        return a->rank > b->rank;
    if (a->closeness != b->closeness)
        return a->closeness > b->closeness;
    return strcmp(a->rule->id, b->rule->id) < 0;
}

static void keep(struct search *search, const struct near *near)
{
    unsigned at = search->near_count;

    for (unsigned i = 0; i < search->near_count; i++)
        if (search->near[i].rule == near->rule) // it stands in several places
            return;
    while (at > 0 && is_nearer(near, &search->near[at - 1]))
        at--;
    if (at == NEAR_MAX)
        return;
    if (search->near_count < NEAR_MAX)
        search->near_count++;
    for (unsigned i = search->near_count - 1; i > at; i--)
        search->near[i] = search->near[i - 1];
    search->near[at] = *near;
}

static void look_at(struct search *search, const struct policy_rule *rule, const struct side *from,
                    const struct side *to)
{
    struct near near = {.rule = rule, .from = from->pattern, .to = to->pattern};

    if (rule == search->question->applied || rule->mode == POLICY_SHADOW ||
        !search->question->is_wanted(rule))
        return;
    near.misses = misses_of(search, rule, from, to);
    near.count = count_bits(near.misses);
    near.rank = (unsigned)from->rank << 8 | to->rank;
    near.closeness = closeness_of(rule, &search->in->facts->client);
    if (near.count > 0 && near.count <= MISSES_MAX)
        keep(search, &near);
}

static void look_into(struct search *search, uint32_t table, const struct side *from,
                      const struct side *to)
{
    const struct policy *policy = search->in->policy;
    const struct policy_bucket *bucket =
        policy_find_bucket(policy, table, from->pattern, to->pattern);

    for (uint32_t i = 0; bucket != NULL && i < bucket->all_count && search->looked < LOOKED_MAX;
         i++) {
        search->looked++;
        look_at(search, &policy->rule[policy->order[bucket->all_first + i]], from, to);
    }
}

static void search_table(struct search *search, uint32_t table, const struct sides *from,
                         const struct sides *to)
{
    const struct policy_known *known = search->in->policy->known;
    const uint32_t bit = 1U << table;

    for (unsigned i = 0; i < from->count; i++) {
        if ((known[from->side[i].pattern].from_tables & bit) == 0)
            continue;
        for (unsigned k = 0; k < to->count; k++)
            if ((known[to->side[k].pattern].to_tables & bit) != 0)
                look_into(search, table, &from->side[i], &to->side[k]);
    }
}

// ---- words

// A moment in UTC, as valid: of the file takes it.
static void say_date(struct text_buf *why, uint64_t at_ms)
{
    // Days to a date: Howard Hinnant's civil_from_days.
    const uint64_t days = at_ms / DAY_MS + 719468;
    const uint64_t era = days / 146097;
    const uint64_t of_era = days % 146097;
    const uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const uint64_t month = (5 * of_year + 2) / 153;
    const uint64_t minutes = at_ms / 60000 % (24 * 60);

    text_buf_add(why, "%u-%02u-%02u", (unsigned)(year + era * 400 + (month < 10 ? 0 : 1)),
                 (unsigned)(month < 10 ? month + 3 : month - 9),
                 (unsigned)(of_year - (153 * month + 2) / 5 + 1));
    if (at_ms % DAY_MS != 0)
        text_buf_add(why, " %02u:%02u UTC", (unsigned)(minutes / 60), (unsigned)(minutes % 60));
}

// A pattern, cut where it is long.
static void say_pattern(struct text_buf *why, const struct policy *policy, uint32_t pattern)
{
    char memory[SAID_MAX];
    struct text_buf said;

    text_buf_init(&said, memory, sizeof(memory));
    apply_say_pattern(&said, policy, pattern);
    text_buf_put(why, memory);
    if (said.full)
        text_buf_put(why, "...");
}

static void say_level(struct text_buf *why, const struct policy *policy, uint32_t pattern,
                      const char *who)
{
    const bool is_below = policy->known[pattern].pattern.kind == POLICY_BELOW;

    text_buf_put(why, "it names ");
    say_pattern(why, policy, pattern);
    text_buf_add(why, is_below ? ", the %s is of that domain itself" : ", the %s is below that",
                 who);
}

static void say_tag(struct text_buf *why, const struct chain_in *in, uint32_t pattern)
{
    const struct mail_address *sender = &in->facts->sender;

    text_buf_put(why, "it names ");
    say_pattern(why, in->policy, pattern);
    text_buf_add(why, ", not %.*s@%.*s", SAID_MAX, sender->local, SAID_MAX, sender->domain);
}

static void say_miss(struct text_buf *why, const struct search *search, const struct near *near,
                     unsigned miss)
{
    const struct policy *policy = search->in->policy;

    switch (miss) {
    case MISS_FROM:
        say_level(why, policy, near->from, "sender");
        return;
    case MISS_TO:
        say_level(why, policy, near->to, "recipient");
        return;
    case MISS_TAG:
        say_tag(why, search->in, near->from);
        return;
    case MISS_DISABLED:
        text_buf_put(why, "it is disabled");
        return;
    case MISS_NOT_YET:
        text_buf_put(why, "it begins on ");
        say_date(why, near->rule->valid_from_ms);
        return;
    case MISS_NO_MORE:
        text_buf_put(why, "it ended on ");
        say_date(why, near->rule->valid_until_ms);
        return;
    case MISS_SOURCE:
        text_buf_put(why, "its source networks");
        return;
    case MISS_HEADER:
        text_buf_put(why, "it is about the header alone");
        return;
    case MISS_SPF:
        text_buf_put(why, "SPF did not pass");
        return;
    default:
        text_buf_add(why, "more specific policy %s", search->question->applied->id);
        return;
    }
}

static void say(struct text_buf *why, const struct search *search, const struct near *near)
{
    const struct policy_rule *rule = near->rule;
    const char *parting = "";

    text_buf_add(why, "; policy %s would %s but for: ", rule->id, search->question->what);
    for (unsigned bit = 0; bit < MISS_BITS; bit++) {
        if ((near->misses >> bit & 1U) == 0)
            continue;
        text_buf_put(why, parting);
        say_miss(why, search, near, 1U << bit);
        parting = " and ";
    }
    text_buf_add(why, " (%s:%u)", rule->file, rule->line);
}

void near_say_list(const struct chain_in *in, enum person_action action, struct text_buf *why)
{
    const struct person_list *list = &chain_person(in)->list;
    const struct person_patterns *patterns = &in->facts->patterns;

    if (!in->facts->dry_run || why->size == 0 || list->missed.why == PERSON_NO_MISS ||
        list->missed.action != action)
        return;
    text_buf_add(why, "; its entry %.*s would %s it but for: ", SAID_MAX,
                 patterns->of[list->missed.pattern].text,
                 action == PERSON_BLOCK ? "block" : "permit");
    if (list->missed.why == PERSON_OVER) {
        text_buf_put(why, "it ended on ");
        say_date(why, list->missed.until_ms);
    } else if (list->missed.why == PERSON_UNTAGGED) {
        text_buf_add(why, "it does not name %.*s@%.*s", SAID_MAX, in->facts->sender.local, SAID_MAX,
                     in->facts->sender.domain);
    } else {
        text_buf_add(why, "more specific %.*s", SAID_MAX, patterns->of[list->pattern].text);
    }
}

void near_say(const struct chain_in *in, const struct near_question *question, struct text_buf *why)
{
    struct search search = {.in = in, .question = question};
    struct sides from;
    struct sides to;

    if (!in->facts->dry_run || why->size == 0)
        return;
    add_side(&from, in->policy, &in->facts->sender_party, &in->facts->sender);
    add_side(&to, in->policy, &in->recipient->party, &in->recipient->address);
    for (unsigned override = 2; override-- > 0;) {
        const uint32_t table = policy_table(question->kind, override != 0);

        if ((in->policy->tables >> table & 1U) != 0)
            search_table(&search, table, &from, &to);
    }
    for (unsigned i = 0; i < search.near_count; i++)
        say(why, &search, &search.near[i]);
}
