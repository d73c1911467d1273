// What `reevectl import postfix-access` reads of access maps, and the policies that it writes: patterns, results, and that a
// set of them decides about a mail as Postfix' own search through the maps does.
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
#include "client/ctl/import/access.c"
#include "client/ctl/import/access_table.c"

#include "node/core/chain.h"
#include "node/policy/set.h"
#include "tests/support/random.h"
#include "tests/support/table.h"

enum { ROUNDS = 1000, ENTRIES_MAX = 8, MAPS_MAX = 2 };

// ---- patterns

static const struct who_row {
    const char *name;
    enum access_map map;
    const char *pattern;
    const char *text; // NULL = refused
    const char *why;
} who_rows[] = {
    {"an address", ACCESS_SENDER, "Ann@Example.ORG", "ann@example.org", NULL},
    {"with a tag", ACCESS_SENDER, "ann+x@example.org", "ann+x@example.org", NULL},
    {"a recipient with a tag", ACCESS_RECIPIENT, "ann+x@example.org", NULL, "+tag"},
    {"a user everywhere", ACCESS_SENDER, "Bulk@", "bulk@*", NULL},
    {"a recipient everywhere", ACCESS_RECIPIENT, "postmaster@", "postmaster@*", NULL},
    {"a domain", ACCESS_SENDER, "Spam.Example.", "spam.example", NULL},
    {"a top level", ACCESS_SENDER, "top", "top", NULL},
    {"what is below", ACCESS_SENDER, ".spam.example", ".spam.example", NULL},
    {"the null sender", ACCESS_SENDER, "<>", "<>", NULL},
    {"a null recipient", ACCESS_RECIPIENT, "<>", NULL, ""},
    {"IDNA", ACCESS_SENDER,
     "b\xC3\xBC"
     "cher.example",
     "xn--bcher-kva.example", NULL},
    {"no local part", ACCESS_SENDER, "@spam.example", NULL, "domain"},
    {"two domains", ACCESS_SENDER, "ann@b@c.example", NULL, "address"},
    {"a star", ACCESS_SENDER, "a*@c.example", NULL, "address"},
    {"a star as a domain", ACCESS_SENDER, "*.c.example", NULL, "domain"},
    {"a quote", ACCESS_SENDER, "\"a\"@c.example", NULL, "address"},
    {"not UTF-8", ACCESS_SENDER, "a\xff@c.example", NULL, "address"},
    {"a sender's network", ACCESS_SENDER, "192.0.2.0/24", NULL, "network"},
    {"an address literal", ACCESS_SENDER, "ann@[192.0.2.1]", NULL, "address"},
    {"a regular expression", ACCESS_SENDER, "/spam/", NULL, "regular expression"},
    {"a negated one", ACCESS_CLIENT, "!/spam/", NULL, "regular expression"},
    {"a negated network", ACCESS_CLIENT, "!192.0.2.0/24", NULL, "negated"},
    {"nothing", ACCESS_CLIENT, "", NULL, "empty"},
    {"a client", ACCESS_CLIENT, "192.0.2.1", "192.0.2.1/32", NULL},
    {"three octets", ACCESS_CLIENT, "192.0.2", "192.0.2.0/24", NULL},
    {"two octets", ACCESS_CLIENT, "192.0", "192.0.0.0/16", NULL},
    {"one octet", ACCESS_CLIENT, "10", "10.0.0.0/8", NULL},
    {"an octet too large", ACCESS_CLIENT, "192.0.300", NULL, "network"},
    {"octets and a dot", ACCESS_CLIENT, "192.0.2.", NULL, "network"},
    {"a prefix", ACCESS_CLIENT, "192.0.2.0/25", "192.0.2.0/25", NULL},
    {"host bits", ACCESS_CLIENT, "192.0.2.1/25", NULL, "network"},
    {"all of it", ACCESS_CLIENT, "0.0.0.0/0", "0.0.0.0/0", NULL},
    {"IPv6", ACCESS_CLIENT, "2001:DB8::/32", "2001:db8::/32", NULL},
    {"IPv6 in brackets", ACCESS_CLIENT, "[2001:db8::]/32", "2001:db8::/32", NULL},
    {"an open bracket", ACCESS_CLIENT, "[2001:db8::", NULL, "network"},
    {"groups of IPv6", ACCESS_CLIENT, "2001:db8:1:2", "2001:db8:1:2::/64", NULL},
    {"too many groups", ACCESS_CLIENT, "1:2:3:4:5:6:7:8:9", NULL, "network"},
    {"a name", ACCESS_CLIENT, "Mail.Example.org", "mail.example.org", NULL},
    {"names below", ACCESS_CLIENT, ".example.org", ".example.org", NULL},
    {"a client's address with @", ACCESS_CLIENT, "ann@example.org", NULL, ""},
    {"a helo", ACCESS_HELO, "localhost.localdomain", "localhost.localdomain", NULL},
    {"a helo of digits", ACCESS_HELO, "[192.0.2.1]", NULL, "network"},
};

