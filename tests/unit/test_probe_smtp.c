// What the host behind the gateway is told, what its answers mean, how it fails, and TLS. The host is scripted, in the test's
// own loop.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/probe_scene.h"
#include "tests/support/table.h"

// ---- what its answers mean

static const struct meaning {
    const char *name, *address;
    enum facts_probe said;
    uint64_t life_ms;
    const char *why;
} meanings[] = {
    {"250 exists", "ann@corp.example", FACTS_EXISTS, POSITIVE_MS,
     "RCPT TO was answered with 250 2.1.5 Ok"},
    {"251 exists", "forward@corp.example", FACTS_EXISTS, POSITIVE_MS, "251"},
    {"252 exists", "maybe@corp.example", FACTS_EXISTS, POSITIVE_MS, "252"},
    {"550 5.1.1 is nobody", "nobody@corp.example", FACTS_NOBODY, NEGATIVE_MS,
     "550 5.1.1 No such user"},
    {"550 in three lines is nobody", "lines@corp.example", FACTS_NOBODY, NEGATIVE_MS,
     "550 5.1.1 No such user,"},
    {"550 alone is nobody", "plain@corp.example", FACTS_NOBODY, NEGATIVE_MS, "550 No such user"},
    {"550 5.7.1 says nothing of the recipient", "unwelcome@corp.example", FACTS_REFUSED, 0,
     "550 5.7.1"},
    {"552 5.2.2 says nothing of the recipient", "full@corp.example", FACTS_REFUSED, 0, "552 5.2.2"},
    {"451 is not kept", "busy@corp.example", FACTS_REFUSED, 0, "451 4.3.0 Try later"},
    {"421 is goodbye", "leaving@corp.example", FACTS_REFUSED, 0, "421 4.3.2"},
    {"354 is no answer", "data@corp.example", FACTS_REFUSED, 0, "354"},
    {"a reply that is none", "nonsense@corp.example", FACTS_REFUSED, 0, "is no SMTP reply"},
    {"it hangs up", "bye@corp.example", FACTS_REFUSED, 0,
     "an answer to RCPT TO was awaited: closed the connection"},
    {"its words are made safe", "evil@corp.example", FACTS_NOBODY, NEGATIVE_MS, "\"quoted\""},
};

static void it_means(void **state)
{
    const struct meaning *row = *state;
    struct scene *scene = new_scene();
    const struct told *told = hear(scene, 0, row->address);

    assert_int_equal(told->said, row->said);
    assert_int_equal(told->life_ms, row->life_ms);
    if (strstr(told->why, row->why) == NULL)
        fail_msg("why '%s' has no '%s'", told->why, row->why);
    assert_int_equal(scene->kept_count, row->life_ms > 0);
    if (row->life_ms > 0)
        assert_string_equal(scene->kept, row->address);
    assert_null(strchr(told->why, '\x1b'));
    end_scene(scene);
}

// ---- what it is told

static void nothing_but_the_question_is_said(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    (void)hear(scene, 0, "ann@corp.example");
    until(scene, is_idle);
    assert_string_equal(scene->fake.heard,
                        "EHLO gate.example|MAIL FROM:<>|RCPT TO:<ann@corp.example>|RSET|");
    (void)hear(scene, 1, "\"odd name\"@corp.example");
    until(scene, is_idle);
    assert_string_equal(scene->fake.heard,
                        "EHLO gate.example|MAIL FROM:<>|RCPT TO:<ann@corp.example>|RSET|"
                        "MAIL FROM:<>|RCPT TO:<\"odd name\"@corp.example>|RSET|");
    assert_int_equal(scene->fake.connections, 1);
    end_scene(scene);
}

static void it_says_quit_when_it_goes(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    (void)hear(scene, 0, "ann@corp.example");
    until(scene, is_idle);
    probe_free(&scene->probe);
    wanted = 0;
    until(scene, are_gone);
    assert_non_null(strstr(scene->fake.heard, "QUIT|"));
    end_scene(scene);
}

