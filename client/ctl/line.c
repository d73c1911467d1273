// line.c: see line.h. Promises: whatever stands in the line, nothing but a ticket and addresses is
// taken out of it.
#include "client/ctl/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "client/ctl/print.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { LOG_LINE_MAX = 1 << 16 };

static char *join_words(int argc, char **argv)
{
    char *line = mem_new(LOG_LINE_MAX);
    struct text_buf buf;

    text_buf_init(&buf, line, LOG_LINE_MAX);
    for (int i = 0; i < argc; i++)
        text_buf_add(&buf, "%s%s", i > 0 ? " " : "", argv[i]);
    return line;
}

static char *read_input(void)
{
    char *line = mem_new(LOG_LINE_MAX);
    size_t used = 0;

    while (used < LOG_LINE_MAX - 1) {
        ssize_t got = read(STDIN_FILENO, line + used, LOG_LINE_MAX - 1 - used);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    for (size_t i = 0; i < used; i++) {
        if (line[i] == '\0')
            line[i] = ' ';
    }
    return line;
}

char *line_take(int argc, char **argv)
{
    bool from_input = argc == 0 || (argc == 1 && strcmp(argv[0], "-") == 0);

    return from_input ? read_input() : join_words(argc, argv);
}

void line_read(const char *text, struct line *out)
{
    memset(out, 0, sizeof(*out));
    if (ticket_find(text, out->ticket))
        return;
    out->has_sender = ticket_find_address(text, "from", out->sender);
    out->has_recipient = ticket_find_address(text, "to", out->recipient);
}

// ---- its decision

#define OTHERS_LIMIT "500" // rows of one recipient among which the null sender's is looked for

static int tell_gone(struct ctl *ctl, const struct line *line)
{
    if (line->ticket[0] != '\0')
        return ctl_fail(ctl, CTL_NEGATIVE,
                        "no decision has the ticket %s. Decisions are kept for 7 days; was it "
                        "longer ago, or made by another cluster, or was the store lost meanwhile?",
                        line->ticket);
    return ctl_fail(ctl, CTL_NEGATIVE,
                    "there is no ticket in that line, and no decision about mail from <%s> to <%s> "
                    "in the last 7 days (accepts are kept only by sampling)",
                    line->sender, line->recipient);
}

static int ask(struct ctl *ctl, const struct line *line, struct reeve_answer **out)
{
    const struct reeve_pair by_ticket[] = {{"ticket", line->ticket}};
    const struct reeve_pair by_pair[] = {
        {"recipient", line->recipient}, {"limit", OTHERS_LIMIT}, {"sender", line->sender}};

    if (line->ticket[0] != '\0')
        return ctl_admin(ctl, "track", by_ticket, 1, false, out);
    return ctl_admin(ctl, "track", by_pair, line->sender[0] == '\0' ? 2 : 3, false, out);
}

// find_row: the newest row of the wanted sender. (The null sender cannot be asked for by name.)
static const struct reeve_row *find_row(const struct line *line, const struct reeve_answer *answer)
{
    for (size_t i = 0; i < answer->row_count; i++) {
        if (line->ticket[0] != '\0' ||
            strcasecmp(print_field(&answer->rows[i], "sender"), line->sender) == 0)
            return &answer->rows[i];
    }
    return NULL;
}

int line_find(struct ctl *ctl, const struct line *line, struct reeve_answer **out,
              const struct reeve_row **row)
{
    struct reeve_answer *answer = NULL;
    int code = ask(ctl, line, &answer);

    if (code != CTL_FINE)
        return code;
    *row = find_row(line, answer);
    if (*row == NULL) {
        reeve_answer_free(&answer);
        return tell_gone(ctl, line);
    }
    *out = answer;
    return CTL_FINE;
}

int line_follow(struct ctl *ctl, struct line *line)
{
    struct reeve_answer *answer = NULL;
    const struct reeve_row *row = NULL;
    int code;

    if (line->ticket[0] == '\0')
        return CTL_FINE;
    code = line_find(ctl, line, &answer, &row);
    if (code != CTL_FINE)
        return code;
    (void)snprintf(line->sender, sizeof(line->sender), "%s", print_field(row, "sender"));
    (void)snprintf(line->recipient, sizeof(line->recipient), "%s", print_field(row, "recipient"));
    line->has_sender = true;
    line->has_recipient = line->recipient[0] != '\0';
    reeve_answer_free(&answer);
    return CTL_FINE;
}
