// What `reevectl directory import` reads: CSV, LDIF and maps of Postfix, as files that are read wholly; what it leaves, and
// what it does not take for a directory.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// The pure parts, which are in no library.
#include "client/ctl/directory/folded.c"
#include "client/ctl/directory/ldif.c"
#include "client/ctl/directory/map.c"
#include "client/ctl/directory/read_csv.c"
#include "client/ctl/directory/read_ldif.c"
#include "client/ctl/directory/read_map.c"
#include "client/ctl/directory/take.c"
#include "client/ctl/import/csv.c"
#include "client/ctl/import/lines.c"

#include "tests/support/table.h"

// ---- what they hand over, as text

static char taken[4096];
static char failed[512];

// ann@corp.example[=state][>mailbox][(groups)][*], * = an alias
bool entries_add(struct entries *entries, const struct entry *entry)
{
    const size_t used = strlen(taken);

    (void)entries;
    assert_non_null(strstr(entry->address, entry->domain));
    (void)snprintf(taken + used, sizeof(taken) - used, "%s%s%s%s%s%s%s%s%s%s", used > 0 ? " " : "",
                   entry->address, strcmp(entry->state, "active") == 0 ? "" : "=",
                   strcmp(entry->state, "active") == 0 ? "" : entry->state,
                   entry->mailbox[0] == '\0' ? "" : ">", entry->mailbox,
                   entry->groups[0] == '\0' ? "" : "(", entry->groups,
                   entry->groups[0] == '\0' ? "" : ")", entry->is_alias ? "*" : "");
    return true;
}

bool progress_show(struct progress *progress, uint64_t done, uint64_t total, uint64_t count)
{
    (void)progress;
    (void)done;
    (void)total;
    (void)count;
    return true;
}

void progress_clear(struct progress *progress)
{
    (void)progress;
}

int ctl_fail(struct ctl *ctl, int code, const char *fmt, ...)
{
    va_list args;

    (void)ctl;
    va_start(args, fmt);
    (void)vsnprintf(failed, sizeof(failed), fmt, args);
    va_end(args);
    return code;
}

// ---- one file

static int run(struct directory_import *import,
               int (*read)(struct directory_import *import, struct lines *lines), const char *text,
               size_t len)
{
    static unsigned char memory[16 << 10];
    char path[] = "/tmp/reeve-directory-XXXXXX";
    struct err_detail detail = {.text = ""};
    struct lines *lines = NULL;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    (void)close(fd);
    arena_init(&import->arena, memory, sizeof(memory));
    import->path = "F";
    taken[0] = '\0';
    failed[0] = '\0';
    assert_int_equal(lines_open(&lines, path, &detail), ERR_NONE);
    (void)unlink(path);
    return read(import, lines);
}

static void say_left(const struct directory_import *import, char *out, size_t size)
{
    static const char *const words[] = {
#define LEFT_WORD(name, word, spoils, text) (word),
        DIRECTORY_LEFT_LIST(LEFT_WORD)
#undef LEFT_WORD
    };
    struct text_buf text;

    text_buf_init(&text, out, size);
    for (int i = 0; i < LEFT_COUNT; i++)
        if (import->left[i].count > 0)
            text_buf_add(&text, "%s%s=%llu", text.used > 0 ? " " : "", words[i],
                         (unsigned long long)import->left[i].count);
}

struct file_row {
    const char *name;
    const char *text;
    const char *taken; // NULL = it is refused
    const char *left;  // or why it is refused
};

static void check_file(const struct file_row *row,
                       int (*read)(struct directory_import *import, struct lines *lines),
                       const struct directory_options *options)
{
    struct directory_import import = {.options = *options};
    const int code = run(&import, read, row->text, strlen(row->text));
    char left[200];

    say_left(&import, left, sizeof(left));
    if (row->taken == NULL) {
        assert_int_equal(code, CTL_USAGE);
        if (strstr(failed, row->left) == NULL)
            fail_msg("said: %s", failed);
        return;
    }
    assert_int_equal(code, CTL_FINE);
    assert_string_equal(taken, row->taken);
    assert_string_equal(left, row->left);
}

// ---- CSV

