// Random histories of reports: what the node makes of each is told, operation by operation and to the last bit, to
// tests/support/reputation_reference.py, which was written from the formulas in another language and does all of it again. Every number must be equal
// to 1e-9, every packed entity to the byte.
//
// A million of them: REEVE_HISTORIES=1000000 build/unit/test_reputation_random; REEVE_SEED for others.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "node/core/reputation.h"
#include "tests/support/random.h"
#include "tests/support/table.h"

enum { HISTORIES = 800, ENTITIES_MAX = 64, GATEWAYS = 8, OPERATIONS_MAX = 16, DAY_S = 86400 };
static const char REFERENCE[] = "/usr/bin/python3 tests/support/reputation_reference.py --check";

// ---- a store as simple as can be, and the gateways that report to it

struct entity {
    char key[REPUTATION_KEY_MAX];
    struct reputation_id id;
    struct reputation_state is;
};
struct world {
    struct random random;
    FILE *reference;
    struct reputation_settings settings;
    uint32_t now_s;
    struct entity entity[ENTITIES_MAX];
    unsigned entity_count;
    struct {
        unsigned number; // 0 = has never reported
        uint32_t last_s;
        struct reputation_record record;
    } gateway[GATEWAYS];
    unsigned gateway_count; // in use in this history
    unsigned reporter_count;
    float trust[REPUTATION_REPORTERS];
};
static struct world world;

static struct entity *find(const struct reputation_id *id, bool create)
{
    char key[REPUTATION_KEY_MAX];
    struct entity *entity = world.entity;

    assert_true(reputation_key(id, key) < sizeof(key));
    for (unsigned i = 0; i < world.entity_count; i++, entity++)
        if (strcmp(entity->key, key) == 0)
            return entity;
    if (!create)
        return NULL;
    assert_true(world.entity_count < ENTITIES_MAX);
    world.entity_count++;
    *entity = (struct entity){.id = *id};
    memcpy(entity->key, key, sizeof(key));
    assert_true(reputation_id_read(entity->key, &entity->id));
    return entity;
}

static void read_levels(const struct reputation_client *client, struct reputation_facts *out)
{
    reputation_levels(client, out);
    for (unsigned i = 0; i < out->count; i++) {
        const struct entity *entity = find(&out->level[i].id, false);

        out->level[i].state = entity != NULL ? FACT_PRESENT : FACT_ABSENT;
        if (entity != NULL)
            out->level[i].is = entity->is;
    }
}

static void tell_packed(const struct reputation_id *id)
{
    const struct entity *entity = find(id, false);
    uint8_t bytes[REPUTATION_ROOT_BYTES], again[REPUTATION_ROOT_BYTES];
    struct reputation_state read;
    size_t len;

    if (entity == NULL) {
        fprintf(world.reference, " -");
        return;
    }
    len = reputation_pack(id->kind, &entity->is, bytes);
    assert_int_equal(reputation_unpack(id->kind, bytes, len, &read), ERR_NONE);
    assert_int_equal(reputation_pack(id->kind, &read, again), len);
    assert_memory_equal(bytes, again, len);
    fputc(' ', world.reference);
    for (size_t i = 0; i < len; i++)
        fprintf(world.reference, "%02x", bytes[i]);
}

// ---- what happens

static void tell_client(const struct reputation_client *client)
{
    char ip[IP_TEXT_MAX];

    fprintf(world.reference, " %s %u %s %s %d", ip_format(&client->ip, ip), client->asn,
            client->country[0] != '\0' ? client->country : "-",
            client->domain[0] != '\0' ? client->domain : "-", (int)client->auth);
}

static struct reputation_client some_client(void)
{
    static const char *const IPS[] = {
        "192.0.2.1",     "192.0.2.1",     "192.0.2.2",       "192.0.3.255",      "198.51.100.7",
        "2001:db8::1:1", "2001:db8::1:2", "2001:db8:0:1::1", "::ffff:192.0.2.1",
    };
    static const char *const COUNTRIES[] = {"DE", "DE", "FR", ""};
    static const uint32_t ASNS[] = {64500, 64500, 4294967295, 0};
    static const char *const DOMAINS[] = {"example.org", "example.org", "example.co.uk", "tld", ""};
    struct reputation_client client = {
        .asn = RANDOM_OF(&world.random, ASNS),
        .country = RANDOM_OF(&world.random, COUNTRIES),
        .domain = RANDOM_OF(&world.random, DOMAINS),
        .auth = (enum reputation_auth)random_below(&world.random, REPUTATION_FAILED + 1),
    };

    if (!random_chance(&world.random, 3))
        assert_true(ip_parse(RANDOM_OF(&world.random, IPS), &client.ip));
    return client;
}

static unsigned active(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < GATEWAYS; i++)
        count += world.gateway[i].number != 0 &&
                 (world.now_s - world.gateway[i].last_s) * 1000ULL < REPUTATION_ACTIVE_MS;
    return count;
}

