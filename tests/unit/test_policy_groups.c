// Groups and users of a policy set: who is in which group, however they are nested and wherever they are written; whose
// address is whose; and in which words an author is told of a mistake.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "proto/bundle.h"
#include "tests/support/table.h"

static struct policy *parsed(const char *text)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    if (policy_parse("p.yaml", text, strlen(text), &policy, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    return policy;
}

// fits: whether an address is in the group.
static bool fits(const struct policy *policy, const char *address, enum policy_role role,
                 const char *group)
{
    unsigned char memory[8192];
    struct arena arena;
    struct mail_address parsed_address;
    struct policy_party party;
    uint32_t number = policy_find(policy, &(struct policy_pattern){POLICY_GROUP, false, group, ""});

    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(mail_parse(address, &arena, &parsed_address), ERR_NONE);
    policy_party_of(policy, &parsed_address, role, &party);
    assert_int_not_equal(number, POLICY_NOBODY);
    return policy_party_fits(policy, &party, number);
}

// ---- Who is in a group

#define NESTED                                                   \
    "domains: {corp.example: {}}\n"                              \
    "groups:\n"                                                  \
    "  all: {address: All@Corp.Example, members: [internal]}\n"  \
    "  execs: [CFO@corp.example, {group: board}]\n"              \
    "  board: {members: [chair@corp.example, {group: audit}]}\n" \
    "  audit: {members: .audit.example}\n"                       \
    "  a: [one@x.example, {group: b}]\n"                         \
    "  b: [two@x.example, {group: c}, {group: b}]\n"             \
    "  c: [three@x.example, {group: a}]\n"                       \
    "  empty:\n"                                                 \
    "  none: []\n"
#define KINDS                                                                           \
    "groups:\n"                                                                         \
    "  g: [\"dom.example\", \"@at.example\", \".below.example\", \"*.star.example\",\n" \
    "      \"info@*\", <>, \"tag+x@t.example\", b\xC3\xBC"                              \
    "cher.example, external]\n"                                                         \
    "  everyone: \"*\"\n"                                                               \
    "domains: {corp.example: {}}\n"
#define USERS                                                                    \
    "groups: {g: [ann@corp.example, b.jones@corp.example]}\n"                    \
    "users:\n"                                                                   \
    "  ann@corp.example: {aliases: [a.smith@corp.example, Ann@Other.Example]}\n" \
    "  bob@corp.example: {aliases: b.jones@corp.example}\n"                      \
    "  joe@corp.example:\n"

struct fits_row {
    const char *name;
    const char *set;
    const char *address;
    enum policy_role role;
    const char *group;
    bool fits;
};

static const struct fits_row fits_rows[] = {
    {"a member", NESTED, "cfo@CORP.example", POLICY_AS_SENDER, "execs", true},
    {"a member as recipient", NESTED, "cfo@corp.example", POLICY_AS_RECIPIENT, "execs", true},
    {"a member of a group in it", NESTED, "chair@corp.example", POLICY_AS_SENDER, "execs", true},
    {"and of a group in that", NESTED, "x@y.audit.example", POLICY_AS_SENDER, "execs", true},
    {"but not of a group around it", NESTED, "cfo@corp.example", POLICY_AS_SENDER, "board", false},
    {"nobody", NESTED, "joe@corp.example", POLICY_AS_SENDER, "execs", false},
    {"by the domain's party", NESTED, "joe@corp.example", POLICY_AS_SENDER, "all", true},
    {"not by another's", NESTED, "joe@x.example", POLICY_AS_SENDER, "all", false},
    {"the group's address as recipient", NESTED, "all@corp.example", POLICY_AS_RECIPIENT, "all",
     true},
    {"round in a circle: first", NESTED, "one@x.example", POLICY_AS_SENDER, "a", true},
    {"round in a circle: next", NESTED, "two@x.example", POLICY_AS_SENDER, "a", true},
    {"round in a circle: last", NESTED, "three@x.example", POLICY_AS_SENDER, "a", true},
    {"round in a circle: from the middle", NESTED, "one@x.example", POLICY_AS_SENDER, "b", true},
    {"round in a circle: from the end", NESTED, "two@x.example", POLICY_AS_SENDER, "c", true},
    {"round in a circle: nobody else", NESTED, "four@x.example", POLICY_AS_SENDER, "c", false},
    {"nobody is in an empty group", NESTED, "cfo@corp.example", POLICY_AS_SENDER, "empty", false},
    {"nobody is in an empty list", NESTED, "cfo@corp.example", POLICY_AS_SENDER, "none", false},
    {"a domain", KINDS, "x@dom.example", POLICY_AS_SENDER, "g", true},
    {"a domain with an at", KINDS, "x@at.example", POLICY_AS_SENDER, "g", true},
    {"below a domain", KINDS, "x@a.b.below.example", POLICY_AS_SENDER, "g", true},
    {"below a star", KINDS, "x@a.star.example", POLICY_AS_RECIPIENT, "g", true},
    {"a user anywhere", KINDS, "INFO@no.test", POLICY_AS_SENDER, "g", true},
    {"the null sender", KINDS, "", POLICY_AS_SENDER, "g", true},
    {"a tag", KINDS, "tag+x@t.example", POLICY_AS_SENDER, "g", true},
    {"external", KINDS, "tag@t.example", POLICY_AS_SENDER, "g", true},
    {"not internal", KINDS, "tag@corp.example", POLICY_AS_SENDER, "g", false},
    {"a domain in Unicode", KINDS, "x@xn--bcher-kva.example", POLICY_AS_SENDER, "g", true},
    {"everyone", KINDS, "x@corp.example", POLICY_AS_RECIPIENT, "everyone", true},
    {"everyone, the null sender too", KINDS, "", POLICY_AS_SENDER, "everyone", true},
    {"an alias of a member", USERS, "a.smith@corp.example", POLICY_AS_SENDER, "g", true},
    {"an alias elsewhere", USERS, "ann@other.example", POLICY_AS_RECIPIENT, "g", true},
    {"an alias that is a member itself", USERS, "b.jones@corp.example", POLICY_AS_SENDER, "g",
     true},
    {"not the mailbox of such an alias", USERS, "bob@corp.example", POLICY_AS_SENDER, "g", false},
    {"a user that is no member", USERS, "joe@corp.example", POLICY_AS_SENDER, "g", false},
};

static void check_fits(void **state)
{
    const struct fits_row *row = *state;
    struct policy *policy = parsed(row->set);

    assert_int_equal(fits(policy, row->address, row->role, row->group), row->fits);
    policy_free(&policy);
}

static void the_address_of_a_group_is_no_member(void **state)
{
    struct policy *policy = parsed("groups:\n"
                                   "  all: {address: all@x.example, members: [ann@x.example]}\n"
                                   "  more: [{group: all}]\n");

    (void)state;
    assert_true(fits(policy, "all@x.example", POLICY_AS_RECIPIENT, "all"));
    assert_false(fits(policy, "all@x.example", POLICY_AS_SENDER, "all"));
    assert_true(fits(policy, "all@x.example", POLICY_AS_RECIPIENT, "more"));
    assert_false(fits(policy, "all@x.example", POLICY_AS_SENDER, "more"));
    policy_free(&policy);
}

static const struct policy_group *group_of(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->group_count; i++) {
        if (strcmp(policy->group[i].name, name) == 0)
            return &policy->group[i];
    }
    fail_msg("there is no group %s", name);
    return NULL;
}