static void a_line_break_is_never_sent(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    assert_refused(hear(scene, 0, "ann\r\nDATA@corp.example"), "cannot be put into a command");
    until(scene, is_idle);
    assert_null(strstr(scene->fake.heard, "DATA"));
    end_scene(scene);
}

static void ehlo_is_refused_then_helo(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.ehlo = "502 5.5.1 what?\r\n";
    assert_int_equal(hear(scene, 0, "ann@corp.example")->said, FACTS_EXISTS);
    until(scene, is_idle);
    assert_string_equal(
        scene->fake.heard,
        "EHLO gate.example|HELO gate.example|MAIL FROM:<>|RCPT TO:<ann@corp.example>|RSET|");
    end_scene(scene);
}

static void beyond_ascii_it_needs_smtputf8(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    assert_refused(hear(scene, 0, "j\xC3\xB6rg@corp.example"), "SMTPUTF8");
    end_scene(scene);
    scene = new_scene();
    scene->fake.ehlo = "250-fake\r\n250 smtputf8\r\n";
    assert_int_equal(hear(scene, 0, "j\xC3\xB6rg@corp.example")->said, FACTS_EXISTS);
    assert_non_null(
        strstr(scene->fake.heard, "MAIL FROM:<> SMTPUTF8|RCPT TO:<j\xC3\xB6rg@corp.example>|"));
    end_scene(scene);
}

// ---- how it fails

static const struct failing {
    const char *name;
    const char *greeting, *ehlo, *helo, *mail, *rset; // NULL = as ever, "-" = silence
    const char *why;
} failings[] = {
    {"no greeting", "-", NULL, NULL, NULL, NULL,
     "where its greeting was awaited: it did not come in time"},
    {"a greeting that is a refusal", "554 5.7.1 go away\r\n", NULL, NULL, NULL, NULL,
     "where its greeting was awaited, it said 554 5.7.1 go away"},
    {"a greeting that is garbage", "\x16\x03\x01 hello\n", NULL, NULL, NULL, NULL,
     "is no SMTP reply"},
    {"a greeting of two codes", "220-a\r\n221 b\r\n", NULL, NULL, NULL, NULL, "is no SMTP reply"},
    {"a code of four digits", "2200 a\r\n", NULL, NULL, NULL, NULL, "is no SMTP reply"},
    {"it hangs up at once", "", NULL, NULL, NULL, NULL,
     "where its greeting was awaited: closed the connection"},
    {"no answer to EHLO", NULL, "-", NULL, NULL, NULL,
     "where an answer to EHLO was awaited: it did not"},
    {"half an answer to EHLO", NULL, "250-fake\r\n250-", NULL, NULL, NULL,
     "an answer to EHLO was awaited: it did not"},
    {"EHLO not now", NULL, "451 later\r\n", NULL, NULL, NULL,
     "an answer to EHLO was awaited, it said 451"},
    {"neither EHLO nor HELO", NULL, "500 no\r\n", "500 no\r\n", NULL, NULL,
     "an answer to HELO was awaited, it said 500"},
    {"it hangs up at EHLO", NULL, "", NULL, NULL, NULL, "an answer to EHLO was awaited: closed"},
    {"MAIL FROM is refused", NULL, NULL, NULL, "550 5.1.8 no null senders\r\n", NULL,
     "MAIL FROM:<> was answered with 550 5.1.8"},
    {"MAIL FROM not now", NULL, NULL, NULL, "450 later\r\n", NULL,
     "MAIL FROM:<> was answered with 450"},
    {"no answer to MAIL FROM", NULL, NULL, NULL, "-", NULL,
     "an answer to MAIL FROM was awaited: it did not"},
};

static const char *said_or(const char *said, const char *as_ever)
{
    if (said == NULL)
        return as_ever;
    return strcmp(said, "-") == 0 ? NULL : said;
}

