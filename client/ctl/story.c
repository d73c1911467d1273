// story.c: see story.h. The parts of a story, each of which may be silent:
//
//     what happened -> what had been before -> what came after -> how it is now -> what to do
//
// Promises: only what the rows say; a row that lacks a field makes a shorter sentence.
#include "client/ctl/story.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "client/ctl/words.h"

// ---- looking at rows

static bool field_is(const struct reeve_row *row, const char *key, const char *value)
{
    return strcmp(print_field(row, key), value) == 0;
}

static uint64_t time_of(const struct reeve_row *row, const char *key)
{
    uint64_t ms = 0;

    return when_parse(print_field(row, key), 0, &ms) ? ms : 0;
}

static bool is_grey_word(const char *reason)
{
    return strncmp(reason, "greylist_", strlen("greylist_")) == 0;
}

static bool is_about_greylisting(const struct reeve_row *row)
{
    return is_grey_word(print_field(row, "reason")) || is_grey_word(print_field(row, "shadow"));
}

static bool is_same_pair(const struct reeve_row *a, const struct reeve_row *b)
{
    return strcasecmp(print_field(a, "sender"), print_field(b, "sender")) == 0 &&
           strcasecmp(print_field(a, "recipient"), print_field(b, "recipient")) == 0 &&
           !field_is(a, "ticket", print_field(b, "ticket"));
}

static void add_time(struct text_buf *out, uint64_t ms)
{
    char time[WHEN_MAX];

    text_buf_add(out, "%s", when_format(ms, time));
}

// add_client: "through 192.0.2.7 (mail.example.net)".
static void add_client(struct text_buf *out, const struct reeve_row *row)
{
    const char *name = print_field(row, "client_name");

    if (field_is(row, "client_ip", ""))
        return;
    text_buf_add(out, " through %s", print_field(row, "client_ip"));
    if (name[0] != '\0')
        text_buf_add(out, " (%s)", name);
}

static void add_reason(struct text_buf *out, const char *reason)
{
    text_buf_add(out, "%s (%s)", words_of_reason(reason), reason);
}

// ---- what happened

static void tell_shadow(const struct reeve_row *row, struct text_buf *out)
{
    const char *shadow = print_field(row, "shadow");

    if (shadow[0] == '\0')
        return;
    text_buf_add(out, " A rule in shadow would have decided: ");
    add_reason(out, shadow);
    text_buf_add(out, ".");
}

static void tell_event(const struct reeve_row *row, struct text_buf *out)
{
    unsigned long retry_s = strtoul(print_field(row, "retry_after_s"), NULL, 10);

    add_time(out, time_of(row, "at"));
    text_buf_add(out, ": mail from <%s>", print_field(row, "sender"));
    if (!field_is(row, "auth_user", ""))
        text_buf_add(out, ", as login %s,", print_field(row, "auth_user"));
    if (!field_is(row, "recipient", ""))
        text_buf_add(out, " to <%s>", print_field(row, "recipient"));
    add_client(out, row);
    text_buf_add(out, " was %s: ", print_done(print_field(row, "action")));
    add_reason(out, print_field(row, "reason"));
    if (!field_is(row, "rule", ""))
        text_buf_add(out, ", by rule %s", print_field(row, "rule"));
    if (!field_is(row, "rule", "") && !field_is(row, "policy_version", ""))
        text_buf_add(out, " of policy version %s", print_field(row, "policy_version"));
    if (retry_s > 0 && field_is(row, "action", "defer")) {
        text_buf_add(out, "; a retry was due after ");
        text_buf_add_duration(out, retry_s * 1000ULL);
    }
    text_buf_add(out, ".");
    tell_shadow(row, out);
    text_buf_add(out, "\n");
}

// ---- what had been before: the first try that this one follows

static const struct reeve_row *find_first_try(const struct story *story)
{
    const uint64_t at_ms = time_of(story->row, "at");
    const struct reeve_row *found = NULL;

    for (size_t i = 0; i < story->other_count; i++) {
        const struct reeve_row *row = &story->others[i];
        uint64_t row_ms = time_of(row, "at");
        bool is_first =
            field_is(row, "reason", "greylist_new") || field_is(row, "shadow", "greylist_new");

        if (is_same_pair(row, story->row) && is_first && row_ms < at_ms &&
            (found == NULL || row_ms > time_of(found, "at")))
            found = row;
    }
    return found;
}

static void tell_before(const struct story *story, struct text_buf *out)
{
    const struct reeve_row *first = find_first_try(story);

    if (first == NULL || field_is(story->row, "reason", "greylist_new"))
        return;
    text_buf_add(out, "The first try was ");
    text_buf_add_duration(out, time_of(story->row, "at") - time_of(first, "at"));
    text_buf_add(out, " earlier, at ");
    add_time(out, time_of(first, "at"));
    add_client(out, first);
    text_buf_add(out, " (ticket %s).\n", print_field(first, "ticket"));
}

// ---- what came after

static const struct reeve_row *find_next(const struct story *story, const struct reeve_row *after,
                                         const struct reeve_row *const *told, size_t told_count)
{
    const struct reeve_row *found = NULL;

    for (size_t i = 0; i < story->other_count; i++) {
        const struct reeve_row *row = &story->others[i];
        uint64_t row_ms = time_of(row, "at");
        bool is_told = false;

        for (size_t k = 0; k < told_count; k++)
            is_told |= told[k] == row;
        if (!is_told && is_same_pair(row, story->row) && row_ms >= time_of(after, "at") &&
            (found == NULL || row_ms < time_of(found, "at")))
            found = row;
    }
    return found;
}

static void tell_follower(const struct story *story, const struct reeve_row *row,
                          struct text_buf *out)
{
    unsigned long waited_s = strtoul(print_field(row, "waited_s"), NULL, 10);

