// What an outbound message teaches, rule by rule: what holds, what nearly holds, and what is said of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/capture.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

#define NOW_MS 1795000000000ULL
#define DAY_MS (24ULL * 3600 * 1000)

static const char SET[] =
    "domains: {corp.example: {}, own.example: {}}\n"
    "trusted_sources: [192.0.2.0/28]\n"
    "users: {ann@corp.example: {aliases: [a.smith@corp.example], send_as: [info@corp.example]}}\n"
    "groups: {all: {address: all@corp.example, members: [ann@corp.example]}}\n"
    "policies:\n"
    "  - {id: gmail, kind: auto_allow, option: none, from: sales@corp.example, to: gmail.example}\n"
    "  - {id: login, kind: auto_allow, option: none, from: ann@corp.example, to: login.example}\n"
    "  - {id: back, kind: auto_allow, option: no_action, to: friend@none.example}\n"
    "  - {id: none, kind: auto_allow, to: none.example}\n"
    "  - {id: shade, kind: auto_allow, to: shade.example, mode: shadow}\n"
    "  - {id: over, kind: auto_allow, option: no_action, to: lift.example, override: true}\n"
    "  - {id: under, kind: auto_allow, to: x@lift.example}\n"
    "  - {id: net, kind: auto_allow, to: net.example, source: [192.0.2.1]}\n"
    "  - {id: old, kind: auto_allow, to: old.example, valid: {until: 2020-01-01}}\n";

static struct policy *parse(const char *text)
{
    struct err_detail detail = {""};
    struct policy *policy = NULL;

