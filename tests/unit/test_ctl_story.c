// The story that `reevectl why` tells: each row of the table is what a node knows, and what must
// and must not be said about it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// The pure parts, which are in no library.
#include "client/ctl/json.c"
#include "client/ctl/levels.c"
#include "client/ctl/print.c"
#include "client/ctl/story.c"
#include "client/ctl/when.c"
#include "client/ctl/words.c"

enum { FIELDS_MAX = 16, ROWS_MAX = 12, SAID_MAX = 8 };

// A row as "key=value key=value"; values hold no space.
struct parsed {
    char text[512];
    struct reeve_pair pair[FIELDS_MAX];
    struct reeve_row row;
};

static void parse_row(struct parsed *out, const char *text)
{
    char *save = NULL;

    out->row = (struct reeve_row){.fields = out->pair};
    (void)snprintf(out->text, sizeof(out->text), "%s", text);
    for (char *word = strtok_r(out->text, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');

        assert_non_null(equals);
        *equals = '\0';
        assert_true(out->row.field_count < FIELDS_MAX);
        out->pair[out->row.field_count++] = (struct reeve_pair){.key = word, .value = equals + 1};
    }
}

#define PAIR "sender=a@x recipient=b@y "
#define NEW                                                                        \
    PAIR "ticket=t1 at=2026-11-21T21:13:01.123Z action=defer reason=greylist_new " \
         "client_ip=192.0.2.7 retry_after_s=60 waited_s=0 "
#define EARLY                                                                        \
    PAIR "ticket=t2 at=2026-11-21T21:13:31.000Z action=defer reason=greylist_early " \
         "client_ip=192.0.2.7 retry_after_s=30 "
#define PASS                                                                         \
    PAIR "ticket=t3 at=2026-11-21T21:21:01.500Z action=accept reason=greylist_pass " \
         "client_ip=192.0.2.8 waited_s=480 "
#define SHADOW                                                                \
    PAIR "ticket=t4 at=2026-11-21T21:13:01.123Z action=accept reason=accept " \
         "shadow=greylist_new client_ip=192.0.2.7 retry_after_s=60 "
#define PENDING                                                         \
    "identity=net_1 state=pending first_seen=2026-11-21T21:13:01.123Z " \
    "retry_from=2026-11-21T21:14:01.123Z until=2026-11-22T09:13:01.123Z"
#define PASSED                                                        \
    "identity=net_1 state=passed last_seen=2026-11-21T21:21:01.500Z " \
    "until=2026-12-27T21:21:01.500Z"
#define ANY                                                         \
    "identity=any state=passed last_seen=2026-11-21T21:30:00.000Z " \
    "until=2026-12-27T21:30:00.000Z"

static const struct story_row {
    const char *name;
    const char *now;
    const char *row;
    const char *others[ROWS_MAX];
    const char *stored[4]; // "?" = the node could not say
    const char *said[SAID_MAX];
    const char *unsaid[SAID_MAX];
} STORIES[] = {
    {"deferred a moment ago",
     "2026-11-21T21:13:20Z",
     NEW,
     {NEW},
     {PENDING},
     {"2026-11-21 21:13:01Z: mail from <a@x> to <b@y> through 192.0.2.7 was deferred: first try of "
      "this sender, recipient and client (greylist_new); a retry was due after 1 min.\n",
      "A retry passes from 2026-11-21 21:14:01Z on, which is in 41 s, until 2026-11-22 09:13:01Z",
      "reevectl grey pass --from a@x --to b@y\n"},
     {"has not been retried", "later", "failed"}},
    {"not retried yet",
     "2026-11-21T22:00:00Z",
     NEW,
     {NEW},
     {PENDING},
     {"It has not been retried since", "until 2026-11-22 09:13:01Z", "grey pass"},
     {"A retry passes from", "later"}},
    {"retried, passed",
     "2026-11-21T22:00:00Z",
     NEW,
     {PASS, EARLY, NEW},
     {PENDING, PASSED},
     {"\n29 s later it was tried again through 192.0.2.7 and deferred: tried again before the "
      "delay "
      "was over (greylist_early).\n8 min later it passed through 192.0.2.8",
      ", 8 min after its first try.",
      "passes now, from the network that it passed from; it was last accepted at 2026-11-21 "
      "21:21:01Z and that is kept until 2026-12-27 21:21:01Z"},
     {"grey pass", "has not been retried"}},
    {"passed, but accepts are only sampled",
     "2026-11-21T22:00:00Z",
     NEW,
     {NEW},
     {PASSED},
     {"passes now"},
     {"grey pass", "later it"}},
    {"failed to retry",
     "2026-11-23T00:00:00Z",
     NEW "failed_to_retry=true",
     {NEW},
     {NULL},
     {"The sender failed to retry", "counts as a first one", "grey pass"},
     {"passes now", "later it"}},
    {"nothing known of a retry",
     "2026-11-23T00:00:00Z",
     NEW,
     {NULL},
     {NULL},
     {"No retry is on record.", "grey pass"},
     {"failed to retry"}},
    {"what is stored has expired",
     "2026-11-23T00:00:00Z",
     NEW "failed_to_retry=true",
     {NEW},
     {PENDING},
     {"failed to retry", "grey pass"},
     {"A retry passes", "has not been retried"}},
    {"passed long ago and expired",
     "2027-11-23T00:00:00Z",
     NEW,
     {PASS},
     {PASSED},
     {"it passed"},
     {"passes now", "grey pass"}},
    {"released by hand",
     "2026-11-21T22:00:00Z",
     NEW,
     {NEW},
     {PENDING, ANY},
     {"released by hand and passes now, until 2026-12-27 21:30:00Z"},
     {"grey pass"}},
    {"released by hand, and came since",
     "2026-11-21T22:00:00Z",
     NEW,
     {NEW},
     {ANY, PASSED},
     {"released by hand and passes now, until 2026-12-27 21:30:00Z"},
     {"grey pass", "from the network"}},
    {"the early one was pasted",
     "2026-11-21T21:13:40Z",
     EARLY,
     {EARLY, NEW},
     {PENDING},
     {"The first try was 29 s earlier, at 2026-11-21 21:13:01Z through 192.0.2.7 (ticket t1).",
      "A retry passes from"},
     {"later it"}},
    {"the passed one was pasted",
     "2026-11-21T22:00:00Z",
     PASS,
     {PASS, EARLY, NEW},
     {PASSED},
     {"was accepted: the sender came back after the delay (greylist_pass)",
      "The first try was 8 min earlier", "passes now"},
     {"grey pass", "later it"}},
    {"in shadow",
     "2026-11-21T21:13:20Z",
     SHADOW,
     {SHADOW},
     {PENDING},
     {"was accepted: nothing spoke against it (accept). A rule in shadow would have decided: first "
      "try of this sender, recipient and client (greylist_new).\n"},
     {"retry", "grey pass"}},
    {"the store does not answer",
     "2026-11-21T21:13:20Z",
     NEW,
     {NEW},
     {"?"},
     {"What is stored of them now is not known"},
     {"grey pass", "Nothing is stored"}},
    {"another pair's rows are not this one's",
     "2026-11-21T21:30:00Z",
     NEW,
     {"sender=z@x recipient=b@y ticket=t9 at=2026-11-21T21:20:00Z action=accept "
      "reason=greylist_pass"},
     {PENDING},
     {"It has not been retried"},
     {"later it"}},
    {"addresses in another case are",
     "2026-11-21T21:30:00Z",
     NEW,
     {"sender=A@X recipient=B@Y ticket=t9 at=2026-11-21T21:20:00Z action=accept "
      "reason=greylist_pass"},
     {PASSED},
     {"6 min 58 s later it passed"},
     {"has not been retried"}},
    {"more followers than are told",
     "2026-11-21T21:30:00Z",
     NEW,
     {PAIR "ticket=u1 at=2026-11-21T21:13:02Z action=defer reason=greylist_early",
      PAIR "ticket=u2 at=2026-11-21T21:13:03Z action=defer reason=greylist_early",
      PAIR "ticket=u3 at=2026-11-21T21:13:04Z action=defer reason=greylist_early",
      PAIR "ticket=u4 at=2026-11-21T21:13:05Z action=defer reason=greylist_early",
      PAIR "ticket=u5 at=2026-11-21T21:13:06Z action=defer reason=greylist_early",
      PAIR "ticket=u6 at=2026-11-21T21:13:07Z action=defer reason=greylist_early",
      PAIR "ticket=u7 at=2026-11-21T21:13:08Z action=defer reason=greylist_early"},
     {PENDING},
     {"There are later decisions", "5 s later"},
     {"6 s later"}},
    {"two at the same moment",
     "2026-11-21T21:30:00Z",
     NEW,
     {PAIR
      "ticket=u1 at=2026-11-21T21:13:01.123Z action=defer reason=greylist_new client_ip=192.0.2.8",
      PAIR
      "ticket=u2 at=2026-11-21T21:13:01.123Z action=defer reason=greylist_new client_ip=192.0.2.9"},
     {PENDING},
     {"through 192.0.2.8", "through 192.0.2.9"},
     {"There are later"}},
    {"relaying",
     "2026-11-21T21:30:00Z",
     PAIR "ticket=t1 at=2026-11-21T21:13:01Z action=reject reason=relay_denied client_ip=192.0.2.7 "
          "client_name=mx.example.net",
     {NULL},
     {NULL},
     {"through 192.0.2.7 (mx.example.net) was rejected: the recipient is not ours",
      "add it to `domains`"},
     {"retry", "grey pass"}},
    {"by a rule",
     "2026-11-21T21:30:00Z",
     PAIR "ticket=t1 at=2026-11-21T21:13:01Z action=accept reason=greylist_exempt rule=lists",
     {NULL},
     {NULL},
     {"(greylist_exempt), by rule lists."},
     {"grey pass", "through"}},
    {"by a rule, of somebody who had logged in",
     "2026-11-21T21:30:00Z",
     PAIR "ticket=t1 at=2026-11-21T21:13:01Z action=reject reason=policy_sender rule=h "
          "auth_user=ann@y policy_version=7",
     {NULL},
     {NULL},
     {"mail from <a@x>, as login ann@y, to <b@y>", "by rule h of policy version 7."},
     {"grey pass"}},
    {"a reason of tomorrow",
     "2026-11-21T21:30:00Z",
     PAIR "ticket=t1 at=2026-11-21T21:13:01Z action=hold reason=content_hold",
     {NULL},
     {NULL},
     {"was held: content_hold (content_hold)."},
     {"grey pass"}},
    {"an action of tomorrow",
     "2026-11-21T21:30:00Z",
     PAIR "ticket=t1 at=2026-11-21T21:13:01Z action=teleport reason=x",
     {NULL},
     {NULL},
     {"was answered: x (x)."},
     {NULL}},
    {"before a recipient was named",
     "2026-11-21T21:30:00Z",
     "sender=a@x ticket=t1 at=2026-11-21T21:13:01Z action=reject reason=syntax",
     {NULL},
     {NULL},
     {"mail from <a@x> was rejected: an address is malformed"},
     {" to <"}},
    {"the null sender",
     "2026-11-21T22:00:00Z",
     "sender= recipient=b@y ticket=t1 at=2026-11-21T21:13:01Z action=defer reason=greylist_new",
     {NULL},
     {PENDING},
     {"mail from <> to <b@y>", "reevectl grey pass --from '<>' --to b@y"},
     {NULL}},
    {"a sender that would run commands",
     "2026-11-21T22:00:00Z",
     "sender=$(reboot)@x recipient=b@y ticket=t1 at=2026-11-21T21:13:01Z action=defer "
     "reason=greylist_new",
     {NULL},
     {PENDING},
     {"--from '$(reboot)@x' --to b@y\n"},
     {NULL}},
    {"nothing at all",
     "2026-11-21T22:00:00Z",
     "ticket=t1",
     {NULL},
     {NULL},
     {"1970-01-01 00:00:00Z: mail from <> was answered: "},
     {"grey pass"}},
};

static void tell(const struct story_row *row, struct text_buf *out)
{
    static struct parsed parsed, other[ROWS_MAX], stored[4];
    static struct reeve_row others[ROWS_MAX], entries[4];
    struct story story = {.row = &parsed.row, .others = others, .stored = entries};

    parse_row(&parsed, row->row);
    for (; story.other_count < ROWS_MAX && row->others[story.other_count] != NULL;
         story.other_count++) {
        parse_row(&other[story.other_count], row->others[story.other_count]);
        others[story.other_count] = other[story.other_count].row;
    }
    story.stored_is_known = row->stored[0] == NULL || strcmp(row->stored[0], "?") != 0;
    for (; story.stored_is_known && row->stored[story.stored_count] != NULL; story.stored_count++) {
        parse_row(&stored[story.stored_count], row->stored[story.stored_count]);
        entries[story.stored_count] = stored[story.stored_count].row;
    }
    assert_true(when_parse(row->now, 0, &story.now_ms));
    story_tell(&story, out);
}

static void stories(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(STORIES) / sizeof(STORIES[0]); i++) {
        const struct story_row *row = &STORIES[i];
        char memory[STORY_MAX];
        struct text_buf out;

        text_buf_init(&out, memory, sizeof(memory));
        tell(row, &out);
        for (size_t k = 0; k < SAID_MAX && row->said[k] != NULL; k++) {
            if (strstr(memory, row->said[k]) == NULL)
                fail_msg("%s: '%s' is missing in:\n%s", row->name, row->said[k], memory);
        }
        for (size_t k = 0; k < SAID_MAX && row->unsaid[k] != NULL; k++) {
            if (strstr(memory, row->unsaid[k]) != NULL)
                fail_msg("%s: '%s' is said in:\n%s", row->name, row->unsaid[k], memory);
        }
    }
}

// However little room there is, nothing is written past it.
static void a_story_in_any_room(void **unused)
{
    (void)unused;
    for (size_t size = 1; size < 600; size++) {
        char *memory = malloc(size);
        struct text_buf out;

        text_buf_init(&out, memory, size);
        tell(&STORIES[2], &out);
        assert_true(strlen(memory) < size);
        free(memory);
    }
}

static void tables_line_up(void **unused)
{
    static const char *const titles[] = {"A", "LONGER", "C", NULL};
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    struct table table;

    (void)unused;
    table_begin(&table, titles);
    table_cell(&table, "gr\xc3\xbc\xc3\x9f");
    table_cell(&table, "");
    table_cell(&table, "x");
    table_end(&table, stream);
    (void)fclose(stream);
    assert_string_equal(text, "A     LONGER  C\n"
                              "gr\xc3\xbc\xc3\x9f  -       x\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories),
        cmocka_unit_test(a_story_in_any_room),
        cmocka_unit_test(tables_line_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