static const struct file_row CSV[] = {
    {"one address", "ann@corp.example\n", "ann@corp.example", ""},
    {"no line end", "ann@corp.example", "ann@corp.example", ""},
    {"nothing", "", "", ""},
    {"empty lines", "\n \n\r\nann@corp.example\n\n", "ann@corp.example", ""},
    {"the four columns", "ann@corp.example,disabled,bob@corp.example,execs\n",
     "ann@corp.example=disabled>bob@corp.example(execs)*", ""},
    {"titles", "Name,E-Mail Address\nAnn,ann@corp.example\n", "ann@corp.example", ""},
    {"titles alone", "address\n", "", ""},
    {"in another order", "state;mail\nsend_only;ann@corp.example\n", "ann@corp.example=send_only",
     ""},
    {"tabs", "mail\tgroups\nann@corp.example\tstaff,execs\n", "ann@corp.example(staff,execs)", ""},
    {"Google's",
     "First Name [Required],Email Address [Required],Status [READ ONLY]\n"
     "Ann,ann@corp.example,Active\nBob,bob@corp.example,Suspended\n",
     "ann@corp.example bob@corp.example=disabled", ""},
    {"Exchange's",
     "\"PrimarySmtpAddress\",\"EmailAddresses\"\n"
     "\"ann@corp.example\",\"SMTP:ann@corp.example smtp:a.smith@corp.example "
     "x500:/o=corp/cn=ann\"\n",
     "ann@corp.example ann@corp.example* a.smith@corp.example>ann@corp.example*", ""},
    {"aliases", "mail,aliases\nann@corp.example,a@corp.example; b@corp.example|c@corp.example\n",
     "ann@corp.example a@corp.example>ann@corp.example* b@corp.example>ann@corp.example* "
     "c@corp.example>ann@corp.example*",
     ""},
    {"no title is an address", "name,phone\nann,5\n", NULL, "'address'"},
    {"a title that says nothing", "mail,colour\nann@corp.example,red\n", "ann@corp.example", ""},
    {"a byte order mark", "\xEF\xBB\xBFmail\nann@corp.example\n", "ann@corp.example", ""},
    {"and quotes behind it", "\xEF\xBB\xBF\"mail\"\n\"ann@corp.example\"\n", "ann@corp.example",
     ""},
    {"a carriage return", "mail,state\r\nann@corp.example,disabled\r\n",
     "ann@corp.example=disabled", ""},
    {"quoted", "\"ann@corp.example\",\"\",\"\",\"a \"\"b\"\"\"\n", "ann@corp.example(a \"b\")", ""},
    {"a field of two lines",
     "mail,note,state\nann@corp.example,\"one\ntwo\",disabled\n"
     "bob@corp.example,x,\n",
     "ann@corp.example=disabled bob@corp.example", ""},
    {"a quote that is not closed", "mail\n\"ann@corp.example\nbob@corp.example\n", "",
     "unreadable=1"},
    {"something behind a quote", "mail,x\n\"ann@corp.example\"x,1\nbob@corp.example,1\n",
     "bob@corp.example", "unreadable=1"},
    {"no address in a row", "mail,state\n,active\nann@corp.example,\n", "ann@corp.example",
     "no_address=1"},
    {"too few fields", "state,mail\nactive\nactive,ann@corp.example\n", "ann@corp.example",
     "no_address=1"},
    {"no address at all", "mail\nnobody\n", "", "no_domain=1"},
    {"an address that is none", "mail\na b@corp.example\nann@corp..example\n@corp.example\n", "",
     "bad_address=3"},
    {"an address literal", "mail\nann@[192.0.2.1]\n", "", "bad_address=1"},
    {"a state that nobody knows", "mail,state\nann@corp.example,asleep\n", "", "unreadable=1"},
    {"a subaddress, and capitals", "mail\nAnn+x@Corp.EXAMPLE.\n", "ann@corp.example", ""},
    {"another alphabet",
     "mail\nann@b\xC3\xBC"
     "cher.example\n",
     "ann@xn--bcher-kva.example", ""},
    {"its own mailbox", "mail,mailbox\nann@corp.example,Ann@corp.example\n", "ann@corp.example*",
     ""},
    {"a mailbox that is no address", "mail,mailbox\nann@corp.example,/var/mail/ann\n",
     "ann@corp.example*", ""},
    {"a control character", "mail\nann\x01@corp.example\n", "", "bad_address=1"},
    {"no UTF-8", "mail\nann\xff@corp.example\n", "", "bad_address=1"},
};

static void check_csv(void **state)
{
    check_file(*state, directory_read_csv, &(struct directory_options){.format = 0});
}

// ---- LDIF

