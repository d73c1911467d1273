// lines.c: see lines.h. Promises: memory for one line and zlib, however long a line is.
#include "client/ctl/import/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "proto/base/mem.h"

enum { ROOM = 2 * LINES_MAX };

struct lines {
    gzFile file; // reads plain files as they are
    uint64_t written_ms, size;
    size_t at, used; // of bytes
    bool is_over;
    bool must_drop; // the line that was handed out goes on
    bool had_nul;
    char bytes[ROOM + 1];
};

enum err lines_open(struct lines **out, const char *path, struct err_detail *detail)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    struct lines *lines;

    if (fd < 0 || fstat(fd, &info) != 0)
        return err_say(detail, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    if (S_ISDIR(info.st_mode)) {
        (void)close(fd);
        return err_say(detail, ERR_SYSTEM, "%s is a directory; name its files", path);
    }
    lines = mem_new(sizeof(*lines));
    lines->file = gzdopen(fd, "rb");
    if (S_ISREG(info.st_mode)) {
        lines->written_ms = (uint64_t)info.st_mtime * 1000;
        lines->size = (uint64_t)info.st_size;
    }
    *out = lines;
    return ERR_NONE;
}

void lines_close(struct lines **lines)
{
    if (*lines == NULL)
        return;
    (void)gzclose((*lines)->file);
    mem_free(*lines);
    *lines = NULL;
}

// fill: more bytes behind those that are there; false if there are none.
static bool fill(struct lines *lines)
{
    int got;

    if (lines->is_over)
        return false;
    memmove(lines->bytes, lines->bytes + lines->at, lines->used - lines->at);
    lines->used -= lines->at;
    lines->at = 0;
    got = gzread(lines->file, lines->bytes + lines->used, (unsigned)(ROOM - lines->used));
    lines->is_over = got <= 0;
    lines->used += got > 0 ? (size_t)got : 0;
    return got > 0;
}

// drop_line: up to and with its end.
static void drop_line(struct lines *lines)
{
    const char *end = NULL;

    while (end == NULL && (lines->at < lines->used || fill(lines))) {
        end = memchr(lines->bytes + lines->at, '\n', lines->used - lines->at);
        lines->at = end == NULL ? lines->used : (size_t)(end - lines->bytes) + 1;
    }
}

static bool blank_nuls(char *line, size_t len)
{
    bool had_nul = false;

    for (char *at = memchr(line, '\0', len); at != NULL;
         at = memchr(at, '\0', len - (size_t)(at - line))) {
        *at = ' ';
        had_nul = true;
    }
    return had_nul;
}

bool lines_next(struct lines *lines, char **line, size_t *len)
{
    char *end = NULL;

    if (lines->must_drop)
        drop_line(lines);
    do {
        *line = lines->bytes + lines->at;
        end = memchr(*line, '\n', lines->used - lines->at);
    } while (end == NULL && lines->used - lines->at < LINES_MAX && fill(lines));
    *line = lines->bytes + lines->at;
    *len = end == NULL ? lines->used - lines->at : (size_t)(end - *line);
    if (*len == 0 && end == NULL)
        return false;
    lines->must_drop = end == NULL; // the rest comes with the next call, and is no line
    if (*len >= LINES_MAX) {
        *len = LINES_MAX - 1;
        lines->must_drop = true;
    }
    lines->at += *len + (lines->must_drop ? 0 : 1);
    (*line)[*len] = '\0'; // takes the line's end, or the first byte of what is dropped
    lines->had_nul |= blank_nuls(*line, *len);
    return true;
}

bool lines_had_nul(const struct lines *lines)
{
    return lines->had_nul;
}

const char *lines_trouble(struct lines *lines)
{
    int number = Z_OK;
    const char *text = gzerror(lines->file, &number);

    if (number == Z_ERRNO)
        return strerror(errno);
    return number == Z_OK || number == Z_STREAM_END ? NULL : text;
}

uint64_t lines_written_ms(const struct lines *lines)
{
    return lines->written_ms;
}

uint64_t lines_size(const struct lines *lines)
{
    return lines->size;
}

uint64_t lines_done(struct lines *lines)
{
    z_off_t offset = gzoffset(lines->file);

    return offset < 0 ? 0 : (uint64_t)offset;
}
