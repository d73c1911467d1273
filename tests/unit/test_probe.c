// What the host behind the gateway is asked, what its answers mean, who waits for them and for how long. The host is
// scripted, in the test's own loop; the clock can be moved on.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "node/probe/probe.h"
#include "node/probe/suspects.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "tests/support/fake_smtp.h"
#include "tests/support/table.h"

enum { LIMIT_MS = 20000, TOLD_MAX = 64 };
#define POSITIVE_MS 700000ULL
#define NEGATIVE_MS 30000ULL

// ---- the clock

static uint64_t skipped_ms;

uint64_t clock_mono_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + skipped_ms * 1000;
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

uint64_t clock_wall_ms(void)
{
    return 1767592800000ULL;
}

// ---- the stage

// What somebody who waited was told.
struct told {
    enum facts_probe said;
    uint64_t life_ms;
    char why[PROBE_WHY_MAX + 1];
};

struct scene {
    struct loop *loop;
    struct loop_timer *tick;
    struct fake_smtp fake;
    struct policy_settings settings;
    struct policy_domain domain;
    struct probe *probe;
    struct told told[TOLD_MAX];
    bool is_told[TOLD_MAX];
    unsigned told_count;
    unsigned kept_count;
    char kept[PERSON_ADDRESS_MAX]; // the last one
    enum facts_probe kept_said;
    bool (*holds)(const struct scene *scene);
    uint64_t until_ms;
};

static void look(void *arg)
{
    struct scene *scene = arg;

    if (scene->holds(scene) || clock_mono_ms() >= scene->until_ms)
        loop_stop(scene->loop);
}

// Runs the loop until it holds.
static void until(struct scene *scene, bool (*holds)(const struct scene *scene))
{
    scene->holds = holds;
    scene->until_ms = clock_mono_ms() + LIMIT_MS;
    if (!holds(scene)) {
        loop_timer_set(scene->tick, 1, 1);
        loop_run(scene->loop);
        loop_timer_cancel(scene->tick);
    }
    assert_true(holds(scene));
}

static bool is_idle(const struct scene *scene)
{
    const size_t len = strlen(scene->fake.heard);

    return len >= 5 && strcmp(scene->fake.heard + len - 5, "RSET|") == 0;
}

static unsigned wanted; // of the condition that is waited for

static bool are_told(const struct scene *scene)
{
    return scene->told_count >= wanted;
}

static bool are_recipients(const struct scene *scene)
{
    return scene->fake.recipients >= wanted;
}

static bool are_kept(const struct scene *scene)
{
    return scene->kept_count >= wanted;
}

static bool are_gone(const struct scene *scene)
{
    return scene->fake.open <= wanted;
}

static void until_told(struct scene *scene, unsigned count)
{
    wanted = count;
    until(scene, are_told);
}

static void was_told(void *arg, uint64_t token, const struct probe_answer *answer)
{
    struct scene *scene = arg;
    struct told *told = &scene->told[token];

    assert_false(scene->is_told[token]); // once
    scene->is_told[token] = true;
    scene->told_count++;
    told->said = answer->said;
    told->life_ms = answer->life_ms;
    (void)snprintf(told->why, sizeof(told->why), "%s", answer->why);
}

static void was_answered(void *arg, const char *address, const struct probe_answer *answer)
{
    struct scene *scene = arg;

    assert_true(answer->said == FACTS_EXISTS || answer->said == FACTS_NOBODY);
    assert_true(answer->life_ms > 0);
    scene->kept_count++;
    scene->kept_said = answer->said;
    (void)snprintf(scene->kept, sizeof(scene->kept), "%s", address);
}

static void open_scene(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    assert_int_equal(loop_new(&scene->loop, NULL), ERR_NONE);
    scene->tick = loop_timer_new(scene->loop, look, scene);
    fake_smtp_open(&scene->fake, scene->loop);
    scene->settings.callforward.positive_ms = POSITIVE_MS;
    scene->settings.callforward.negative_ms = NEGATIVE_MS;
    scene->settings.callforward.reply_ms = 10000;
    scene->settings.callforward.whole_ms = 15000;
    scene->settings.callforward.connections = 2;
    scene->settings.callforward.waiting = 100;
    scene->settings.callforward.starttls = POLICY_STARTTLS_MAY;
    scene->settings.callforward.helo = "gate.example";
    scene->domain = (struct policy_domain){.name = "corp.example",
                                           .recipients = POLICY_RECIPIENTS_CALLFORWARD,
                                           .host = "127.0.0.1",
                                           .host_port = scene->fake.port};
    const struct probe_config config = {
        .loop = scene->loop, .ldap_password_file = "", .ldap_ca_file = ""};

    scene->probe = probe_new(&config, (struct probe_calls){was_answered, scene});
}

