// test_ldap_lookup.c: recipients asked of a directory server: what is asked of it for which address, and what its answer
// means for mail.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "node/core/ldap_text.h"
#include "node/probe/ldap_lookup.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "tests/support/ldap_peer.h"
#include "tests/support/table.h"

enum { PATIENCE_MS = 20000, HOUR_MS = 3600000, MINUTE_MS = 60000 };

struct scene {
    struct loop *loop;
    struct loop_timer *watch;
    struct ldap_lookup *lookup;
    struct ldap_peer peer;
    struct policy_settings settings;
    struct policy_domain domain;
    struct probe_counters counters;
    unsigned came;
    uint64_t give_up_ms;
    struct probe_answer last;
};

static void look(void *arg)
{
    struct scene *scene = arg;

    if (scene->came > 0 || clock_mono_ms() > scene->give_up_ms)
        loop_stop(scene->loop);
}

static void answered(void *arg, uint64_t token, const struct probe_answer *answer)
{
    struct scene *scene = arg;

    assert_int_equal(token, 7);
    scene->came++;
    scene->last = *answer;
}

static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    assert_int_equal(loop_new(&scene->loop, NULL), ERR_NONE);
    scene->watch = loop_timer_new(scene->loop, look, scene);
    loop_timer_set(scene->watch, 5, 5);
    ldap_peer_open(&scene->peer, scene->loop, LDAP_PEER_ANSWERS);
    const struct ldap_pool_config config = {
        .loop = scene->loop, .password_file = "", .ca_file = "/nowhere/ca.pem"};

    scene->lookup = ldap_lookup_new(&config, &scene->counters);
    scene->domain = (struct policy_domain){
        .name = "corp.example", .recipients = POLICY_RECIPIENTS_LDAP, .ldap_base = ""};
    scene->settings.ldap.servers = scene->peer.uri;
    scene->settings.ldap.bind_dn = "";
    scene->settings.ldap.base = "dc=corp,dc=example";
    scene->settings.ldap.scope = POLICY_LDAP_SUB;
    scene->settings.ldap.filter = "(mail=%s)";
    scene->settings.ldap.mailbox = "";
    scene->settings.ldap.connections = 1;
    scene->settings.ldap.timeout_ms = 2000;
    scene->settings.ldap.whole_ms = 10000;
    scene->settings.ldap.positive_ms = HOUR_MS;
    scene->settings.ldap.negative_ms = MINUTE_MS;
}

static void scene_close(struct scene *scene)
{
    ldap_lookup_free(&scene->lookup);
    assert_null(scene->lookup);
    ldap_lookup_free(&scene->lookup); // nothing is fine
    ldap_peer_close(&scene->peer);
    loop_timer_free(&scene->watch);
    loop_free(&scene->loop);
}

static const struct probe_answer *ask(struct scene *scene, const char *address)
{
    const struct probe_question question = {
        .domain = &scene->domain, .settings = &scene->settings, .address = address, .within_ms = 1};

    scene->came = 0;
    scene->give_up_ms = clock_mono_ms() + PATIENCE_MS;
    ldap_lookup_ask(scene->lookup, &question, (struct probe_done){answered, scene, 7});
    if (scene->came == 0)
        loop_run(scene->loop);
    assert_int_equal(scene->came, 1);
    return &scene->last;
}

// ---- what its answer means

static void it_exists(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    const struct probe_answer *answer = ask(&scene, "ann@corp.example");

    assert_int_equal(answer->said, FACTS_EXISTS);
    assert_int_equal(answer->life_ms, HOUR_MS);
    assert_string_equal(answer->mailbox, "");
    assert_string_equal(answer->why, "the directory server has it");
    assert_int_equal(scene.counters.ldap_connects, 1);
    scene_close(&scene);
}

static void there_is_none(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.peer.entries = 0;
    const struct probe_answer *answer = ask(&scene, "eve@corp.example");

    assert_int_equal(answer->said, FACTS_NOBODY);
    assert_int_equal(answer->life_ms, MINUTE_MS);
    assert_string_equal(answer->why, "the directory server does not have it");
    scene_close(&scene);
}

// What must never be taken for "there is no such recipient".
static void what_is_no_answer_is_none(void **state)
{
    const int *result = *state;
    struct scene scene;

    scene_open(&scene);
    scene.peer.entries = 0;
    scene.peer.result = *result;
    const struct probe_answer *answer = ask(&scene, "ann@corp.example");

    assert_int_equal(answer->said, FACTS_REFUSED);
    assert_int_equal(answer->life_ms, 0);
    assert_int_not_equal(answer->why[0], '\0');
    scene_close(&scene);
}

static void a_server_that_is_away(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.peer.manner = LDAP_PEER_HANGS_UP;
    assert_int_equal(ask(&scene, "ann@corp.example")->said, FACTS_REFUSED);
    assert_int_equal(scene.last.life_ms, 0);
    scene_close(&scene);
}

struct mailbox_row {
    const char *name;
    const char *value;
    const char *mailbox;
};

