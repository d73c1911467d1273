// track_row.c: writes, reads and compares tracking rows. Promises: pure; what is read back is
// treated as a stranger's bytes.
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "node/store/reply.h"
#include "node/store/track.h"
#include "proto/base/mem.h"

static void day_text(uint64_t day, char out[16])
{
    time_t seconds = (time_t)(day * (TRACK_DAY_MS / 1000));
    struct tm moment = {0};

    (void)gmtime_r(&seconds, &moment);
    if (strftime(out, 16, "%Y%m%d", &moment) == 0)
        out[0] = '\0';
}

void track_node_text(uint32_t node, char out[16])
{
    (void)snprintf(out, 16, "%08" PRIx32, node);
}

bool track_node_parse(const char *text, uint32_t *node)
{
    return strlen(text) == 8 && strspn(text, "0123456789abcdef") == 8 &&
           sscanf(text, "%8" SCNx32, node) == 1;
}

void track_name(uint32_t node, uint64_t day, char out[TRACK_NAME_MAX])
{
    char date[16];

    day_text(day, date);
    (void)snprintf(out, TRACK_NAME_MAX, "t:{%08" PRIx32 "}:%s", node, date);
}

void track_index_name(uint64_t day, char out[TRACK_NAME_MAX])
{
    char date[16];

    day_text(day, date);
    (void)snprintf(out, TRACK_NAME_MAX, "tn:%s", date);
}

void track_id(uint64_t at_ms, uint32_t seq, char out[TRACK_NAME_MAX])
{
    (void)snprintf(out, TRACK_NAME_MAX, "%" PRIu64 "-%" PRIu32, at_ms, seq);
}

// One list of the row's texts: the writer, the reader and the memory follow it.
static const struct text_field {
    const char *name;
    size_t offset;
} TEXTS[] = {
    {"a", offsetof(struct track_row, action)},      {"r", offsetof(struct track_row, reason)},
    {"l", offsetof(struct track_row, rule)},        {"s", offsetof(struct track_row, shadow)},
    {"g", offsetof(struct track_row, stage)},       {"i", offsetof(struct track_row, client_ip)},
    {"n", offsetof(struct track_row, client_name)}, {"h", offsetof(struct track_row, helo)},
    {"f", offsetof(struct track_row, sender)},      {"t", offsetof(struct track_row, recipient)},
    {"w", offsetof(struct track_row, gateway)},     {"x", offsetof(struct track_row, transaction)},
    {"p", offsetof(struct track_row, spf_domain)},  {"u", offsetof(struct track_row, auth_user)},
    {"o", offsetof(struct track_row, spf)},
};
enum { TEXT_COUNT = sizeof(TEXTS) / sizeof(TEXTS[0]) };

static const struct number_field {
    const char *name;
    size_t offset;
} NUMBERS[] = {
    {"ra", offsetof(struct track_row, retry_after_s)},
    {"wt", offsetof(struct track_row, waited_s)},
    {"fl", offsetof(struct track_row, flags)},
    {"sz", offsetof(struct track_row, size_bytes)},
    {"rc", offsetof(struct track_row, recipient_count)},
    {"pv", offsetof(struct track_row, policy_version)},
};
enum { NUMBER_COUNT = sizeof(NUMBERS) / sizeof(NUMBERS[0]) };

static const char **text_at(struct track_row *row, size_t offset)
{
    return (const char **)(void *)((char *)row + offset);
}

static uint64_t *number_at(struct track_row *row, size_t offset)
{
    return (uint64_t *)(void *)((char *)row + offset);
}

// ---- writing

void track_put(struct resp *resp, const struct track_row *row)
{
    struct track_row copy = *row;
    char name[TRACK_NAME_MAX];

    track_name(row->ticket.node, row->ticket.at_ms / TRACK_DAY_MS, name);
    resp_begin(resp, "XADD");
    resp_text(resp, name);
    resp_text(resp, "MAXLEN");
    resp_text(resp, "~");
    resp_number(resp, TRACK_ROWS_MAX);
    track_id(row->ticket.at_ms, row->ticket.seq, name);
    resp_text(resp, name);
    resp_text(resp, "at"); // always there: XADD takes no row without fields
    resp_number(resp, row->at_ms);
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        const char *text = *text_at(&copy, TEXTS[i].offset);

        if (text[0] == '\0')
            continue;
        resp_text(resp, TEXTS[i].name);
        resp_bytes(resp, text, strnlen(text, TRACK_TEXT_MAX));
    }
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        uint64_t number = *number_at(&copy, NUMBERS[i].offset);

        if (number == 0)
            continue;
        resp_text(resp, NUMBERS[i].name);
        resp_number(resp, number);
    }
}

// ---- reading

static const char *keep(char **room, const char *bytes, size_t len)
{
    char *text = *room;

    *room += text_clean(text, TRACK_TEXT_MAX, bytes, len) + 1;
    return text;
}