static const struct file_row LDIF[] = {
    {"one record", "dn: uid=ann\nmail: ann@corp.example\n", "ann@corp.example", ""},
    {"two",
     "version: 1\n\ndn: uid=ann\nmail: ann@corp.example\n\n\ndn: uid=bob\nMail: bob@corp.example\n",
     "ann@corp.example bob@corp.example", ""},
    {"comments", "# extended LDIF\n#\n# ann,\n dc=x\ndn: uid=ann\nmail: ann@corp.example\n",
     "ann@corp.example", ""},
    {"folded", "dn: uid=ann\nmail: ann@corp.exa\n mple\n", "ann@corp.example", ""},
    {"folded within base64", "dn: uid=ann\nmail:: YW5uQGNvcn\n AuZXhhbXBsZQ==\n",
     "ann@corp.example", ""},
    {"base64 that is none", "dn: uid=ann\nmail:: YW5uQ!\nmail: ann@corp.example\n",
     "ann@corp.example", "unreadable=1"},
    {"base64 cut short", "dn: uid=ann\nmail:: YW5uQ\n", "", "unreadable=1 no_address=1"},
    {"a carriage return", "dn: uid=ann\r\nmail: ann@corp.example\r\n\r\n", "ann@corp.example", ""},
    {"an option", "dn: uid=ann\nmail;lang-de: ann@corp.example\n", "ann@corp.example", ""},
    {"a value in a file", "dn: uid=ann\njpegPhoto:< file:///x\nmail: ann@corp.example\n",
     "ann@corp.example", ""},
    {"two addresses", "dn: uid=ann\nmail: ann@corp.example\nmail: a@corp.example\n",
     "ann@corp.example a@corp.example>ann@corp.example*", ""},
    {"further ones",
     "dn: uid=ann\nmailAlternateAddress: a@corp.example\nmail: ann@corp.example\n"
     "mailLocalAddress: b@corp.example\n",
     "ann@corp.example a@corp.example>ann@corp.example* b@corp.example>ann@corp.example*", ""},
    {"Active Directory's",
     "dn: CN=Ann\nproxyAddresses: smtp:a@corp.example\nproxyAddresses: SMTP:ann@corp.example\n"
     "proxyAddresses: X400:c=US\nmemberOf: CN=Execs,OU=x\nmemberOf: CN=All Staff,OU=x\n"
     "userAccountControl: 514\n",
     "ann@corp.example(Execs,All Staff) a@corp.example>ann@corp.example(Execs,All Staff)*", ""},
    {"a group's name with a comma",
     "dn: CN=Ann\nmail: ann@corp.example\nmemberOf: CN=A\\, B,OU=x\n", "ann@corp.example", ""},
    {"no address",
     "dn: ou=people\nobjectClass: organizationalUnit\n\ndn: uid=ann\nmail: "
     "ann@corp.example\n",
     "ann@corp.example", "no_address=1"},
    {"a result", "dn: uid=ann\nmail: ann@corp.example\n\nsearch: 2\nresult: 0 Success\n",
     "ann@corp.example", ""},
    {"an answer that was cut",
     "dn: uid=ann\nmail: ann@corp.example\n\nsearch: 2\nresult: 4 Size "
     "limit exceeded\n",
     NULL, "did not give all of it (result: 4 Size limit exceeded)"},
    {"changes", "dn: uid=ann\nchangetype: modify\nreplace: mail\nmail: ann@corp.example\n-\n", NULL,
     "F:2: these are changes"},
    {"additions", "dn: uid=ann\nchangetype: add\nmail: ann@corp.example\n", "ann@corp.example", ""},
    {"no attribute", "dn: uid=ann\nmail ann@corp.example\n", "", "unreadable=1 no_address=1"},
    {"a name without a domain", "dn: uid=ann\nmail: ann\n", "", "no_domain=1"},
    {"nothing", "", "", ""},
};

static void check_ldif(void **state)
{
    check_file(*state, directory_read_ldif, &(struct directory_options){.mail = "mail"});
}

static const struct file_row LDIF_SET[] = {
    {"other attributes",
     "dn: uid=ann\nuid: ann\nmail: other@corp.example\nnick: a\nmailAlternateAddress: "
     "x@corp.example\nmailStatus: inactive\n",
     "ann@corp.example=disabled a@corp.example=disabled>ann@corp.example*", ""},
    {"a state that nobody knows", "dn: uid=ann\nuid: ann\nmailStatus: blue\n", "", "unreadable=1"},
};

static void check_ldif_set(void **state)
{
    const char *alias = "nick";

    check_file(
        *state, directory_read_ldif,
        &(struct directory_options){
            .mail = "UID", .alias = {&alias, 1}, .state = "mailstatus", .domain = "corp.example"});
}

// ---- maps