static void check_who(void **state)
{
    const struct who_row *row = *state;
    struct access_who who;
    const char *why = NULL;
    bool is_read = access_who_read(row->map, row->pattern, &who, &why);

    assert_int_equal(is_read, row->text != NULL);
    if (row->text != NULL)
        assert_string_equal(who.text, row->text);
    else
        assert_non_null(strstr(why, row->why));
}

// ---- results

static const struct effect_row {
    const char *name; // the result
    enum access_effect effect;
    const char *text;
} effect_rows[] = {
    {"OK", ACCESS_LET, ""},
    {"ok", ACCESS_LET, ""},
    {"permit", ACCESS_LET, ""},
    {"12345", ACCESS_LET, ""},
    {"550", ACCESS_LET, ""},
    {"550 5.7.1 no", ACCESS_BLOCK, "5.7.1 no"},
    {"554\tno", ACCESS_BLOCK, "no"},
    {"450 later", ACCESS_OTHER, "later"},
    {"250 fine", ACCESS_LET, "fine"},
    {"5500 fine", ACCESS_LET, "fine"},
    {"REJECT", ACCESS_BLOCK, ""},
    {"Reject  go away", ACCESS_BLOCK, "go away"},
    {"REJECTED", ACCESS_OTHER, ""},
    {"reject_unauth_destination", ACCESS_OTHER, ""},
    {"permit_mynetworks, reject", ACCESS_OTHER, "reject"},
    {"DUNNO", ACCESS_NONE, ""},
    {"HOLD look", ACCESS_HOLD, "look"},
    {"DEFER", ACCESS_OTHER, ""},
    {"DEFER_IF_PERMIT x", ACCESS_OTHER, "x"},
    {"DISCARD", ACCESS_OTHER, ""},
    {"FILTER smtp:[x]", ACCESS_OTHER, "smtp:[x]"},
    {"", ACCESS_OTHER, ""},
};

static void check_effect(void **state)
{
    const struct effect_row *row = *state;
    const char *text = NULL, *why = NULL;

    assert_int_equal(access_effect_read(row->name, &text, &why), row->effect);
    assert_string_equal(text, row->text);
    assert_int_equal(why[0] != '\0', row->effect == ACCESS_OTHER);
}

static const struct split_row {
    const char *name;             // the line
    const char *pattern, *result; // NULL = there is none
} split_rows[] = {
    {"a b", "a", "b"}, {"  a \t b c \r\n", "a", "b c"},
    {"a", "a", NULL},  {"a   ", "a", NULL},
    {"", "", NULL},    {"   ", "", NULL},
};

static void check_split(void **state)
{
    const struct split_row *row = *state;
    char line[64], *pattern = NULL, *result = NULL;

    (void)snprintf(line, sizeof(line), "%s", row->name);
    assert_int_equal(access_split(line, &pattern, &result), row->result != NULL);
    assert_string_equal(pattern, row->pattern);
    if (row->result != NULL)
        assert_string_equal(result, row->result);
}

// ---- what is wider

static const struct wider_row {
    const char *name; // the pattern
    enum access_map map;
    bool parents;
    const char *wider; // one after the other
} wider_rows[] = {
    {"ann+x@a.b.example", ACCESS_SENDER, true, "ann@a.b.example a.b.example b.example example "},
    {"ann@a.b.example", ACCESS_SENDER, false, "a.b.example .b.example .example "},
    {"+x@b.example", ACCESS_SENDER, true, "b.example example "},
    {"bulk@", ACCESS_SENDER, true, ""},
    {"<>", ACCESS_SENDER, true, ""},
    {".a.example", ACCESS_SENDER, false, ".example "},
    {"10", ACCESS_CLIENT, true,
     "10.0.0.0/7 8.0.0.0/6 8.0.0.0/5 0.0.0.0/4 0.0.0.0/3 0.0.0.0/2 0.0.0.0/1 0.0.0.0/0 "},
};