static void groups_know_what_they_hold(void **state)
{
    struct policy *policy = parsed("groups:\n"
                                   "  outer: [a@x.example, {group: inner}, a@x.example]\n"
                                   "  inner: {address: I@x.example, members: [b@x.example, .c]}\n"
                                   "  empty: [{group: void}]\n"
                                   "  void: []\n");

    (void)state;
    assert_int_equal(policy->group_count, 4);
    assert_int_equal(group_of(policy, "outer")->members, 3);
    assert_int_equal(group_of(policy, "outer")->line, 2);
    assert_string_equal(group_of(policy, "outer")->file, "p.yaml");
    assert_string_equal(group_of(policy, "outer")->address, "");
    assert_int_equal(group_of(policy, "inner")->members, 2);
    assert_string_equal(group_of(policy, "inner")->address, "i@x.example");
    assert_int_equal(group_of(policy, "empty")->members, 0);
    assert_int_equal(group_of(policy, "void")->members, 0);
    policy_free(&policy);
}

// circle: so many groups, each in the next one.
static char *circle(unsigned count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    (void)fputs("groups:\n", out);
    for (unsigned i = 0; i < count; i++)
        (void)fprintf(out, "  g%u: [{group: g%u}]\n", i, (i + 1) % count);
    (void)fputs("  g: [a@x.example, {group: g0}]\n", out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void nesting_is_bounded(void **state)
{
    char *much = circle(1000);
    char *too_much = circle(3000);
    struct policy *policy = parsed(much);
    struct err_detail detail = {.text = ""};

    (void)state;
    assert_false(fits(policy, "a@x.example", POLICY_AS_SENDER, "g500"));
    assert_true(fits(policy, "a@x.example", POLICY_AS_SENDER, "g"));
    policy_free(&policy);
    assert_int_equal(policy_parse("p.yaml", too_much, strlen(too_much), &policy, &detail),
                     ERR_CONFIG);
    assert_string_equal(detail.text,
                        "groups: they lie in each other too often (8388608 groups in groups and "
                        "33554432 members of them, however deep, are what one set may have)");
    assert_null(policy);
    free(much);
    free(too_much);
}

// ---- Users

static void users_are_read(void **state)
{
    struct policy *policy =
        parsed("groups: {g: [x@y.example]}\n"
               "users:\n"
               "  Zoe@corp.example: {state: disabled}\n"
               "  ann@corp.example: {aliases: [a@corp.example, b@other.example], state: leaving,\n"
               "                     send_as: [info@corp.example, {group: g}, .lists.example],\n"
               "                     role: moderator}\n"
               "  joe@corp.example: {send_as: \"*\", role: admin}\n");
    const struct policy_user *ann = &policy->user[0];
    const struct policy_user *joe = &policy->user[1];
    const struct policy_user *zoe = &policy->user[2];
    uint32_t alias =
        policy_find(policy, &(struct policy_pattern){POLICY_ADDRESS, false, "b", "other.example"});

    (void)state;
    assert_int_equal(policy->user_count, 3); // sorted by mailbox
    assert_string_equal(policy->known[ann->mailbox].pattern.local, "ann");
    assert_int_equal(ann->state, POLICY_USER_LEAVING);
    assert_int_equal(ann->send_as_count, 3);
    assert_int_equal(policy->known[ann->send_as[0]].pattern.kind, POLICY_ADDRESS);
    assert_int_equal(policy->known[ann->send_as[1]].pattern.kind, POLICY_GROUP);
    assert_int_equal(policy->known[ann->send_as[2]].pattern.kind, POLICY_BELOW);
    assert_string_equal(ann->role, "moderator");
    assert_int_equal(ann->line, 4);
    assert_int_equal(policy->known[ann->mailbox].user, 0);
    assert_int_equal(policy->known[alias].user, 0);
    assert_int_equal(joe->state, POLICY_USER_ACTIVE);
    assert_int_equal(joe->send_as_count, 1);
    assert_string_equal(joe->role, "admin");
    assert_string_equal(policy->known[zoe->mailbox].pattern.local, "zoe");
    assert_int_equal(zoe->state, POLICY_USER_DISABLED);
    assert_string_equal(zoe->role, "");
    policy_free(&policy);
}

// ---- What is refused

struct refused_row {
    const char *name;
    const char *text;
    const char *error;
};

static const struct refused_row refused_rows[] = {
    {"groups as a list", "groups: [a]\n", "p.yaml:1: groups: expected a map, not a list"},
    {"a name with a blank", "groups:\n  a b: []\n",
     "p.yaml:2: groups: expected a name of up to 64 letters, digits, dots, - and _, not 'a b'"},
    {"a star for a domain in a member", "groups:\n  g: [a@b.example, \"*@x.example\"]\n",
     "p.yaml:2: member: '*@x.example' is not a pattern: for all of a domain write the domain "
     "alone"},
    {"a member that is none", "groups:\n  g:\n    - a@b.example\n    - a@b@c..d\n",
     "p.yaml:4: member: 'a@b@c..d' is not a pattern: nothing, unbalanced quotes or a forbidden "
     "character before the @"},
    {"an empty member", "groups: {g: ['']}\n",
     "p.yaml:1: member: '' is not a pattern: it is empty; everyone is \"*\", the null sender is "
     "<>"},
    {"a list in a list", "groups: {g: [[a@b.example]]}\n",
     "p.yaml:1: member: expected text, not a list"},
    {"a group that is not there", "groups:\n  a: []\n  g:\n  - {group: a}\n  - {group: b}\n",
     "p.yaml:5: there is no group 'b'"},
    {"more than a group", "groups: {g: [{group: g, file: x}]}\n",
     "p.yaml:1: unknown key 'file' in 'member' (known: group)"},
    {"a group of two", "groups: {g: [{group: [a, b]}]}\n",
     "p.yaml:1: member.group: expected text of 1 to 64 bytes, not a list"},
    {"an unknown key of a group", "groups: {g: {member: []}}\n",
     "p.yaml:1: unknown key 'member' in 'g' (known: address, members, file)"},
    {"members as a map", "groups: {g: {members: {a: b}}}\n",
     "p.yaml:1: members: expected a list, not a map"},
    {"a domain for an address", "groups: {g: {address: x.example}}\n",
     "p.yaml:1: address: expected one address, not x.example"},
    {"a tag in an address", "groups: {g: {address: a+b@x.example}}\n",
     "p.yaml:1: to: 'a+b@x.example' is not a pattern: recipients are compared without +tag, so "
     "leave it out"},
    {"a file without files", "groups:\n  g: {file: staff.txt}\n",
     "p.yaml:2: file: 'staff.txt': no such file came with the set"},
    {"an absolute file", "groups: {g: {file: [/etc/passwd]}}\n",
     "p.yaml:1: file: '/etc/passwd': expected a path relative to this file"},
    {"no name of a file", "groups: {g: {file: ''}}\n",
     "p.yaml:1: file: '': expected a path relative to this file"},
    {"a policy of no group", "policies:\n- {id: a, kind: block,\n   from: {group: spammers}}\n",
     "p.yaml:3: there is no group 'spammers'"},

    {"users as a list", "users: [a@b.example]\n", "p.yaml:1: users: expected a map, not a list"},
    {"a mailbox that is a domain", "users: {b.example: {}}\n",
     "p.yaml:1: users: expected one address, not 'b.example'"},
    {"a user without a domain", "users: {ann: {}}\n",
     "p.yaml:1: users: expected one address, not 'ann'"},
    {"an alias without a domain", "users: {ann@x.example: {aliases: [a]}}\n",
     "p.yaml:1: aliases: expected one address, not 'a'"},
    {"a group's address without a domain", "groups: {g: {address: all}}\n",
     "p.yaml:1: address: expected one address, not all"},
    {"a mailbox with a tag", "users: {a+b@x.example: {}}\n",
     "p.yaml:1: to: 'a+b@x.example' is not a pattern: recipients are compared without +tag, so "
     "leave it out"},
    {"a user as text", "users: {a@b.example: active}\n",
     "p.yaml:1: a@b.example: expected a map, not text"},
    {"an unknown key of a user", "users: {a@b.example: {alias: x@b.example}}\n",
     "p.yaml:1: unknown key 'alias' in 'a@b.example' (known: aliases, state, send_as, role)"},
    {"an unknown state", "users: {a@b.example: {state: left}}\n",
     "p.yaml:1: a@b.example.state: expected active, leaving or disabled, not 'left'"},
    {"an unknown role", "users: {a@b.example: {role: user}}\n",
     "p.yaml:1: role: expected moderator or admin, not 'user'"},
    {"an alias that is a domain", "users: {a@b.example: {aliases: [b.example]}}\n",
     "p.yaml:1: aliases: expected one address, not 'b.example'"},
    {"an alias that is a group", "groups: {g: []}\nusers: {a@b.example: {aliases: {group: g}}}\n",
     "p.yaml:2: aliases: expected text, not a map"},
    {"send_as a group that is not there",
     "users:\n  a@b.example:\n    send_as: [x@b.example, {group: g}]\n",
     "p.yaml:3: there is no group 'g'"},
    {"send_as nothing", "users: {a@b.example: {send_as: ['']}}\n",
     "p.yaml:1: send_as: '' is not a pattern: it is empty; everyone is \"*\", the null sender is "
     "<>"},
    {"a mailbox twice", "users:\n  a@b.example: {}\n  c@b.example: {}\n  A@B.example: {}\n",
     "p.yaml:4: a@b.example is a mailbox or an alias twice (first in p.yaml:2)"},
    {"an alias that is a mailbox",
     "users:\n  a@b.example: {aliases: [c@b.example]}\n  c@b.example: {}\n",
     "p.yaml:3: c@b.example is a mailbox or an alias twice (first in p.yaml:2)"},
    {"an alias of two",
     "users:\n  a@b.example: {aliases: [x@b.example]}\n  c@b.example:\n    aliases:\n"
     "    - y@b.example\n    - x@b.example\n",
     "p.yaml:6: x@b.example is a mailbox or an alias twice (first in p.yaml:2)"},
    {"an alias of oneself", "users:\n  a@b.example:\n    aliases: a@b.example\n",
     "p.yaml:3: a@b.example is a mailbox or an alias twice (first in p.yaml:2)"},
};

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    assert_int_equal(policy_parse("p.yaml", row->text, strlen(row->text), &policy, &detail),
                     ERR_CONFIG);
    assert_string_equal(detail.text, row->error);
    assert_null(policy);
}

// ---- Files of members

struct list_row {
    const char *name;
    const char *list;
    const char *member; // that is in the group; NULL = the list is refused
    const char *error;
};

#define LONGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct list_row list_rows[] = {
    {"a line", "ann@x.example\n", "ann@x.example", NULL},
    {"without its end", "ann@x.example", "ann@x.example", NULL},
    {"the last of some", "a@x.example\nb@x.example\n\nann@x.example", "ann@x.example", NULL},
    {"blanks and comments", "# staff\n\n  \t\n   ann@x.example \t # since May\n#\n",
     "ann@x.example", NULL},
    {"a # inside", "an#n@x.example\n", "an#n@x.example", NULL},
    {"lines of another system",
     "\xEF\xBB\xBF"
     "bob@x.example\r\nann@x.example\r\n\r\n",
     "bob@x.example", NULL},
    {"a star without quotes", "*.x.example\n", "ann@y.x.example", NULL},
    {"an at without quotes", "@x.example\n", "ann@x.example", NULL},
    {"a user anywhere", "ann@*\n", "ann@y.example", NULL},
    {"two on a line", "# staff\n\na@x.example b@x.example\n", NULL,
     "lists/staff.txt:3: member: 'a@x.example b@x.example' is not a pattern: nothing, unbalanced "
     "quotes or "
     "a forbidden character before the @"},
    {"no UTF-8", "a@x.example\n\xFF@x.example\n", NULL,
     "lists/staff.txt:2: expected one pattern of up to 320 bytes in UTF-8 on a line"},
    {"a control character", "a\x01@x.example\n", NULL,
     "lists/staff.txt:1: expected one pattern of up to 320 bytes in UTF-8 on a line"},
    {"too long", LONGEST LONGEST LONGEST LONGEST "@x.example\n", NULL,
     "lists/staff.txt:1: expected one pattern of up to 320 bytes in UTF-8 on a line"},
    {"YAML", "- ann@x.example\n", NULL,
     "lists/staff.txt:1: member: '- ann@x.example' is not a pattern: nothing, unbalanced quotes or "
     "a "
     "forbidden character before the @"},
};

