// test_ldap_text.c: which filters and bases are well formed, and that no address changes what is asked.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/ldap_text.h"
#include "tests/support/table.h"

// ---- flaws

struct flaw_row {
    const char *name; // the text
    enum ldap_text kind;
    const char *flaw; // NULL = none
};

#define NEST_4   "(&(&(&(&"
#define DEEP     NEST_4 NEST_4 NEST_4 NEST_4
#define OPEN     "a parenthesis is not closed"
#define FIRST    "a filter begins with a parenthesis"
#define SAME     "without %s or %u it asks the same of every recipient"
#define PLACE    "behind % stands s (the address), u (its local part), d (its domain) or %"
#define OPERATOR "behind an attribute's name stands =, ~=, <=, >= or :="

static const struct flaw_row flaw_rows[] = {
    {"(mail=%s)", LDAP_TEXT_FILTER, NULL},
    {"(&(objectClass=person)(|(mail=%s)(mailAlternateAddress=%s))(!(disabled=TRUE)))",
     LDAP_TEXT_FILTER, NULL},
    {"(proxyAddresses=smtp:%s)", LDAP_TEXT_FILTER, NULL},
    {"(&(uid=%u)(domain=%d))", LDAP_TEXT_FILTER, NULL},
    {"(userAccountControl:1.2.840.113556.1.4.803:=%u)", LDAP_TEXT_FILTER, NULL},
    {"(cn;lang-de~=%u)", LDAP_TEXT_FILTER, NULL},
    {"(mail=*%%\\2a%s*)", LDAP_TEXT_FILTER, NULL},
    {"(mail=%s", LDAP_TEXT_FILTER, OPEN},
    {"(&(mail=%s)", LDAP_TEXT_FILTER, OPEN},
    {"(!(mail=%s)(a=b))", LDAP_TEXT_FILTER, OPEN},
    {"(mail=%s))", LDAP_TEXT_FILTER, "something stands behind the last parenthesis"},
    {"(mail=(%s))", LDAP_TEXT_FILTER, OPEN},
    {"mail=%s", LDAP_TEXT_FILTER, FIRST},
    {"", LDAP_TEXT_FILTER, FIRST},
    {"(&)", LDAP_TEXT_FILTER, FIRST},
    {" (mail=%s)", LDAP_TEXT_FILTER, FIRST},
    {"(&(mail=%s) (a=b))", LDAP_TEXT_FILTER, OPEN},
    {"()", LDAP_TEXT_FILTER, "an attribute's name is missing"},
    {"(=%s)", LDAP_TEXT_FILTER, "an attribute's name is missing"},
    {"(%s=mail)", LDAP_TEXT_FILTER, "an attribute's name is missing"},
    {"(mail)", LDAP_TEXT_FILTER, OPERATOR},
    {"(mail>%s)", LDAP_TEXT_FILTER, OPERATOR},
    {"(mail", LDAP_TEXT_FILTER, OPERATOR},
    {"(ma il=%s)", LDAP_TEXT_FILTER, OPERATOR},
    {"(mail=\\zz%s)", LDAP_TEXT_FILTER, "behind \\ stand two hexadecimal digits"},
    {"(mail=%s\\2)", LDAP_TEXT_FILTER, "behind \\ stand two hexadecimal digits"},
    {"(mail=%x)", LDAP_TEXT_FILTER, PLACE},
    {"(mail=%", LDAP_TEXT_FILTER, PLACE},
    {"(mail=ann@corp.example)", LDAP_TEXT_FILTER, SAME},
    {"(domain=%d)", LDAP_TEXT_FILTER, SAME},
    {"(mail=%%s)", LDAP_TEXT_FILTER, SAME},
    {DEEP "(mail=%s)", LDAP_TEXT_FILTER, "it is nested too deep"},
    {"", LDAP_TEXT_BASE, NULL},
    {"dc=corp,dc=example", LDAP_TEXT_BASE, NULL},
    {"ou=%d,o=hosting", LDAP_TEXT_BASE, NULL},
    {"ou=%x", LDAP_TEXT_BASE, PLACE},
};

static void check_flaw(void **state)
{
    const struct flaw_row *row = *state;
    const char *flaw = ldap_text_flaw(row->kind, row->name);

    if (row->flaw == NULL)
        assert_null(flaw);
    else
        assert_string_equal(flaw != NULL ? flaw : "none", row->flaw);
}