static void check_wider(void **state)
{
    const struct wider_row *row = *state;
    char came[512] = "";
    struct access_who who;
    const char *why;
    size_t used = 0;

    assert_true(access_who_read(row->map, row->name, &who, &why));
    while (access_wider(&who, row->parents, &who))
        used += (size_t)snprintf(came + used, sizeof(came) - used, "%s ", who.text);
    assert_string_equal(came, row->wider);
}

// ---- the same mail, by Postfix' search and by the policies

// One map, as it stands in its file.
struct map {
    const char *name;
    bool is_cidr;
    unsigned count;
    struct {
        const char *pattern, *result;
    } line[ENTRIES_MAX];
};

struct maps {
    enum access_map kind;
    bool parents;
    unsigned count;
    struct map map[MAPS_MAX];
};

enum fate { FATE_NONE, FATE_LET, FATE_BLOCK, FATE_HOLD };
static const char *const fates[] = {"none", "let", "block", "hold"};

static const char *look_up(const struct map *map, const char *key)
{
    for (unsigned i = 0; i < map->count; i++)
        if (strcmp(map->line[i].pattern, key) == 0)
            return map->line[i].result;
    return NULL;
}

static const char *look_up_domain(const struct map *map, bool parents, const char *domain)
{
    const char *result = look_up(map, domain);

    for (const char *dot = strchr(domain, '.'); result == NULL && dot != NULL;
         dot = strchr(dot + 1, '.'))
        result = look_up(map, dot + parents);
    return result;
}

// access(5), EMAIL ADDRESS PATTERNS, in the order of its search.
static const char *search_address(const struct map *map, bool parents, const char *address)
{
    const char *sign = strchr(address, '@');
    const char *result = look_up(map, address);
    char user[64];

    if (result == NULL)
        result = look_up_domain(map, parents, sign + 1);
    (void)snprintf(user, sizeof(user), "%.*s@", (int)(sign - address), address);
    return result != NULL ? result : look_up(map, user);
}

// access(5), HOST NAME/ADDRESS PATTERNS, of an IPv4 address; cidr_table(5): the first line that fits.
static const char *search_client(const struct map *map, const char *client)
{
    char key[32];
    struct ip_net net;
    struct ip ip;

    assert_true(ip_parse(client, &ip));
    for (unsigned i = 0; map->is_cidr && i < map->count; i++)
        if (ip_net_parse(map->line[i].pattern, &net, NULL) == ERR_NONE &&
            ip_net_contains(&net, &ip))
            return map->line[i].result;
    (void)snprintf(key, sizeof(key), "%s", client);
    while (!map->is_cidr) {
        char *dot = strrchr(key, '.');
        const char *result = look_up(map, key);

        if (result != NULL || dot == NULL)
            return result;
        *dot = '\0';
    }
    return NULL;
}

// Each map is asked, one after the other, until one says yes or no. What is held goes on to the next.
static enum fate search(const struct maps *maps, const char *text)
{
    enum fate fate = FATE_NONE;

    for (unsigned i = 0; i < maps->count; i++) {
        const char *result = maps->kind == ACCESS_CLIENT ? search_client(&maps->map[i], text)
                             : maps->kind == ACCESS_HELO
                                 ? look_up_domain(&maps->map[i], maps->parents, text)
                                 : search_address(&maps->map[i], maps->parents, text);

        if (result != NULL && strcmp(result, "REJECT") == 0)
            return FATE_BLOCK;
        if (result != NULL && strcmp(result, "OK") == 0)
            return fate == FATE_HOLD ? fate : FATE_LET;
        if (result != NULL && strcmp(result, "HOLD") == 0)
            fate = FATE_HOLD;
    }
    return fate;
}

static void ignore(void *arg, const struct access_entry *entry, const char *why)
{
    (void)arg;
    (void)entry;
    assert_non_null(why);
}

