// store_memory_admin.c: node/store/store.h in memory, the part behind an operator's questions:
// tickets, tracking rows, what is stored about a pair, secrets.
#include <string.h>

#include "proto/base/mem.h"
#include "proto/ip.h"
#include "tests/support/store_memory_inside.h"

static enum store_state trouble(const struct store *store)
{
    return store->trouble[MEMORY_ADMIN];
}

// ---- Tickets: node 32 bits, time 43, sequence 15, in Crockford's base32

static const char DIGITS[] = "0123456789abcdefghjkmnpqrstvwxyz";
enum { TIME_BITS = 43, SEQ_BITS = 15, DIGIT_BITS = 5, TICKET_DIGITS = TICKET_TEXT_MAX - 1 };

struct ticket ticket_next(struct store *store, uint64_t now_ms)
{
    struct ticket *last = &store->last_ticket;

    last->node = store->node;
    if (now_ms > last->at_ms) {
        last->at_ms = now_ms;
        last->seq = 0;
    } else if (++last->seq == 1U << SEQ_BITS) {
        last->at_ms++;
        last->seq = 0;
    }
    return *last;
}

const char *ticket_format(const struct ticket *ticket, char out[TICKET_TEXT_MAX])
{
    unsigned __int128 bits = ticket->node;

    bits = bits << TIME_BITS | ticket->at_ms;
    bits = bits << SEQ_BITS | ticket->seq;
    for (size_t i = TICKET_DIGITS; i-- > 0; bits >>= DIGIT_BITS)
        out[i] = DIGITS[(unsigned)bits % 32];
    out[TICKET_DIGITS] = '\0';
    return out;
}

// digit_of: the value of a digit in either case, I and L read as 1, O as 0; -1 for anything else.
static int digit_of(char c)
{
    char lower = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    const char *found;

    if (lower == 'i' || lower == 'l')
        lower = '1';
    if (lower == 'o')
        lower = '0';
    found = memchr(DIGITS, lower, sizeof(DIGITS) - 1);
    return found == NULL ? -1 : (int)(found - DIGITS);
}

bool ticket_parse(const char *text, struct ticket *out)
{
    unsigned __int128 bits = 0;

    if (strlen(text) != TICKET_DIGITS)
        return false;
    for (; *text != '\0'; text++) {
        int digit = digit_of(*text);

        if (digit < 0)
            return false;
        bits = bits << DIGIT_BITS | (unsigned)digit;
    }
    out->seq = (uint32_t)bits & ((1U << SEQ_BITS) - 1);
    out->at_ms = (uint64_t)(bits >> SEQ_BITS) & ((1ULL << TIME_BITS) - 1);
    out->node = (uint32_t)(bits >> (SEQ_BITS + TIME_BITS));
    return true;
}

// ---- Tracking rows

struct memory_row {
    struct memory_row *next; // older
    struct track_row row;
};

// Every text of a row, so that one loop copies and one frees them.
static const char **row_text(struct track_row *row, size_t i)
{
    const char **const TEXTS[] = {
        &row->action,      &row->reason,      &row->rule,       &row->shadow,    &row->stage,
        &row->client_ip,   &row->helo,        &row->sender,     &row->gateway,   &row->recipient,
        &row->client_name, &row->transaction, &row->spf_domain, &row->auth_user, &row->spf,
    };

    return i < sizeof(TEXTS) / sizeof(TEXTS[0]) ? TEXTS[i] : NULL;
}

struct memory_row *memory_row_new(const struct track_row *row)
{
    struct memory_row *copy = mem_new(sizeof(*copy));
    const char **text;

    copy->row = *row;
    for (size_t i = 0; (text = row_text(&copy->row, i)) != NULL; i++)
        *text = mem_text(*text);
    return copy;
}

void memory_row_free(struct memory_row **row)
{
    const char **text;

    if (*row == NULL)
        return;
    for (size_t i = 0; (text = row_text(&(*row)->row, i)) != NULL; i++)
        mem_free((void *)(uintptr_t)*text);
    mem_free(*row);
    *row = NULL;
}

void memory_rows_add(struct memory *memory, struct memory_row *row)
{
    row->next = memory->rows;
    memory->rows = row;
}

void memory_rows_clear(struct memory *memory)
{
    while (memory->rows != NULL) {
        struct memory_row *row = memory->rows;

        memory->rows = row->next;
        memory_row_free(&row);
    }
}

size_t memory_tracks(const struct memory *memory)
{
    size_t count = 0;

    for (const struct memory_row *row = memory->rows; row != NULL; row = row->next)
        count++;
    return count;
}