static const struct mailbox_row mailbox_rows[] = {
    {"another mailbox", "Ann.Smith@Corp.Example.", "ann.smith@corp.example"},
    {"its own", "a.smith@CORP.example", ""},
    {"with a tag", "ann+x@corp.example", "ann@corp.example"},
    {"no address", "Ann Smith", ""},
    {"no domain", "ann", ""},
    {"the null sender", "", ""},
    {"two at signs", "ann@corp@example", ""},
    {"no value", NULL, ""},
};

static void check_mailbox(void **state)
{
    const struct mailbox_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene.settings.ldap.mailbox = "mail";
    scene.peer.value = row->value;
    assert_int_equal(ask(&scene, "a.smith@corp.example")->said, FACTS_EXISTS);
    assert_string_equal(scene.last.mailbox, row->mailbox);
    assert_true(ldap_peer_has_heard(&scene.peer, "mail"));
    scene_close(&scene);
}

// ---- what is asked

struct asked_row {
    const char *name;
    const char *base, *domain_base, *filter;
    const char *address;
    const char *heard[3]; // as they are on the wire: not escaped
};

static const struct asked_row asked_rows[] = {
    {"the settings' base",
     "dc=corp",
     "",
     "(uid=%u)",
     "ann@corp.example",
     {"dc=corp", "uid\x04\x03"
                 "ann"}},
    {"the domain's base",
     "dc=corp",
     "ou=people,dc=other",
     "(uid=%u)",
     "ann@corp.example",
     {"ou=people,dc=other"}},
    {"a domain in the base",
     "ou=%d,o=hosting",
     "",
     "(uid=%u)",
     "ann@corp.example",
     {"ou=corp.example,o=hosting"}},
    {"an address that would be a filter",
     "dc=corp",
     "",
     "(mail=%s)",
     "\"*)(uid=*\"@corp.example",
     {"\"*)(uid=*\"@corp.example"}},
    {"an address that would be a base",
     "uid=%u",
     "",
     "(mail=%s)",
     "\"a,dc=x\"@corp.example",
     {"uid=\\22a\\2cdc\\3dx\\22"}},
};

static void check_asked(void **state)
{
    const struct asked_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene.settings.ldap.base = row->base;
    scene.settings.ldap.filter = row->filter;
    scene.domain.ldap_base = row->domain_base;
    assert_int_equal(ask(&scene, row->address)->said, FACTS_EXISTS);
    for (size_t i = 0; i < sizeof(row->heard) / sizeof(row->heard[0]) && row->heard[i] != NULL; i++)
        if (!ldap_peer_has_heard(&scene.peer, row->heard[i]))
            fail_msg("nobody asked for %s", row->heard[i]);
    scene_close(&scene);
}

static void what_becomes_too_long_is_refused(void **state)
{
    char filter[LDAP_TEXT_MAX + 1] = "(|";
    char address[300] = "";
    struct text_buf buf;
    struct scene scene;

    (void)state;
    scene_open(&scene);
    text_buf_init(&buf, filter, sizeof(filter));
    text_buf_put(&buf, "(|");
    for (int i = 0; i < 100; i++)
        text_buf_put(&buf, "(a=%s)");
    text_buf_put(&buf, ")");
    memset(address, 'a', 200);
    memcpy(address + 200, "@corp.example", 14);
    scene.settings.ldap.filter = filter;
    assert_null(ldap_text_flaw(LDAP_TEXT_FILTER, filter));
    assert_int_equal(ask(&scene, address)->said, FACTS_REFUSED);
    assert_string_equal(scene.last.why, "its filter or base is too long with this address");
    assert_int_equal(scene.peer.searches, 0);
    scene_close(&scene);
}

static void it_ends_with_a_question_under_way(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    const struct probe_question question = {
        .domain = &scene.domain, .settings = &scene.settings, .address = "ann@corp.example"};

    ldap_lookup_ask(scene.lookup, &question, (struct probe_done){answered, &scene, 7});
    scene.settings.ldap.timeout_ms = 100;
    scene_close(&scene);
    assert_int_equal(scene.came, 0);
}

int main(void)
{
    // RFC 4511, 4.1.9: operationsError, timeLimitExceeded, sizeLimitExceeded, referral, noSuchObject, invalidDNSyntax,
    // inappropriateAuthentication, insufficientAccessRights, busy, unavailable, unwillingToPerform, other
    static const int NO_ANSWERS[] = {1, 3, 4, 10, 32, 34, 48, 50, 51, 52, 53, 80};
    struct table table = {.count = 0};

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, it_exists);
    TABLE_TEST(&table, there_is_none);
    for (size_t i = 0; i < sizeof(NO_ANSWERS) / sizeof(NO_ANSWERS[0]); i++)
        table_add(&table, "what is no answer is none", what_is_no_answer_is_none, &NO_ANSWERS[i]);
    TABLE_TEST(&table, a_server_that_is_away);
    TABLE_ROWS(&table, mailbox_rows, check_mailbox);
    TABLE_ROWS(&table, asked_rows, check_asked);
    TABLE_TEST(&table, what_becomes_too_long_is_refused);
    TABLE_TEST(&table, it_ends_with_a_question_under_way);
    return table_run(&table, "ldap_lookup");
}
