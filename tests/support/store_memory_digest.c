// store_memory_digest.c: everything that the store in memory holds as one number, so that two moments can be
// compared. What a kind of key adds to struct memory is added here as well.
#include <string.h>

#include "tests/support/store_memory_inside.h"

// FNV-1a, 64 bits.
static void add_bytes(uint64_t *digest, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < count; i++)
        *digest = (*digest ^ at[i]) * 1099511628211U;
}

static void add_text(uint64_t *digest, const char *text)
{
    add_bytes(digest, text, strlen(text) + 1);
}

static void add_number(uint64_t *digest, uint64_t number)
{
    add_bytes(digest, &number, sizeof(number));
}

static void add_table(uint64_t *digest, const struct memory_table *table)
{
    for (size_t i = 0; i < MEMORY_CHAINS; i++) {
        for (const struct memory_field *field = table->chain[i]; field != NULL;
             field = field->next) {
            add_text(digest, field->key);
            add_bytes(digest, field->field, KEY_FIELD_BYTES);
            add_bytes(digest, field->value, KEY_VALUE_BYTES);
            add_number(digest, field->expires_ms);
        }
    }
}

static void add_spared(uint64_t *digest, const struct memory *memory)
{
    for (size_t i = 0; i < memory->spared_count; i++) {
        const struct memory_spared *one = &memory->spared[i];

        add_text(digest, one->client.name);
        add_number(digest, one->expires_ms);
        for (unsigned k = 0; k < one->client.count; k++) {
            add_bytes(digest, one->client.pair[k].pair, KEY_PAIR_BYTES);
            add_number(digest, one->client.pair[k].day);
        }
    }
    for (size_t i = 0; i < memory->roll.count; i++) {
        add_text(digest, memory->roll.item[i].name);
        add_number(digest, memory->roll.item[i].row.rests);
        add_number(digest, memory->roll.item[i].row.newest);
    }
}

static void add_counts(uint64_t *digest, const struct memory *memory)
{
    for (size_t i = 0; i < memory->retry_count; i++) {
        add_number(digest, memory->retry[i].slice);
        add_number(digest, memory->retry[i].first_tries);
        add_number(digest, memory->retry[i].passes);
    }
    add_number(digest, memory_tracks(memory));
    add_number(digest, memory->ring.count);
}

static void add_counted(uint64_t *digest, const struct memory *memory)
{
    for (size_t i = 0; i < memory->counted_count; i++) {
        const struct memory_counted *counted = &memory->counted[i];

        add_number(digest, counted->key.kind);
        add_number(digest, counted->key.day);
        add_bytes(digest, counted->key.owner, sizeof(counted->key.owner));
        add_bytes(digest, counted->key.field, sizeof(counted->key.field));
        add_number(digest, counted->kept);
        add_number(digest, counted->expires_ms);
    }
}

static void add_kept(uint64_t *digest, const struct memory *memory)
{
    for (const struct memory_kept *kept = memory->kept; kept != NULL; kept = kept->next) {
        add_text(digest, kept->key);
        add_text(digest, kept->field);
        add_text(digest, kept->value);
        add_number(digest, kept->expires_ms);
    }
}

static void add_entity(uint64_t *digest, const struct memory_entity *entity)
{
    uint8_t bytes[REPUTATION_ROOT_BYTES];

    add_text(digest, entity->key);
    add_bytes(digest, bytes, reputation_pack(entity->kind, &entity->is, bytes));
    add_number(digest, entity->expires_ms);
}

static void add_reputation(uint64_t *digest, const struct memory_reputation *reputation)
{
    for (size_t i = 0; i < MEMORY_ENTITY_CHAINS; i++)
        for (const struct memory_entity *entity = reputation->chain[i]; entity != NULL;
             entity = entity->next)
            add_entity(digest, entity);
    for (const struct memory_event *event = reputation->events; event != NULL; event = event->next)
        add_text(digest, event->name);
    for (size_t i = 0; i < reputation->reporter_count; i++) {
        const struct store_reporter *reporter = &reputation->reporter[i];

        add_text(digest, reporter->name);
        add_number(digest, reporter->id);
        add_number(digest, reporter->last_ms);
        add_bytes(digest, &reporter->spam, sizeof(reporter->spam));
        add_bytes(digest, &reporter->ham, sizeof(reporter->ham));
        add_bytes(digest, &reporter->record, sizeof(reporter->record));
    }
}

uint64_t memory_digest(const struct memory *memory)
{
    uint64_t digest = 14695981039346656037U;

    add_table(&digest, &memory->table);
    add_spared(&digest, memory);
    add_counted(&digest, memory);
    add_kept(&digest, memory);
    add_reputation(&digest, &memory->reputation);
    for (size_t i = 0; i < memory->mirror.count; i++) {
        add_text(&digest, memory->mirror.item[i].recipient);
        add_number(&digest, memory->mirror.item[i].until_ms);
    }
    for (size_t i = 0; i < memory->directories.count; i++) {
        add_text(&digest, memory->directories.item[i].domain);
        add_number(&digest, memory->directories.item[i].directory.version);
    }
    for (size_t i = 0; i < memory->used_count; i++) {
        add_text(&digest, memory->used_row[i].id);
        add_number(&digest, memory->used_row[i].hits);
        add_number(&digest, memory->used_row[i].shadow_hits);
    }
    add_counts(&digest, memory);
    return digest;
}