static void it_fails(void **state)
{
    const struct failing *row = *state;
    struct scene *scene = new_scene();
    struct fake_smtp *fake = &scene->fake;

    fake->greeting = said_or(row->greeting, fake->greeting);
    fake->ehlo = said_or(row->ehlo, fake->ehlo);
    fake->helo = said_or(row->helo, fake->helo);
    fake->mail = said_or(row->mail, fake->mail);
    scene->settings.callforward.reply_ms = 150;
    assert_refused(hear(scene, 0, "ann@corp.example"), row->why);
    assert_int_equal(scene->kept_count, 0);
    end_scene(scene);
}

// Texts of any length cost no memory: an endless line, endless lines.
static void endless_replies_end_it(void **state)
{
    static char line[FAKE_OUT - 1];
    struct scene *scene = new_scene();

    (void)state;
    memset(line, '2', sizeof(line) - 1);
    scene->fake.greeting = line;
    assert_refused(hear(scene, 0, "ann@corp.example"), "is no SMTP reply");
    end_scene(scene);
    for (size_t i = 0; i + 9 < sizeof(line); i += 9)
        memcpy(line + i, "250-abc\r\n\0", 10);
    scene = new_scene();
    scene->fake.ehlo = line;
    assert_refused(hear(scene, 0, "ann@corp.example"), "is no SMTP reply");
    end_scene(scene);
}

// A byte now and then is no reply in time: the deadline is the whole reply's.
static void a_dribble_is_silence(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.dribble_ms = 20;
    scene->settings.callforward.reply_ms = 200;
    assert_refused(hear(scene, 0, "ann@corp.example"),
                   "where its greeting was awaited: it did not");
    end_scene(scene);
    scene = new_scene();
    scene->fake.dribble_ms = 1; // slow, and yet in time
    assert_int_equal(hear(scene, 0, "ann@corp.example")->said, FACTS_EXISTS);
    end_scene(scene);
}

static void a_question_ends_in_its_whole_time(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->settings.callforward.whole_ms = 100;
    assert_refused(hear(scene, 0, "silent@corp.example"), "did not answer in time");
    wanted = 0;
    until(scene, are_gone); // its answer would be somebody else's
    assert_int_equal(hear(scene, 1, "ann@corp.example")->said, FACTS_EXISTS);
    assert_int_equal(scene->fake.connections, 2);
    end_scene(scene);
}

static void who_cannot_be_reached_rests(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    fake_smtp_deaf(&scene->fake);
    assert_refused(hear(scene, 0, "ann@corp.example"),
                   "a connection was awaited: Connection refused");
    assert_int_equal(probe_counters(scene->probe)->connects, 1);
    ask(scene, 1, "bob@corp.example"); // at once
    assert_int_equal(scene->told_count, 2);
    assert_refused(&scene->told[1], "Connection refused");
    assert_int_equal(probe_counters(scene->probe)->connects, 1);
    skipped_ms += 1001;
    (void)hear(scene, 2, "bob@corp.example");
    assert_int_equal(probe_counters(scene->probe)->connects, 2);
    assert_int_equal(probe_counters(scene->probe)->connect_errors, 2);
    skipped_ms += 1001; // a second failure rests for two seconds
    (void)hear(scene, 3, "bob@corp.example");
    assert_int_equal(probe_counters(scene->probe)->connects, 2);
    skipped_ms += 10000; // and none for more than ten
    (void)hear(scene, 4, "bob@corp.example");
    assert_int_equal(probe_counters(scene->probe)->connects, 3);
    end_scene(scene);
}

static void a_name_is_looked_up(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->domain.host = "localhost"; // perhaps ::1 first, where nobody listens
    assert_int_equal(hear(scene, 0, "ann@corp.example")->said, FACTS_EXISTS);
    skipped_ms += 61000;
    assert_int_equal(hear(scene, 1, "bob@corp.example")->said, FACTS_EXISTS);
    end_scene(scene);
}