    if (policy_parse("p.yaml", text, strlen(text), &policy, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    policy->settings.auto_allow.life_ms = 120 * DAY_MS;
    policy->settings.auto_allow.most_recipients = 50;
    return policy;
}

struct scene {
    struct policy *policy;
    unsigned char memory[256 * 1024];
    struct arena arena;
    struct msg_sent sent;
    const char *recipients[MSG_RECIPIENTS_MAX];
    struct msg_header headers[8];
    const char *login, *ip;
    struct capture out;
};

static struct scene *scene_new(const char *set)
{
    struct scene *scene = mem_new(sizeof(*scene));

    scene->policy = parse(set);
    scene->login = "";
    scene->ip = "192.0.2.1";
    arena_init(&scene->arena, scene->memory, sizeof(scene->memory));
    scene->sent = (struct msg_sent){.transaction = "",
                                    .auth_user = "",
                                    .client_ip = "",
                                    .sender = "ann@corp.example",
                                    .recipients = scene->recipients,
                                    .headers = scene->headers};
    return scene;
}

static void scene_free(struct scene *scene)
{
    policy_free(&scene->policy);
    mem_free(scene);
}

static enum err run(struct scene *scene)
{
    struct capture_in in = {
        .policy = scene->policy, .sent = &scene->sent, .login = scene->login, .now_ms = NOW_MS};

    if (scene->ip[0] != '\0')
        assert_true(ip_parse(scene->ip, &in.client));
    return capture_read(&in, &scene->arena, &scene->out);
}

// joined: what came, parted by blanks and bars.
static const char *joined(const char *const *texts, size_t count)
{
    static char text[4096];

    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? "|" : "",
                       texts[i]);
    return text;
}

static void expect_capture(struct scene *scene, const char *owner, const char *external,
                           const char *skipped)
{
    const struct capture *out = &scene->out;

    assert_int_equal(run(scene), ERR_NONE);
    assert_string_equal(out->owner, owner);
    assert_string_equal(joined(out->external, out->external_count), external);
    assert_string_equal(joined(out->skipped, out->skipped_count), skipped);
}

// ---- one recipient: who sends, as whom, to whom

struct who_row {
    const char *name;
    const char *login, *ip, *sender, *recipient;
    const char *owner, *external, *skipped;
};

#define BOB "bob@ext.example"
#define ANN "ann@corp.example"

static const struct who_row who_rows[] = {
    {"a trusted address", "", "192.0.2.1", ANN, BOB, ANN, BOB, ""},
    {"the last trusted address", "", "192.0.2.15", ANN, BOB, ANN, BOB, ""},
    {"an untrusted address", "", "192.0.2.16", ANN, BOB, "", "", "untrusted"},
    {"no address and no login", "", "", ANN, BOB, "", "", "untrusted"},
    {"a login from anywhere", ANN, "198.51.100.1", ANN, BOB, ANN, BOB, ""},
    {"a login, address not known", ANN, "", ANN, BOB, ANN, BOB, ""},
    {"a login in another case", "Ann@CORP.example.", "", ANN, BOB, ANN, BOB, ""},
    {"a login with a tag", "ann+home@corp.example", "", ANN, BOB, ANN, BOB, ""},
    {"an alias as login", "a.smith@corp.example", "", ANN, BOB, ANN, BOB, ""},
    {"an alias as sender", "", "192.0.2.1", "a.smith@corp.example", BOB, ANN, BOB, ""},
    {"a sender with a tag", "", "192.0.2.1", "carl+t@corp.example", BOB, "carl@corp.example", BOB,
     ""},
    {"sent as another", ANN, "", "info@corp.example", BOB, ANN, BOB, ""},
    {"a login that is no address", "ann", "", "carl@corp.example", BOB, "carl@corp.example", BOB,
     ""},
    {"a login of a foreign domain", "x@ext.example", "", "carl@corp.example", BOB,
     "carl@corp.example", BOB, ""},
    {"the null sender", ANN, "", "", BOB, "", "", "null_sender"},
    {"no address as sender", ANN, "", "ann", BOB, "", "", "bad_sender"},
    {"postmaster without a domain", ANN, "", "postmaster", BOB, "", "", "bad_sender"},
    {"a foreign sender", ANN, "", "x@ext.example", BOB, "", "", "external_sender"},
    {"a sender below a domain of ours", ANN, "", "x@sub.corp.example", BOB, "", "",
     "external_sender"},
    {"a group's address", ANN, "", "all@corp.example", BOB, "", "", "not_a_user"},
    {"a group's address with a tag", ANN, "", "all+x@corp.example", BOB, "", "", "not_a_user"},
    {"a robot as sender", ANN, "", "no-reply@corp.example", BOB, "", "", "not_a_user"},
    // recipients
    {"a tag of a stranger stays", ANN, "", ANN, "Bob+News@EXT.example", ANN, "bob+news@ext.example",
     ""},
    {"an internal recipient", ANN, "", ANN, "bob@own.example", ANN, "", "internal bob@own.example"},
    {"no address", ANN, "", ANN, "bob@", ANN, "", "bad_recipient bob@"},
    {"nobody", ANN, "", ANN, "", ANN, "", "bad_recipient"},
    {"postmaster of this host", ANN, "", ANN, "postmaster", ANN, "", "bad_recipient postmaster"},
    {"below a domain of ours", ANN, "", ANN, "x@sub.corp.example", ANN, "x@sub.corp.example", ""},
    {"an unsubscribe address", ANN, "", ANN, "unsubscribe@ext.example", ANN, "",
     "unsubscribe unsubscribe@ext.example"},
    {"a robot", ANN, "", ANN, "NoReply@ext.example", ANN, "", "robot NoReply@ext.example"},
    // policies
    {"a policy of the sender", "", "192.0.2.1", "sales@corp.example", "x@gmail.example",
     "sales@corp.example", "", "policy gmail x@gmail.example"},
    {"a policy of the sender's base address", "", "192.0.2.1", "sales+a@corp.example",
     "x@gmail.example", "sales@corp.example", "", "policy gmail x@gmail.example"},
    {"somebody else's policy", ANN, "", ANN, "x@gmail.example", ANN, "x@gmail.example", ""},
    {"a policy of the login", ANN, "", "info@corp.example", "x@login.example", ANN, "",
     "policy login x@login.example"},
    {"a policy of the login's mailbox", "a.smith@corp.example", "", "info@corp.example",
     "x@login.example", ANN, "", "policy login x@login.example"},
    {"a policy for everybody", ANN, "", ANN, "x@none.example", ANN, "",
     "policy none x@none.example"},
    {"a policy of the domain alone", ANN, "", ANN, "x@sub.none.example", ANN, "x@sub.none.example",
     ""},
    {"the more specific one lifts it", ANN, "", ANN, "friend@none.example", ANN,
     "friend@none.example", ""},
    {"in shadow it is only told", ANN, "", ANN, "x@shade.example", ANN, "x@shade.example", ""},
    {"override", ANN, "", ANN, "x@lift.example", ANN, "x@lift.example", ""},
    {"its network", ANN, "192.0.2.1", ANN, "x@net.example", ANN, "", "policy net x@net.example"},
    {"another network", ANN, "192.0.2.2", ANN, "x@net.example", ANN, "x@net.example", ""},
    {"its time is over", ANN, "", ANN, "x@old.example", ANN, "x@old.example", ""},
};

static void who(void **state)
{
    const struct who_row *row = *state;
    struct scene *scene = scene_new(SET);

    scene->login = row->login;
    scene->ip = row->ip;
    scene->sent.sender = row->sender;
    scene->recipients[0] = row->recipient;
    scene->sent.recipient_total = 1;
    expect_capture(scene, row->owner, row->external, row->skipped);
    scene_free(scene);
}

// ---- headers

struct header_row {
    const char *name;
    struct msg_header header[3];
    const char *skipped;
};

static const struct header_row header_rows[] = {
    {"none", {{NULL, NULL}}, ""},
    {"others", {{"Subject", "Auto-Submitted: yes"}, {"From", "bulk"}}, ""},
    {"auto-replied", {{"Auto-Submitted", "auto-replied"}}, "auto_submitted"},
    {"auto-generated, odd case", {{"AUTO-submitted", "Auto-Generated; a=b"}}, "auto_submitted"},
    {"no", {{"Auto-Submitted", "no"}}, ""},
    {"NO with a comment", {{"Auto-Submitted", " (by (a) hand) NO ; why=x"}}, ""},
    {"no in a comment", {{"Auto-Submitted", "(no) auto-notified"}}, "auto_submitted"},
    {"not no", {{"Auto-Submitted", "none"}}, "auto_submitted"},
    {"nothing", {{"Auto-Submitted", ""}}, "auto_submitted"},
    {"the second one counts",
     {{"Auto-Submitted", "no"}, {"Auto-Submitted", "yes"}},
     "auto_submitted"},
    {"bulk", {{"Precedence", "bulk"}}, "bulk"},
    {"list", {{"Precedence", "List"}}, "bulk"},
    {"junk", {{"precedence", "junk (x)"}}, "bulk"},
    {"first-class", {{"Precedence", "first-class"}}, ""},
    {"bulky", {{"Precedence", "bulky"}}, ""},
    {"List-Id", {{"List-Id", "<a.x>"}}, "list"},
    {"List-Id without a value", {{"list-id", ""}}, "list"},
    {"List-Unsubscribe", {{"List-Unsubscribe", "<mailto:u@x>"}}, "list"},
    {"List-Post alone", {{"List-Post", "NO"}}, ""},
    {"a report", {{"Content-Type", "multipart/report; report-type=delivery-status"}}, "report"},
    {"a report, odd case", {{"Content-Type", "Multipart/Report"}}, "report"},
    {"a mail with parts", {{"Content-Type", "multipart/mixed; x=multipart/report"}}, ""},
    {"X-Autoreply", {{"X-Autoreply", "yes"}}, "autoreply"},
    {"X-Autorespond", {{"X-Autorespond", ""}}, "autoreply"},
    {"X-Auto-Response-Suppress asks others", {{"X-Auto-Response-Suppress", "All"}}, ""},
    {"In-Reply-To", {{"In-Reply-To", "<a@x>"}, {"References", "<a@x>"}}, ""},
    {"an unclosed comment", {{"Precedence", "(((bulk"}}, ""},
    {"a long value",
     {{"Precedence", "bulkbulkbulkbulkbulkbulkbulkbulkbulkbulkbulkbulkbulkbulkbulkbulkbulk"}},
     ""},
};

static void header(void **state)
{
    const struct header_row *row = *state;
    struct scene *scene = scene_new(SET);
    const bool teaches = row->skipped[0] == '\0';

    while (scene->sent.header_count < 3 && row->header[scene->sent.header_count].name != NULL) {
        scene->headers[scene->sent.header_count] = row->header[scene->sent.header_count];
        scene->sent.header_count++;
    }
    scene->recipients[0] = BOB;
    scene->sent.recipient_total = 1;
    expect_capture(scene, teaches ? ANN : "", teaches ? BOB : "", row->skipped);
    scene_free(scene);
}

// ---- local parts

struct local_row {
    const char *name;
    enum capture_skip want;
};

static const struct local_row local_rows[] = {
    {"unsubscribe", CAPTURE_UNSUBSCRIBE},
    {"news-unsubscribe", CAPTURE_UNSUBSCRIBE},
    {"unsubscribe-4711-ann=corp.example", CAPTURE_UNSUBSCRIBE},
    {"leave-fc12.34", CAPTURE_UNSUBSCRIBE},
    {"list_leave", CAPTURE_UNSUBSCRIBE},
    {"remove", CAPTURE_UNSUBSCRIBE},
    {"u+optout", CAPTURE_UNSUBSCRIBE},
    {"unsubscriber", CAPTURE_SKIPS},
    {"leaves", CAPTURE_SKIPS},
    {"cleaver", CAPTURE_SKIPS},
    {"noreply", CAPTURE_ROBOT},
    {"no-reply", CAPTURE_ROBOT},
    {"no.reply.shop", CAPTURE_ROBOT},
    {"do_not_reply", CAPTURE_ROBOT},
    {"donotreply-123", CAPTURE_ROBOT},
    {"mailer-daemon", CAPTURE_ROBOT},
    {"bounce", CAPTURE_ROBOT},
    {"bounces+17-ann=corp.example", CAPTURE_ROBOT},
    {"srs0=hh=tt=x.example=ann", CAPTURE_ROBOT},
    {"prvs=1234abcdef=ann", CAPTURE_ROBOT},
    {"devel-request", CAPTURE_ROBOT},
    {"request", CAPTURE_SKIPS},
    {"majordomo", CAPTURE_ROBOT},
    {"bouncer", CAPTURE_SKIPS},
    {"ann.bounce", CAPTURE_SKIPS},
    {"reply", CAPTURE_SKIPS},
    {"ann.smith", CAPTURE_SKIPS},
    {"postmaster", CAPTURE_SKIPS},
    {"-", CAPTURE_SKIPS},
    {"", CAPTURE_SKIPS},
};

static void local(void **state)
{
    const struct local_row *row = *state;

    assert_int_equal(capture_robot(row->name), row->want);
}

// ---- several recipients

static void each_recipient_by_itself(void **state)
{
    struct scene *scene = scene_new(SET);
    static const char *const to[] = {BOB,
                                     "carl@own.example",
                                     "x@gmail.example",
                                     "Bob@EXT.example.",
                                     "leave@x.example",
                                     "x@none.example"};

    (void)state;
    memcpy((void *)scene->recipients, to, sizeof(to));
    scene->sent.recipient_total = 6;
    expect_capture(scene, ANN, BOB "|x@gmail.example",
                   "internal carl@own.example|unsubscribe leave@x.example|"
                   "policy none x@none.example");
    scene_free(scene);
}

static void at_most_fifty_recipients(void **state)
{
    struct scene *scene = scene_new(SET);
    static char text[51][32];

    (void)state;
    for (unsigned i = 0; i < 51; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "r%u@ext.example", i);
        scene->recipients[i] = text[i];
    }
    scene->sent.recipient_total = 50;
    assert_int_equal(run(scene), ERR_NONE);
    assert_int_equal(scene->out.external_count, 50);
    scene->sent.recipient_total = 51;
    expect_capture(scene, "", "", "too_many_recipients");
    scene->policy->settings.auto_allow.most_recipients = 0; // any number
    assert_int_equal(run(scene), ERR_NONE);
    assert_int_equal(scene->out.external_count, 51);
    scene_free(scene);
}