// address_matches: want is "" (any), user@dom, dom or @dom.
static bool address_matches(const char *want, const char *have)
{
    const char *domain = strrchr(have, '@');

    if (*want == '\0')
        return true;
    if (strchr(want, '@') != NULL && *want != '@')
        return strcasecmp(want, have) == 0;
    return domain != NULL && strcasecmp(want + (*want == '@'), domain + 1) == 0;
}

static bool client_matches(const char *want, const char *have)
{
    struct ip_net net;
    struct ip ip;

    if (*want == '\0')
        return true;
    return ip_net_parse(want, &net, NULL) == ERR_NONE && ip_parse(have, &ip) &&
           ip_net_contains(&net, &ip);
}

// A trailing * stands for any rest.
static bool word_matches(const char *want, const char *have)
{
    size_t len = strlen(want);

    if (len > 0 && want[len - 1] == '*')
        return strncmp(want, have, len - 1) == 0;
    return strcmp(want, have) == 0;
}

static bool reason_matches(const char *want, const struct track_row *row)
{
    return *want == '\0' || word_matches(want, row->reason) || word_matches(want, row->shadow);
}

static bool ticket_equals(const struct ticket *a, const struct ticket *b)
{
    return a->node == b->node && a->at_ms == b->at_ms && a->seq == b->seq;
}

static bool row_matches(const struct track_query *query, const struct track_row *row)
{
    if (query->by_ticket)
        return ticket_equals(&query->ticket, &row->ticket);
    return row->at_ms >= query->since_ms && address_matches(query->sender, row->sender) &&
           address_matches(query->recipient, row->recipient) &&
           client_matches(query->client_ip, row->client_ip) && reason_matches(query->reason, row);
}

// The cursor is the ticket of the last row of the page.
static const struct memory_row *first_row(const struct memory *memory, const char *cursor)
{
    const struct memory_row *row = memory->rows;
    struct ticket ticket;

    if (*cursor == '\0' || !ticket_parse(cursor, &ticket))
        return row;
    while (row != NULL && !ticket_equals(&row->row.ticket, &ticket))
        row = row->next;
    return row == NULL ? NULL : row->next;
}

void store_track_find(struct store *store, const struct track_query *query, struct track_done done)
{
    const struct memory_row *row = first_row(store->memory, query->cursor);
    struct track_row *found = mem_new_array(query->limit + 1, sizeof(*found));
    char cursor[TICKET_TEXT_MAX] = "";
    size_t count = 0;

    for (; memory_reads(trouble(store)) && row != NULL && count <= query->limit; row = row->next)
        if (row_matches(query, &row->row))
            found[count++] = row->row;
    if (count > query->limit) {
        count = query->limit;
        (void)ticket_format(&found[count - 1].ticket, cursor);
    }
    done.fn(done.arg, memory_reads(trouble(store)) ? STORE_UP : trouble(store), found, count,
            cursor);
    mem_free(found);
}

// ---- Pairs

enum { ENTRIES_MAX = 4 * 64 };

// A walk over the four hashes of a pair.
struct walk {
    struct pair_entry entry[ENTRIES_MAX];
    size_t count;
    bool remove;
    enum key_table table;
    unsigned age;
};

static bool visit(void *arg, const struct memory_field *field)
{
    struct walk *walk = arg;
    struct pair_entry *entry = &walk->entry[walk->count];

    if (walk->count == ENTRIES_MAX ||
        !key_value_unpack(field->value, KEY_VALUE_BYTES, &entry->at_ms, &entry->mark))
        return false;
    entry->table = walk->table;
    entry->age = walk->age;
    memcpy(entry->identity, field->field + KEY_PAIR_BYTES, sizeof(entry->identity));
    walk->count++;
    return walk->remove;
}

static void walk_pair(struct store *store, const struct key_triplet *key, bool remove,
                      struct pair_done done)
{
    struct walk *walk = mem_new(sizeof(*walk));
    enum store_state state = trouble(store);
    bool is_done = remove ? memory_writes(state) && state != STORE_SLOW : memory_reads(state);

    store->memory->used.write_admin += remove;
    walk->remove = remove;
    for (unsigned i = 0; is_done && i < 4; i++) {
        const struct key_place *place = i < 2 ? &key->pending[i] : &key->passed[i - 2];
        struct memory_name name = {i < 2 ? KEY_PENDING : KEY_PASSED, place, place->field[0]};

        walk->table = name.table;
        walk->age = i % 2;
        memory_table_take(&store->memory->table, &name, store_now_ms(store), visit, walk);
    }
    done.fn(done.arg, is_done ? STORE_UP : state, walk->entry, walk->count);
    mem_free(walk);
}

void store_pair_show(struct store *store, const struct key_triplet *key, struct pair_done done)
{
    walk_pair(store, key, false, done);
}

void store_pair_forget(struct store *store, const struct key_triplet *key, struct pair_done done)
{
    walk_pair(store, key, true, done);
}

