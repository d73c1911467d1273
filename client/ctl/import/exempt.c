// exempt.c: see exempt.h. Promises: what is written is a policy file that reeved reads
// (reeve-policy(5)), whatever the texts hold; a sender that a policy would match otherwise than the
// greylist it comes from did is not written.
#include "client/ctl/import/exempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/mem.h"
#include "proto/ip.h"
#include "proto/mail.h"
#include "proto/text.h"

struct exempt {
    FILE *file; // NULL = dry or none
    bool is_wanted;
    const char *path, *format; // borrowed
    uint64_t count;
};

static const char HEAD[] =
    "# Senders that %s knew without a recipient. Add this file to `policy:` in reeve.yaml, then:\n"
    "# reevectl reload. Each policy ends by itself; the file can go when the last one has.\n"
    "policies:\n";

static FILE *open_new(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    return fd < 0 ? NULL : fdopen(fd, "w");
}

struct exempt *exempt_new(struct ctl *ctl, const char *path, const char *format, bool dry,
                          int *code)
{
    struct exempt *exempt = mem_new(sizeof(*exempt));

    exempt->path = path;
    exempt->format = format;
    exempt->is_wanted = path[0] != '\0';
    if (!exempt->is_wanted || dry)
        return exempt;
    exempt->file = open_new(path);
    if (exempt->file != NULL) {
        (void)fprintf(exempt->file, HEAD, format);
        return exempt;
    }
    *code = ctl_fail(ctl, CTL_USAGE, "--policy %s: %s%s", path, strerror(errno),
                     errno == EEXIST ? "; a policy file is not overwritten: name another" : "");
    mem_free(exempt);
    return NULL;
}

bool exempt_close(struct exempt **exempt, bool keep)
{
    bool is_whole = true;

    if (*exempt == NULL)
        return true;
    if ((*exempt)->file != NULL) {
        if ((*exempt)->count == 0)
            (void)fputs("  []\n", (*exempt)->file);
        is_whole = ferror((*exempt)->file) == 0;
        is_whole &= fclose((*exempt)->file) == 0;
        if (!keep || !is_whole)
            (void)unlink((*exempt)->path);
    }
    mem_free(*exempt);
    *exempt = NULL;
    return is_whole;
}

// ---- one policy

// is_address: a plain one, that a policy compares as mail is compared.
static bool is_address(const char *text)
{
    unsigned char memory[8192];
    struct arena arena;
    struct mail_address address;

    if (!text_is_clean(text, strlen(text), MAIL_ADDRESS_MAX) || strpbrk(text, "*#\"\\ ") != NULL)
        return false;
    arena_init(&arena, memory, sizeof(memory));
    return mail_parse(text, &arena, &address) == ERR_NONE && address.flaw == MAIL_OK &&
           address.domain[0] != '\0' && address.domain[0] != '[';
}

// is_sender: a pattern of reeve-policy(5) that means this sender and no other.
static bool is_sender(const char *from)
{
    char domain[MAIL_DOMAIN_MAX + 1];

    if (strcmp(from, "*") == 0 || strcmp(from, "<>") == 0)
        return true;
    if (from[0] == '@')
        return strpbrk(from, "*#\"\\ ") == NULL && mail_domain_normalise(from + 1, domain);
    return is_address(from);
}

// is_source: made canonical, host bits and all.
static bool is_source(const char *text, char out[IP_NET_TEXT_MAX])
{
    struct ip_net net;

    if (ip_net_parse(text, &net, NULL) != ERR_NONE || net.bits == 0)
        return false;
    (void)ip_net_format(&net, out);
    return true;
}

static void format_until(uint64_t ms, char *out, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out[0] = '\0';
}

enum exempt_result exempt_add(struct exempt *exempt, const struct import_exemption *one,
                              uint64_t now_ms)
{
    static const uint64_t LAST_MS = 4102444800000ULL; // the year 2100: a stamp beyond is none
    uint64_t last_ms = one->last_ms < now_ms ? one->last_ms : now_ms;
    char source[IP_NET_TEXT_MAX];
    char until[32];

    if (!exempt->is_wanted)
        return EXEMPT_NO_FILE;
    if (!is_sender(one->from) || !is_source(one->source, source))
        return EXEMPT_FOLDED;
    if (now_ms - last_ms >= IMPORT_EXEMPT_MS || last_ms > LAST_MS)
        return EXEMPT_EXPIRED;
    exempt->count++;
    if (exempt->file == NULL)
        return EXEMPT_WRITTEN;
    format_until(last_ms + IMPORT_EXEMPT_MS, until, sizeof(until));
    (void)fprintf(exempt->file,
                  "  - {id: %s-%llu, kind: greylist, option: no_action, from: \"%s\",\n"
                  "     source: [\"%s\"], valid: {until: %s}, note: \"from %s\"}\n",
                  exempt->format, (unsigned long long)exempt->count, one->from, source, until,
                  exempt->format);
    return EXEMPT_WRITTEN;
}

uint64_t exempt_count(const struct exempt *exempt)
{
    return exempt->count;
}
