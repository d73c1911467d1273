// wire_parts.c: memory, texts and maps of messages on their way in and out. Promises: memory comes
// from the context's arena alone; the first failure stays.
#include "proto/wire_parts.h"

#include <string.h>

#include "proto/reeve.pb-c.h"
#include "proto/text.h"
#include "proto/wire_guard.h"

// A cleaned text is at most this much longer: each byte becomes U+FFFD and two digits.
#define CLEANED_GROWTH 5

void wire_fail(struct wire *wire, enum err err)
{
    if (wire->err == ERR_NONE)
        wire->err = err;
}

static void *take(struct wire *wire, size_t size)
{
    void *memory = arena_alloc(wire->arena, size);

    if (memory == NULL)
        wire_fail(wire, err_say(wire->err == ERR_NONE ? wire->detail : NULL, ERR_MEMORY,
                                "the message needs more memory than one may have"));
    return memory;
}

// ---- protobuf-c

static void *allocator_alloc(void *data, size_t size)
{
    return take(data, size);
}

static void allocator_free(void *data, void *memory)
{
    (void)data; // the arena is emptied at once
    (void)memory;
}

void *wire_unpack(struct wire *wire, const ProtobufCMessageDescriptor *type, void *bytes,
                  size_t len)
{
    ProtobufCAllocator allocator = {
        .alloc = allocator_alloc, .free = allocator_free, .allocator_data = wire};
    void *message;

    wire_fail(wire, wire_guard(bytes, len, type, wire->detail));
    if (wire->err != ERR_NONE)
        return NULL;
    message = protobuf_c_message_unpack(type, &allocator, len, bytes);
    if (message == NULL && wire->err == ERR_NONE)
        wire_fail(wire, err_say(wire->detail, ERR_SYNTAX, "%s: a field of the wrong type",
                                type->short_name));
    return wire->err == ERR_NONE ? message : NULL;
}

enum err wire_pack(const struct wire *wire, const ProtobufCMessage *message, void *bytes,
                   size_t size, size_t *len)
{
    size_t needed;

    if (wire->err != ERR_NONE)
        return wire->err;
    needed = protobuf_c_message_get_packed_size(message);
    if (needed > size)
        return ERR_MEMORY;
    *len = protobuf_c_message_pack(message, bytes);
    return ERR_NONE;
}

// ---- memory and texts

void *wire_array(struct wire *wire, size_t count, size_t size)
{
    void *memory = count > 0 ? take(wire, count * size) : NULL;

    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

char *wire_borrow(const char *text)
{
    union {
        const char *given;
        char *borrowed;
    } same = {.given = text != NULL ? text : ""};

    return same.borrowed;
}

unsigned char *wire_borrow_bytes(const void *bytes)
{
    union {
        const void *given;
        unsigned char *borrowed;
    } same = {.given = bytes};

    return same.borrowed;
}

char *wire_text_cut(struct wire *wire, const char *text, size_t limit)
{
    size_t len = text != NULL ? strlen(text) : 0;
    size_t room = len < limit / CLEANED_GROWTH ? len * CLEANED_GROWTH : limit;
    char *cleaned;

    if (text == NULL || text_is_clean(text, len, limit))
        return wire_borrow(text);
    cleaned = take(wire, room + 1);
    if (cleaned == NULL)
        return wire_borrow("");
    (void)text_clean(cleaned, room, text, len);
    return cleaned;
}

char *wire_text(struct wire *wire, const char *text)
{
    return wire_text_cut(wire, text, SIZE_MAX);
}

char *wire_text_given(struct wire *wire, const char *field, const char *text, size_t limit)
{
    size_t len = text != NULL ? strlen(text) : 0;

    if (wire->err == ERR_NONE && len > limit)
        wire->err =
            err_say(wire->detail, ERR_LIMIT, "%s: %zu bytes given, at most %zu", field, len, limit);
    if (wire->err == ERR_NONE && len > 0 && !text_is_clean(text, len, limit))
        wire->err = err_say(wire->detail, ERR_SYNTAX,
                            "%s: not UTF-8, or with a control character in it", field);
    return wire_borrow(text);
}

// ---- maps

// The key (0) or the value (1) of an entry of whatever map.
static char **entry_text(ProtobufCMessage *entry, unsigned index)
{
    return (char **)(void *)((char *)entry + entry->descriptor->fields[index].offset);
}

struct msg_pair *wire_read_pairs(struct wire *wire, void *entries, size_t count)
{
    ProtobufCMessage **entry = entries;
    struct msg_pair *pairs = wire_array(wire, count, sizeof(*pairs));

    for (size_t i = 0; pairs != NULL && i < count; i++) {
        pairs[i].key = wire_text(wire, *entry_text(entry[i], 0));
        pairs[i].value = wire_text(wire, *entry_text(entry[i], 1));
    }
    return pairs;
}

void *wire_write_pairs(struct wire *wire, const ProtobufCMessageDescriptor *entry_type,
                       const struct msg_pair *pairs, size_t count)
{
    ProtobufCMessage **entry = wire_array(wire, count, sizeof(ProtobufCMessage *));

    for (size_t i = 0; entry != NULL && i < count; i++) {
        entry[i] = take(wire, entry_type->sizeof_message);
        if (entry[i] == NULL)
            return NULL;
        protobuf_c_message_init(entry_type, entry[i]);
        *entry_text(entry[i], 0) = wire_text(wire, pairs[i].key);
        *entry_text(entry[i], 1) = wire_text(wire, pairs[i].value);
    }
    return entry;
}