static enum err load_bundle(const struct bundle *bundle, struct policy **policy,
                            struct err_detail *detail)
{
    void *bytes = NULL;
    size_t len = 0;
    enum err err = bundle_pack(bundle, false, &bytes, &len, detail);

    assert_int_equal(err, ERR_NONE);
    err = policy_parse_bundle(bytes, len, policy, detail);
    mem_free(bytes);
    return err;
}

static void add(struct bundle *bundle, enum bundle_kind kind, const char *name, const char *text)
{
    assert_int_equal(bundle_add(bundle, kind, name, text, strlen(text), NULL), ERR_NONE);
}

static void check_list(void **state)
{
    const struct list_row *row = *state;
    struct bundle *bundle = bundle_new();
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    enum err err;

    add(bundle, BUNDLE_SET, "conf/p.yaml", "groups: {g: {file: [../lists/staff.txt]}}\n");
    add(bundle, BUNDLE_LIST, "lists/staff.txt", row->list);
    err = load_bundle(bundle, &policy, &detail);
    assert_string_equal(detail.text, row->error != NULL ? row->error : "");
    assert_int_equal(err, row->error != NULL ? ERR_CONFIG : ERR_NONE);
    if (row->member != NULL)
        assert_true(fits(policy, row->member, POLICY_AS_SENDER, "g"));
    policy_free(&policy);
    bundle_free(&bundle);
}