void store_pair_pass(struct store *store, const struct key_triplet *key, uint64_t now_ms,
                     struct pair_done done)
{
    const struct key_place *place = &key->passed[KEY_CURRENT];
    struct memory_name name = {KEY_PASSED, place, place->field[KEY_ANY]};
    struct pair_entry entry = {.table = KEY_PASSED, .age = KEY_CURRENT, .at_ms = now_ms};
    uint8_t value[KEY_VALUE_BYTES];

    store->memory->used.write_admin++;
    if (trouble(store) != STORE_UP) {
        done.fn(done.arg, trouble(store), NULL, 0);
        return;
    }
    key_value_pack(now_ms, 0, value);
    memory_table_set(&store->memory->table, &name, false, value, store_now_ms(store));
    done.fn(done.arg, STORE_UP, &entry, 1);
}

// ---- What passed elsewhere

static void seed_one(struct store *store, struct store_seed *seed)
{
    const struct key_place *place = &seed->key->passed[seed->age];
    uint64_t now_ms = store_now_ms(store);
    uint8_t value[KEY_VALUE_BYTES];

    key_value_pack(seed->at_ms, 0, value);
    for (unsigned i = 0; i < seed->key->identity_count; i++) {
        struct memory_name name = {KEY_PASSED, place, place->field[i]};
        bool is_there = memory_table_get(&store->memory->table, &name, now_ms) != NULL;

        if (seed->write[i] == STORE_SEED_LEAVE)
            continue;
        memory_table_set(&store->memory->table, &name, seed->write[i] == STORE_SEED_ADD, value,
                         now_ms);
        seed->written += !is_there;
    }
}

void store_seed_passed(struct store *store, struct store_seed *list, struct store_done done)
{
    enum store_state state = trouble(store);

    for (struct store_seed *each = list; each != NULL; each = each->next) {
        store->memory->used.write_admin++;
        each->written = 0;
        if (memory_writes(state))
            seed_one(store, each);
    }
    done.fn(done.arg, done.token, state);
}

// ---- First tries and passes, a slice

void memory_retry_add(struct memory *memory, const struct retry_counts *counts)
{
    struct retry_counts *at = NULL;

    for (size_t i = 0; i < memory->retry_count; i++)
        if (memory->retry[i].slice == counts->slice &&
            memory->retry[i].slice_ms == counts->slice_ms)
            at = &memory->retry[i];
    if (at == NULL && memory->retry_count == MEMORY_RETRY_SLICES)
        return;
    if (at == NULL) {
        at = &memory->retry[memory->retry_count++];
        *at = (struct retry_counts){.slice = counts->slice, .slice_ms = counts->slice_ms};
    }
    at->first_tries += counts->first_tries;
    at->passes += counts->passes;
}

struct retry_counts memory_retries(const struct memory *memory)
{
    struct retry_counts sum = {0};

    for (size_t i = 0; i < memory->retry_count; i++) {
        sum.first_tries += memory->retry[i].first_tries;
        sum.passes += memory->retry[i].passes;
    }
    return sum;
}

// A slice's window is over when a first try of its last moment could not pass any more: one slice
// later.
bool store_retry_counts(const struct store *store, struct retry_counts *out)
{
    const struct retry_counts *newest = NULL;

    for (size_t i = 0; i < store->memory->retry_count; i++) {
        const struct retry_counts *one = &store->memory->retry[i];
        bool is_over = (one->slice + 2) * one->slice_ms <= store_now_ms(store);

        if (is_over &&
            (newest == NULL || one->slice * one->slice_ms > newest->slice * newest->slice_ms))
            newest = one;
    }
    if (newest != NULL)
        *out = *newest;
    return newest != NULL;
}

// ---- Secrets

void store_secret_rotate(struct store *store, uint64_t buckets, struct store_text_done done)
{
    static const uint64_t NOTICE_MS = 600000;
    struct key_ring *ring = &store->memory->ring;
    struct key_epoch *last = &ring->epoch[ring->count - 1];
    struct key_epoch next = *last;

    if (trouble(store) != STORE_UP) {
        done.fn(done.arg, trouble(store), "the store does not take it");
        return;
    }
    if (ring->count == KEY_EPOCH_MAX) {
        memmove(&ring->epoch[0], &ring->epoch[1], (KEY_EPOCH_MAX - 1) * sizeof(next));
        ring->count--;
    }
    next.since_ms = store_now_ms(store) + NOTICE_MS;
    next.secret[0]++;
    next.buckets = buckets == 0 ? next.buckets : (uint32_t)buckets;
    ring->epoch[ring->count++] = next;
    done.fn(done.arg, STORE_UP, "a new secret holds for the slices that begin in 10 min or later");
}
