// secret.c: reads secrets from files. Promises: a file that is not understood wholly is refused
// with its line; no secret is ever written to a log or a message.
#include "node/store/secret.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "node/store/reply.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum { LINE_BYTES = 512 };

void secret_to_hex(const uint8_t secret[KEY_SECRET_BYTES], char out[2 * KEY_SECRET_BYTES + 1])
{
    (void)sodium_bin2hex(out, 2 * KEY_SECRET_BYTES + 1, secret, KEY_SECRET_BYTES);
}

bool secret_from_hex(const char *text, uint8_t out[KEY_SECRET_BYTES])
{
    uint8_t bytes[KEY_SECRET_BYTES];
    size_t len = 0;

    if (strlen(text) != 2 * KEY_SECRET_BYTES ||
        sodium_hex2bin(bytes, sizeof(bytes), text, strlen(text), NULL, &len, NULL) != 0 ||
        len != sizeof(bytes))
        return false;
    memcpy(out, bytes, sizeof(bytes));
    return true;
}

static enum err open_secret(const char *path, FILE **out, struct err_detail *detail)
{
    struct stat about;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return err_say(detail, ERR_SYSTEM, "%s: cannot be read: %s", path, strerror(errno));
    if (fstat(fileno(file), &about) == 0 && (about.st_mode & S_IROTH) != 0)
        log_warn("a secret file can be read by everybody: chmod o-r path=%s", path);
    *out = file;
    return ERR_NONE;
}

static void cut_end(char *line)
{
    size_t len = strlen(line);

    while (len > 0 && isspace((unsigned char)line[len - 1]))
        line[--len] = '\0';
}

// RFC 3339, UTC only: "2027-01-31T00:00:00Z".
static bool parse_moment(const char *text, uint64_t *out_ms)
{
    struct tm moment = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &moment);

    if (reply_number_parse(text, out_ms))
        return true;
    if (end == NULL || *end != '\0')
        return false;
    time_t seconds = timegm(&moment);

    if (seconds < 0)
        return false;
    *out_ms = (uint64_t)seconds * 1000;
    return true;
}

static enum err parse_line(struct secret_file *file, char *text, unsigned number,
                           struct err_detail *detail)
{
    struct secret_line line = {.since_ms = 0};
    char *moment = text + strcspn(text, " \t");

    if (*moment != '\0')
        *moment++ = '\0';
    moment += strspn(moment, " \t");
    if (file->count == KEY_EPOCH_MAX)
        return err_say(detail, ERR_CONFIG, "%s:%u: more than %d secrets", file->path, number,
                       KEY_EPOCH_MAX);
    if (!secret_from_hex(text, line.secret))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: expected 32 hexadecimal digits (as `openssl rand -hex 16` prints)",
                       file->path, number);
    if (*moment != '\0' && !parse_moment(moment, &line.since_ms))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: expected a moment like 2027-01-31T00:00:00Z after the secret",
                       file->path, number);
    if (file->count > 0 && line.since_ms <= file->line[file->count - 1].since_ms)
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: a further secret needs a moment later than the one before it",
                       file->path, number);
    file->line[file->count++] = line;
    return ERR_NONE;
}

static enum err parse_file(FILE *stream, struct secret_file *file, struct err_detail *detail)
{
    char text[LINE_BYTES];
    enum err err = ERR_NONE;

    for (unsigned number = 1; err == ERR_NONE && fgets(text, sizeof(text), stream) != NULL;
         number++) {
        cut_end(text);
        if (text[0] != '\0' && text[0] != '#')
            err = parse_line(file, text, number, detail);
    }
    sodium_memzero(text, sizeof(text));
    if (err == ERR_NONE && file->count == 0)
        return err_say(detail, ERR_CONFIG,
                       "%s: holds no secret: expected a line of 32 hexadecimal digits", file->path);
    return err;
}

enum err secret_file_read(const char *path, struct secret_file *out, struct err_detail *detail)
{
    struct secret_file file = {.path = path};
    FILE *stream = NULL;
    enum err err = open_secret(path, &stream, detail);

    if (err != ERR_NONE)
        return err;
    err = parse_file(stream, &file, detail);
    (void)fclose(stream);
    if (err == ERR_NONE)
        *out = file;
    sodium_memzero(&file, sizeof(file));
    return err;
}

enum err secret_password_read(const char *path, char **out, struct err_detail *detail)
{
    char line[LINE_BYTES] = "";
    FILE *stream = NULL;
    enum err err = open_secret(path, &stream, detail);

    if (err != ERR_NONE)
        return err;
    if (fgets(line, sizeof(line), stream) != NULL)
        line[strcspn(line, "\r\n")] = '\0';
    (void)fclose(stream);
    if (line[0] == '\0')
        return err_say(detail, ERR_CONFIG, "%s: expected the password in the first line", path);
    *out = mem_text(line);
    sodium_memzero(line, sizeof(line));
    return ERR_NONE;
}
