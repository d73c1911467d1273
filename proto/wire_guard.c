// wire_guard.c: walks over a frame and bounds what it may ask for. Promises: reads inside the frame
// only, allocates nothing, takes time linear in the frame; writes only where a text held NUL. It is
// stricter than protobuf-c wherever they differ.
#include "proto/wire_guard.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "proto/msg.h"
#include "proto/reeve.pb-c.h"

enum {
    DEPTH_MAX = 16,
    FIELDS_MAX = 32,     // of one message type in the contract; an assert says when it has grown
    UNKNOWN_MAX = 64,    // fields of a newer contract, in one message
    SINGLE_MAX = 64,     // a field that stands once, in one message: the last one wins
    REPEATED_MAX = 1000, // a repeated field that is not in the table below
    METRICS_MAX = 10000,
};

// Limits of repeated fields by type and number.
static const struct {
    const ProtobufCMessageDescriptor *type;
    uint32_t number;
    unsigned most;
} limits[] = {
    {&reeve__v1__check__descriptor, 10, MSG_RECIPIENTS_MAX},
    {&reeve__v1__authentication__descriptor, 3, MSG_DKIM_MAX},
    {&reeve__v1__message_facts__descriptor, 1, MSG_HEADERS_MAX},
    {&reeve__v1__message_facts__descriptor, 3, MSG_ATTACHMENTS_MAX},
    {&reeve__v1__attachment__descriptor, 8, MSG_INNER_NAMES_MAX},
    {&reeve__v1__sent__descriptor, 5, MSG_RECIPIENTS_MAX},
    {&reeve__v1__sent__descriptor, 6, MSG_HEADERS_MAX},
    {&reeve__v1__ack__descriptor, 3, MSG_RECIPIENTS_MAX},
    {&reeve__v1__admin__descriptor, 2, MSG_ADMIN_ARGS_MAX},
    {&reeve__v1__decision__descriptor, 1, MSG_RECIPIENTS_MAX},
    {&reeve__v1__verdict__descriptor, 17, MSG_STEPS_MAX},
    {&reeve__v1__access_decision__descriptor, 7, MSG_STEPS_MAX},
    {&reeve__v1__admin_reply__descriptor, 1, MSG_ROWS_MAX},
    {&reeve__v1__row__descriptor, 1, MSG_FIELDS_MAX},
    {&reeve__v1__stats__descriptor, 5, METRICS_MAX},
    {&reeve__v1__metric__descriptor, 3, MSG_FIELDS_MAX},
};

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct cursor {
    unsigned char *at;
    unsigned char *end;
};

struct field {
    uint32_t number;
    unsigned wire_type;
    uint64_t varint;     // WIRE_VARINT
    struct cursor bytes; // WIRE_BYTES
};

static bool read_varint(struct cursor *cursor, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        unsigned char byte = *cursor->at++;

        if (shift == 63 && byte > 1)
            return false; // over 64 bits
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool skip(struct cursor *cursor, uint64_t len)
{
    if (len > (uint64_t)(cursor->end - cursor->at))
        return false;
    cursor->at += len;
    return true;
}

static bool read_payload(struct cursor *cursor, struct field *field)
{
    uint64_t len;

    switch (field->wire_type) {
    case WIRE_VARINT:
        return read_varint(cursor, &field->varint);
    case WIRE_64:
        return skip(cursor, 8);
    case WIRE_32:
        return skip(cursor, 4);
    case WIRE_BYTES:
        if (!read_varint(cursor, &len))
            return false;
        field->bytes.at = cursor->at;
        field->bytes.end = skip(cursor, len) ? cursor->at : NULL;
        return field->bytes.end != NULL;
    default:
        return false; // groups (3, 4) have never been part of the contract
    }
}

static bool read_field(struct cursor *cursor, struct field *field)
{
    uint64_t key;

    if (!read_varint(cursor, &key) || key > UINT32_MAX || key >> 3 == 0)
        return false;
    *field = (struct field){.number = (uint32_t)(key >> 3), .wire_type = (unsigned)(key & 7)};
    return read_payload(cursor, field);
}

static unsigned most_of(const ProtobufCMessageDescriptor *type,
                        const ProtobufCFieldDescriptor *field)
{
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return SINGLE_MAX;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        if (limits[i].type == type && limits[i].number == field->id)
            return limits[i].most;
    }
    return REPEATED_MAX;
}

