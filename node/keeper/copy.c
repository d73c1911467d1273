// copy.c: the node's own copy of the policy set. Promises: a file is read wholly or refused; what a power failure leaves is
// the old copy or the new one.
#include "node/keeper/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/mem.h"
#include "proto/text.h"

#define MAGIC "reeve-policy-copy 1 "
enum {
    SUM_BYTES = 32,
    SUM_HEX = SUM_BYTES * 2 + 1,
    HEAD_BYTES = COPY_HEAD_BYTES,
    LINE_MAX_BYTES = 700,
    HEADER_BYTES = 4096 + STORE_VERSIONS_MAX * 80,
    SINCE_BYTES = COPY_DOMAIN_MAX + 40,
};

_Static_assert((int)COPY_HEAD_BYTES == (int)sizeof(MAGIC) - 1 + SUM_HEX - 1 + 1, "the first line");

void copy_free(struct copy **copy)
{
    if (*copy == NULL)
        return;
    document_release(&(*copy)->document);
    mem_free((*copy)->since);
    mem_free(*copy);
    *copy = NULL;
}

// ---- writing

static void sum(const void *bytes, size_t len, char out[SUM_HEX])
{
    unsigned char hash[SUM_BYTES];

    (void)crypto_generichash(hash, sizeof(hash), bytes, len, NULL, 0);
    (void)sodium_bin2hex(out, SUM_HEX, hash, sizeof(hash));
}

static void put_header(const struct copy *copy, struct text_buf *text)
{
    const struct store_version *version = &copy->version;

    text_buf_add(text, "version %" PRIu64 "\nat %" PRIu64 "\nby %s\nnote %s\n", version->version,
                 version->at_ms, version->by, version->note);
    text_buf_add(text, "hash %" PRIu64 "\npolicies %" PRIu64 "\n", version->hash,
                 version->policies);
    for (size_t i = 0; i < copy->was_count; i++)
        text_buf_add(text, "was %" PRIu64 " %" PRIu64 " %s\n", copy->was[i].version,
                     copy->was[i].at_ms, copy->was[i].document);
    for (size_t i = 0; i < copy->since_count; i++)
        text_buf_add(text, "since %s %" PRIu64 "\n", copy->since[i].domain, copy->since[i].at_ms);
    text_buf_add(text, "document %s %zu\n", copy->document->name, copy->document->len);
}

void copy_seal(char *bytes, size_t len)
{
    char hex[SUM_HEX];

    sum(bytes + HEAD_BYTES, len - HEAD_BYTES, hex);
    memcpy(bytes, MAGIC, sizeof(MAGIC) - 1);
    memcpy(bytes + sizeof(MAGIC) - 1, hex, SUM_HEX - 1);
    bytes[HEAD_BYTES - 1] = '\n';
}

char *copy_format(const struct copy *copy, size_t *len)
{
    size_t room = HEADER_BYTES + copy->since_count * SINCE_BYTES;
    char *bytes = mem_new(HEAD_BYTES + room + copy->document->len);
    struct text_buf text;

    text_buf_init(&text, bytes + HEAD_BYTES, room);
    put_header(copy, &text);
    memcpy(bytes + HEAD_BYTES + text.used, copy->document->bytes, copy->document->len);
    *len = HEAD_BYTES + text.used + copy->document->len;
    copy_seal(bytes, *len);
    return bytes;
}

// ---- reading

struct reader {
    const char *at;
    size_t left;
    char line[LINE_MAX_BYTES];
};

static bool next_line(struct reader *reader)
{
    const char *end = memchr(reader->at, '\n', reader->left);
    size_t len = end != NULL ? (size_t)(end - reader->at) : 0;

    if (end == NULL || !text_is_clean(reader->at, len, sizeof(reader->line) - 1))
        return false;
    memcpy(reader->line, reader->at, len);
    reader->line[len] = '\0';
    reader->at = end + 1;
    reader->left -= len + 1;
    return true;
}