// What a file system leaves of a file that was being written when the power went is bytes of zero: a group must not
// become empty by it.
static void a_list_of_zeros_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *error;
    } rows[] = {
        {"\0\0\0\0", 4, "lists/staff.txt:1: "},
        {"ann@x.example\n\0\0", 16, "lists/staff.txt:2: "},
        {"ann@x.example\0", 14, "lists/staff.txt:1: "},
        {"\0ann@x.example\n", 15, "lists/staff.txt:1: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bundle *bundle = bundle_new();
        struct policy *policy = NULL;
        struct err_detail detail = {.text = ""};
        char want[128];

        (void)snprintf(want, sizeof(want),
                       "%sexpected one pattern of up to 320 bytes in UTF-8 on a line",
                       rows[i].error);
        add(bundle, BUNDLE_SET, "conf/p.yaml", "groups: {g: {file: [../lists/staff.txt]}}\n");
        assert_int_equal(
            bundle_add(bundle, BUNDLE_LIST, "lists/staff.txt", rows[i].bytes, rows[i].len, NULL),
            ERR_NONE);
        assert_int_equal(load_bundle(bundle, &policy, &detail), ERR_CONFIG);
        assert_string_equal(detail.text, want);
        bundle_free(&bundle);
    }
}

// ---- Bundles

