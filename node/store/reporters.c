// reporters.c: a sorted array. Promises: never more than SCRIPT_GATEWAYS_MAX rows; trust is of every id, and what nobody knows is trusted.
#include "node/store/reporters.h"

#include <string.h>

#include "proto/base/mem.h"

void reporters_clear(struct reporters *reporters)
{
    mem_free(reporters->item);
    mem_free(reporters->trust);
    *reporters = (struct reporters){.count = 0};
}

// The place of the name, or the one where it belongs.
static size_t place_of(const struct reporters *reporters, const char *name, bool *found)
{
    size_t low = 0;
    size_t high = reporters->count;

    *found = false;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(reporters->item[middle].row.name, name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct reporter *reporters_find(const struct reporters *reporters, const char *name)
{
    bool found = false;
    const size_t at = place_of(reporters, name, &found);

    return found ? &reporters->item[at] : NULL;
}

const struct reporter *reporters_find_id(const struct reporters *reporters, uint16_t id)
{
    for (size_t i = 0; i < reporters->count; i++)
        if (reporters->item[i].row.id == id)
            return &reporters->item[i];
    return NULL;
}

static struct reporter *insert(struct reporters *reporters, size_t at)
{
    if (reporters->count == reporters->room) {
        reporters->room = reporters->room == 0 ? 16 : 2 * reporters->room;
        reporters->item = mem_grow(reporters->item, reporters->room, sizeof(reporters->item[0]));
    }
    memmove(&reporters->item[at + 1], &reporters->item[at],
            (reporters->count - at) * sizeof(reporters->item[0]));
    reporters->count++;
    reporters->item[at] = (struct reporter){.told = 1};
    return &reporters->item[at];
}

static void forget_trust(struct reporters *reporters, const struct reporter *gone)
{
    if (reporters->trust != NULL)
        reporters->trust[gone->row.id] = 1;
}

struct reporter *reporters_set(struct reporters *reporters, const struct store_reporter *row)
{
    bool found = false;
    const size_t at = place_of(reporters, row->name, &found);

    if (!found && reporters->count == SCRIPT_GATEWAYS_MAX)
        return NULL;
    struct reporter *reporter = found ? &reporters->item[at] : insert(reporters, at);

    if (found && reporter->row.id != row->id) // the store lost the old one
        forget_trust(reporters, reporter);
    reporter->row = *row;
    reporter->reading = reporters->reading;
    reporters_refresh(reporters, reporter);
    return reporter;
}

// ---- readings

void reporters_read_begin(struct reporters *reporters)
{
    reporters->reading++;
}

bool reporters_has_news(const struct reporter *reporter)
{
    const struct script_news *news = &reporter->news;

    return news->last_ms != 0 || news->judged[0] + news->judged[1] > 0;
}

void reporters_read_end(struct reporters *reporters)
{
    size_t kept = 0;

    for (size_t i = 0; i < reporters->count; i++) {
        const struct reporter *reporter = &reporters->item[i];

        if (reporter->reading != reporters->reading && !reporter->is_sending &&
            !reporters_has_news(reporter))
            forget_trust(reporters, reporter);
        else
            reporters->item[kept++] = *reporter;
    }
    reporters->count = kept;
}

// ---- what is new

void reporters_note(struct reporter *reporter, const struct reporter_note *note)
{
    struct script_news *news = &reporter->news;

    if (note->now_ms > news->last_ms)
        news->last_ms = note->now_ms;
    *(note->is_spam ? &news->spam : &news->ham) += note->weight;
    for (unsigned i = 0; i < note->count; i++) {
        reputation_record_note(&news->record, note->others_say_spam[i],
                               note->others_say_spam[i] == note->is_spam);
        news->judged[note->others_say_spam[i]]++;
    }
}

static void make_trust(struct reporters *reporters)
{
    reporters->trust = mem_new_array(REPUTATION_REPORTERS, sizeof(*reporters->trust));
    for (size_t i = 0; i < REPUTATION_REPORTERS; i++)
        reporters->trust[i] = 1;
}

void reporters_refresh(struct reporters *reporters, const struct reporter *changed)
{
    const double trust = reporters_trust(changed);

    if (reporters->trust == NULL && trust == 1)
        return;
    if (reporters->trust == NULL)
        make_trust(reporters);
    reporters->trust[changed->row.id] = (float)trust;
}

struct store_reporter reporters_view(const struct reporter *reporter, uint64_t now_ms)
{
    const struct script_news *const part[] = {&reporter->sent, &reporter->news};
    struct store_reporter view = reporter->row;

    script_decay_counts(&view, now_ms);
    for (unsigned i = 0; i < 2; i++) {
        view.spam += part[i]->spam;
        view.ham += part[i]->ham;
        if (part[i]->last_ms > view.last_ms)
            view.last_ms = part[i]->last_ms;
        script_merge(&view.record, part[i]);
    }
    view.trust = reputation_trust(&view.record);
    return view;
}

double reporters_trust(const struct reporter *reporter)
{
    struct reputation_record record = reporter->row.record;

    script_merge(&record, &reporter->sent);
    script_merge(&record, &reporter->news);
    return reputation_trust(&record);
}

static uint64_t last_of(const struct reporter *reporter)
{
    uint64_t last_ms = reporter->row.last_ms;

    if (reporter->sent.last_ms > last_ms)
        last_ms = reporter->sent.last_ms;
    return reporter->news.last_ms > last_ms ? reporter->news.last_ms : last_ms;
}

unsigned reporters_active(const struct reporters *reporters, uint64_t now_ms)
{
    unsigned active = 0;

    for (size_t i = 0; i < reporters->count; i++)
        active += last_of(&reporters->item[i]) + REPUTATION_ACTIVE_MS > now_ms;
    return active;
}
