// person.c: the forms in which a recipient's facts are stored, and what they say now. Promises: bytes that are not of
// these forms are never believed; every life is inclusive.
#include "node/core/person.h"

#include <stdio.h>
#include <string.h>

#include "node/core/policy_hash.h"

const struct person_facts PERSON_NOTHING = {
    .list = {.state = FACT_ABSENT},
    .allow = {{.state = FACT_ABSENT}, {.state = FACT_ABSENT}},
    .row = {.state = FACT_ABSENT},
    .answer = {.state = FACT_ABSENT},
    .learnt = {.state = FACT_ABSENT},
};

// ---- reading

// The rest of a value.
struct rest {
    const char *at, *end;
};

static bool take_number(struct rest *rest, uint64_t *out)
{
    const char *begin = rest->at;
    uint64_t number = 0;

    for (; rest->at < rest->end && *rest->at >= '0' && *rest->at <= '9'; rest->at++) {
        const uint64_t digit = (uint64_t)(*rest->at - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return rest->at > begin;
}

static bool take(struct rest *rest, char byte)
{
    if (rest->at == rest->end || *rest->at != byte)
        return false;
    rest->at++;
    return true;
}

// Up to the byte that ends it, which is passed over, or (NUL) to the end; at most limit bytes, and clean.
static bool take_text(struct rest *rest, char end, size_t limit, char *out)
{
    const char *stop = memchr(rest->at, end, (size_t)(rest->end - rest->at));
    const size_t len = (size_t)((stop != NULL ? stop : rest->end) - rest->at);

    if ((stop == NULL && end != '\0') || !text_is_clean(rest->at, len, limit))
        return false;
    memcpy(out, rest->at, len);
    out[len] = '\0';
    rest->at += len + (stop != NULL);
    return true;
}

// ---- Personal lists

// local@domain of the texts, into the memory; NULL if there is no room.
static const char *keep(struct text_buf *memory, const char *local, const char *between,
                        const char *domain)
{
    struct text_buf text;

    text_buf_init(&text, memory->start + memory->used, memory->size - memory->used);
    text_buf_put(&text, local);
    text_buf_put(&text, between);
    text_buf_put(&text, domain);
    if (text.full || memory->size == 0)
        return NULL;
    memory->used += text.used + 1;
    return text.start;
}

static void add(struct person_patterns *out, const char *text, bool is_base)
{
    if (text == NULL || out->count == PERSON_PATTERNS_MAX)
        return;
    out->of[out->count].text = text;
    out->of[out->count].is_base = is_base;
    out->count++;
}

static void add_locals(const struct mail_address *sender, const char *domain,
                       struct text_buf *memory, struct person_patterns *out)
{
    add(out, keep(memory, sender->local, "@", domain), false);
    if (strcmp(sender->local, sender->base) != 0)
        add(out, keep(memory, sender->base, "@", domain), true);
}

// The longest first. Of a domain with more labels the shortest count: nobody gets past .spam.example by a longer name.
static void add_below(struct person_patterns *out, const char *domain)
{
    const char *dot = domain[0] != '[' ? strchr(domain, '.') : NULL;
    unsigned more = 0;

    for (const char *at = dot; at != NULL; at = strchr(at + 1, '.'))
        more++;
    for (; dot != NULL; dot = strchr(dot + 1, '.'))
        if (more-- <= PERSON_BELOW_MAX)
            add(out, dot, false);
}

size_t person_patterns_size(const struct mail_address *sender)
{
    // With the local part and without its +tag, with the domain and with *.
    return 2 * (strlen(sender->local) + strlen(sender->base) + strlen(sender->domain) + 6);
}

void person_patterns_of(const struct mail_address *sender, struct text_buf *memory,
                        struct person_patterns *out)
{
    out->count = 0;
    if (sender->null)
        add(out, "<>", false);
    if (sender->domain[0] != '\0') { // else it is <>, or no address
        add_locals(sender, sender->domain, memory, out);
        add_locals(sender, "*", memory, out);
        add(out, sender->domain, false);
        add_below(out, sender->domain);
    }
    add(out, "*", false);
}

bool person_entry_read(const char *bytes, size_t len, struct person_entry *out)
{
    struct rest rest = {bytes, bytes + len};

    if (len == 0 || (bytes[0] != 'b' && bytes[0] != 'p'))
        return false;
    rest.at++;
    out->action = bytes[0] == 'b' ? PERSON_BLOCK : PERSON_PERMIT;
    return take(&rest, ' ') && take_number(&rest, &out->until_ms) && take(&rest, ' ') &&
           take_number(&rest, &out->since_ms) && take(&rest, ' ') &&
           take_text(&rest, ' ', PERSON_BY_MAX, out->by) &&
           take_text(&rest, '\0', PERSON_NOTE_MAX, out->note) && rest.at == rest.end;
}

size_t person_entry_write(const struct person_entry *entry, char out[PERSON_VALUE_MAX])
{
    struct text_buf text;

    text_buf_init(&text, out, PERSON_VALUE_MAX);
    text_buf_add(&text, "%c %llu %llu %s %s", entry->action == PERSON_BLOCK ? 'b' : 'p',
                 (unsigned long long)entry->until_ms, (unsigned long long)entry->since_ms,
                 entry->by, entry->note);
    return text.used;
}

static bool holds(uint64_t until_ms, uint64_t now_ms)
{
    return until_ms == 0 || now_ms <= until_ms;
}

static enum person_miss miss_of(const struct person_list *list, const struct person_entry *entry,
                                bool is_base, uint64_t now_ms)
{
    if (!holds(entry->until_ms, now_ms))
        return PERSON_OVER;
    if (is_base && entry->action == PERSON_PERMIT)
        return PERSON_UNTAGGED;
    return list->action != PERSON_NONE ? PERSON_LESS : PERSON_NO_MISS;
}

static void note_missed(struct person_list *list, enum person_miss miss, unsigned pattern,
                        const struct person_entry *entry)
{
    if (list->missed.why != PERSON_NO_MISS || entry->action == list->action)
        return;
    list->missed.why = miss;
    list->missed.action = entry->action;
    list->missed.pattern = pattern;
    list->missed.until_ms = entry->until_ms;
}

bool person_list_take(struct person_list *list, const struct person_patterns *patterns,
                      unsigned pattern, const char *bytes, size_t len, uint64_t now_ms)
{
    struct person_entry entry;

    if (!person_entry_read(bytes, len, &entry))
        return false;
    const enum person_miss miss = miss_of(list, &entry, patterns->of[pattern].is_base, now_ms);

    if (miss != PERSON_NO_MISS) {
        note_missed(list, miss, pattern, &entry);
        return true;
    }
    list->action = entry.action;
    list->pattern = pattern;
    list->until_ms = entry.until_ms;
    memcpy(list->note, entry.note, sizeof(list->note));
    if (list->missed.action == entry.action) // what decides says the same
        list->missed.why = PERSON_NO_MISS;
    return true;
}

// ---- Auto Allow

bool person_allow_read(const char *bytes, size_t len, struct person_allow *out)
{
    struct rest rest = {bytes, bytes + len};

    return take_number(&rest, &out->sent_ms) && take(&rest, ' ') &&
           take_number(&rest, &out->disabled_ms) && rest.at == rest.end;
}

size_t person_allow_write(const struct person_allow *allow, char out[PERSON_VALUE_MAX])
{
    return (size_t)snprintf(out, PERSON_VALUE_MAX, "%llu %llu", (unsigned long long)allow->sent_ms,
                            (unsigned long long)allow->disabled_ms);
}

bool person_allow_is_disabled(const struct person_allow *allow)
{
    return allow->state == FACT_PRESENT && allow->disabled_ms != 0 &&
           allow->disabled_ms >= allow->sent_ms;
}

bool person_allow_holds(const struct person_allow *allow, uint64_t now_ms, uint64_t life_ms)
{
    return allow->state == FACT_PRESENT && allow->sent_ms != 0 &&
           !person_allow_is_disabled(allow) &&
           (now_ms <= allow->sent_ms || now_ms - allow->sent_ms <= life_ms);
}

static uint32_t part_of(const char *text, uint32_t parts)
{
    const uint64_t hash = policy_hash_mix(policy_hash_back(POLICY_HASH_SEED, text, strlen(text)));

    return (uint32_t)(hash >> 32) % parts;
}

void person_org_owner(const char *external, char out[PERSON_ORG_OWNER_MAX])
{
    (void)snprintf(out, PERSON_ORG_OWNER_MAX, "org/%03x",
                   (unsigned)part_of(external, PERSON_ORG_PARTS));
}

// ---- Does it exist?

static const char *const status_words[] = {
    [PERSON_ACTIVE] = "active", [PERSON_SEND_ONLY] = "send_only", [PERSON_DISABLED] = "disabled"};
enum { STATUS_WORDS = sizeof(status_words) / sizeof(status_words[0]) };

const char *person_status_text(enum person_status status)
{
    return status_words[status];
}

static bool take_status(struct rest *rest, enum person_status *out)
{
    char word[16];

    if (!take_text(rest, '\t', sizeof(word) - 1, word))
        return false;
    for (size_t i = 0; i < STATUS_WORDS; i++) {
        if (strcmp(word, status_words[i]) != 0)
            continue;
        *out = (enum person_status)i;
        return true;
    }
    return false;
}

bool person_row_read(const char *bytes, size_t len, struct person_row *out,
                     char groups[PERSON_GROUPS_MAX + 1])
{
    char unused[PERSON_GROUPS_MAX + 1];
    struct rest rest = {bytes, bytes + len};

    return take_status(&rest, &out->status) &&
           take_text(&rest, '\t', sizeof(out->mailbox) - 1, out->mailbox) &&
           take_text(&rest, '\0', PERSON_GROUPS_MAX, groups != NULL ? groups : unused) &&
           rest.at == rest.end;
}

size_t person_row_write(const struct person_row *row, const char *groups, char *out, size_t size)
{
    struct text_buf text;

    text_buf_init(&text, out, size);
    text_buf_add(&text, "%s\t%s\t%s", status_words[row->status], row->mailbox, groups);
    return text.used;
}

bool person_answer_read(const char *bytes, size_t len, struct person_answer *out,
                        char mailbox[PERSON_ADDRESS_MAX])
{
    struct rest rest = {bytes, bytes + len};

    if (len == 0 || (bytes[0] != '+' && bytes[0] != '-'))
        return false;
    rest.at++;
    out->exists = bytes[0] == '+';
    mailbox[0] = '\0';
    return take(&rest, ' ') && take_number(&rest, &out->until_ms) &&
           (rest.at == rest.end ||
            (take(&rest, ' ') && take_text(&rest, '\0', PERSON_ADDRESS_MAX - 1, mailbox) &&
             mailbox[0] != '\0')) &&
           rest.at == rest.end;
}

size_t person_answer_write(const struct person_answer *answer, const char *mailbox,
                           char out[PERSON_ANSWER_MAX])
{
    return (size_t)snprintf(out, PERSON_ANSWER_MAX, "%c %llu%s%s", answer->exists ? '+' : '-',
                            (unsigned long long)answer->until_ms, mailbox[0] != '\0' ? " " : "",
                            mailbox);
}

bool person_answer_take(struct person_facts *facts, const char *bytes, size_t len, uint64_t now_ms)
{
    char mailbox[PERSON_ADDRESS_MAX];
    struct person_answer *answer = &facts->answer;

    if (!person_answer_read(bytes, len, answer, mailbox))
        return false;
    if (answer->exists && now_ms <= answer->until_ms && facts->row.state == FACT_ABSENT)
        memcpy(facts->row.mailbox, mailbox, sizeof(mailbox));
    return true;
}

bool person_learnt_read(const char *bytes, size_t len, struct person_learnt *out)
{
    struct rest rest = {bytes, bytes + len};

    return take_number(&rest, &out->sent_ms) && rest.at == rest.end;
}

// ---- Keys

static size_t key_of(const char *kind, const char *whose, char out[PERSON_KEY_MAX])
{
    struct text_buf text;

    text_buf_init(&text, out, PERSON_KEY_MAX);
    text_buf_put(&text, kind);
    text_buf_put(&text, "{");
    text_buf_put(&text, whose);
    text_buf_put(&text, "}");
    return text.used;
}

size_t person_list_key(const char *mailbox, char out[PERSON_KEY_MAX])
{
    return key_of("m:", mailbox, out);
}

size_t person_allow_key(const char *owner, char out[PERSON_KEY_MAX])
{
    return key_of("a:", owner, out);
}

size_t person_answer_key(const char *address, char out[PERSON_KEY_MAX])
{
    return key_of("v:", address, out);
}

size_t person_directory_key(const struct person_directory *directory, uint32_t bucket,
                            char out[PERSON_KEY_MAX])
{
    return (size_t)snprintf(out, PERSON_KEY_MAX, "d:{%lu.%llu}", (unsigned long)bucket,
                            (unsigned long long)directory->version);
}

uint32_t person_directory_bucket(const struct person_directory *directory, const char *address)
{
    return directory->buckets > 0 ? part_of(address, directory->buckets) : 0;
}

void person_mailbox_clear(struct person_facts *facts, bool list, bool allow)
{
    if (list) {
        facts->list.state = FACT_UNKNOWN;
        facts->list.action = PERSON_NONE;
        facts->list.missed.why = PERSON_NO_MISS;
    }
    for (unsigned i = 0; i < PERSON_OWNERS && allow; i++)
        facts->allow[i].state = FACT_UNKNOWN;
}

void person_facts_clear(struct person_facts *facts)
{
    person_mailbox_clear(facts, true, true);
    facts->row.state = FACT_UNKNOWN;
    facts->row.mailbox[0] = '\0';
    facts->answer.state = FACT_UNKNOWN;
    facts->learnt.state = FACT_UNKNOWN;
}