// What a later version adds is passed over.
static void take_field(struct track_row *row, const struct redisReply *name,
                       const struct redisReply *value, char *seen, char **room)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        if (strcmp(name->str, TEXTS[i].name) == 0 && !seen[i]) {
            seen[i] = 1; // memory was counted for one of each
            *text_at(row, TEXTS[i].offset) = keep(room, value->str, value->len);
        }
    }
    if (!reply_number(value, &number))
        return;
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        if (strcmp(name->str, NUMBERS[i].name) == 0)
            *number_at(row, NUMBERS[i].offset) = number;
    }
    if (strcmp(name->str, "at") == 0)
        row->at_ms = number;
}

static bool read_id(const char *text, struct ticket *ticket)
{
    int used = 0;

    return sscanf(text, "%" SCNu64 "-%" SCNu32 "%n", &ticket->at_ms, &ticket->seq, &used) == 2 &&
           text[used] == '\0';
}

// Cleaning a text may make it longer, up to TRACK_TEXT_MAX: a byte becomes five.
static size_t room_for(const struct redisReply *fields)
{
    size_t room = 0;

    for (size_t i = 1; i < fields->elements; i += 2) {
        size_t most = fields->element[i]->len * 5;

        room += (most < TRACK_TEXT_MAX ? most : TRACK_TEXT_MAX) + 1;
    }
    return room;
}

static bool is_entry(const struct redisReply *entry)
{
    if (!reply_is_array(entry, 2) || !reply_is_text(entry->element[0]) ||
        entry->element[1]->type != REDIS_REPLY_ARRAY || entry->element[1]->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < entry->element[1]->elements; i++) {
        if (!reply_is_text(entry->element[1]->element[i]))
            return false;
    }
    return true;
}

struct track_found *track_take(const struct redisReply *entry, uint32_t node)
{
    struct ticket ticket = {.node = node};
    char seen[TEXT_COUNT] = {0};

    if (!is_entry(entry) || !read_id(entry->element[0]->str, &ticket))
        return NULL;
    const struct redisReply *fields = entry->element[1];
    struct track_found *found = mem_new(sizeof(*found) + room_for(fields));
    char *room = (char *)(found + 1);

    found->row.ticket = ticket;
    for (unsigned i = 0; i < TEXT_COUNT; i++)
        *text_at(&found->row, TEXTS[i].offset) = "";
    for (size_t i = 0; i < fields->elements; i += 2)
        take_field(&found->row, fields->element[i], fields->element[i + 1], seen, &room);
    return found;
}

// ---- comparing

int track_order(const struct ticket *a, const struct ticket *b)
{
    if (a->at_ms != b->at_ms)
        return a->at_ms > b->at_ms ? 1 : -1;
    if (a->seq != b->seq)
        return a->seq > b->seq ? 1 : -1;
    if (a->node != b->node)
        return a->node > b->node ? 1 : -1;
    return 0;
}

void track_filter_make(struct track_filter *filter, const struct track_query *query)
{
    *filter = (struct track_filter){
        .sender = query->sender, .recipient = query->recipient, .reason = query->reason};
    filter->by_net = query->client_ip[0] != '\0';
    if (filter->by_net)
        filter->impossible = ip_net_parse(query->client_ip, &filter->net, NULL) != ERR_NONE;
}

// wanted is user@dom, or @dom or dom for all of a domain.
static bool matches_address(const char *wanted, const char *address)
{
    const char *at = strrchr(address, '@');
    const char *domain = strrchr(wanted, '@');

    if (wanted[0] == '\0')
        return true;
    if (strcmp(wanted, "<>") == 0) // the null sender
        return address[0] == '\0';
    if (domain != NULL && domain != wanted)
        return strcasecmp(wanted, address) == 0;
    return at != NULL && strcasecmp(domain != NULL ? domain + 1 : wanted, at + 1) == 0;
}

static bool matches_net(const struct track_filter *filter, const char *client_ip)
{
    struct ip ip;

    return !filter->by_net ||
           (!filter->impossible && ip_parse(client_ip, &ip) && ip_net_contains(&filter->net, &ip));
}

// A trailing * matches any rest; "" matches everything.
static bool matches_word(const char *wanted, const char *word)
{
    size_t len = strlen(wanted);

    if (len == 0)
        return true;
    return wanted[len - 1] == '*' ? strncmp(wanted, word, len - 1) == 0 : strcmp(wanted, word) == 0;
}

bool track_filter_matches(const struct track_filter *filter, const struct track_row *row)
{
    if (!matches_word(filter->reason, row->reason) && !matches_word(filter->reason, row->shadow))
        return false;
    return matches_address(filter->sender, row->sender) &&
           matches_address(filter->recipient, row->recipient) &&
           matches_net(filter, row->client_ip);
}
