// line.c: see line.h. Promises: whatever stands in the line, nothing but a ticket and addresses is
// taken out of it.
#include "client/ctl/line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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

int line_follow(struct ctl *ctl, struct line *line)
{
    const struct reeve_pair args[] = {{"ticket", line->ticket}};
    struct reeve_answer *answer = NULL;
    int code = CTL_FINE;

    if (line->ticket[0] == '\0')
        return CTL_FINE;
    code = ctl_admin(ctl, "track", args, 1, false, &answer);
    if (code != CTL_FINE)
        return code;
    if (answer->row_count > 0) {
        (void)snprintf(line->sender, sizeof(line->sender), "%s",
                       print_field(&answer->rows[0], "sender"));
        (void)snprintf(line->recipient, sizeof(line->recipient), "%s",
                       print_field(&answer->rows[0], "recipient"));
        line->has_sender = true;
        line->has_recipient = line->recipient[0] != '\0';
    } else {
        code = ctl_fail(ctl, CTL_NEGATIVE,
                        "no decision has the ticket %s. Decisions are kept for 7 days; was it "
                        "longer ago, or made by another cluster, or was the store lost meanwhile?",
                        line->ticket);
    }
    reeve_answer_free(&answer);
    return code;
}
