// fuzz_directory_import.c: any bytes as a file that `reevectl directory import` reads: CSV, LDIF, a map of Postfix. The first
// byte says which.
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The pure parts, which are in no library.
#include "client/ctl/directory/folded.c"
#include "client/ctl/directory/ldif.c"
#include "client/ctl/directory/map.c"
#include "client/ctl/directory/read_csv.c"
#include "client/ctl/directory/read_ldif.c"
#include "client/ctl/directory/read_map.c"
#include "client/ctl/directory/take.c"
#include "client/ctl/import/csv.c"
#include "client/ctl/import/lines.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

bool entries_add(struct entries *entries, const struct entry *entry)
{
    const char *at = strrchr(entry->address, '@');

    (void)entries;
    assert(at != NULL && strcmp(at + 1, entry->domain) == 0 && entry->domain[0] != '\0');
    assert(text_is_clean(entry->address, strlen(entry->address), 1000));
    assert(text_is_clean(entry->mailbox, strlen(entry->mailbox), 1000));
    assert(text_is_clean(entry->groups, strlen(entry->groups), 400));
    assert(strpbrk(entry->address, "\t\n") == NULL && strpbrk(entry->groups, "\t\n") == NULL);
    assert(strcmp(entry->mailbox, entry->address) != 0);
    return true;
}

bool progress_show(struct progress *progress, uint64_t done, uint64_t total, uint64_t count)
{
    (void)progress;
    (void)done;
    (void)total;
    (void)count;
    return true;
}

void progress_clear(struct progress *progress)
{
    (void)progress;
}

int ctl_fail(struct ctl *ctl, int code, const char *fmt, ...)
{
    char text[2000];
    va_list args;

    (void)ctl;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return code;
}

// A file without a name, with these bytes.
static struct lines *open_bytes(const uint8_t *data, size_t size)
{
    struct err_detail detail;
    struct lines *lines = NULL;
    char path[64];
    int fd = memfd_create("directory", 0);

    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    assert(lines_open(&lines, path, &detail) == ERR_NONE);
    (void)close(fd);
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int (*const readers[])(struct directory_import * import, struct lines * lines) = {
        directory_read_csv, directory_read_ldif, directory_read_map};
    static unsigned char memory[16 << 10];
    struct directory_import import = {.path = "F", .options = {.mail = "mail"}};

    if (size == 0)
        return 0;
    arena_init(&import.arena, memory, sizeof(memory));
    import.options.has_targets = (data[0] & 4) != 0;
    import.options.domain = (data[0] & 8) != 0 ? "corp.example" : NULL;
    (void)readers[data[0] % 3](&import, open_bytes(data + 1, size - 1));
    for (int i = 0; i < LEFT_COUNT; i++)
        assert(text_is_clean(import.left[i].example, strlen(import.left[i].example),
                             DIRECTORY_EXAMPLE_MAX));
    return 0;
}