static void a_name_that_is_none_is_refused(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->domain.host =
        "a-label-that-is-longer-than-sixty-three-bytes-is-none-and-is-never-asked-for.example";
    assert_refused(hear(scene, 0, "ann@corp.example"), "its name could not be resolved");
    end_scene(scene);
}

// ---- TLS

static void tls_is_used_where_it_is_offered(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.ehlo = "250-fake\r\n250-STARTTLS\r\n250 SMTPUTF8\r\n";
    assert_int_equal(hear(scene, 0, "ann@corp.example")->said, FACTS_EXISTS);
    assert_int_equal(hear(scene, 1, "nobody@corp.example")->said, FACTS_NOBODY);
    assert_int_equal(scene->fake.tls_ups, 1);
    assert_int_equal(probe_counters(scene->probe)->tls, 1);
    assert_ptr_equal(strstr(scene->fake.heard, "EHLO gate.example|STARTTLS|EHLO gate.example|MAIL"),
                     scene->fake.heard);
    end_scene(scene);
}

static void tls_can_be_left_out(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.ehlo = "250-fake\r\n250 STARTTLS\r\n";
    scene->settings.callforward.starttls = POLICY_STARTTLS_NEVER;
    assert_int_equal(hear(scene, 0, "ann@corp.example")->said, FACTS_EXISTS);
    assert_null(strstr(scene->fake.heard, "STARTTLS"));
    end_scene(scene);
}

static void tls_that_is_refused_is_not_there(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.ehlo = "250-fake\r\n250 STARTTLS\r\n";
    scene->fake.starttls = "454 4.7.0 not now\r\n";
    assert_int_equal(hear(scene, 0, "ann@corp.example")->said, FACTS_EXISTS);
    assert_int_equal(scene->fake.connections, 1);
    end_scene(scene);
}

static void tls_that_fails_is_not_asked_for_again(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.ehlo = "250-fake\r\n250 STARTTLS\r\n";
    scene->fake.breaks_tls = true;
    assert_int_equal(hear(scene, 0, "ann@corp.example")->said, FACTS_EXISTS);
    assert_int_equal(scene->fake.connections, 2);
    assert_int_equal(probe_counters(scene->probe)->tls, 0);
    end_scene(scene);
}

// What stands behind the leave for TLS in the clear may be anybody's.
static void words_before_tls_are_not_believed(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.ehlo = "250-fake\r\n250 STARTTLS\r\n";
    scene->fake.starttls = "220 go\r\n250 evil\r\n";
    assert_refused(hear(scene, 0, "ann@corp.example"), "more in the clear");
    end_scene(scene);
}

int main(void)
{
    static struct table table;

    log_open("test_probe_smtp", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, meanings, it_means);
    TABLE_TEST(&table, nothing_but_the_question_is_said);
    TABLE_TEST(&table, it_says_quit_when_it_goes);
    TABLE_TEST(&table, a_line_break_is_never_sent);
    TABLE_TEST(&table, ehlo_is_refused_then_helo);
    TABLE_TEST(&table, beyond_ascii_it_needs_smtputf8);
    TABLE_ROWS(&table, failings, it_fails);
    TABLE_TEST(&table, endless_replies_end_it);
    TABLE_TEST(&table, a_dribble_is_silence);
    TABLE_TEST(&table, a_question_ends_in_its_whole_time);
    TABLE_TEST(&table, who_cannot_be_reached_rests);
    TABLE_TEST(&table, a_name_is_looked_up);
    TABLE_TEST(&table, a_name_that_is_none_is_refused);
    TABLE_TEST(&table, tls_is_used_where_it_is_offered);
    TABLE_TEST(&table, tls_can_be_left_out);
    TABLE_TEST(&table, tls_that_is_refused_is_not_there);
    TABLE_TEST(&table, tls_that_fails_is_not_asked_for_again);
    TABLE_TEST(&table, words_before_tls_are_not_believed);
    return table_run(&table, "probe_smtp");
}