    text_buf_add_duration(out, time_of(row, "at") - time_of(story->row, "at"));
    if (field_is(row, "reason", "greylist_pass"))
        text_buf_add(out, " later it passed");
    else
        text_buf_add(out, " later it was tried again");
    add_client(out, row);
    if (!field_is(row, "reason", "greylist_pass"))
        text_buf_add(out, " and %s", print_done(print_field(row, "action")));
    text_buf_add(out, ": ");
    add_reason(out, print_field(row, "reason"));
    if (waited_s > 0) {
        text_buf_add(out, ", ");
        text_buf_add_duration(out, waited_s * 1000ULL);
        text_buf_add(out, " after its first try");
    }
    text_buf_add(out, ".");
    tell_shadow(row, out);
    text_buf_add(out, "\n");
}

// tell_after: the next few rows in order of time; true if one of them was accepted.
static bool tell_after(const struct story *story, struct text_buf *out)
{
    const struct reeve_row *told[STORY_FOLLOWERS_MAX];
    const struct reeve_row *at = story->row;
    bool accepted = false;
    size_t count = 0;

    while (count < STORY_FOLLOWERS_MAX) {
        const struct reeve_row *next = find_next(story, at, told, count);

        if (next == NULL)
            return accepted;
        tell_follower(story, next, out);
        accepted |= field_is(next, "action", "accept");
        told[count++] = next;
        at = next;
    }
    if (find_next(story, at, told, count) != NULL)
        text_buf_add(out, "There are later decisions; reevectl track lists them.\n");
    return accepted;
}

// ---- how it is now

static bool is_by_hand(const struct reeve_row *row)
{
    return field_is(row, "identity", "any");
}

// find_stored: of the entries in that state the one that is kept longest, one made by hand before
// all others; NULL if none still is.
static const struct reeve_row *find_stored(const struct story *story, const char *state)
{
    const struct reeve_row *found = NULL;

    for (size_t i = 0; i < story->stored_count; i++) {
        const struct reeve_row *row = &story->stored[i];
        uint64_t until_ms = time_of(row, "until");

        if (!field_is(row, "state", state) || until_ms < story->now_ms)
            continue;
        if (found == NULL || is_by_hand(row) ||
            (!is_by_hand(found) && until_ms > time_of(found, "until")))
            found = row;
    }
    return found;
}

static void tell_passed(const struct reeve_row *passed, struct text_buf *out)
{
    if (is_by_hand(passed))
        text_buf_add(out, "Mail of this sender to this recipient was released by hand and passes "
                          "now, until ");
    else
        text_buf_add(out, "Mail of this sender to this recipient passes now, from the network that "
                          "it passed from; it was last accepted at ");
    if (!is_by_hand(passed)) {
        add_time(out, time_of(passed, "last_seen"));
        text_buf_add(out, " and that is kept until ");
    }
    add_time(out, time_of(passed, "until"));
    text_buf_add(out, ".\n");
}

static void add_pass_command(const struct story *story, struct text_buf *out)
{
    const char *sender = print_field(story->row, "sender");

    text_buf_add(out, "reevectl grey pass --from ");
    words_quote(out, sender[0] == '\0' ? "<>" : sender);
    text_buf_add(out, " --to ");
    words_quote(out, print_field(story->row, "recipient"));
}

static void tell_pending(const struct story *story, const struct reeve_row *pending,
                         struct text_buf *out)
{
    uint64_t from_ms = time_of(pending, "retry_from");

    if (story->now_ms < from_ms) {
        text_buf_add(out, "A retry passes from ");
        add_time(out, from_ms);
        text_buf_add(out, " on, which is in ");
        text_buf_add_duration(out, from_ms - story->now_ms);
        text_buf_add(out, ", until ");
    } else {
        text_buf_add(out, "It has not been retried since, at least not from its network; a retry "
                          "passes until ");
    }
    add_time(out, time_of(pending, "until"));
    text_buf_add(out, ".\nThe sending server tries again by itself. To let the next try in from "
                      "whatever server it comes:\n    ");
    add_pass_command(story, out);
    text_buf_add(out, "\n");
}

static void tell_nothing_stored(const struct story *story, struct text_buf *out)
{
    if (field_is(story->row, "failed_to_retry", "true"))
        text_buf_add(out, "The sender failed to retry while a retry would have passed.");
    else
        text_buf_add(out, "No retry is on record.");
    text_buf_add(out, " Nothing is stored of this sender and recipient any more, so the next try "
                      "counts as a first one. Real mail servers retry for days; one that does not "
                      "is mostly none. If its mail is wanted:\n    ");
    add_pass_command(story, out);
    text_buf_add(out, "\n");
}

static void tell_now(const struct story *story, bool accepted, struct text_buf *out)
{
    const struct reeve_row *passed = find_stored(story, "passed");
    const struct reeve_row *pending = find_stored(story, "pending");

    if (!story->stored_is_known)
        text_buf_add(out, "What is stored of them now is not known: the store did not answer.\n");
    else if (passed != NULL)
        tell_passed(passed, out);
    else if (accepted || field_is(story->row, "action", "accept"))
        return; // it is in; whatever is stored needs nobody
    else if (pending != NULL)
        tell_pending(story, pending, out);
    else
        tell_nothing_stored(story, out);
}

void story_tell(const struct story *story, struct text_buf *out)
{
    const char *advice = words_of_advice(print_field(story->row, "reason"));
    bool accepted;

    tell_event(story->row, out);
    tell_before(story, out);
    accepted = tell_after(story, out);
    if (is_about_greylisting(story->row))
        tell_now(story, accepted, out);
    if (advice[0] != '\0')
        text_buf_add(out, "%s\n", advice);
}