static void close_scene(struct scene *scene)
{
    probe_free(&scene->probe);
    fake_smtp_close(&scene->fake);
    loop_timer_free(&scene->tick);
    loop_free(&scene->loop);
}

static struct scene *new_scene(void)
{
    struct scene *scene = mem_new(sizeof(*scene));

    open_scene(scene);
    return scene;
}

static void end_scene(struct scene *scene)
{
    close_scene(scene);
    mem_free(scene);
}

static void ask_within(struct scene *scene, unsigned who, const char *address, uint64_t within_ms)
{
    const struct probe_question question = {.domain = &scene->domain,
                                            .settings = &scene->settings,
                                            .address = address,
                                            .within_ms = within_ms};

    probe_ask(scene->probe, &question, (struct probe_done){was_told, scene, who});
}

static void ask(struct scene *scene, unsigned who, const char *address)
{
    ask_within(scene, who, address, LIMIT_MS);
}

// Asks and waits for the answer.
static const struct told *hear(struct scene *scene, unsigned who, const char *address)
{
    ask(scene, who, address);
    until_told(scene, scene->told_count + (scene->is_told[who] ? 0 : 1));
    return &scene->told[who];
}

static void assert_refused(const struct told *told, const char *why)
{
    if (told->said != FACTS_REFUSED || strstr(told->why, why) == NULL)
        fail_msg("said %d, why '%s', not refused: '%s'", (int)told->said, told->why, why);
    assert_int_equal(told->life_ms, 0);
}

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

// ---- who waits, and for how long

static void equal_questions_are_one(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    ask(scene, 0, "ann@corp.example");
    ask(scene, 1, "ann@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    ask(scene, 2, "ann@corp.example");
    fake_release(&scene->fake);
    until_told(scene, 3);
    assert_int_equal(scene->fake.recipients, 1);
    assert_int_equal(scene->kept_count, 1);
    assert_int_equal(scene->told[2].said, FACTS_EXISTS);
    assert_int_equal(probe_counters(scene->probe)->questions, 3);
    assert_int_equal(probe_counters(scene->probe)->joined, 2);
    assert_int_equal(probe_counters(scene->probe)->exists, 1);
    end_scene(scene);
}

static void who_cannot_wait_is_told_and_the_question_goes_on(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    ask_within(scene, 0, "ann@corp.example", 30);
    ask(scene, 1, "ann@corp.example");
    until_told(scene, 1);
    assert_int_equal(scene->told[0].said, FACTS_SILENT);
    assert_int_equal(scene->told[0].life_ms, 0);
    assert_int_equal(scene->kept_count, 0);
    wanted = 1;
    until(scene, are_recipients);
    fake_release(&scene->fake);
    until_told(scene, 2);
    assert_int_equal(scene->told[1].said, FACTS_EXISTS);
    assert_int_equal(scene->kept_count, 1);
    assert_int_equal(probe_counters(scene->probe)->silent, 1);
    end_scene(scene);
}

static void nobody_need_wait(void **state)
{
    struct scene *scene = new_scene();
    const struct probe_question question = {
        .domain = &scene->domain, .settings = &scene->settings, .address = "nobody@corp.example"};

    (void)state;
    probe_ask(scene->probe, &question, (struct probe_done){NULL, NULL, 0});
    wanted = 1;
    until(scene, are_kept);
    assert_int_equal(scene->kept_said, FACTS_NOBODY);
    assert_int_equal(scene->told_count, 0);
    end_scene(scene);
}

static void connections_are_few(void **state)
{
    struct scene *scene = new_scene();
    char address[64];

    (void)state;
    scene->fake.holds = true;
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        ask(scene, i, address);
    }
    wanted = 2;
    until(scene, are_recipients);
    fake_release(&scene->fake);
    until_told(scene, 20);
    assert_int_equal(scene->fake.connections, 2);
    assert_int_equal(scene->fake.most_open, 2);
    assert_int_equal(scene->kept_count, 20);
    end_scene(scene);
}

