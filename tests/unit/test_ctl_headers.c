// The header section of a message, and what is picked out of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

// The pure part, which is in no library.
#include "client/ctl/headers.c"

#include "tests/support/table.h"

static const struct header_row {
    const char *name, *text;
    const char *picked; // "Name=value;" each
} HEADERS[] = {
    {"one", "Subject: x\nAuto-Submitted: no\n\n", "Auto-Submitted=no;"},
    {"in any case", "auto-SUBMITTED: auto-replied\n\n", "Auto-Submitted=auto-replied;"},
    {"each that counts",
     "Auto-Submitted: a\nPrecedence: b\nList-Id: c\nList-Unsubscribe: d\nContent-Type: e\n"
     "X-Autoreply: f\nX-Autorespond: g\nIn-Reply-To: h\nReferences: i\n\n",
     "Auto-Submitted=a;Precedence=b;List-Id=c;List-Unsubscribe=d;Content-Type=e;X-Autoreply=f;X-"
     "Autorespond=g;In-Reply-To=h;"
     "References=i;"},
    {"ends of Windows", "List-Id: <a>\r\nPrecedence: bulk\r\n\r\nList-Id: no\r\n",
     "List-Id=<a>;Precedence=bulk;"},
    {"folded", "Content-Type: multipart/report;\r\n\tboundary=x\r\n\r\n",
     "Content-Type=multipart/report;   boundary=x;"},
    {"folded at once", "List-Id:\n <a.b>\n\n", "List-Id=<a.b>;"},
    {"a blank before its colon", "Precedence \t: bulk\n\n", "Precedence=bulk;"},
    {"no blank behind it", "Precedence:bulk\n\n", "Precedence=bulk;"},
    {"no value", "List-Id:\nPrecedence: \n\n", "List-Id=;Precedence=;"},
    {"twice", "Precedence: a\nPrecedence: b\n\n", "Precedence=a;Precedence=b;"},
    {"of an mbox", "From ann@x Sat Jan  1 00:00:00 2026\nPrecedence: a\n\n", "Precedence=a;"},
    {"without an end", "Precedence: a", "Precedence=a;"},
    {"folded without an end", "Precedence: a\n b", "Precedence=a  b;"},
    {"a blank line that is folded", "Precedence: a\n \nList-Id: b\n\n", "Precedence=a;List-Id=b;"},

    {"of the text", "Subject: x\n\nPrecedence: bulk\n", ""},
    {"behind what is no header", "Subject: x\nno header\nPrecedence: bulk\n\n", ""},
    {"behind a name with a blank", "Sub ject: x\nPrecedence: bulk\n\n", ""},
    {"behind a name that is not ASCII", "S\xc3\xbc: x\nPrecedence: bulk\n\n", ""},
    {"behind no name", ": x\nPrecedence: bulk\n\n", ""},
    {"inside another value", "Subject: x\n Precedence: bulk\n\n", ""},
    {"another name", "X-Precedence: bulk\nPrecedences: bulk\nPrecedenc: bulk\n\n", ""},
    {"a line that begins with a blank", " Precedence: bulk\n\n", ""},
    {"nothing but an end", "\nPrecedence: bulk\n", ""},
    {"nothing", "", ""},
};

static void expect_picked(const char *text, size_t len, const char *wanted)
{
    static struct reeve_header header[HEADERS_MAX];
    char *bytes = malloc(len + 1);
    char *picked = malloc(len + 256);
    size_t used = 0;

    memcpy(bytes, text, len);
    bytes[len] = 'x'; // is not looked at
    picked[0] = '\0';
    for (size_t i = 0, count = headers_pick(bytes, len, header); i < count; i++)
        used += (size_t)snprintf(picked + used, len + 256 - used, "%s=%s;", header[i].name,
                                 header[i].value);
    assert_string_equal(picked, wanted);
    free(bytes);
    free(picked);
}

static void headers_are_picked(void **state)
{
    const struct header_row *row = *state;

    expect_picked(row->text, strlen(row->text), row->picked);
}

static void a_nul_hides_nothing(void **unused)
{
    static const char text[] = "Subject: \0x\nPrecedence: b\0ulk\n\n";

    (void)unused;
    expect_picked(text, sizeof(text) - 1, "Precedence=b ulk;");
}

static void so_many_and_no_more(void **unused)
{
    static struct reeve_header header[HEADERS_MAX];
    const size_t count = HEADERS_MAX + 7;
    char *text = malloc(count * 11 + 1);

    (void)unused;
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * 11, "List-Id: x\n", 11);
    assert_int_equal(headers_pick(text, 11 * (size_t)(HEADERS_MAX - 1), header), HEADERS_MAX - 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * 11, "List-Id: x\n", 11);
    assert_int_equal(headers_pick(text, 11 * count, header), HEADERS_MAX);
    free(text);
}

// Whoever writes the message can write all of it, however large, and what is kept is bounded.
static void a_large_message_is_read_to_its_end(void **unused)
{
    const size_t large = HEADERS_BYTES_MAX + 300000;
    size_t len = 0;
    int pair[2], status = 1;
    char *bytes;

    (void)unused;
    assert_int_equal(pipe(pair), 0);
    pid_t child = fork();

    if (child == 0) {
        char *text = malloc(large);
        size_t done = 0;
        ssize_t got = 1;

        memset(text, 'a', large);
        (void)close(pair[0]);
        for (; got > 0 && done < large; done += (size_t)got)
            got = write(pair[1], text + done, large - done);
        _exit(done == large ? 0 : 2);
    }
    (void)close(pair[1]);
    bytes = headers_read(pair[0], &len);
    assert_non_null(bytes);
    assert_int_equal(len, HEADERS_BYTES_MAX);
    assert_int_equal(bytes[len - 1], 'a');
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(pair[0]);
    free(bytes);
    assert_null(headers_read(-1, &len));
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, HEADERS, headers_are_picked);
    TABLE_TEST(&table, a_nul_hides_nothing);
    TABLE_TEST(&table, so_many_and_no_more);
    TABLE_TEST(&table, a_large_message_is_read_to_its_end);
    return table_run(&table, "ctl headers");
}
