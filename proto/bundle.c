// bundle.c: see bundle.h. Promises: memory for the files and no more than the bounds say, whatever the bytes claim;
// what is handed out is whole.
#include "proto/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/base/mem.h"
#include "proto/text.h"

static const char magic[] = "reeve-bundle 1\n";
enum { ZLIB_FIRST = 0x78 }; // the first byte of what zlib deflates with its usual window
static const char *const kind_words[] = {[BUNDLE_SET] = "set", [BUNDLE_LIST] = "list"};
enum { KINDS = sizeof(kind_words) / sizeof(kind_words[0]) };

// Of the line before a file: kind, size, name.
enum { HEAD_MAX = BUNDLE_NAME_MAX + 40 };
// What the largest bundle is unpacked, its own lines included.
enum { UNPACKED_MAX = BUNDLE_BYTES_MAX + (BUNDLE_FILES_MAX + 2) * HEAD_MAX };

struct bundle {
    struct bundle_file *file; // sorted by name
    size_t count;
    size_t bytes;     // of all files
    char *unpacked;   // that the files lie in; NULL if each has memory of its own
    size_t allocated; // of file
};

struct bundle *bundle_new(void)
{
    return mem_new(sizeof(struct bundle));
}

void bundle_free(struct bundle **bundle)
{
    struct bundle *b = *bundle;

    if (b == NULL)
        return;
    for (size_t i = 0; i < b->count && b->unpacked == NULL; i++) {
        mem_free((void *)(uintptr_t)b->file[i].name);
        mem_free((void *)(uintptr_t)b->file[i].bytes);
    }
    mem_free(b->unpacked);
    mem_free(b->file);
    mem_free(b);
    *bundle = NULL;
}

size_t bundle_count(const struct bundle *bundle)
{
    return bundle->count;
}

const struct bundle_file *bundle_at(const struct bundle *bundle, size_t index)
{
    return &bundle->file[index];
}

// ---- Names

// find_place: where the name stands, or where it would.
static size_t find_place(const struct bundle *bundle, const char *name, bool *found)
{
    size_t low = 0;
    size_t high = bundle->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(bundle->file[middle].name, name);

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

const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name)
{
    bool found;
    size_t place = find_place(bundle, name, &found);

    return found ? &bundle->file[place] : NULL;
}

static bool is_dots(const char *part, size_t len)
{
    return (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.');
}

// is_name: what may be a file's name on a disk, below some directory, and in a message.
static bool is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > BUNDLE_NAME_MAX || !text_is_clean(name, len, BUNDLE_NAME_MAX))
        return false;
    for (const char *part = name; part != NULL;) {
        size_t part_len = strcspn(part, "/");

        if (part_len == 0 || is_dots(part, part_len))
            return false;
        part = part[part_len] == '/' ? part + part_len + 1 : NULL;
    }
    return true;
}

// drop_last: the last part of a path; false if there is none.
static bool drop_last(char *path)
{
    char *slash = strrchr(path, '/');

    if (path[0] == '\0')
        return false;
    *(slash != NULL ? slash : path) = '\0';
    return true;
}

static bool add_part(char *path, const char *part, size_t len)
{
    size_t used = strlen(path);

    if (used + (used > 0 ? 1 : 0) + len > BUNDLE_NAME_MAX)
        return false;
    if (used > 0)
        path[used++] = '/';
    memcpy(path + used, part, len);
    path[used + len] = '\0';
    return true;
}

bool bundle_resolve(const char *file, const char *path, char out[BUNDLE_NAME_MAX + 1])
{
    char name[BUNDLE_NAME_MAX + 1];
    size_t len = strlen(file);

    if (len > BUNDLE_NAME_MAX || path[0] == '/')
        return false;
    memcpy(name, file, len + 1);
    (void)drop_last(name);
    for (const char *part = path; part != NULL;) {
        size_t part_len = strcspn(part, "/");
        bool ok = true;

        if (part_len == 2 && is_dots(part, 2))
            ok = drop_last(name);
        else if (part_len > 0 && !is_dots(part, part_len))
            ok = add_part(name, part, part_len);
        if (!ok)
            return false;
        part = part[part_len] == '/' ? part + part_len + 1 : NULL;
    }
    if (!is_name(name))
        return false;
    memcpy(out, name, sizeof(name));
    return true;
}