static struct policy *write_policies(const struct maps *maps, char **text)
{
    const struct access_left left = {ignore, NULL};
    struct access_table *table = access_table_new();
    struct err_detail detail = {.text = ""};
    struct policy *policy = NULL;
    size_t len = 0;
    FILE *out = open_memstream(text, &len);

    for (unsigned i = 0; i < maps->count; i++) {
        for (unsigned k = 0; k < maps->map[i].count; k++) {
            struct access_entry entry = {.file = maps->map[i].name,
                                         .line = k + 1,
                                         .map = maps->kind,
                                         .is_cidr = maps->map[i].is_cidr,
                                         .parents = maps->parents};
            const char *said, *why;

            assert_true(
                access_who_read(maps->kind, maps->map[i].line[k].pattern, &entry.who, &why));
            entry.effect = access_effect_read(maps->map[i].line[k].result, &said, &why);
            entry.text = mem_text(said);
            access_table_add(table, &entry);
        }
    }
    (void)fputs("policies:\n", out);
    if (access_table_write(table, &left, out) == 0)
        (void)fputs("  []\n", out);
    (void)fclose(out);
    access_table_free(&table);
    if (policy_parse("access.yaml", *text, len, &policy, &detail) != ERR_NONE)
        fail_msg("%s\n%s", detail.text, *text);
    return policy;
}

static enum fate judge(const struct policy *policy, enum access_map kind, const char *text)
{
    char memory[16384];
    struct arena arena;
    struct facts facts = {.stage = MSG_RCPT,
                          .name = "",
                          .spf_domain = "",
                          .auth_user = "",
                          .client_name = "",
                          .helo = kind == ACCESS_HELO ? text : "",
                          .country = "",
                          .recipient_count = 1,
                          .names_all = true,
                          .now_ms = 1000,
                          .clock_ok = true,
                          .keys_known = true};
    struct person_facts person;
    struct facts_recipient recipient = {.place = 1, .person = &person};
    struct spared_clients nobody = {.count = 0};
    const struct chain_in in = {&facts, &recipient, policy};
    struct chain_start start;
    struct verdict verdict;

    facts.spared = &nobody;
    facts.external = "";
    person_facts_clear(&person);
    arena_init(&arena, memory, sizeof(memory));
    assert_true(kind != ACCESS_CLIENT || ip_parse(text, &facts.client));
    assert_int_equal(
        mail_parse(kind == ACCESS_SENDER ? text : "ann@s.example", &arena, &facts.sender),
        ERR_NONE);
    assert_int_equal(
        mail_parse(kind == ACCESS_RECIPIENT ? text : "bob@r.example", &arena, &recipient.address),
        ERR_NONE);
    policy_party_of(policy, &facts.sender, POLICY_AS_SENDER, &facts.sender_party);
    policy_party_of(policy, &recipient.address, POLICY_AS_RECIPIENT, &recipient.party);
    chain_begin(&in, &start, NULL);
    assert_int_equal(chain_run(&in, &start, &verdict, NULL), OUTCOME_PASS);
    const enum msg_action action = reason_row(verdict.reason)->action;

    if (action == MSG_REJECT || action == MSG_HOLD)
        return action == MSG_REJECT ? FATE_BLOCK : FATE_HOLD;
    return verdict.reason == REASON_permit_admin ? FATE_LET : FATE_NONE;
}