static struct reputation_reporters reporters(void)
{
    return (struct reputation_reporters){.trust = world.trust, .active = active()};
}

static void note(unsigned gateway, const struct reputation_facts *facts, bool is_spam)
{
    const struct reputation_reporters known = reporters();
    const uint16_t number = (uint16_t)world.gateway[gateway].number;
    bool said[2], says_spam[2];

    for (unsigned i = 0; i < 2; i++)
        said[i] = reputation_others(facts, i == 1, number, &world.settings, &known,
                                    world.now_s * 1000ULL, &says_spam[i]);
    for (unsigned i = 0; i < 2; i++)
        if (said[i])
            reputation_record_note(&world.gateway[gateway].record, says_spam[i],
                                   says_spam[i] == is_spam);
    world.trust[number] = (float)reputation_trust(&world.gateway[gateway].record);
}

// One level hears of it; what climbs on.
static double add(const struct reputation_id *id, const struct reputation_report *report,
                  FILE *told)
{
    struct entity *entity = find(id, false);
    struct reputation_state is = {0};
    struct reputation_added added;

    if (entity != NULL)
        is = entity->is;
    added = reputation_add(id->kind, &world.settings.level[id->kind], report, &is);
    fprintf(told, " %a %a %d", added.added, added.onward, added.at_cap);
    if (added.added > 0)
        find(id, true)->is = is;
    return added.onward;
}

static unsigned add_chain(const struct reputation_facts *facts, unsigned first, unsigned end,
                          struct reputation_report report, FILE *told)
{
    unsigned heard = 0;

    for (unsigned i = first; i < end && report.weight > 0; i++, heard++)
        report.weight = add(&facts->level[i].id, &report, told);
    return heard;
}

static void report_one(void)
{
    static const double WEIGHTS[] = {1, 1, 1, 1, 0.3, 0.5, 3, 0.001, 40};
    const unsigned gateway = random_below(&world.random, world.gateway_count);
    const double weight = RANDOM_OF(&world.random, WEIGHTS);
    const struct reputation_client client = some_client();
    // The first gateway of some histories contradicts; the others are mostly of one mind.
    const bool is_spam =
        (client.ip.bytes[3] % 2 == 1) == random_chance(&world.random, gateway == 0 ? 20 : 95);
    const bool judges = random_chance(&world.random, 80);
    struct reputation_report report = {.is_spam = is_spam, .now_s = world.now_s};
    struct reputation_facts facts;
    char *text = NULL;
    size_t size;
    FILE *told = open_memstream(&text, &size);
    unsigned heard;

    assert_non_null(told);
    if (world.gateway[gateway].number == 0)
        world.gateway[gateway].number = ++world.reporter_count;
    world.gateway[gateway].last_s = world.now_s;
    report.reporter = (uint16_t)world.gateway[gateway].number;
    report.active = active();
    report.weight = weight * reputation_trust(&world.gateway[gateway].record);
    read_levels(&client, &facts);
    if (judges)
        note(gateway, &facts, is_spam);
    heard = add_chain(&facts, 0, facts.address_count, report, told);
    heard += add_chain(&facts, facts.address_count, facts.count, report, told);
    fclose(told);
    fprintf(world.reference, "report %" PRIu32, world.now_s);
    tell_client(&client);
    fprintf(world.reference, " mx%u %d %a %d | %u %a%s", gateway, is_spam, weight, judges, heard,
            reputation_trust(&world.gateway[gateway].record), text);
    for (unsigned i = 0; i < facts.count; i++)
        tell_packed(&facts.level[i].id);
    fputc('\n', world.reference);
    free(text);
}

static void judge_one(void)
{
    const struct reputation_reporters known = reporters();
    const struct reputation_client client = some_client();
    const uint64_t now_ms = world.now_s * 1000ULL + random_below(&world.random, 1000);
    struct reputation_facts facts;
    struct reputation_result is;

    read_levels(&client, &facts);
    reputation_judge(&facts, &world.settings, &known, client.auth, now_ms, &is);
    assert_int_equal(is.is_known, client.ip.family != 0);
    fprintf(world.reference, "judge %" PRIu32, world.now_s);
    tell_client(&client);
    fprintf(world.reference, " | %a %a %a %a %a %a %a %a %a %a %a %a %d\n", is.p, is.address,
            is.sender, is.ip, is.trust_sender, is.lower, is.upper, is.n_ip, is.n_net,
            (double)is.reporters, (double)is.has_sender,
            (double)reputation_is_warm(&facts, &world.settings, &known, now_ms),
            client.ip.family != 0 && facts.level[0].state == FACT_PRESENT &&
                reputation_surges(&facts.level[0].is, is.p, now_ms, 20, 8));
}