static void mark_nul(struct cursor text)
{
    while ((text.at = memchr(text.at, '\0', (size_t)(text.end - text.at))) != NULL)
        *text.at = 0x01;
}

static enum err guard_message(struct cursor cursor, const ProtobufCMessageDescriptor *type,
                              unsigned depth, struct err_detail *detail);

// What a known field holds. A wire type that is not the field's own is left to protobuf-c, which
// refuses it.
static enum err guard_field(const struct field *field, const ProtobufCFieldDescriptor *known,
                            unsigned depth, struct err_detail *detail)
{
    if (field->wire_type != WIRE_BYTES)
        return ERR_NONE;
    if (known->type == PROTOBUF_C_TYPE_STRING)
        mark_nul(field->bytes);
    if (known->type != PROTOBUF_C_TYPE_MESSAGE)
        return ERR_NONE;
    return guard_message(field->bytes, known->descriptor, depth + 1, detail);
}

// Counts one more field of a type; the last counter is for the fields that it does not have.
static enum err count_field(const ProtobufCMessageDescriptor *type,
                            const ProtobufCFieldDescriptor *known, unsigned *counts,
                            struct err_detail *detail)
{
    if (known == NULL) {
        if (++counts[FIELDS_MAX] > UNKNOWN_MAX)
            return err_say(detail, ERR_LIMIT, "%s: more than %d fields that are not known here",
                           type->short_name, UNKNOWN_MAX);
        return ERR_NONE;
    }
    if (++counts[known - type->fields] > most_of(type, known))
        return err_say(detail, ERR_LIMIT, "%s.%s: given more than %u times, which is the limit",
                       type->short_name, known->name, most_of(type, known));
    return ERR_NONE;
}

static enum err guard_message(struct cursor cursor, const ProtobufCMessageDescriptor *type,
                              unsigned depth, struct err_detail *detail)
{
    unsigned counts[FIELDS_MAX + 1] = {0};

    assert(type->n_fields <= FIELDS_MAX);
    if (depth > DEPTH_MAX)
        return err_say(detail, ERR_LIMIT, "%s: deeper than %d messages", type->short_name,
                       DEPTH_MAX);
    while (cursor.at < cursor.end) {
        const ProtobufCFieldDescriptor *known;
        struct field field;
        enum err err;

        if (!read_field(&cursor, &field))
            return err_say(detail, ERR_SYNTAX, "%s: no protobuf message, or one that was cut off",
                           type->short_name);
        known = protobuf_c_message_descriptor_get_field(type, field.number);
        err = count_field(type, known, counts, detail);
        if (err == ERR_NONE && known != NULL)
            err = guard_field(&field, known, depth, detail);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

static struct cursor cursor_over(void *bytes, size_t len)
{
    return (struct cursor){.at = bytes, .end = (unsigned char *)bytes + len};
}

enum err wire_guard(void *bytes, size_t len, const ProtobufCMessageDescriptor *type,
                    struct err_detail *detail)
{
    return guard_message(cursor_over(bytes, len), type, 1, detail);
}

uint64_t wire_guard_id(void *bytes, size_t len)
{
    struct cursor cursor = cursor_over(bytes, len);
    struct field field;
    uint64_t id = 0;

    while (cursor.at < cursor.end && read_field(&cursor, &field)) {
        if (field.number == 1 && field.wire_type == WIRE_VARINT)
            id = field.varint;
    }
    return id;
}
