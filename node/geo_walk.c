// geo_walk.c: is a record of a database in MaxMind's format what a record is? Promises: whatever the bytes are, so many
// steps and so much stack at most.
#include "node/geo_walk.h"

#include <string.h>
#include <unistd.h>

#include "proto/base/mem.h"

enum {
    RECORD_DEPTH = 32, // maps of a record lie so deep inside of each other at most
    RECORD_VALUES = 4096,
    METADATA_BYTES = 128 << 10, // from the end of the file
};

struct walk {
    const uint8_t *data;
    uint32_t size;
    unsigned values_left;
};

struct control {
    unsigned type;
    uint32_t size; // of a pointer: where it leads
};

// read_number: big endian, of so many bytes. False if they are not there.
static bool read_number(const struct walk *walk, uint32_t *at, unsigned bytes, uint32_t *out)
{
    if (walk->size - *at < bytes)
        return false;
    for (*out = 0; bytes > 0; bytes--)
        *out = *out << 8 | walk->data[(*at)++];
    return true;
}

static bool read_pointer(const struct walk *walk, uint32_t *at, unsigned control, uint32_t *out)
{
    static const uint32_t BASE[] = {0, 1U << 11, (1U << 19) + (1U << 11), 0};
    const unsigned length = control >> 3 & 3U;

    if (!read_number(walk, at, length + 1, out))
        return false;
    if (length < 3)
        *out += ((control & 7U) << (8 * (length + 1))) + BASE[length];
    return true;
}

static bool read_control(const struct walk *walk, uint32_t *at, struct control *out)
{
    static const uint32_t BASE[] = {29, 285, 65821};
    uint32_t control = 0;
    uint32_t extended = 0;

    if (!read_number(walk, at, 1, &control))
        return false;
    out->type = control >> 5;
    if (out->type == MMDB_DATA_TYPE_POINTER)
        return read_pointer(walk, at, control, &out->size);
    if (out->type == MMDB_DATA_TYPE_EXTENDED) {
        if (!read_number(walk, at, 1, &extended))
            return false;
        out->type = extended + 7;
    }
    out->size = control & 31U;
    if (out->size < BASE[0])
        return true;
    const unsigned more = out->size - BASE[0];

    if (!read_number(walk, at, more + 1, &out->size))
        return false;
    out->size += BASE[more];
    return true;
}

// is_tame: the value that begins at *at, which moves behind it, with all that it holds and points at.
static bool is_tame(struct walk *walk, uint32_t *at, unsigned depth)
{
    struct control control;

    if (depth == 0 || walk->values_left-- == 0 || *at > walk->size ||
        !read_control(walk, at, &control)) {
        walk->values_left = 0;
        return false;
    }
    if (control.type == MMDB_DATA_TYPE_POINTER)
        return is_tame(walk, &control.size, depth - 1);
    if (control.type == MMDB_DATA_TYPE_MAP || control.type == MMDB_DATA_TYPE_ARRAY) {
        const unsigned each = control.type == MMDB_DATA_TYPE_MAP ? 2 : 1;

        for (uint32_t i = 0; i < control.size; i++)
            for (unsigned k = 0; k < each; k++)
                if (!is_tame(walk, at, depth - 1))
                    return false;
        return true;
    }
    if (control.type == MMDB_DATA_TYPE_BOOLEAN)
        return true; // its size is its value
    if (walk->size - *at < control.size)
        return false;
    *at += control.size;
    return true;
}

bool geo_walk_record(const MMDB_entry_s *entry)
{
    struct walk walk = {entry->mmdb->data_section, entry->mmdb->data_section_size, RECORD_VALUES};
    uint32_t at = entry->offset;

    return is_tame(&walk, &at, RECORD_DEPTH);
}

// The description of the database stands behind the last of these marks, near the end of the file, in the same format.
bool geo_walk_metadata(int fd)
{
    static const char MARK[] = "\xab\xcd\xefMaxMind.com";
    enum { MARK_BYTES = sizeof(MARK) - 1 };
    const off_t end = lseek(fd, 0, SEEK_END);
    const off_t begin = end > METADATA_BYTES ? end - METADATA_BYTES : 0;
    uint8_t *bytes = mem_new(METADATA_BYTES);
    ssize_t got = pread(fd, bytes, METADATA_BYTES, begin);
    bool is_fine = false;

    for (ssize_t at = got - MARK_BYTES; at >= 0; at--) {
        if (memcmp(bytes + at, MARK, MARK_BYTES) != 0)
            continue;
        struct walk walk = {bytes + at + MARK_BYTES, (uint32_t)(got - at - MARK_BYTES),
                            RECORD_VALUES};
        uint32_t first = 0;

        is_fine = is_tame(&walk, &first, RECORD_DEPTH);
        break;
    }
    mem_free(bytes);
    return is_fine;
}