static void nobody_at_all(void **state)
{
    struct scene *scene = scene_new(SET);

    (void)state;
    expect_capture(scene, ANN, "", "");
    scene_free(scene);
}

// ---- when

static void when_it_was_sent(void **state)
{
    const uint64_t life_ms = 120 * DAY_MS;
    const struct {
        uint64_t at_ms, sent_ms;
        bool is_learnt;
    } rows[] = {
        {0, NOW_MS, true},
        {NOW_MS, NOW_MS, true},
        {NOW_MS - 1, NOW_MS - 1, true},
        {NOW_MS + 1, NOW_MS, true},
        {UINT64_MAX, NOW_MS, true},
        {NOW_MS - life_ms, NOW_MS - life_ms, true},
        {NOW_MS - life_ms - 1, NOW_MS - life_ms - 1, false},
        {1, 1, false},
    };
    struct scene *scene = scene_new(SET);

    (void)state;
    scene->recipients[0] = BOB;
    scene->sent.recipient_total = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        scene->sent.at_ms = rows[i].at_ms;
        expect_capture(scene, rows[i].is_learnt ? ANN : "", rows[i].is_learnt ? BOB : "",
                       rows[i].is_learnt ? "" : "too_old");
        assert_true(scene->out.sent_ms == rows[i].sent_ms);
    }
    scene_free(scene);
}