static void the_line_is_short(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    scene->settings.callforward.connections = 1;
    scene->settings.callforward.waiting = 2;
    ask(scene, 0, "a@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    ask(scene, 1, "b@corp.example");
    ask(scene, 2, "c@corp.example");
    assert_int_equal(scene->told_count, 0);
    ask(scene, 3, "d@corp.example");
    assert_int_equal(scene->told_count, 1);
    assert_refused(&scene->told[3], "too many recipients wait");
    assert_int_equal(probe_counters(scene->probe)->crowded, 1);
    fake_release(&scene->fake);
    until_told(scene, 4);
    end_scene(scene);
}

// Who stands in line when their time is over was not asked for at all.
static void time_in_line_counts(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    scene->settings.callforward.connections = 1;
    ask(scene, 0, "a@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    scene->settings.callforward.whole_ms = 50;
    assert_refused(hear(scene, 1, "b@corp.example"), "too many others are asked for");
    assert_int_equal(scene->fake.recipients, 1);
    fake_release(&scene->fake);
    until_told(scene, 2);
    assert_int_equal(scene->told[0].said, FACTS_EXISTS);
    end_scene(scene);
}

// ---- connections that are used again

static void a_tired_host_is_asked_on_another_connection(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.tired_after = 3;
    for (unsigned i = 0; i < 7; i++) {
        char address[64];

        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        assert_int_equal(hear(scene, i, address)->said, FACTS_EXISTS);
    }
    assert_int_equal(scene->fake.connections, 3);
    end_scene(scene);
}

// Once: a host that hangs up on this very question does it again.
static void a_lost_question_is_repeated_once(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    (void)hear(scene, 0, "ann@corp.example");
    until(scene, is_idle);
    assert_refused(hear(scene, 1, "bye@corp.example"), "closed the connection");
    assert_int_equal(scene->fake.recipients, 3);
    assert_int_equal(scene->fake.connections, 2);
    end_scene(scene);
}

// A host slows down whoever asks for many that are not there.
static void many_unknown_ones_change_the_connection(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        char address[64];

        (void)snprintf(address, sizeof(address), "nobody%u@corp.example", i);
        assert_int_equal(hear(scene, i, address)->said, FACTS_NOBODY);
    }
    assert_int_equal(scene->fake.connections, 2);
    end_scene(scene);
}

static bool are_taking_all(const struct scene *scene)
{
    return probe_counters(scene->probe)->takes_all >= wanted;
}

static void who_says_yes_to_everybody_is_found_out(void **state)
{
    struct scene *scene = new_scene();
    char address[64];

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(scene->fake.recipients, i);
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        (void)hear(scene, i, address);
    }
    wanted = 1;
    until(scene, are_taking_all);
    assert_int_equal(scene->fake.recipients, 51);
    assert_int_equal(scene->kept_count, 50); // of the random name nothing is kept
    for (unsigned i = 50; i < 60; i++) {     // a day of peace
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        (void)hear(scene, i, address);
    }
    assert_int_equal(scene->fake.recipients, 61);
    end_scene(scene);
}

// It is asked again when it has said yes as often once more, a day later.
static void who_refuses_a_random_name_is_none(void **state)
{
    struct scene *scene = new_scene();
    unsigned asked = 0;
    char address[64];

    (void)state;
    scene->fake.made_up = "550 5.1.1 who?\r\n";
    for (unsigned i = 0; i < 99; i++) {
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        (void)hear(scene, i % 50, address);
        scene->is_told[i % 50] = false;
        skipped_ms += SUSPECT_AGAIN_MS / 50;
    }
    wanted = asked = 100;
    until(scene, are_recipients);
    (void)hear(scene, 51, "last@corp.example");
    wanted = asked + 2;
    until(scene, are_recipients);
    assert_int_equal(probe_counters(scene->probe)->takes_all, 0);
    end_scene(scene);
}

static void who_says_no_now_and_then_is_no_suspect(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        char address[64];

        (void)snprintf(address, sizeof(address), "%s%u@corp.example", i == 45 ? "nobody" : "u", i);
        (void)hear(scene, i, address);
    }
    assert_int_equal(scene->fake.recipients, 60);
    end_scene(scene);
}

static void the_end_tells_who_waits(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    scene->settings.callforward.connections = 1;
    ask(scene, 0, "ann@corp.example");
    ask(scene, 1, "ann@corp.example");
    ask(scene, 2, "bob@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    probe_free(&scene->probe);
    assert_int_equal(scene->told_count, 3);
    assert_int_equal(scene->told[0].said, FACTS_SILENT);
    assert_int_equal(scene->told[2].said, FACTS_SILENT);
    assert_int_equal(scene->kept_count, 0);
    end_scene(scene);
}

int main(void)
{
    static struct table table;

    log_open("test_probe", LOG_ERROR_LEVEL);
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
    TABLE_TEST(&table, equal_questions_are_one);
    TABLE_TEST(&table, who_cannot_wait_is_told_and_the_question_goes_on);
    TABLE_TEST(&table, nobody_need_wait);
    TABLE_TEST(&table, connections_are_few);
    TABLE_TEST(&table, the_line_is_short);
    TABLE_TEST(&table, time_in_line_counts);
    TABLE_TEST(&table, a_tired_host_is_asked_on_another_connection);
    TABLE_TEST(&table, a_lost_question_is_repeated_once);
    TABLE_TEST(&table, many_unknown_ones_change_the_connection);
    TABLE_TEST(&table, who_says_yes_to_everybody_is_found_out);
    TABLE_TEST(&table, who_refuses_a_random_name_is_none);
    TABLE_TEST(&table, who_says_no_now_and_then_is_no_suspect);
    TABLE_TEST(&table, the_end_tells_who_waits);
    return table_run(&table, "probe");
}