static const struct file_row MAPS[] = {
    {"an entry", "ann@corp.example OK\n", "ann@corp.example", ""},
    {"without a value", "ann@corp.example\n", "ann@corp.example", ""},
    {"comments and empty lines", "# who\n\n  # x\nann@corp.example x # y\n", "ann@corp.example",
     ""},
    {"a line that goes on", "ann@corp.example\n   OK\nbob@corp.example OK\n",
     "ann@corp.example bob@corp.example", ""},
    {"an alias", "a@corp.example ann@corp.example\n", "a@corp.example>ann@corp.example*", ""},
    {"to itself", "ann@corp.example ann@corp.example\n", "ann@corp.example*", ""},
    {"to several", "all@corp.example ann@corp.example, bob@corp.example\n", "all@corp.example", ""},
    {"to a path", "ann@corp.example corp.example/ann/\n", "ann@corp.example", ""},
    {"to a program", "ann@corp.example |/bin/x\n", "ann@corp.example", ""},
    {"to a name", "ann@corp.example root\n", "ann@corp.example", ""},
    {"a domain", "corp.example anything\nann@corp.example x\n", "ann@corp.example", "domain=1"},
    {"a whole domain", "@corp.example OK\nann@corp.example x\n", "ann@corp.example", "catchall=1"},
    {"patterns", "/^ann@/ OK\nif /x/\nendif\n!/y/ OK\n", "", "pattern=4"},
    {"a bare name", "ann OK\n", "", "no_domain=1"},
    {"a quoted name", "\"a b\"@corp.example OK\n", "\"a b\"@corp.example", ""},
    {"a quote that is not closed", "\"a b@corp.example OK\n", "", "bad_address=1"},
};

static void check_map(void **state)
{
    check_file(*state, directory_read_map, &(struct directory_options){.has_targets = true});
}

static const struct file_row RELAYS[] = {
    {"values mean nothing", "a@corp.example ann@corp.example\n", "a@corp.example", ""},
    {"a bare name", "ann OK\nbob.smith bob.smith@x.example\n",
     "ann@corp.example bob.smith@corp.example", ""},
};

static void check_relay(void **state)
{
    check_file(*state, directory_read_map, &(struct directory_options){.domain = "corp.example"});
}

// ---- lines of any length

static void a_line_that_is_too_long_is_cut_and_the_next_one_is_read(void **state)
{
    struct directory_import import = {.path = "F"};
    const size_t len = 3 * LINES_MAX;
    char *text = mem_new(len + 64);

    (void)state;
    memset(text, 'a', len);
    (void)snprintf(text + len, 64, "@corp.example OK\nann@corp.example OK\n");
    assert_int_equal(run(&import, directory_read_map, text, strlen(text)), CTL_FINE);
    assert_string_equal(taken, "ann@corp.example");
    assert_int_equal(import.left[LEFT_NO_DOMAIN].count, 1);
    mem_free(text);
}

static size_t put_line(char *at, const char *line)
{
    return (size_t)snprintf(at, 64, "%s\n", line);
}

static void many_continuations_are_cut(void **state)
{
    struct directory_import import = {.path = "F"};
    const size_t lines = 3000;
    char *text = mem_new(lines * 64);
    size_t used = put_line(text, "ann@corp.example");

    (void)state;
    for (size_t i = 0; i < lines - 2; i++)
        used += put_line(text + used, " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    used += put_line(text + used, "bob@corp.example OK");
    assert_int_equal(run(&import, directory_read_map, text, used), CTL_FINE);
    assert_string_equal(taken, "ann@corp.example bob@corp.example");
    mem_free(text);
}

static void an_example_is_safe_to_show(void **state)
{
    struct directory_import import = {.path = "F"};
    const char text[] = "ann\x1b[2J@corp.example OK\n";

    (void)state;
    assert_int_equal(run(&import, directory_read_map, text, strlen(text)), CTL_FINE);
    assert_int_equal(import.left[LEFT_BAD_ADDRESS].count, 1);
    assert_null(strchr(import.left[LEFT_BAD_ADDRESS].example, '\x1b'));
    assert_non_null(strstr(import.left[LEFT_BAD_ADDRESS].example, "F:1: "));
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, CSV, check_csv);
    TABLE_ROWS(&table, LDIF, check_ldif);
    TABLE_ROWS(&table, LDIF_SET, check_ldif_set);
    TABLE_ROWS(&table, MAPS, check_map);
    TABLE_ROWS(&table, RELAYS, check_relay);
    TABLE_TEST(&table, a_line_that_is_too_long_is_cut_and_the_next_one_is_read);
    TABLE_TEST(&table, many_continuations_are_cut);
    TABLE_TEST(&table, an_example_is_safe_to_show);
    return table_run(&table, "directory import");
}