// What random maps are made of.
static const struct world {
    const char *name;
    enum access_map kind;
    bool parents, is_cidr;
    const char *results[6];
    const char *patterns[16];
    const char *mails[10];
} worlds[] = {
    {"senders, a domain and all below it",
     ACCESS_SENDER,
     true,
     false,
     {"REJECT", "OK", "DUNNO", "HOLD", "FILTER x", NULL},
     {"u@a.example", "v@a.example", "u@b.a.example", "a.example", "b.a.example", "c.b.a.example",
      "example", "d.example", "u@d.example", NULL},
     {"u@a.example", "v@a.example", "u@b.a.example", "w@c.b.a.example", "w@x.d.example",
      "u@d.example", "w@e.test", "w@a.example", NULL}},
    {"recipients, a domain alone",
     ACCESS_RECIPIENT,
     false,
     false,
     {"REJECT", "OK", "DUNNO", "HOLD", "REDIRECT x@y", NULL},
     {"u@a.example", "u@b.a.example", "a.example", ".a.example", "b.a.example", ".b.a.example",
      ".example", "d.example", NULL},
     {"u@a.example", "v@a.example", "u@b.a.example", "w@c.b.a.example", "w@d.example", NULL}},
    {"senders, a user in every domain",
     ACCESS_SENDER,
     true,
     false,
     {"REJECT", "OK", "DUNNO", NULL},
     {"u@", "v@", "u@a.example", "v@b.a.example", NULL},
     {"u@a.example", "v@b.a.example", "u@c.example", "w@c.example", NULL}},
    {"clients by octets",
     ACCESS_CLIENT,
     true,
     false,
     {"REJECT", "OK", "DUNNO", "HOLD", NULL},
     {"192", "192.0", "192.0.2", "192.0.2.1", "192.0.2.2", "198.51", "198.51.100.7", NULL},
     {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.3.1", "192.9.9.9", "198.51.100.7",
      "203.0.113.1", NULL}},
    {"clients by the first network",
     ACCESS_CLIENT,
     true,
     true,
     {"REJECT", "OK", "DUNNO", "HOLD", NULL},
     {"192.0.0.0/8", "192.0.0.0/15", "192.0.2.0/24", "192.0.2.0/30", "192.0.2.1", "0.0.0.0/0",
      "198.51.100.0/25", NULL},
     {"192.0.2.1", "192.0.2.2", "192.0.2.9", "192.0.3.1", "192.9.9.9", "198.51.100.7",
      "203.0.113.1", NULL}},
    {"names",
     ACCESS_HELO,
     true,
     false,
     {"REJECT", "DUNNO", "HOLD", NULL},
     {"a.example", "b.a.example", "c.b.a.example", "example", "d.example", NULL},
     {"a.example", "b.a.example", "x.c.b.a.example", "y.a.example", "e.test", NULL}},
};

static unsigned count_of(const char *const *texts)
{
    unsigned count = 0;

    while (texts[count] != NULL)
        count++;
    return count;
}

static void make_maps(struct random *random, const struct world *world, struct maps *out)
{
    static const char *const names[MAPS_MAX] = {"first", "second"};

    *out = (struct maps){.kind = world->kind,
                         .parents = world->parents,
                         .count = 1 + random_below(random, MAPS_MAX)};
    for (unsigned i = 0; i < out->count; i++) {
        struct map *map = &out->map[i];

        *map = (struct map){.name = names[i],
                            .is_cidr = world->is_cidr,
                            .count = 1 + random_below(random, ENTRIES_MAX)};
        for (unsigned k = 0; k < map->count; k++) {
            map->line[k].pattern = world->patterns[random_below(random, count_of(world->patterns))];
            map->line[k].result = world->results[random_below(random, count_of(world->results))];
        }
    }
}

static void check_world(void **state)
{
    const struct world *world = *state;
    struct random random = {random_seed(20261122)};
    unsigned seen[4] = {0};

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct maps maps;
        char *text = NULL;
        struct policy *policy;

        make_maps(&random, world, &maps);
        policy = write_policies(&maps, &text);
        for (unsigned i = 0; world->mails[i] != NULL; i++) {
            enum fate wanted = search(&maps, world->mails[i]);
            enum fate came = judge(policy, world->kind, world->mails[i]);

            seen[wanted]++;
            if (wanted == came)
                continue;
            for (unsigned m = 0; m < maps.count; m++)
                for (unsigned k = 0; k < maps.map[m].count; k++)
                    print_message("%s: %s %s\n", maps.map[m].name, maps.map[m].line[k].pattern,
                                  maps.map[m].line[k].result);
            fail_msg("round %u: %s: wanted %s, came %s of\n%s", round, world->mails[i],
                     fates[wanted], fates[came], text);
        }
        policy_free(&policy);
        free(text);
    }
    assert_true(seen[FATE_NONE] > 100 && seen[FATE_BLOCK] > 100);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, who_rows, check_who);
    TABLE_ROWS(&table, effect_rows, check_effect);
    TABLE_ROWS(&table, split_rows, check_split);
    TABLE_ROWS(&table, wider_rows, check_wider);
    TABLE_ROWS(&table, worlds, check_world);
    return table_run(&table, "import_access");
}