struct bundle_row {
    const char *name;
    const char *set;   // p.yaml
    const char *other; // o.yaml, or NULL
    const char *error;
};

static const struct bundle_row bundle_rows[] = {
    {"a list", "groups: {g: {file: l.txt}}", NULL, ""},
    {"a list of two groups", "groups: {g: {file: l.txt}, h: {file: [./l.txt, l.txt]}}", NULL, ""},
    {"a list that did not come", "groups: {g: {file: m.txt}}", NULL,
     "p.yaml:1: file: 'm.txt': no such file came with the set"},
    {"a list outside", "groups: {g: {file: ../l.txt}}", NULL,
     "p.yaml:1: file: '../l.txt': no such file came with the set"},
    {"the set itself as a list", "groups: {g: {file: p.yaml}}", NULL,
     "p.yaml:1: file: 'p.yaml': no such file came with the set"},
    {"two files", "groups: {g: [{group: h}]}", "groups: {h: [a@x.example]}", ""},
    {"a group in both", "groups: {g: []}", "groups: {g: []}",
     "p.yaml:1: group 'g' stands twice (first in o.yaml:1)"},
    {"a mistake in one", "groups: {g: [{group: h}]}", "\ngroups: {i: []}",
     "p.yaml:1: there is no group 'h'"},
    {"a user in both", "users: {a@x.example: {}}", "\nusers: {b@x.example: {aliases: a@x.example}}",
     "p.yaml:1: a@x.example is a mailbox or an alias twice (first in o.yaml:2)"},
};