// ---- who exists by it

static void domains_that_learn(void **state)
{
    struct scene *scene = scene_new(SET);
    // What the parser makes const is this test's own.
    struct policy_domain *domain = (struct policy_domain *)(uintptr_t)scene->policy->domain;

    (void)state;
    scene->login = "a.smith@corp.example";
    scene->sent.sender = "info+x@own.example";
    scene->recipients[0] = "carl@corp.example";
    scene->sent.recipient_total = 1;
    assert_int_equal(run(scene), ERR_NONE);
    assert_int_equal(scene->out.exists_count, 0);
    domain[0].learn = true; // corp.example
    assert_int_equal(run(scene), ERR_NONE);
    assert_string_equal(joined(scene->out.exists, scene->out.exists_count), ANN);
    domain[1].learn = true;
    assert_int_equal(run(scene), ERR_NONE);
    assert_string_equal(joined(scene->out.exists, scene->out.exists_count),
                        ANN "|info@own.example");
    scene->sent.sender = ANN;
    assert_int_equal(run(scene), ERR_NONE);
    assert_string_equal(joined(scene->out.exists, scene->out.exists_count), ANN);
    scene->headers[0] = (struct msg_header){"Precedence", "bulk"};
    scene->sent.header_count = 1;
    assert_int_equal(run(scene), ERR_NONE);
    assert_int_equal(scene->out.exists_count, 0);
    scene_free(scene);
}