// ---- Files

// insert: name and bytes are the bundle's from now on, if it takes them.
static enum err insert(struct bundle *bundle, const struct bundle_file *file,
                       struct err_detail *detail)
{
    bool found;
    size_t place = find_place(bundle, file->name, &found);

    if (found)
        return err_say(detail, ERR_CONFIG, "%s is in the bundle twice", file->name);
    if (bundle->count == BUNDLE_FILES_MAX)
        return err_say(detail, ERR_LIMIT, "more than %d files in a policy set", BUNDLE_FILES_MAX);
    if (file->len > BUNDLE_BYTES_MAX - bundle->bytes)
        return err_say(detail, ERR_LIMIT, "the files of the policy set are larger than %d MiB",
                       BUNDLE_BYTES_MAX >> 20);
    if (bundle->count == bundle->allocated) {
        bundle->allocated = bundle->allocated * 2 + 8;
        bundle->file = mem_grow(bundle->file, bundle->allocated, sizeof(*bundle->file));
    }
    memmove(&bundle->file[place + 1], &bundle->file[place],
            (bundle->count - place) * sizeof(*bundle->file));
    bundle->file[place] = *file;
    bundle->count++;
    bundle->bytes += file->len;
    return ERR_NONE;
}

static enum err say_name(struct err_detail *detail, enum err err, const char *name)
{
    return err_say(detail, err,
                   "'%.100s' cannot be the name of a file of a policy set (up to %d bytes, "
                   "relative, without . and ..)",
                   name, BUNDLE_NAME_MAX);
}

enum err bundle_add(struct bundle *bundle, enum bundle_kind kind, const char *name,
                    const void *bytes, size_t len, struct err_detail *detail)
{
    struct bundle_file file = {.kind = kind, .len = len};
    enum err err;

    if (!is_name(name))
        return say_name(detail, ERR_CONFIG, name);
    file.name = mem_text(name);
    file.bytes = mem_text_n(len > 0 ? bytes : "", len);
    err = insert(bundle, &file, detail);
    if (err != ERR_NONE) {
        mem_free((void *)(uintptr_t)file.name);
        mem_free((void *)(uintptr_t)file.bytes);
    }
    return err;
}

// ---- Packing

// What is packed so far: plain or deflated.
struct packing {
    z_stream stream;
    bool plain;
    unsigned char *out;
    size_t len;
    size_t room;
};

static void put_plain(struct packing *p, const void *bytes, size_t len)
{
    while (p->room - p->len < len) {
        p->room = p->room * 2 + 4096;
        p->out = mem_grow(p->out, p->room, 1);
    }
    memcpy(p->out + p->len, bytes, len);
    p->len += len;
}

// put: a piece; with flush Z_FINISH the last one. More than may travel is not kept.
static void put(struct packing *p, const void *bytes, size_t len, int flush)
{
    unsigned char some[16384];
    unsigned char none = 0;

    if (p->len > BUNDLE_PACKED_MAX)
        return;
    if (p->plain) {
        if (len > BUNDLE_PACKED_MAX - p->len)
            p->len = BUNDLE_PACKED_MAX + 1;
        else if (len > 0)
            put_plain(p, bytes, len);
        return;
    }
    p->stream.next_in = len > 0 ? (unsigned char *)(uintptr_t)bytes : &none;
    p->stream.avail_in = (unsigned)len;
    do {
        p->stream.next_out = some;
        p->stream.avail_out = sizeof(some);
        (void)deflate(&p->stream, flush);
        put_plain(p, some, sizeof(some) - p->stream.avail_out);
    } while (p->stream.avail_out == 0 && p->len <= BUNDLE_PACKED_MAX);
}