static void check_bundle(void **state)
{
    const struct bundle_row *row = *state;
    struct bundle *bundle = bundle_new();
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    enum err err;

    add(bundle, BUNDLE_SET, "p.yaml", row->set);
    add(bundle, BUNDLE_LIST, "l.txt", "ann@x.example\n");
    if (row->other != NULL)
        add(bundle, BUNDLE_SET, "o.yaml", row->other);
    err = load_bundle(bundle, &policy, &detail);
    assert_string_equal(detail.text, row->error);
    assert_int_equal(err, row->error[0] != '\0' ? ERR_CONFIG : ERR_NONE);
    policy_free(&policy);
    bundle_free(&bundle);
}

static void bundles_that_are_none(void **state)
{
    struct bundle *bundle = bundle_new();
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    assert_int_equal(load_bundle(bundle, &policy, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, "the bundle has no file of a policy set");
    add(bundle, BUNDLE_LIST, "l.txt", "");
    assert_int_equal(load_bundle(bundle, &policy, &detail), ERR_CONFIG);
    assert_int_equal(policy_parse_bundle("domains: {}", 11, &policy, &detail), ERR_SYNTAX);
    assert_string_equal(detail.text, "this is no bundle of a policy set");
    assert_null(policy);
    bundle_free(&bundle);
}

// ---- From disk

static void write_at(const char *dir, const char *name, const char *text)
{
    char path[96];
    FILE *out;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    out = fopen(path, "w");
    assert_non_null(out);
    (void)fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void files_beside_the_set(void **state)
{
    char dir[] = "/tmp/reeve-groups.XXXXXX";
    char path[96];
    char want[160];
    const char *given[] = {path};
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/p.yaml", dir);
    write_at(dir, "p.yaml", "groups: {g: {file: staff.txt}}\n");
    assert_int_equal(policy_load(given, 1, &policy, &detail), ERR_SYSTEM);
    (void)snprintf(want, sizeof(want), "%s:1: file: 'staff.txt': No such file or directory", path);
    assert_string_equal(detail.text, want);
    write_at(dir, "staff.txt", "ann@x.example\n@@\n");
    assert_int_equal(policy_load(given, 1, &policy, &detail), ERR_CONFIG);
    (void)snprintf(want, sizeof(want), "%s/staff.txt:2: member: '@@' is not a pattern", dir);
    assert_memory_equal(detail.text, want, strlen(want));
    write_at(dir, "staff.txt", "ann@x.example\n");
    detail.text[0] = '\0';
    assert_int_equal(policy_load(given, 1, &policy, &detail), ERR_NONE);
    assert_true(fits(policy, "ann@x.example", POLICY_AS_SENDER, "g"));
    policy_free(&policy);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/staff.txt", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, fits_rows, check_fits);
    TABLE_TEST(&table, the_address_of_a_group_is_no_member);
    TABLE_TEST(&table, groups_know_what_they_hold);
    TABLE_TEST(&table, nesting_is_bounded);
    TABLE_TEST(&table, users_are_read);
    TABLE_ROWS(&table, refused_rows, check_refused);
    TABLE_ROWS(&table, list_rows, check_list);
    TABLE_TEST(&table, a_list_of_zeros_is_refused);
    TABLE_ROWS(&table, bundle_rows, check_bundle);
    TABLE_TEST(&table, bundles_that_are_none);
    TABLE_TEST(&table, files_beside_the_set);
    return table_run(&table, "policy_groups");
}