// ---- a set without domains: ours is whatever is in the sender's domain

static void without_domains(void **state)
{
    struct scene *scene = scene_new("trusted_sources: [192.0.2.0/28]\n");

    (void)state;
    scene->recipients[0] = "carl@corp.example";
    scene->recipients[1] = BOB;
    scene->sent.recipient_total = 2;
    expect_capture(scene, ANN, BOB, "internal carl@corp.example");
    scene->ip = "192.0.2.16";
    expect_capture(scene, "", "", "untrusted");
    scene_free(scene);
}

static void switched_off(void **state)
{
    struct scene *scene = scene_new(SET);
    struct policy_domain *domain = (struct policy_domain *)(uintptr_t)scene->policy->domain;

    (void)state;
    scene->policy->settings.auto_allow.scope = POLICY_SCOPE_OFF;
    domain[0].learn = true;
    scene->recipients[0] = BOB;
    scene->recipients[1] = BOB;
    scene->sent.recipient_total = 2;
    expect_capture(scene, ANN, "", "off");
    assert_string_equal(joined(scene->out.exists, scene->out.exists_count), ANN);
    scene_free(scene);
}

// ---- which policies were used

static void policies_that_were_used(void **state)
{
    struct scene *scene = scene_new(SET);
    const struct capture *out = &scene->out;

    (void)state;
    scene->recipients[0] = "x@none.example";
    scene->recipients[1] = "y@none.example";
    scene->recipients[2] = "x@shade.example";
    scene->recipients[3] = BOB;
    scene->sent.recipient_total = 4;
    assert_int_equal(run(scene), ERR_NONE);
    assert_int_equal(out->used_count, 2);
    assert_string_equal(out->used[0].rule->id, "none");
    assert_false(out->used[0].in_shadow);
    assert_string_equal(out->used[1].rule->id, "shade");
    assert_true(out->used[1].in_shadow);
    scene_free(scene);
}

// ---- memory: with any amount it is all of it, or nothing

static void any_memory(void **state)
{
    struct scene *scene = scene_new(SET);
    enum err err = ERR_MEMORY;
    size_t size = 0;

    (void)state;
    scene->login = ANN;
    scene->recipients[0] = BOB;
    scene->recipients[1] = "carl@own.example";
    scene->sent.recipient_total = 2;
    for (; err == ERR_MEMORY; size++) {
        unsigned char *memory = malloc(size);

        arena_init(&scene->arena, memory, size);
        err = run(scene);
        if (err == ERR_NONE)
            assert_string_equal(joined(scene->out.external, scene->out.external_count), BOB);
        free(memory);
    }
    assert_int_equal(err, ERR_NONE);
    assert_true(size > 100 && size < 4096);
    scene_free(scene);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, who_rows, who);
    TABLE_ROWS(&table, header_rows, header);
    TABLE_ROWS(&table, local_rows, local);
    TABLE_TEST(&table, each_recipient_by_itself);
    TABLE_TEST(&table, at_most_fifty_recipients);
    TABLE_TEST(&table, nobody_at_all);
    TABLE_TEST(&table, when_it_was_sent);
    TABLE_TEST(&table, domains_that_learn);
    TABLE_TEST(&table, without_domains);
    TABLE_TEST(&table, switched_off);
    TABLE_TEST(&table, policies_that_were_used);
    TABLE_TEST(&table, any_memory);
    return table_run(&table, "capture");
}