static void control_characters_are_refused(void **state)
{
    (void)state;
    assert_string_equal(ldap_text_flaw(LDAP_TEXT_FILTER, "(mail=%s\n)"),
                        "it holds a control character");
    assert_string_equal(ldap_text_flaw(LDAP_TEXT_BASE, "ou=\x7f"), "it holds a control character");
}

// nested: a filter of so many parentheses.
static const char *nested(unsigned depth)
{
    static char text[4 * LDAP_TEXT_DEPTH + 64];
    struct text_buf out;

    text_buf_init(&out, text, sizeof(text));
    for (unsigned i = 1; i < depth; i++)
        text_buf_put(&out, "(!");
    text_buf_put(&out, "(a=%s)");
    for (unsigned i = 1; i < depth; i++)
        text_buf_put(&out, ")");
    return text;
}

static void the_deepest_is_read(void **state)
{
    (void)state;
    assert_null(ldap_text_flaw(LDAP_TEXT_FILTER, nested(LDAP_TEXT_DEPTH)));
    assert_string_equal(ldap_text_flaw(LDAP_TEXT_FILTER, nested(LDAP_TEXT_DEPTH + 1)),
                        "it is nested too deep");
}

static void the_longest_is_read(void **state)
{
    char text[LDAP_TEXT_MAX + 2];

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, "(mail=%s", 8);
    text[LDAP_TEXT_MAX - 1] = ')';
    text[LDAP_TEXT_MAX] = '\0';
    assert_null(ldap_text_flaw(LDAP_TEXT_FILTER, text));
    text[LDAP_TEXT_MAX - 1] = 'a';
    text[LDAP_TEXT_MAX] = ')';
    text[LDAP_TEXT_MAX + 1] = '\0';
    assert_string_equal(ldap_text_flaw(LDAP_TEXT_FILTER, text), "it is too long");
}

// ---- what is asked

struct expand_row {
    const char *name;
    enum ldap_text kind;
    const char *text;
    const char *base, *domain;
    const char *wanted;
};

static const struct expand_row expand_rows[] = {
    {"all places", LDAP_TEXT_FILTER, "(&(mail=%s)(uid=%u)(d=%d)(p=100%%))", "ann", "corp.example",
     "(&(mail=ann@corp.example)(uid=ann)(d=corp.example)(p=100%))"},
    {"what has a meaning in a filter", LDAP_TEXT_FILTER, "(mail=%s)", "*)(uid=*\\", "corp.example",
     "(mail=\\2a\\29\\28uid=\\2a\\5c@corp.example)"},
    {"a percent sign of the address", LDAP_TEXT_FILTER, "(mail=%s)", "%s%d", "x.example",
     "(mail=%s%d@x.example)"},
    {"other letters", LDAP_TEXT_FILTER, "(uid=%u)", "j\xc3\xbcrgen", "x.example",
     "(uid=j\xc3\xbcrgen)"},
    {"what has a meaning in a name", LDAP_TEXT_BASE, "uid=%u,ou=%d", "#a,b+c=\"d\" \\<e>;",
     "x.example", "uid=\\23a\\2cb\\2bc\\3d\\22d\\22\\20\\5c\\3ce\\3e\\3b,ou=x.example"},
    {"nothing to put", LDAP_TEXT_BASE, "dc=corp,dc=example", "ann", "corp.example",
     "dc=corp,dc=example"},
};

static void check_expand(void **state)
{
    const struct expand_row *row = *state;
    char memory[256];
    struct text_buf out;

    text_buf_init(&out, memory, sizeof(memory));
    assert_null(ldap_text_flaw(row->kind, row->text));
    ldap_text_expand(row->kind, row->text, row->base, row->domain, &out);
    assert_string_equal(memory, row->wanted);
    assert_false(out.full);
    text_buf_init(&out, memory, strlen(row->wanted) + 1);
    ldap_text_expand(row->kind, row->text, row->base, row->domain, &out);
    assert_false(out.full);
    text_buf_init(&out, memory, strlen(row->wanted));
    ldap_text_expand(row->kind, row->text, row->base, row->domain, &out);
    assert_true(out.full);
}

int main(void)
{
    struct table table = {.count = 0};

    TABLE_ROWS(&table, flaw_rows, check_flaw);
    TABLE_ROWS(&table, expand_rows, check_expand);
    TABLE_TEST(&table, control_characters_are_refused);
    TABLE_TEST(&table, the_deepest_is_read);
    TABLE_TEST(&table, the_longest_is_read);
    return table_run(&table, "ldap_text");
}
