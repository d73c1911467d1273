// want.c: what a scenario's line expects, as words.
#include "tests/scenario/want.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/reply.h"

// The words of one expectation, and how far they are read.
struct reader {
    char *const *word;
    size_t count;
    size_t at;
    struct arena *arena;
    struct err_detail *detail;
};

static const char *peek(const struct reader *in)
{
    return in->at < in->count ? in->word[in->at] : "";
}

static bool take(struct reader *in, const char *word)
{
    if (strcmp(peek(in), word) != 0)
        return false;
    in->at++;
    return true;
}

static bool is_number(const char *word)
{
    size_t len = strspn(word, "0123456789");

    return len > 0 && word[len] == '\0';
}

// A text in quotes, if one is next; else NULL in *out.
static enum err take_quoted(struct reader *in, const char **out)
{
    struct bytes text = {0};
    enum err err = ERR_NONE;

    if (peek(in)[0] == '"')
        err = script_value(in->word[in->at++], in->arena, &text, in->detail);
    *out = text.at;
    return err;
}

// key=value, key~value, key, no-key.
static enum err parse_pair(struct reader *in, const char *word, struct want_pair *out)
{
    size_t len = strcspn(word, "=~");
    struct bytes value = {0};
    enum err err = ERR_NONE;

    *out = (struct want_pair){.key = arena_text(in->arena, word, len), .how = WANT_SOME};
    if (word[len] != '\0') {
        out->how = word[len] == '=' ? WANT_IS : WANT_CONTAINS;
        err = script_value(word + len + 1, in->arena, &value, in->detail);
        out->value = value.at;
    } else if (strncmp(word, "no-", 3) == 0) {
        out->how = WANT_NONE;
        out->key = word + 3;
    }
    return err;
}

static enum err parse_step(struct reader *in, struct want_group *group, bool is_there)
{
    struct want_step *step = &group->step[group->step_count];

    if (group->step_count == WANT_STEPS_MAX || in->at + is_there >= in->count)
        return err_say(in->detail, ERR_SYNTAX,
                       "expected: step NAME OUTCOME [\"why\"] or nostep NAME, %d at most",
                       WANT_STEPS_MAX);
    group->step_count++;
    step->name = in->word[in->at++];
    step->outcome = is_there ? in->word[in->at++] : NULL;
    return is_there ? take_quoted(in, &step->why) : ERR_NONE;
}

// A word that says something about the whole reply. False if it does not.
static bool parse_of_reply(struct reader *in, struct want *out)
{
    const char *word = peek(in);
    struct want_pair pair;

    if (strncmp(word, "degraded", 8) == 0) {
        if (parse_pair(in, word, &pair) != ERR_NONE)
            return false;
        out->degraded = true;
        out->degraded_why = pair.value;
    } else if (strcmp(word, "draining") == 0) {
        out->draining = true;
    } else if (strncmp(word, "rows=", 5) == 0 && is_number(word + 5)) {
        out->counts_rows = true;
        out->rows = strtoul(word + 5, NULL, 10);
    } else if (strncmp(word, "cursor=", 7) == 0) {
        out->cursor = word + 7;
    } else {
        return false;
    }
    in->at++;
    return true;
}

static enum err parse_item(struct reader *in, struct want *out, struct want_group *group)
{
    const char *word;

    if (parse_of_reply(in, out))
        return ERR_NONE;
    if (take(in, "step"))
        return parse_step(in, group, true);
    if (take(in, "nostep"))
        return parse_step(in, group, false);
    word = in->word[in->at++];
    if (group->pair_count == WANT_PAIRS_MAX)
        return err_say(in->detail, ERR_SYNTAX, "more than %d conditions", WANT_PAIRS_MAX);
    return parse_pair(in, word, &group->pair[group->pair_count++]);
}

// [N times] CODE REASON
static enum err parse_head(struct reader *in, struct want_group *group)
{
    group->times = 1;
    if (in->at + 1 < in->count && strcmp(in->word[in->at + 1], "times") == 0) {
        group->times = strtoul(peek(in), NULL, 10);
        in->at += 2;
    }
    if (!is_number(peek(in)) || in->at + 1 >= in->count)
        return err_say(in->detail, ERR_SYNTAX, "expected an SMTP code and a reason, not '%s'",
                       peek(in));
    group->code = (unsigned)strtoul(in->word[in->at++], NULL, 10);
    group->reason = in->word[in->at++];
    return ERR_NONE;
}

static enum err parse_group(struct reader *in, struct want *out, bool is_verdict, bool is_message)
{
    struct want_group *group = &out->group[out->group_count];
    enum err err = ERR_NONE;

    if (out->group_count == WANT_GROUPS_MAX)
        return err_say(in->detail, ERR_SYNTAX, "more than %d groups", WANT_GROUPS_MAX);
    out->group_count++;
    group->is_message = is_message;
    if (is_verdict)
        err = parse_head(in, group);
    while (err == ERR_NONE && in->at < in->count && strcmp(peek(in), "|") != 0 &&
           strcmp(peek(in), "=>") != 0)
        err = parse_item(in, out, group);
    for (size_t i = 0; err == ERR_NONE && is_verdict && i < group->pair_count; i++)
        if (!reply_knows(group->pair[i].key))
            err = err_say(in->detail, ERR_SYNTAX, "a verdict has no '%s'", group->pair[i].key);
    return err;
}

// ok, bad_request "text" ... and, after it, what the rows hold.
static enum err parse_status(struct reader *in, struct want *out)
{
    enum err err;

    if (!reply_status_of(peek(in), &out->status))
        return err_say(in->detail, ERR_SYNTAX,
                       "expected a code, a status (ok, bad_request, ...) or nothing, not '%s'",
                       peek(in));
    in->at++;
    err = take_quoted(in, &out->error);
    while (err == ERR_NONE && parse_of_reply(in, out))
        continue;
    while (err == ERR_NONE && take(in, "|"))
        err = parse_group(in, out, false, false);
    return err;
}

enum err want_parse(char *const *word, size_t count, struct arena *arena, struct want *out,
                    struct err_detail *detail)
{
    struct reader in = {word, count, 0, arena, detail};
    enum err err = ERR_NONE;

    *out = (struct want){.group = arena_zalloc(arena, WANT_GROUPS_MAX * sizeof(*out->group))};
    if (out->group == NULL)
        return err_say(detail, ERR_MEMORY, "the line is too long");
    out->nothing = take(&in, "nothing");
    if (!out->nothing && !isdigit((unsigned char)peek(&in)[0]))
        err = parse_status(&in, out);
    else if (!out->nothing)
        err = parse_group(&in, out, true, false);
    while (err == ERR_NONE && (take(&in, "|")))
        err = parse_group(&in, out, true, false);
    if (err == ERR_NONE && take(&in, "=>"))
        err = parse_group(&in, out, true, true);
    if (err == ERR_NONE && in.at < in.count)
        err = err_say(detail, ERR_SYNTAX, "did not understand '%s'", peek(&in));
    return err;
}
