// A line of a mail log, its time, and messages put together out of lines.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

// The pure parts, which are in no library.
#include "client/ctl/import/maillog.c"
#define starts  starts_of_exim
#define take_id take_id_of_exim
#include "client/ctl/import/eximlog.c"
#undef starts
#undef take_id
#include "client/ctl/import/queue.c"
#define local_ms local_ms_of_stamp
#include "client/ctl/import/stamp.c"
#include "client/ctl/when.c"

#include "tests/support/table.h"

#define SENT \
    ", relay=10.0.0.1[10.0.0.1]:24, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 Ok)"
#define TASK_OF(ip, middle, action, rcpts)                                                       \
    "#1(normal) <1b4c68>; task; rspamd_task_write_log: id: <x@y>, qid: <4F>, ip: " ip "," middle \
    " (default: T (" action "): [0.00/15.00] [GREYLIST(0.00){pass;}]), len: 9, rcpts: <" rcpts   \
    ">, mime_rcpts: <b>"

// ---- lines

static const struct line_row {
    const char *name, *line;
    enum maillog_kind kind;
    const char *client, *host, *sender, *recipient; // NULL = not looked at
    bool is_own, is_returned;
} LINES[] = {
    {"a client", "mx postfix/smtpd[1]: 4F2A1BC: client=mx.sender.example[192.0.2.1]",
     MAILLOG_CLIENT, "192.0.2.1", "mx.sender.example", NULL, NULL, false, false},
    {"a long queue id", "mx postfix/smtpd[1]: 4f2XkB1zK9z2xq: client=unknown[192.0.2.1]",
     MAILLOG_CLIENT, "192.0.2.1", "", NULL, NULL, false, false},
    {"IPv6, with a port", "mx postfix/smtpd[1]: 4F2A1BC: client=a.example[2001:db8::1]:2525",
     MAILLOG_CLIENT, "2001:db8::1", "a.example", NULL, NULL, false, false},
    {"an instance and a service of another name",
     "mx postfix-in/submission/smtpd[1]: 4F2A1BC: client=a.example[192.0.2.1], sasl_method=PLAIN, "
     "sasl_username=ann",
     MAILLOG_CLIENT, "192.0.2.1", "a.example", NULL, NULL, true, false},
    {"a filter gives it back",
     "mx postfix/smtpd[1]: 4F2A1BC: client=localhost[127.0.0.1], orig_queue_id=4F2A1BB, "
     "orig_client=mx.sender.example[192.0.2.1]",
     MAILLOG_CLIENT, "127.0.0.1", "localhost", NULL, NULL, false, true},
    {"a proxy in front of the queue",
     "mx postfix/smtpd[1]: 4F2A1BC: client=localhost[127.0.0.1], "
     "orig_client=mx.sender.example[192.0.2.1]",
     MAILLOG_CLIENT, "192.0.2.1", "mx.sender.example", NULL, NULL, false, false},
    {"this host", "mx postfix/smtpd[1]: 4F2A1BC: client=localhost[::1]", MAILLOG_CLIENT, "::1",
     NULL, NULL, NULL, false, true},
    {"a client that is no address", "mx postfix/smtpd[1]: 4F2A1BC: client=a.example[unknown]",
     MAILLOG_CLIENT, "unknown", NULL, NULL, NULL, false, true},
    {"a sender",
     "mx postfix/qmgr[3]: 4F2A1BC: from=<ann@sender.example>, size=1, nrcpt=1 (queue active)",
     MAILLOG_FROM, NULL, NULL, "ann@sender.example", NULL, false, false},
    {"the null sender", "mx postfix/qmgr[3]: 4F2A1BC: from=<>, size=1, nrcpt=1 (queue active)",
     MAILLOG_FROM, NULL, NULL, "", NULL, false, false},
    {"a sender with quotes",
     "mx postfix/qmgr[3]: 4F2A1BC: from=<\"a>, to=<b\\\"c>\"@x.example>, size=1, nrcpt=1 (queue "
     "active)",
     MAILLOG_FROM, NULL, NULL, "\"a>, to=<b\\\"c>\"@x.example", NULL, false, false},
    {"the end", "mx postfix/qmgr[3]: 4F2A1BC: removed", MAILLOG_REMOVED, NULL, NULL, NULL, NULL,
     false, false},
    {"delivered by lmtp", "mx postfix/lmtp[4]: 4F2A1BC: to=<bob@corp.example>" SENT, MAILLOG_SENT,
     NULL, NULL, NULL, "bob@corp.example", false, false},
    {"the address of RCPT TO is the original one",
     "mx postfix/local[4]: 4F2A1BC: to=<bob@corp.example>, orig_to=<b@corp.example>" SENT,
     MAILLOG_SENT, NULL, NULL, NULL, "b@corp.example", false, false},
    {"by pipe", "mx postfix/pipe[4]: 4F2A1BC: to=<bob@corp.example>" SENT, MAILLOG_SENT, NULL, NULL,
     NULL, NULL, false, false},
    {"by virtual", "mx postfix/virtual[4]: 4F2A1BC: to=<bob@corp.example>" SENT, MAILLOG_SENT, NULL,
     NULL, NULL, NULL, false, false},
    {"no process id", "mx postfix/qmgr: 4F2A1BC: removed", MAILLOG_REMOVED, NULL, NULL, NULL, NULL,
     false, false},
    {"rspamd",
     TASK_OF("192.0.2.1", " from: <ann@sender.example>,", "no action",
             "bob@corp.example,joe@corp.example"),
     MAILLOG_TASK, "192.0.2.1", "", "ann@sender.example", "bob@corp.example,joe@corp.example",
     false, false},
    {"rspamd, the null sender", TASK_OF("192.0.2.1", "", "add header", "bob@corp.example"),
     MAILLOG_TASK, "192.0.2.1", "", "", "bob@corp.example", false, false},

    {"rspamd, by syslog",
     "mx rspamd[7]: " TASK_OF("192.0.2.1", "", "no action", "bob@corp.example"), MAILLOG_TASK,
     "192.0.2.1", "", "", "bob@corp.example", false, false},

    {"a Message-ID that says what rspamd would",
     "mx postfix/cleanup[1]: 4F2A1BC: message-id=<" TASK_OF("192.0.2.1", "", "no action",
                                                            "bob@corp.example"),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"a client that says what rspamd would",
     "mx postfix/smtpd[1]: improper command pipelining after DATA from a.example[192.0.2.1]: "
     "x rspamd: " TASK_OF("192.0.2.1", "", "no action", "bob@corp.example"),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"rspamd, come again",
     TASK_OF("192.0.2.1", " from: <ann@sender.example>,", "soft reject", "bob@corp.example"),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"rspamd, rejected",
     TASK_OF("192.0.2.1", " from: <ann@sender.example>,", "reject", "bob@corp.example"),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"rspamd, a user",
     TASK_OF("192.0.2.1", " user: ann, from: <ann@sender.example>,", "no action",
             "bob@corp.example"),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, true, false},
    {"rspamd, this host",
     TASK_OF("127.0.0.1", " from: <ann@sender.example>,", "no action", "bob@corp.example"),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"rspamd, a list that was cut",
     TASK_OF("192.0.2.1", " from: <ann@sender.example>,", "no action", "bob@corp.example,..."),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"rspamd, a sender who says what was decided",
     TASK_OF("192.0.2.1", " from: <\"x> (default: T (no action): [\"@x.example>,", "soft reject",
             "bob@corp.example"),
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"deferred",
     "mx postfix/lmtp[4]: 4F2A1BC: to=<b@c.example>, relay=none, delay=1, dsn=4.4.1, "
     "status=deferred (connect)",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"bounced",
     "mx postfix/lmtp[4]: 4F2A1BC: to=<b@c.example>, relay=none, delay=1, dsn=5.4.1, "
     "status=bounced (no)",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"a server that says sent itself",
     "mx postfix/smtp[4]: 4F2A1BC: to=<b@c.example>, relay=x, delay=1, dsn=4.4.1, status=deferred "
     "(said: , status=sent (250 Ok))",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"a recipient that says sent itself",
     "mx postfix/lmtp[4]: 4F2A1BC: to=<\", status=sent (250\"@c.example>, status=bounced (no)",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"an address without an end", "mx postfix/lmtp[4]: 4F2A1BC: to=<\"b@c.example>" SENT,
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"rejected at the door",
     "mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from a[192.0.2.1]: 451; from=<a@b> to=<c@d>",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"a warning", "mx postfix/smtpd[1]: warning: client=a[192.0.2.1]: x", MAILLOG_CLIENT, NULL,
     NULL, NULL, NULL, false, false},
    {"a connection", "mx postfix/smtpd[1]: connect from a.example[192.0.2.1]", MAILLOG_OTHER, NULL,
     NULL, NULL, NULL, false, false},
    {"cleanup's own", "mx postfix/cleanup[1]: 4F2A1BC: message-id=<client=a[192.0.2.1]>",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"a milter's words in cleanup",
     "mx postfix/cleanup[1]: 4F2A1BC: milter-reject: from=<a@b> to=<c@d>" SENT, MAILLOG_OTHER, NULL,
     NULL, NULL, NULL, false, false},
    {"another program", "mx dovecot: lda: 4F2A1BC: to=<b@c.example>" SENT, MAILLOG_OTHER, NULL,
     NULL, NULL, NULL, false, false},
    {"a queue id that is too short", "mx postfix/qmgr[3]: 4F2A: removed", MAILLOG_OTHER, NULL, NULL,
     NULL, NULL, false, false},
    {"a queue id that is too long", "mx postfix/qmgr[3]: 4F2A1BC4F2A1BC4F2A1BC4F2A1BC: removed",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"no client behind it", "mx postfix/smtpd[1]: 4F2A1BC: client=", MAILLOG_OTHER, NULL, NULL,
     NULL, NULL, false, false},
    {"a client without an end", "mx postfix/smtpd[1]: 4F2A1BC: client=a.example[192.0.2.1",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"a host alone", "mx", MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
    {"nothing", "", MAILLOG_OTHER, NULL, NULL, NULL, NULL, false, false},
};

// ---- who logged in

static const struct login_row {
    const char *name, *line, *login;
    bool is_own, is_exim;
} LOGINS[] = {
    {"a login",
     "mx postfix/smtpd[1]: 4F2A1BC: client=a.example[192.0.2.1], sasl_method=PLAIN, "
     "sasl_username=ann@corp.example",
     "ann@corp.example", true, false},
    {"with a sender behind it",
     "mx postfix/smtpd[1]: 4F2A1BC: client=a.example[192.0.2.1], sasl_method=PLAIN, "
     "sasl_username=ann, sasl_sender=eve@x.example",
     "ann", true, false},
    {"by a proxy",
     "mx postfix/smtpd[1]: 4F2A1BC: client=localhost[127.0.0.1], sasl_method=PLAIN, "
     "sasl_username=ann, orig_client=pc.corp.example[192.0.2.7]",
     "ann", true, false},
    {"nobody", "mx postfix/smtpd[1]: 4F2A1BC: client=a.example[192.0.2.1]", "", false, false},
    {"Exim",
     "1mABCD-0001ab-CD <= ann@corp.example H=pc.corp.example [192.0.2.7] P=esmtpsa X=TLS1.3:x:256 "
     "CV=no "
     "A=plain:ann@corp.example S=12 id=x",
     "ann@corp.example", true, true},
    {"Exim, with a mail that names its sender",
     "1mABCD-0001ab-CD <= ann@corp.example H=pc [192.0.2.7] P=esmtpa "
     "A=plain:ann:ann@corp.example S=12",
     "ann", true, true},
    {"Exim, that is set to name nobody",
     "1mABCD-0001ab-CD <= ann@corp.example H=pc [192.0.2.7] P=esmtpa A=plain S=12", "", true, true},
    {"Exim, nobody", "1mABCD-0001ab-CD <= ann@corp.example H=pc [192.0.2.7] P=esmtp S=12", "",
     false, true},
    {"Exim, a message id that says it",
     "1mABCD-0001ab-CD <= eve@x.example H=pc [192.0.2.7] P=esmtp S=12 id=x A=plain:ann", "", false,
     true},
    {"Exim, a subject that says it",
     "1mABCD-0001ab-CD <= eve@x.example H=pc [192.0.2.7] P=esmtp S=12 T=\"x\" A=plain:ann", "",
     false, true},
    {"Exim, a certificate that says it",
     "1mABCD-0001ab-CD <= eve@x.example H=pc [192.0.2.7] P=esmtps "
     "DN=\"CN=x\" A=plain:ann S=1\" S=12",
     "", false, true},
    {"Exim, a server name that says it",
     "1mABCD-0001ab-CD <= eve@x.example H=pc [192.0.2.7] P=esmtps SNI=x A=plain:ann S=12", "",
     false, true},
    {"Exim, an ident reply that says it",
     "1mABCD-0001ab-CD <= eve@x.example H=pc [192.0.2.7] U=x P=esmtpa A=plain:ann S=1 P=esmtp S=12",
     "", false, true},
    {"Exim, a sender that says it",
     "1mABCD-0001ab-CD <= \"x H=pc [192.0.2.7] A=plain:ann\"@x.example H=pc [192.0.2.7] P=esmtp "
     "S=12",
     "", false, true},
};

static void a_login_is_read(void **state)
{
    const struct login_row *row = *state;
    char *text = strdup(row->line);
    struct maillog came;

    (row->is_exim ? eximlog_read : maillog_read)(text, &came);
    assert_int_equal(came.kind, row->is_exim ? MAILLOG_CAME : MAILLOG_CLIENT);
    assert_string_equal(came.login, row->login);
    assert_int_equal(came.is_own, row->is_own);
    free(text);
}

// ---- Exim's lines

static const struct exim_row {
    const char *name, *line;
    enum maillog_kind kind;
    const char *id, *client, *sender, *recipient; // NULL = not looked at
} EXIMS[] = {
    {"mail that came",
     "1mABCD-0001ab-CD <= ann@corp.example H=pc.corp.example [192.0.2.7] P=esmtp S=12",
     MAILLOG_CAME, "1mABCD-0001ab-CD", "192.0.2.7", "ann@corp.example", NULL},
    {"a long id", "1mABCD-000000001ab-CDEF <= ann@corp.example H=pc [192.0.2.7] P=esmtp S=12",
     MAILLOG_CAME, "1mABCD-000000001ab-CDEF", "192.0.2.7", "ann@corp.example", NULL},
    {"with a process id",
     "[1234] 1mABCD-0001ab-CD <= ann@corp.example H=pc [192.0.2.7] P=esmtp S=12", MAILLOG_CAME,
     "1mABCD-0001ab-CD", "192.0.2.7", NULL, NULL},
    {"by syslog", "mx exim[12]: 1mABCD-0001ab-CD <= ann@corp.example H=pc [192.0.2.7] P=esmtp S=12",
     MAILLOG_CAME, "1mABCD-0001ab-CD", "192.0.2.7", NULL, NULL},
    {"by syslog, with a stamp of its own",
     "mx exim4[12]: 2026-11-21 21:13:01.123 +0100 [7] 1mABCD-0001ab-CD Completed", MAILLOG_REMOVED,
     "1mABCD-0001ab-CD", NULL, NULL, NULL},
    {"the null sender", "1mABCD-0001ab-CD <= <> R=1mABCC-0001ab-CD U=Debian-exim P=local S=12",
     MAILLOG_CAME, NULL, "", "", NULL},
    {"a name in HELO",
     "1mABCD-0001ab-CD <= a@b.example H=mx.b.example (helo) [192.0.2.7]:25 I=[192.0.2.1]:25 "
     "P=esmtp S=1",
     MAILLOG_CAME, NULL, "192.0.2.7", NULL, NULL},
    {"an address in HELO",
     "1mABCD-0001ab-CD <= a@b.example H=([203.0.113.9]) [192.0.2.7] P=esmtp S=1", MAILLOG_CAME,
     NULL, "192.0.2.7", NULL, NULL},
    {"no name", "1mABCD-0001ab-CD <= a@b.example H=[2001:db8::1] P=esmtp S=1", MAILLOG_CAME, NULL,
     "2001:db8::1", NULL, NULL},
    {"a name found by DNSSEC", "1mABCD-0001ab-CD <= a@b.example DS H=mx [192.0.2.7] P=esmtp S=1",
     MAILLOG_CAME, NULL, "192.0.2.7", NULL, NULL},
    {"a program of this host", "1mABCD-0001ab-CD <= root@b.example U=root P=local S=1",
     MAILLOG_CAME, NULL, "", NULL, NULL},
    {"delivered",
     "1mABCD-0001ab-CD => joe@partner.example R=dnslookup T=remote_smtp H=mx [198.51.100.1] "
     "C=\"250 Ok\"",
     MAILLOG_SENT, NULL, NULL, NULL, "joe@partner.example"},
    {"delivered beside another", "1mABCD-0001ab-CD -> eve@partner.example R=dnslookup",
     MAILLOG_SENT, NULL, NULL, NULL, "eve@partner.example"},
    {"an alias", "1mABCD-0001ab-CD => joe <info@corp.example> R=local_user T=mail_spool",
     MAILLOG_SENT, NULL, NULL, NULL, "info@corp.example"},
    {"an alias with its parents",
     "1mABCD-0001ab-CD => joe@x.example (list@corp.example) <all@corp.example> R=x", MAILLOG_SENT,
     NULL, NULL, NULL, "all@corp.example"},
    {"a quoted address", "1mABCD-0001ab-CD => \"a b\"@x.example R=x", MAILLOG_SENT, NULL, NULL,
     NULL, "\"a b\"@x.example"},
    {"the end", "1mABCD-0001ab-CD Completed", MAILLOG_REMOVED, NULL, NULL, NULL, NULL},
    {"the end, with its time", "1mABCD-0001ab-CD Completed QT=1s", MAILLOG_REMOVED, NULL, NULL,
     NULL, NULL},

    {"a name in HELO that ends itself",
     "1mABCD-0001ab-CD <= a@b.example H=(x) [10.0.0.1] P=esmtpa A=plain:ann S=1) [192.0.2.7] "
     "P=esmtp S=1",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"put off", "1mABCD-0001ab-CD == joe@partner.example R=dnslookup T=remote_smtp defer (-44)",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"failed", "1mABCD-0001ab-CD ** joe@partner.example R=dnslookup: 550", MAILLOG_OTHER, NULL,
     NULL, NULL, NULL},
    {"only tried", "1mABCD-0001ab-CD *> joe@partner.example R=dnslookup", MAILLOG_OTHER, NULL, NULL,
     NULL, NULL},
    {"to a file", "1mABCD-0001ab-CD => /var/mail/joe R=x", MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"away", "1mABCD-0001ab-CD => :blackhole: R=x", MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"an end that is missing", "1mABCD-0001ab-CD => joe <info@corp.example", MAILLOG_OTHER, NULL,
     NULL, NULL, NULL},
    {"a client without an end", "1mABCD-0001ab-CD <= a@b.example H=mx [192.0.2.7", MAILLOG_OTHER,
     NULL, NULL, NULL, NULL},
    {"a client that is none", "1mABCD-0001ab-CD <= a@b.example H=mx", MAILLOG_OTHER, NULL, NULL,
     NULL, NULL},
    {"a rejection", "H=mx [192.0.2.7] F=<a@b.example> rejected RCPT <c@d.example>: x",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"another program", "mx postfix/smtpd[1]: 1mABCD-0001ab-CD <= a@b.example P=local S=1",
     MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"a program that quotes it", "mx dovecot: exim[1]: 1mABCD-0001ab-CD Completed", MAILLOG_OTHER,
     NULL, NULL, NULL, NULL},
    {"an id of another form", "1mABCD-0001a-CD Completed", MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"an id with another end", "1mABCD-0001ab-CDE Completed", MAILLOG_OTHER, NULL, NULL, NULL,
     NULL},
    {"an id alone", "1mABCD-0001ab-CD", MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"a word alone", "mx", MAILLOG_OTHER, NULL, NULL, NULL, NULL},
    {"nothing", "", MAILLOG_OTHER, NULL, NULL, NULL, NULL},
};

static void same(const char *wanted, const char *came)
{
    if (wanted != NULL)
        assert_string_equal(came, wanted);
}

static void an_exim_line_is_read(void **state)
{
    const struct exim_row *row = *state;
    char *text = strdup(row->line);
    struct maillog came;

    eximlog_read(text, &came);
    assert_int_equal(came.kind, row->kind);
    same(row->id, came.id);
    same(row->client, came.client);
    same(row->sender, came.sender);
    same(row->recipient, came.recipient);
    free(text);
}

static void a_line_is_read(void **state)
{
    const struct line_row *row = *state;
    char *text = strdup(row->line);
    struct maillog came;

    maillog_read(text, &came);
    assert_int_equal(came.kind, row->kind);
    same(row->client, came.client);
    same(row->host, came.name);
    same(row->sender, came.sender);
    same(row->recipient, came.recipient);
    if (strcmp(row->name, "a warning") != 0)
        assert_int_equal(came.is_own, row->is_own);
    assert_int_equal(came.kind == MAILLOG_CLIENT && came.is_returned, row->is_returned);
    free(text);
}

// ---- times

#define LATEST 1795295581000ULL // 2026-11-21T21:13:01Z

static const struct stamp_row {
    const char *name;
    bool is_time;
    uint64_t ms;
    size_t took;
} STAMPS[] = {
    {"Nov 21 21:13:01 mx", true, LATEST, 15},
    {"Nov  1 00:00:00 mx", true, 1793491200000ULL, 15},
    {"Nov 22 21:13:01 mx", true, LATEST + 86400000, 15}, // a day of a clock that is ahead
    {"Nov 22 21:14:00 mx", true, 1763846040000ULL, 15},  // more: the year before
    {"Dec 31 23:59:59 mx", true, 1767225599000ULL, 15},  // 2025
    {"Jan  1 00:00:00 mx", true, 1767225600000ULL, 15},  // 2026
    {"2026-11-21T21:13:01.123456+00:00 mx", true, LATEST + 123, 32},
    {"2026-11-21T22:13:01+0100 mx", true, LATEST, 24},
    {"2026-11-21T21:13:01Z mx", true, LATEST, 20},
    {"2026-11-21 21:13:01 #1(normal)", true, LATEST, 19},
    {"2026-11-21 21:13:01.123 x", true, LATEST, 23},
    {"2026-11-21 22:13:01 +0100 x", true, LATEST, 25},
    {"2026-11-21 19:43:01.123456 -0130 x", true, LATEST, 32},
    {"2026-11-21 21:13:01 +010 x", true, LATEST, 19}, // no zone
    {"2026-11-21 21:13:01 +01x0 x", true, LATEST, 19},
    {"2026-11-21 21:13:01 +01000 x", true, LATEST, 19},

    {"", false, 0, 0},
    {"Nov", false, 0, 0},
    {"Nov 21 21:13:0", false, 0, 0},
    {"Nox 21 21:13:01 mx", false, 0, 0},
    {"Nov 00 21:13:01 mx", false, 0, 0},
    {"Nov 32 21:13:01 mx", false, 0, 0},
    {"Nov 21 24:13:01 mx", false, 0, 0},
    {"Nov 21 21:60:01 mx", false, 0, 0},
    {"Nov 21 21:13:61 mx", false, 0, 0},
    {"Nov 21 21 13 01 mx", false, 0, 0},
    {"Nov xx 21:13:01 mx", false, 0, 0},
    {"2026-11-21T21:13:01 mx", false, 0, 0},
    {"2026-13-21T21:13:01Z mx", false, 0, 0},
    {"2026-11-21", false, 0, 0},
    {"1795295581 mx", false, 0, 0},
    {"2026-11-21T21:13:01Zxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx mx", false, 0, 0},
};

static void a_stamp_is_read(void **state)
{
    const struct stamp_row *row = *state;
    struct stamp_clock clock = {.latest_ms = LATEST};
    uint64_t ms = 0;
    size_t took = 0;

    for (int i = 0; i < 2; i++) { // the second time from what the clock remembers
        assert_int_equal(stamp_read(&clock, row->name, &ms, &took), row->is_time);
        if (row->is_time) {
            assert_int_equal(ms, row->ms);
            assert_int_equal(took, row->took);
        }
    }
}

static void local_time_is_this_hosts(void **state)
{
    struct stamp_clock clock = {.latest_ms = LATEST};
    uint64_t ms = 0;
    size_t took = 0;

    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    assert_true(stamp_read(&clock, "Nov 21 22:13:01 mx", &ms, &took));
    assert_int_equal(ms, LATEST);
    assert_true(stamp_read(&clock, "Jul  1 02:00:00 mx", &ms, &took));
    assert_int_equal(ms, 1782864000000ULL); // 2026-07-01T00:00:00Z
    setenv("TZ", "UTC", 1);
    tzset();
}

// ---- messages

struct told {
    unsigned count;
    char login[16]; // of the last one that has one
    char text[4096];
};

static void tell(void *arg, const struct queue_mail *mail)
{
    struct told *told = arg;
    size_t used = strlen(told->text);

    told->count++;
    if (mail->login != NULL)
        (void)snprintf(told->login, sizeof(told->login), "%s", mail->login);
    used += (size_t)snprintf(told->text + used, sizeof(told->text) - used,
                             "[%s %s %s %s%s@%u:", mail->client == NULL ? "?" : mail->client,
                             mail->name == NULL ? "?" : mail->name,
                             mail->sender == NULL ? "?" : mail->sender, mail->is_own ? "own" : "",
                             mail->is_returned ? "back" : "", (unsigned)mail->at_ms);
    for (size_t i = 0; i < mail->count && used < sizeof(told->text); i++)
        used += (size_t)snprintf(told->text + used, sizeof(told->text) - used, " %s",
                                 mail->recipient[i]);
    if (used < sizeof(told->text))
        (void)snprintf(told->text + used, sizeof(told->text) - used, "]");
}

static struct queue_mail mail_from(char *client)
{
    static char name[] = "mx";

    return (struct queue_mail){.client = client, .name = name};
}

static void a_message_is_told_when_it_leaves(void **state)
{
    struct told told = {0};
    struct queue *queue = queue_new(tell, &told);
    char client[] = "192.0.2.1", login[] = "ann";
    struct queue_mail from = mail_from(client);

    (void)state;
    from.login = login;
    queue_client(queue, "A1", &from);
    queue_sender(queue, "A1", "ann");
    queue_sender(queue, "A1", "eve"); // of a second activation: the same
    queue_sent(queue, "A1", "bob", 5);
    queue_sent(queue, "A1", "joe", 7);
    assert_int_equal(told.count, 0);
    queue_removed(queue, "A1");
    queue_removed(queue, "A1");
    assert_string_equal(told.text, "[192.0.2.1 mx ann @7: bob joe]");
    assert_string_equal(told.login, "ann");
    queue_client(queue, "A2", &from); // delivered to nobody
    queue_removed(queue, "A2");
    queue_removed(queue, "A3");
    assert_int_equal(told.count, 1);
    queue_sent(queue, "A4", "bob", 9); // the log begins in its middle
    queue_free(&queue);
    assert_string_equal(told.text, "[192.0.2.1 mx ann @7: bob joe][? ? ? @9: bob]");
    assert_null(queue);
    queue_free(&queue);
}

static void a_queue_id_that_comes_again_is_another_message(void **state)
{
    struct told told = {0};
    struct queue *queue = queue_new(tell, &told);
    char first[] = "192.0.2.1", second[] = "192.0.2.2";
    struct queue_mail from = mail_from(first);

    (void)state;
    queue_client(queue, "A1", &from);
    queue_sender(queue, "A1", "ann");
    queue_sent(queue, "A1", "bob", 5);
    from = mail_from(second);
    queue_client(queue, "A1", &from);
    queue_sender(queue, "A1", "eve");
    queue_sent(queue, "A1", "joe", 6);
    queue_free(&queue);
    assert_string_equal(told.text, "[192.0.2.1 mx ann @5: bob][192.0.2.2 mx eve @6: joe]");
}

static void the_oldest_leave_when_there_are_too_many(void **state)
{
    struct told told = {0};
    struct queue *queue = queue_new(tell, &told);
    char id[24];

    (void)state;
    for (unsigned i = 0; i < MAILS_MAX + 3; i++) {
        (void)snprintf(id, sizeof(id), "Q%u", i);
        queue_sent(queue, id, "bob", i);
    }
    assert_int_equal(queue->count, MAILS_MAX);
    assert_int_equal(told.count, 3);
    assert_string_equal(told.text, "[? ? ? @0: bob][? ? ? @1: bob][? ? ? @2: bob]");
    queue_free(&queue);
    assert_int_equal(told.count, MAILS_MAX + 3);
}

static void so_do_they_when_they_are_too_large(void **state)
{
    struct told told = {0};
    struct queue *queue = queue_new(tell, &told);
    char *large = malloc(60001);
    char id[24];

    (void)state;
    memset(large, 'x', 60000);
    large[60000] = '\0';
    for (unsigned i = 0; i < 2000; i++) {
        (void)snprintf(id, sizeof(id), "Q%u", i);
        queue_sent(queue, id, large, i);
        assert_true(queue->bytes <= BYTES_MAX);
    }
    assert_in_range(queue->count, 100, 1000);
    for (unsigned i = 0; i < 3000; i++) // of one message: so many recipients and no more
        queue_sent(queue, "ONE", "bob", i);
    assert_int_equal(queue->newest->said.count, RECIPIENTS_MAX);
    queue_free(&queue);
    free(large);
}

int main(void)
{
    struct table table = {.count = 0};

    setenv("TZ", "UTC", 1);
    tzset();
    TABLE_ROWS(&table, LINES, a_line_is_read);
    TABLE_ROWS(&table, LOGINS, a_login_is_read);
    TABLE_ROWS(&table, EXIMS, an_exim_line_is_read);
    TABLE_ROWS(&table, STAMPS, a_stamp_is_read);
    TABLE_TEST(&table, local_time_is_this_hosts);
    TABLE_TEST(&table, a_message_is_told_when_it_leaves);
    TABLE_TEST(&table, a_queue_id_that_comes_again_is_another_message);
    TABLE_TEST(&table, the_oldest_leave_when_there_are_too_many);
    TABLE_TEST(&table, so_do_they_when_they_are_too_large);
    return table_run(&table, "import_maillog");
}