static void put_all(struct packing *p, const struct bundle *bundle)
{
    char line[HEAD_MAX];

    put(p, magic, strlen(magic), Z_NO_FLUSH);
    for (size_t i = 0; i < bundle->count; i++) {
        const struct bundle_file *file = &bundle->file[i];

        (void)snprintf(line, sizeof(line), "%s %zu %s\n", kind_words[file->kind], file->len,
                       file->name);
        put(p, line, strlen(line), Z_NO_FLUSH);
        put(p, file->bytes, file->len, Z_NO_FLUSH);
        put(p, "\n", 1, Z_NO_FLUSH);
    }
    (void)snprintf(line, sizeof(line), "end %zu\n", bundle->count);
    put(p, line, strlen(line), Z_FINISH);
}

enum err bundle_pack(const struct bundle *bundle, bool plain, void **out, size_t *out_len,
                     struct err_detail *detail)
{
    struct packing packing = {.plain = plain};

    if (!plain && deflateInit(&packing.stream, Z_DEFAULT_COMPRESSION) != Z_OK)
        return err_say(detail, ERR_MEMORY, "zlib: out of memory");
    put_all(&packing, bundle);
    if (!plain)
        (void)deflateEnd(&packing.stream);
    if (packing.len > BUNDLE_PACKED_MAX) {
        mem_free(packing.out);
        return err_say(detail, ERR_LIMIT, "the policy set is larger than %d MiB%s",
                       BUNDLE_PACKED_MAX >> 20, plain ? "" : " even when it is packed");
    }
    *out = packing.out;
    *out_len = packing.len;
    return ERR_NONE;
}

// ---- Unpacking

// inflate_all: into heap memory that grows with what really comes out.
static enum err inflate_all(z_stream *stream, char **out, size_t *out_len)
{
    size_t room = 64U << 10;
    int code = Z_OK;

    *out = mem_new(room);
    while (code == Z_OK) {
        if (*out_len == room) {
            room *= 2;
            *out = mem_grow(*out, room, 1);
        }
        stream->next_out = (unsigned char *)*out + *out_len;
        stream->avail_out = (unsigned)(room - *out_len);
        code = inflate(stream, Z_NO_FLUSH);
        *out_len = room - stream->avail_out;
        if (*out_len > UNPACKED_MAX)
            return ERR_LIMIT;
    }
    return code == Z_STREAM_END && stream->avail_in == 0 ? ERR_NONE : ERR_SYNTAX;
}

static enum err unfold(const void *bytes, size_t len, char **out, size_t *out_len,
                       struct err_detail *detail)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)bytes, .avail_in = (unsigned)len};
    enum err err;

    *out = NULL;
    *out_len = 0;
    if (inflateInit(&stream) != Z_OK)
        return err_say(detail, ERR_MEMORY, "zlib: out of memory");
    err = inflate_all(&stream, out, out_len);
    (void)inflateEnd(&stream);
    if (err == ERR_NONE)
        return ERR_NONE;
    mem_free(*out);
    return err == ERR_LIMIT ? err_say(detail, err, "the bundle unpacks to more than %d MiB",
                                      BUNDLE_BYTES_MAX >> 20)
                            : err_say(detail, err, "the bundle is damaged (zlib cannot unpack it)");
}

// What is left to read of an unpacked bundle.
struct reading {
    char *at;
    char *end;
};

// take_line: terminated, without its end; NULL if there is none of a sensible length.
static char *take_line(struct reading *r)
{
    size_t left = (size_t)(r->end - r->at);
    char *line = r->at;
    char *stop = memchr(line, '\n', left < HEAD_MAX ? left : HEAD_MAX);

    if (stop == NULL || memchr(line, '\0', (size_t)(stop - line)) != NULL)
        return NULL;
    *stop = '\0';
    r->at = stop + 1;
    return line;
}

