// logs.c: see logs.h. Promises: bounded memory; a line that is no mail's, or that is
// not whole, is passed over; a file that breaks off is told.
#include "client/ctl/import/logs.h"

#include <stdlib.h>
#include <string.h>

#include "client/ctl/import/eximlog.h"
#include "client/ctl/import/lines.h"
#include "client/ctl/import/maillog.h"
#include "client/ctl/import/stamp.h"
#include "proto/base/mem.h"

struct log_file {
    const char *path;
    uint64_t first_ms; // of its first line with a time; UINT64_MAX = standard input, read last
    uint64_t size;
};

struct reading {
    struct import *import;
    struct queue *queue;
    const struct logs_how *how;
    struct stamp_clock clock;
    uint64_t done, at, total; // bytes: of the files before, in all so far, of all files
};

enum { PEEK_LINES = 1000, LOOK_EACH = 1000 };

// ---- lines

// tell_task: rspamd knows the whole message at once.
static void tell_task(struct reading *reading, const struct maillog *line, uint64_t at_ms)
{
    struct queue_mail mail = {.client = mem_text(line->client),
                              .name = mem_text(""),
                              .sender = mem_text(line->sender),
                              .at_ms = at_ms};
    char *list = mem_text(line->recipient);
    char *recipient[100];
    char *at = list;

    for (; at != NULL && *at != '\0' && mail.count < 100; mail.count++) {
        recipient[mail.count] = at;
        at = strchr(at, ',');
        if (at != NULL)
            *at++ = '\0';
    }
    mail.recipient = recipient;
    if (mail.count > 0)
        reading->how->tell(reading->how->arg, &mail);
    mem_free(list);
    mem_free(mail.client);
    mem_free(mail.name);
    mem_free(mail.sender);
}

static void take_client(struct reading *reading, const struct maillog *line)
{
    // The queue copies; the texts of a line are not changed.
    const struct queue_mail from = {.client = (char *)(uintptr_t)line->client,
                                    .name = (char *)(uintptr_t)line->name,
                                    .login = (char *)(uintptr_t)line->login,
                                    .is_own = line->is_own,
                                    .is_returned = line->is_returned};

    queue_client(reading->queue, line->id, &from);
}

// read_line: Exim's are told apart by their ids, which no line of Postfix begins with.
static void read_line(const struct reading *reading, char *text, struct maillog *line)
{
    line->kind = MAILLOG_OTHER;
    if (reading->how->want_exim)
        eximlog_read(text, line);
    if (line->kind == MAILLOG_OTHER)
        maillog_read(text, line);
}

static void take_line(struct reading *reading, char *text)
{
    struct maillog line;
    uint64_t at_ms = 0;
    size_t took = 0;

    reading->import->read++;
    if (!stamp_read(&reading->clock, text, &at_ms, &took) || text[took] != ' ')
        return;
    if (reading->how->line != NULL &&
        reading->how->line(reading->how->arg, reading->queue, text + took + 1, at_ms))
        return;
    read_line(reading, text + took + 1, &line);
    switch (line.kind) {
    case MAILLOG_CAME:
        take_client(reading, &line);
        queue_sender(reading->queue, line.id, line.sender);
        break;
    case MAILLOG_CLIENT:
        take_client(reading, &line);
        break;
    case MAILLOG_FROM:
        queue_sender(reading->queue, line.id, line.sender);
        break;
    case MAILLOG_SENT:
        queue_sent(reading->queue, line.id, line.recipient, at_ms);
        break;
    case MAILLOG_REMOVED:
        queue_removed(reading->queue, line.id);
        break;
    case MAILLOG_TASK:
        if (reading->how->want_tasks)
            tell_task(reading, &line, at_ms);
        break;
    case MAILLOG_OTHER:
        break;
    }
}

// ---- files

static void set_clock(struct reading *reading, const struct lines *lines)
{
    uint64_t written_ms = lines_written_ms(lines);

    reading->clock = (struct stamp_clock){
        .latest_ms = written_ms > 0 ? written_ms : reading->import->ctl->now_ms};
}

// goes_on: asked at each line, but the file's offset costs a system call.
static bool goes_on(struct reading *reading, struct lines *lines)
{
    if (reading->import->read % LOOK_EACH == 0)
        reading->at = reading->done + lines_done(lines);
    return import_goes_on(reading->import, reading->at, reading->total);
}

static int read_file(struct reading *reading, const struct log_file *file)
{
    struct lines *lines = NULL;
    struct err_detail detail = {""};
    const char *trouble;
    char *line = NULL;
    size_t len = 0;

    if (lines_open(&lines, file->path, &detail) != ERR_NONE)
        return import_fail(reading->import, "%s", detail.text);
    set_clock(reading, lines);
    while (lines_next(lines, &line, &len) && goes_on(reading, lines))
        take_line(reading, line);
    trouble = lines_trouble(lines);
    if (trouble != NULL)
        ctl_warn("%s breaks off (%s); what was read up to there counts", file->path, trouble);
    reading->done += file->size;
    lines_close(&lines);
    return CTL_FINE;
}

// peek: when a file begins.
static int peek(struct reading *reading, struct log_file *file)
{
    struct lines *lines = NULL;
    struct err_detail detail = {""};
    char *line = NULL;
    size_t len = 0, took = 0;

    file->first_ms = UINT64_MAX;
    if (strcmp(file->path, "-") == 0)
        return CTL_FINE;
    if (lines_open(&lines, file->path, &detail) != ERR_NONE)
        return import_fail(reading->import, "%s", detail.text);
    file->size = lines_size(lines);
    reading->total += file->size;
    set_clock(reading, lines);
    for (int i = 0; i < PEEK_LINES && lines_next(lines, &line, &len); i++) {
        if (stamp_read(&reading->clock, line, &file->first_ms, &took))
            break;
    }
    lines_close(&lines);
    return CTL_FINE;
}

static int compare(const void *a, const void *b)
{
    const struct log_file *left = a, *right = b;

    return (left->first_ms > right->first_ms) - (left->first_ms < right->first_ms);
}

int logs_read(struct import *import, const char *const *paths, size_t count,
              const struct logs_how *how)
{
    struct reading reading = {.import = import, .how = how};
    struct log_file *file = mem_new_array(count, sizeof(*file));
    int code = CTL_FINE;

    reading.queue = queue_new(how->tell, how->arg);
    for (size_t i = 0; i < count && code == CTL_FINE; i++) {
        file[i].path = paths[i];
        code = peek(&reading, &file[i]);
    }
    qsort(file, count, sizeof(*file), compare);
    for (size_t i = 0; i < count && code == CTL_FINE; i++)
        code = read_file(&reading, &file[i]);
    queue_free(&reading.queue);
    mem_free(file);
    return code;
}
