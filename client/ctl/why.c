// why.c: `reevectl why`: a pasted line of a mail log in, the story of that mail out.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/line.h"
#include "client/ctl/print.h"
#include "client/ctl/story.h"
#include "client/ctl/track.h"
#include "proto/base/mem.h"

#define OTHERS_LIMIT "500" // rows of the same sender and recipient

// ---- rows that outlive their answer

struct rows {
    struct reeve_row *row; // their fields live in the answers
    size_t count;
    struct reeve_answer **answer;
    size_t answer_count;
};

static void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->answer_count; i++)
        reeve_answer_free(&rows->answer[i]);
    mem_free((void *)rows->answer);
    mem_free(rows->row);
    *rows = (struct rows){.count = 0};
}

// rows_take: appends the answer's rows, and owns it.
static void rows_take(struct rows *rows, struct reeve_answer *answer)
{
    rows->row = mem_grow(rows->row, rows->count + answer->row_count, sizeof(*rows->row));
    for (size_t i = 0; i < answer->row_count; i++)
        rows->row[rows->count++] = answer->rows[i];
    rows->answer = mem_grow((void *)rows->answer, rows->answer_count + 1, sizeof(*rows->answer));
    rows->answer[rows->answer_count++] = answer;
}

static int find(struct ctl *ctl, const char *verb, const struct reeve_pair *args, size_t count,
                struct rows *out)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_admin(ctl, verb, args, count, false, &answer);

    if (code == CTL_FINE)
        rows_take(out, answer);
    return code;
}

// ---- the three questions

struct why {
    struct ctl *ctl;
    const struct command *command;
    struct line line;
    struct reeve_answer *answer;
    const struct reeve_row *row; // in it
    struct rows others, stored;
    bool stored_is_known;
};

static int find_row(struct why *why)
{
    return line_find(why->ctl, &why->line, &why->answer, &why->row);
}

static int find_others(struct why *why)
{
    const struct reeve_row *row = why->row;
    const struct reeve_pair args[] = {
        {"recipient", print_field(row, "recipient")},
        {"limit", OTHERS_LIMIT},
        {"sender", print_field(row, "sender")},
    };
    bool is_null_sender = args[2].value[0] == '\0'; // "" would mean any; story_tell sorts them out

    if (args[0].value[0] == '\0')
        return CTL_FINE; // decided before there was a recipient
    return find(why->ctl, "track", args, is_null_sender ? 2 : 3, &why->others);
}

static bool is_grey(const char *reason)
{
    return strncmp(reason, "greylist_", strlen("greylist_")) == 0;
}

// find_stored: a pair that cannot be asked about (a malformed address) has nothing stored.
static int find_stored(struct why *why)
{
    const struct reeve_row *row = why->row;
    const char *sender = print_field(row, "sender");
    const struct reeve_pair args[] = {
        {"sender", sender[0] == '\0' ? "<>" : sender},
        {"recipient", print_field(row, "recipient")},
    };

    if (!is_grey(print_field(row, "reason")) && !is_grey(print_field(row, "shadow")))
        return CTL_FINE;
    why->stored_is_known = true;
    return find(why->ctl, "grey.show", args, 2, &why->stored);
}

// ---- telling

static void print_lines_json(struct json *json, const char *text)
{
    json_open(json, "story", '[');
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        char *line = mem_text_n(text, len);

        json_text(json, NULL, line);
        mem_free(line);
        text += len + (text[len] == '\n');
    }
    json_close(json, ']');
}

static void tell(const struct why *why)
{
    const struct story story = {
        .row = why->row,
        .others = why->others.row,
        .other_count = why->others.count,
        .stored_is_known = why->stored_is_known,
        .stored = why->stored.row,
        .stored_count = why->stored.count,
        .now_ms = why->ctl->at_ms > 0 ? why->ctl->at_ms : why->ctl->now_ms,
    };
    struct json *json = &why->ctl->json;
    char text[STORY_MAX];
    struct text_buf buf;

    text_buf_init(&buf, text, sizeof(text));
    story_tell(&story, &buf);
    if (!why->ctl->want_json) {
        (void)fputs(text, stdout);
        return;
    }
    json_open(json, NULL, '{');
    print_row_json(json, "row", story.row);
    print_rows_json(json, "others", why->others.row, why->others.count);
    print_rows_json(json, "stored", why->stored.row, why->stored.count);
    print_lines_json(json, text);
    json_close(json, '}');
}

static int answer_line(struct why *why, const char *line)
{
    int code = CTL_FINE;

    line_read(line, &why->line);
    if (why->line.ticket[0] == '\0' && (!why->line.has_sender || !why->line.has_recipient))
        return ctl_misuse(why->ctl, why->command,
                          "no ticket in that line: one has %d letters and digits and follows the "
                          "word \"ticket\" in Reeve's reply; without one, the line needs from=<> "
                          "and to=<>, or use: reevectl track --from ADDRESS --to ADDRESS",
                          TICKET_LEN);
    code = find_row(why);
    if (code == CTL_FINE)
        code = find_others(why);
    if (code == CTL_FINE)
        code = find_stored(why);
    if (code == CTL_FINE)
        tell(why);
    return code;
}

int run_why(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct why why = {.ctl = ctl, .command = command};
    char *line = NULL;
    int first = 0;
    int code = args_read(ctl, command, NULL, argc, argv, &first);

    if (code != CTL_FINE)
        return code;
    line = line_take(argc - first, argv + first);
    code = answer_line(&why, line);
    reeve_answer_free(&why.answer);
    rows_free(&why.others);
    rows_free(&why.stored);
    mem_free(line);
    return code;
}