// Straight to the root, as if it came from everywhere else.
static void flood(void)
{
    const unsigned gateway = random_below(&world.random, world.gateway_count);
    const struct reputation_id root = {.kind = REPUTATION_WORLD, .domain = ""};
    struct reputation_report report = {
        .reporter = (uint16_t)world.gateway[gateway].number,
        .active = active(),
        .is_spam = random_chance(&world.random, 50),
        .weight = 100,
        .now_s = world.now_s,
    };

    if (report.reporter == 0)
        return;
    fprintf(world.reference, "flood %" PRIu32 " mx%u %d %a |", world.now_s, gateway, report.is_spam,
            report.weight);
    (void)add(&root, &report, world.reference);
    tell_packed(&root);
    fputc('\n', world.reference);
}

static void undo_one(void)
{
    const unsigned gateway = random_below(&world.random, world.gateway_count);
    const unsigned number = world.gateway[gateway].number;
    unsigned count = 0;

    if (number == 0)
        return;
    for (unsigned i = 0; i < world.entity_count; i++) {
        struct entity *entity = &world.entity[i];

        count += reputation_undo(entity->id.kind, &world.settings.level[entity->id.kind],
                                 (uint16_t)number, world.now_s, &entity->is);
    }
    world.gateway[gateway].record = (struct reputation_record){0};
    world.trust[number] = 1;
    fprintf(world.reference, "undo %" PRIu32 " mx%u | %u\n", world.now_s, gateway, count);
}

static void send_some(void)
{
    static const unsigned MAILS[] = {1, 1, 5, 30, 1000};
    const unsigned mails = RANDOM_OF(&world.random, MAILS);
    const struct reputation_client client = some_client();
    struct reputation_facts facts;
    struct entity *entity;
    char ip[IP_TEXT_MAX];

    if (client.ip.family == 0)
        return;
    reputation_levels(&client, &facts);
    entity = find(&facts.level[0].id, true);
    reputation_add_volume(&world.settings.level[REPUTATION_IP], mails, world.now_s, &entity->is);
    reputation_round(REPUTATION_IP, &entity->is);
    fprintf(world.reference, "volume %" PRIu32 " %s %u |", world.now_s, ip_format(&client.ip, ip),
            mails);
    tell_packed(&facts.level[0].id);
    fputc('\n', world.reference);
}

static void pass_time(void)
{
    static const unsigned UP_TO_S[] = {1, 2, 60, 3600, DAY_S, 20 * DAY_S, 400 * DAY_S};
    const unsigned percent = random_below(&world.random, 100);

    world.now_s += random_below(&world.random, UP_TO_S[percent < 20   ? 0
                                                       : percent < 50 ? 1
                                                       : percent < 70 ? 2
                                                       : percent < 85 ? 3
                                                       : percent < 95 ? 4
                                                       : percent < 99 ? 5
                                                                      : 6]);
}

static void begin(void)
{
    static const double STRENGTHS[] = {1, 1, 2, 4, 0.25, 8};
    static const unsigned DAYS[] = {1, 30, 60, 90, 180, 400};

    world.entity_count = world.reporter_count = 0;
    memset(world.gateway, 0, sizeof(world.gateway));
    for (unsigned i = 0; i <= GATEWAYS; i++)
        world.trust[i] = 1;
    world.now_s = 1000000000 + random_below(&world.random, 1000000000);
    world.gateway_count = 1 + random_below(&world.random, GATEWAYS);
    fprintf(world.reference, "history");
    for (unsigned i = 0; i < REPUTATION_KINDS; i++) {
        const unsigned days = RANDOM_OF(&world.random, DAYS);
        const double strength =
            reputation_is_root((enum reputation_kind)i) ? 0 : RANDOM_OF(&world.random, STRENGTHS);

        world.settings.level[i] =
            (struct reputation_level_settings){strength, days * 1000ULL * DAY_S};
        fprintf(world.reference, " %a %u", strength, days);
    }
    fprintf(world.reference, " |\n");
}

static void play(void)
{
    // Now and then a long one: caps, distrust and full entities take their time.
    const unsigned long_one = random_chance(&world.random, 3) ? 20 : 1;
    const unsigned operations = 1 + random_below(&world.random, OPERATIONS_MAX * long_one);

    begin();
    for (unsigned i = 0; i < operations; i++) {
        const unsigned percent = random_below(&world.random, 100);

        pass_time();
        if (percent < 70)
            report_one();
        else if (percent < 90)
            judge_one();
        else if (percent < 96)
            send_some();
        else if (percent < 99)
            flood();
        else
            undo_one();
    }
}

static void equal_to_the_reference(void **state)
{
    const char *said = getenv("REEVE_HISTORIES");
    const unsigned long histories = said != NULL ? strtoul(said, NULL, 10) : HISTORIES;
    int ended;

    (void)state;
    world.random.state = random_seed(2026);
    world.reference = popen(REFERENCE, "w");
    assert_non_null(world.reference);
    for (unsigned long i = 0; i < histories && !ferror(world.reference); i++)
        play();
    ended = pclose(world.reference);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
}

int main(void)
{
    struct table table = {.count = 0};

    TABLE_TEST(&table, equal_to_the_reference);
    return table_run(&table, "reputation_random");
}