// take_number: digits up to a blank or the end; NULL if it is none, else what stands behind it.
static char *take_number(char *text, size_t *out)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9 || (text[digits] != ' ' && text[digits] != '\0') ||
        (text[0] == '0' && digits > 1))
        return NULL;
    *out = strtoul(text, NULL, 10);
    return text + digits;
}

// take_file: after the line that announces it.
static enum err take_file(struct reading *r, struct bundle *bundle, char *line,
                          struct err_detail *detail)
{
    struct bundle_file file = {.name = NULL};
    size_t kind = 0;
    char *size = strchr(line, ' ');
    char *name;

    if (size == NULL)
        return ERR_SYNTAX;
    *size++ = '\0';
    while (kind < KINDS && strcmp(kind_words[kind], line) != 0)
        kind++;
    name = take_number(size, &file.len);
    if (kind == KINDS || name == NULL || *name != ' ')
        return ERR_SYNTAX;
    if (!is_name(name + 1))
        return say_name(detail, ERR_SYNTAX, name + 1);
    if (file.len >= (size_t)(r->end - r->at) || r->at[file.len] != '\n')
        return ERR_SYNTAX;
    file.kind = (enum bundle_kind)kind;
    file.name = name + 1;
    file.bytes = r->at;
    r->at += file.len + 1;
    return insert(bundle, &file, detail);
}

static enum err take_all(struct reading *r, struct bundle *bundle, struct err_detail *detail)
{
    size_t said = 0;
    enum err err = ERR_NONE;

    if ((size_t)(r->end - r->at) < strlen(magic) || memcmp(r->at, magic, strlen(magic)) != 0)
        return ERR_SYNTAX;
    r->at += strlen(magic);
    while (err == ERR_NONE) {
        char *line = take_line(r);
        char *rest;

        if (line == NULL)
            return ERR_SYNTAX;
        if (strncmp(line, "end ", 4) == 0) {
            rest = take_number(line + 4, &said);
            return rest != NULL && *rest == '\0' && said == bundle->count && r->at == r->end
                       ? ERR_NONE
                       : ERR_SYNTAX;
        }
        err = take_file(r, bundle, line, detail);
    }
    return err;
}

static enum err say_no_bundle(struct err_detail *detail, enum err err)
{
    return err_say(detail, err, "this is no bundle of a policy set");
}

enum err bundle_unpack(const void *bytes, size_t len, struct bundle **out,
                       struct err_detail *detail)
{
    const char first = len > 0 ? *(const char *)bytes : '\0';
    struct err_detail why = {.text = ""};
    struct bundle *bundle;
    struct reading reading;
    char *unpacked = NULL;
    size_t size = len;
    enum err err = ERR_NONE;

    if (len > BUNDLE_PACKED_MAX)
        return err_say(detail, ERR_LIMIT, "the bundle is larger than %d MiB",
                       BUNDLE_PACKED_MAX >> 20);
    if (first != magic[0] && first != ZLIB_FIRST)
        return say_no_bundle(detail, ERR_SYNTAX);
    if (first == ZLIB_FIRST)
        err = unfold(bytes, len, &unpacked, &size, detail);
    else
        unpacked = mem_text_n(bytes, len);
    if (err != ERR_NONE || unpacked == NULL)
        return err;
    bundle = bundle_new();
    bundle->unpacked = unpacked;
    reading = (struct reading){unpacked, unpacked + size};
    err = take_all(&reading, bundle, &why);
    if (err == ERR_NONE) {
        *out = bundle;
        return ERR_NONE;
    }
    bundle_free(&bundle);
    return why.text[0] != '\0' ? err_say(detail, err, "%s", why.text) : say_no_bundle(detail, err);
}