// What stands behind the word and a blank; NULL if the line begins with another word.
static char *rest_of(char *line, const char *word)
{
    size_t len = strlen(word);

    return strncmp(line, word, len) == 0 && line[len] == ' ' ? line + len + 1 : NULL;
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end = NULL;

    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool line_number(struct reader *reader, const char *word, uint64_t *out)
{
    return next_line(reader) && read_number(rest_of(reader->line, word), out);
}

static bool line_text(struct reader *reader, const char *word, char *out, size_t max)
{
    const char *text = next_line(reader) ? rest_of(reader->line, word) : NULL;

    if (text == NULL || strlen(text) > max)
        return false;
    (void)snprintf(out, max + 1, "%s", text);
    return true;
}

// Cuts the next word off a text; NULL if there is none.
static char *cut_word(char **at)
{
    char *word = *at;
    char *end = word != NULL ? strchr(word, ' ') : NULL;

    if (end != NULL)
        *end = '\0';
    *at = end != NULL ? end + 1 : NULL;
    return word;
}

static bool take_was(struct copy *copy, char *text)
{
    struct copy_was *was = &copy->was[copy->was_count];
    uint64_t last =
        copy->was_count > 0 ? copy->was[copy->was_count - 1].version : copy->version.version;

    if (copy->was_count == STORE_VERSIONS_MAX || !read_number(cut_word(&text), &was->version) ||
        !read_number(cut_word(&text), &was->at_ms) || text == NULL ||
        !store_is_document_name(text) || was->version == 0 || was->version >= last)
        return false;
    memcpy(was->document, text, sizeof(was->document));
    copy->was_count++;
    return true;
}

static bool take_since(struct copy *copy, char *text)
{
    const char *domain = cut_word(&text);
    uint64_t at_ms = 0;

    if (copy->since_count == COPY_SINCE_MAX || strlen(domain) > COPY_DOMAIN_MAX ||
        domain[0] == '\0' || !read_number(text, &at_ms))
        return false;
    if ((copy->since_count & (copy->since_count - 1)) == 0) // 0, 1, 2, 4 ...: it is full
        copy->since = mem_grow(copy->since, copy->since_count > 0 ? copy->since_count * 2 : 1,
                               sizeof(*copy->since));
    struct copy_since *since = &copy->since[copy->since_count++];

    (void)snprintf(since->domain, sizeof(since->domain), "%s", domain);
    since->at_ms = at_ms;
    return true;
}

static bool take_document(struct reader *reader, struct copy *copy, char *text)
{
    const char *name = cut_word(&text);
    uint64_t len = 0;

    if (!read_number(text, &len) || len == 0 || len > STORE_DOCUMENT_BYTES || len != reader->left)
        return false;
    copy->document = document_new(reader->at, reader->left);
    copy->version.bytes = len;
    memcpy(copy->version.document, copy->document->name, sizeof(copy->version.document));
    return strcmp(copy->document->name, name) == 0;
}

static bool read_lists(struct reader *reader, struct copy *copy)
{
    char *text = NULL;

    while (next_line(reader)) {
        if ((text = rest_of(reader->line, "was")) != NULL) {
            if (!take_was(copy, text))
                return false;
        } else if ((text = rest_of(reader->line, "since")) != NULL) {
            if (!take_since(copy, text))
                return false;
        } else {
            text = rest_of(reader->line, "document");
            return text != NULL && take_document(reader, copy, text);
        }
    }
    return false;
}

static bool read_copy(struct reader *reader, struct copy *copy)
{
    struct store_version *version = &copy->version;

    return line_number(reader, "version", &version->version) && version->version > 0 &&
           version->version < 1ULL << 53 && line_number(reader, "at", &version->at_ms) &&
           line_text(reader, "by", version->by, STORE_BY_MAX) &&
           line_text(reader, "note", version->note, STORE_NOTE_MAX) &&
           line_number(reader, "hash", &version->hash) &&
           line_number(reader, "policies", &version->policies) && read_lists(reader, copy);
}

enum err copy_parse(const void *bytes, size_t len, struct copy **out, struct err_detail *detail)
{
    struct reader reader = {.at = bytes, .left = len};
    char hex[SUM_HEX];

    if (len < HEAD_BYTES || memcmp(reader.at, MAGIC, sizeof(MAGIC) - 1) != 0)
        return err_say(detail, ERR_SYNTAX, "not a copy of a policy set of this version");
    sum(reader.at + HEAD_BYTES, len - HEAD_BYTES, hex);
    if (memcmp(reader.at + sizeof(MAGIC) - 1, hex, SUM_HEX - 1) != 0 ||
        reader.at[HEAD_BYTES - 1] != '\n')
        return err_say(detail, ERR_SYNTAX, "its checksum does not fit: it is damaged");
    reader.at += HEAD_BYTES;
    reader.left -= HEAD_BYTES;
    struct copy *copy = mem_new(sizeof(*copy));

    if (!read_copy(&reader, copy)) {
        copy_free(&copy);
        return err_say(detail, ERR_SYNTAX, "its header is not understood");
    }
    *out = copy;
    return ERR_NONE;
}

// ---- files

enum { FILE_BYTES_MAX = (17U << 20) + COPY_SINCE_MAX * SINCE_BYTES };

static enum err read_all(int fd, size_t size, char *bytes)
{
    size_t have = 0;

    while (have < size) {
        ssize_t got = read(fd, bytes + have, size - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return ERR_SYSTEM;
        have += (size_t)got;
    }
    return ERR_NONE;
}

static enum err load(int fd, struct copy **out, struct err_detail *detail)
{
    struct stat about;
    char *bytes = NULL;

    if (fstat(fd, &about) != 0)
        return err_say(detail, ERR_SYSTEM, "%s", strerror(errno));
    if (!S_ISREG(about.st_mode) || about.st_size > FILE_BYTES_MAX)
        return err_say(detail, ERR_SYNTAX, "not a copy of a policy set: it is too large");
    bytes = mem_new((size_t)about.st_size);
    enum err err = read_all(fd, (size_t)about.st_size, bytes);

    if (err != ERR_NONE)
        (void)err_say(detail, err, "cannot read it: %s", strerror(errno));
    else
        err = copy_parse(bytes, (size_t)about.st_size, out, detail);
    mem_free(bytes);
    return err;
}

enum err copy_load(const char *path, struct copy **out, struct err_detail *detail)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_say(detail, ERR_NOT_FOUND, "there is none");
    if (fd < 0)
        return err_say(detail, ERR_SYSTEM, "%s", strerror(errno));
    enum err err = load(fd, out, detail);

    (void)close(fd);
    return err;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        len -= (size_t)done;
    }
    return true;
}

// A rename is there for good once its directory is.
static bool sync_directory(const char *directory)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        (void)close(fd);
    return is_synced;
}

static bool write_file(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write_all(fd, bytes, len) && fsync(fd) == 0;

    if (fd >= 0 && close(fd) != 0)
        is_written = false;
    return is_written;
}

enum err copy_save(const char *path, const void *bytes, size_t len, struct err_detail *detail)
{
    char *fresh = mem_format("%s.%ld", path, (long)getpid()); // two nodes may share the directory
    char *directory = mem_text_n(path, (size_t)(strrchr(path, '/') - path));
    enum err err = ERR_NONE;

    if (mkdir(directory, 0750) != 0 && errno != EEXIST)
        err = err_say(detail, ERR_SYSTEM, "%s: %s", directory, strerror(errno));
    else if (!write_file(fresh, bytes, len) || rename(fresh, path) != 0 ||
             !sync_directory(directory))
        err = err_say(detail, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    if (err != ERR_NONE)
        (void)unlink(fresh);
    mem_free(fresh);
    mem_free(directory);
    return err;
}
