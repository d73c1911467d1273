// What scanners and rules of the operator's say of mail, by lines of logs; and messages that several lines speak of.
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
#include "client/ctl/import/maillog.c"
#define starts           starts_of_verdicts
#define behind           behind_of_verdicts
#define take_id          take_id_of_verdicts
#define read_task        read_task_of_verdicts
#define read_task_sender read_task_sender_of_verdicts
#define read_postfix     read_postfix_of_verdicts
#include "client/ctl/import/verdicts.c"
#undef starts
#undef behind
#undef take_id
#undef read_task
#undef read_task_sender
#undef read_postfix
#include "client/ctl/import/queue.c"

#include "proto/text.h"
#include "tests/support/table.h"

#define TASK(ids, middle, action, symbols)                                                 \
    "#1(normal) <1b4c68>; task; rspamd_task_write_log: id: " ids ", ip: 192.0.2.1," middle \
    " (default: " action ": [1.00/15.00] [" symbols "]), len: 9, time: 1ms, rcpts: <b@c.example>"
#define REJECT_TAIL \
    " from mx.a.example[192.0.2.1]; from=<ann@a.example> to=<b@c.example> proto=ESMTP helo=<h>"

enum { OWN = 1, RETURNED = 2, PASSED = 4, FAILED = 8 };

static const struct line_row {
    const char *name, *line;
    enum verdicts_kind kind;
    enum verdicts_class class;
    const char *id, *message_id, *client, *sender;
    unsigned flags;
} LINES[] = {
    // rspamd
    {"rspamd, ham", TASK("<m@x>, qid: <4F2A1>", " from: <ann@a.example>,", "F (no action)", ""),
     VERDICTS_WHOLE, VERDICTS_HAM, "4F2A1", "m@x", "192.0.2.1", "ann@a.example", 0},
    {"rspamd, spam", TASK("<m@x>, qid: <4F2A1>", " from: <ann@a.example>,", "T (reject)", ""),
     VERDICTS_WHOLE, VERDICTS_SPAM, "4F2A1", "m@x", "192.0.2.1", "ann@a.example", 0},
    {"rspamd, a header", TASK("<m@x>, qid: <4F2A1>", "", "F (add header)", ""), VERDICTS_WHOLE,
     VERDICTS_SPAM, "4F2A1", "m@x", "192.0.2.1", "", 0},
    {"rspamd, a subject", TASK("<m@x>, qid: <4F2A1>", "", "F (rewrite subject)", ""),
     VERDICTS_WHOLE, VERDICTS_SPAM, "4F2A1", "m@x", "192.0.2.1", "", 0},
    {"rspamd, quarantined", TASK("<m@x>, qid: <4F2A1>", "", "F (quarantine)", ""), VERDICTS_WHOLE,
     VERDICTS_SPAM, "4F2A1", "m@x", "192.0.2.1", "", 0},
    {"rspamd, discarded", TASK("<m@x>, qid: <4F2A1>", "", "F (discard)", ""), VERDICTS_WHOLE,
     VERDICTS_SPAM, "4F2A1", "m@x", "192.0.2.1", "", 0},
    {"rspamd, greylisted", TASK("<m@x>, qid: <4F2A1>", "", "F (greylist)", ""), VERDICTS_WHOLE,
     VERDICTS_UNDECIDED, "4F2A1", "m@x", "192.0.2.1", "", 0},
    {"rspamd, come again", TASK("<m@x>, qid: <4F2A1>", "", "F (soft reject)", ""), VERDICTS_WHOLE,
     VERDICTS_UNDECIDED, "4F2A1", "m@x", "192.0.2.1", "", 0},
    {"rspamd, an action of later", TASK("<m@x>, qid: <4F2A1>", "", "F (rejected)", ""),
     VERDICTS_WHOLE, VERDICTS_UNDECIDED, "4F2A1", "m@x", "192.0.2.1", "", 0},
    {"rspamd without a queue id", TASK("<m@x>", " from: <ann@a.example>,", "F (no action)", ""),
     VERDICTS_WHOLE, VERDICTS_HAM, "1b4c68", "m@x", "192.0.2.1", "ann@a.example", 0},
    {"rspamd with an empty one", TASK("<m@x>, qid: <>", "", "F (no action)", ""), VERDICTS_WHOLE,
     VERDICTS_HAM, "1b4c68", "m@x", "192.0.2.1", "", 0},
    {"rspamd, a login", TASK("<m@x>", " user: ann, from: <ann@a.example>,", "F (no action)", ""),
     VERDICTS_WHOLE, VERDICTS_HAM, "1b4c68", "m@x", "192.0.2.1", "ann@a.example", OWN},
    {"rspamd, SPF passed",
     TASK("<m@x>", "", "F (no action)",
          "A(1.00){},R_SPF_ALLOW(-0.20){+ip4:192.0.2.0/24;},B(0.00){}"),
     VERDICTS_WHOLE, VERDICTS_HAM, "1b4c68", "m@x", "192.0.2.1", "", PASSED},
    {"rspamd, SPF failed", TASK("<m@x>", "", "T (reject)", "R_SPF_FAIL(1.00){-all;}"),
     VERDICTS_WHOLE, VERDICTS_SPAM, "1b4c68", "m@x", "192.0.2.1", "", FAILED},
    {"rspamd, a symbol in what another says",
     TASK("<m@x>", "", "T (reject)", "SUBJ(1.00){a,R_SPF_ALLOW(0)},R_SPF_ALLOW_NOT(1.00){}"),
     VERDICTS_WHOLE, VERDICTS_SPAM, "1b4c68", "m@x", "192.0.2.1", "", 0},
    {"rspamd, by syslog", "mx rspamd[7]: " TASK("<m@x>", "", "F (no action)", ""), VERDICTS_WHOLE,
     VERDICTS_HAM, "1b4c68", "m@x", "192.0.2.1", "", 0},
    {"rspamd, a Message-ID that names another client",
     TASK("<m, ip: 198.51.100.1, (default: F (no action): [0/1] []), x>, qid: <4F2A1>", "",
          "T (reject)", ""),
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"rspamd, a sender that does",
     TASK("<m@x>", " from: <\", ip: 198.51.100.1,\"@a.example>,", "T (reject)", ""), VERDICTS_OTHER,
     VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"what Postfix quotes of rspamd",
     "mx postfix/smtpd[1]: x rspamd: " TASK("<m@x>", "", "F (no action)", ""), VERDICTS_OTHER,
     VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"rspamd, broken off", "#1(normal) <1b4c68>; task; rspamd_task_write_log: id: <m@x>, ip: 192.",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"rspamd, broken off in the action",
     "#1(normal) <1b>; task; rspamd_task_write_log: id: <m@x>, ip: 192.0.2.1, (default: T ",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    // amavis
    {"amavis, ham",
     "mx amavis[7]: (7-01) Passed CLEAN {RelayedInbound}, [192.0.2.1]:50321 [192.0.2.1] "
     "<ann@a.example> -> <b@c.example>, Queue-ID: 4F2A1, Message-ID: <m@x>, mail_id: y, Hits: -1",
     VERDICTS_WHOLE, VERDICTS_HAM, "4F2A1", "", "192.0.2.1", "ann@a.example", 0},
    {"amavis, spam, IPv6, two recipients",
     "mx amavis[7]: (7-01-2) Blocked SPAM {DiscardedInbound,Quarantined}, [IPv6:2001:db8::1]:5 <> "
     "-> <b@c.example>,<d@c.example>, Queue-ID: 4F2A1, Hits: 20",
     VERDICTS_WHOLE, VERDICTS_SPAM, "4F2A1", "", "2001:db8::1", "", 0},
    {"amavis, a virus",
     "mx amavis[7]: (7-01) Blocked INFECTED (Eicar) {DiscardedInbound}, [192.0.2.1]:5 <a@b> -> "
     "<b@c.example>, quarantine: x",
     VERDICTS_WHOLE, VERDICTS_SPAM, "7-01", "", "192.0.2.1", "a@b", 0},
    {"amavis, a header that is none",
     "mx amavis[7]: (7-01) Passed BAD-HEADER-1 {RelayedInbound}, [192.0.2.1]:5 <a@b> -> <c@d>",
     VERDICTS_WHOLE, VERDICTS_UNDECIDED, "7-01", "", "192.0.2.1", "a@b", 0},
    {"amavis, going out",
     "mx amavis[7]: (7-01) Passed CLEAN {RelayedOutbound}, [192.0.2.1]:5 <a@b> -> <c@d>",
     VERDICTS_WHOLE, VERDICTS_HAM, "7-01", "", "192.0.2.1", "a@b", OWN},
    {"amavis, from here",
     "mx amavis[7]: (7-01) Passed CLEAN {RelayedInbound}, [127.0.0.1]:5 <a@b> -> <c@d>",
     VERDICTS_WHOLE, VERDICTS_HAM, "7-01", "", "127.0.0.1", "a@b", RETURNED},
    {"amavis without a client", "mx amavis[7]: (7-01) Passed CLEAN {RelayedInbound}, <a@[1.2.3.4]>",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"amavis, something else", "mx amavis[7]: (7-01) TIMED OUT [192.0.2.1] <a@b> -> <c@d>",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    // spamd
    {"spamd, spam",
     "mx spamd[9]: spamd: result: Y 15 - BAYES_99,X scantime=1.0,size=9,user=ann,uid=1,"
     "required_score=5.0,rhost=::1,raddr=::1,rport=1,mid=<m@x>,autolearn=no",
     VERDICTS_MESSAGE, VERDICTS_SPAM, "", "m@x", "", "", 0},
    {"spamd, ham", "mx spamd[9]: spamd: result: . -1 - X scantime=1.0,mid=<m@x>,autolearn=ham",
     VERDICTS_MESSAGE, VERDICTS_HAM, "", "m@x", "", "", 0},
    {"spamd, no Message-ID", "mx spamd[9]: spamd: result: . -1 - X scantime=1.0,mid=(unknown)",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"spamd, the line before", "mx spamd[9]: spamd: identified spam (15.0/5.0) for ann:1 in 1.2 s",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    // Postfix
    {"a Message-ID", "mx postfix/cleanup[9]: 4F2A1: message-id=<m@x>", VERDICTS_NAMED,
     VERDICTS_UNDECIDED, "4F2A1", "m@x", "", "", 0},
    {"header_checks",
     "mx postfix/cleanup[9]: 4F2A1: reject: header Subject: x" REJECT_TAIL ": 5.7.1 no",
     VERDICTS_ID, VERDICTS_SPAM, "4F2A1", "", "", "ann@a.example", 0},
    {"body_checks that discard", "mx postfix/cleanup[9]: 4F2A1: discard: body x" REJECT_TAIL ": no",
     VERDICTS_ID, VERDICTS_SPAM, "4F2A1", "", "", "ann@a.example", 0},
    {"a Subject that names a client and a sender",
     "mx postfix/cleanup[9]: 4F2A1: reject: header Subject: from b[198.51.100.1]; "
     "from=<eve@b.example> "
     "to=<x@y>" REJECT_TAIL ": 5.7.1 no",
     VERDICTS_ID, VERDICTS_SPAM, "4F2A1", "", "", "ann@a.example", 0},
    {"a milter",
     "mx postfix/cleanup[9]: 4F2A1: milter-reject: END-OF-MESSAGE from mx.a.example[192.0.2.1]: "
     "5.7.1 Spam; from=<ann@a.example> to=<b@c.example> proto=ESMTP helo=<h>",
     VERDICTS_ID, VERDICTS_SPAM, "4F2A1", "", "", "ann@a.example", 0},
    {"a milter, for now",
     "mx postfix/cleanup[9]: 4F2A1: milter-reject: END-OF-MESSAGE from mx.a.example[192.0.2.1]: "
     "4.7.1 Try again later; from=<ann@a.example> to=<b@c.example> proto=ESMTP helo=<h>",
     VERDICTS_ID, VERDICTS_UNDECIDED, "4F2A1", "", "", "ann@a.example", 0},
    {"a milter at RCPT is asked before there is content",
     "mx postfix/smtpd[9]: NOQUEUE: milter-reject: RCPT from mx.a.example[192.0.2.1]: 550 5.7.1 x; "
     "from=<ann@a.example> to=<b@c.example>",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"a filter in front of the queue",
     "mx postfix/smtpd[9]: NOQUEUE: proxy-reject: END-OF-MESSAGE from mx.a.example[192.0.2.1]: 554 "
     "5.7.0 Reject, id=7-01; from=<ann@a.example> to=<b@c.example> proto=ESMTP helo=<h>",
     VERDICTS_WHOLE, VERDICTS_SPAM, "", "", "192.0.2.1", "ann@a.example", 0},
    {"a filter in front of the queue, for now",
     "mx postfix/smtpd[9]: NOQUEUE: proxy-reject: END-OF-MESSAGE from mx.a.example[192.0.2.1]: 451 "
     "4.3.0 Error; from=<ann@a.example> to=<b@c.example> proto=ESMTP helo=<h>",
     VERDICTS_WHOLE, VERDICTS_UNDECIDED, "", "", "192.0.2.1", "ann@a.example", 0},
    {"a policy service, which may be this one",
     "mx postfix/smtpd[9]: NOQUEUE: reject: RCPT from mx.a.example[192.0.2.1]: 550 5.7.1 x; "
     "from=<ann@a.example> to=<b@c.example> proto=ESMTP helo=<h>",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"the same at the end of the message",
     "mx postfix/smtpd[9]: 4F2A1: reject: END-OF-MESSAGE from mx.a.example[192.0.2.1]: 550 5.7.1 "
     "<END-OF-MESSAGE>: End-of-data rejected; from=<ann@a.example> to=<b@c.example>",
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"header_checks that only warn",
     "mx postfix/cleanup[9]: 4F2A1: warning: header Subject: x" REJECT_TAIL ": hm", VERDICTS_OTHER,
     VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"header_checks that hold", "mx postfix/cleanup[9]: 4F2A1: hold: header Subject: x" REJECT_TAIL,
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"a message that is too large", "mx postfix/cleanup[9]: 4F2A1: reject: size limit" REJECT_TAIL,
     VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"another program of the same words",
     "mx postfix/local[9]: 4F2A1: reject: header x" REJECT_TAIL, VERDICTS_OTHER, VERDICTS_UNDECIDED,
     NULL, NULL, NULL, NULL, 0},
    {"cleanup without an id", "mx postfix/cleanup[9]: reject: header x" REJECT_TAIL, VERDICTS_OTHER,
     VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"a host alone", "mx", VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
    {"nothing", "", VERDICTS_OTHER, VERDICTS_UNDECIDED, NULL, NULL, NULL, NULL, 0},
};

static void check_line(void **state)
{
    const struct line_row *row = *state;
    char *text = strdup(row->line);
    struct verdicts_line got;

    verdicts_read(text, &got);
    assert_int_equal(got.kind, row->kind);
    if (row->kind != VERDICTS_OTHER) {
        assert_int_equal(got.class, row->class);
        assert_string_equal(got.id, row->id);
        assert_string_equal(got.message_id, row->message_id);
        assert_string_equal(got.client, row->client);
        assert_string_equal(got.sender, row->sender);
        assert_int_equal(got.is_own, (row->flags & OWN) != 0);
        assert_int_equal(got.is_returned, (row->flags & RETURNED) != 0);
        assert_int_equal(got.spf_passed, (row->flags & PASSED) != 0);
        assert_int_equal(got.spf_failed, (row->flags & FAILED) != 0);
    }
    free(text);
}

// ---- messages that several lines speak of

static char heard[4096];

static void hear(void *arg, const struct queue_mail *mail)
{
    struct text_buf *out = arg;

    if (mail->class != 0)
        text_buf_add(out, "%s %s %s %d %llu\n", mail->id, mail->client != NULL ? mail->client : "-",
                     mail->sender != NULL ? mail->sender : "-", mail->class,
                     (unsigned long long)mail->judged_ms);
}

static struct queue *open_queue(struct text_buf *out)
{
    text_buf_init(out, heard, sizeof(heard));
    return queue_new(hear, out);
}

static void came(struct queue *queue, const char *id, const char *client, const char *name)
{
    char text[64];
    const struct queue_mail from = {.client = text, .is_returned = maillog_is_here(client)};

    (void)snprintf(text, sizeof(text), "%s", client);
    queue_client(queue, id, &from);
    if (name != NULL)
        queue_named(queue, id, name);
}

static void a_verdict_finds_its_message_by_name(void **state)
{
    struct text_buf out;
    struct queue *queue = open_queue(&out);

    (void)state;
    assert_false(queue_judged_by_name(queue, "m@x", 1, 5)); // nobody's
    came(queue, "AAAAA", "192.0.2.1", "m@x");
    came(queue, "BBBBB", "192.0.2.2", "n@x");
    queue_sender(queue, "AAAAA", "ann@a.example");
    assert_true(queue_judged_by_name(queue, "m@x", 2, 7));
    assert_true(queue_judged_by_name(queue, "m@x", 1, 8)); // the first word counts
    assert_false(queue_judged_by_name(queue, "M@x", 2, 7));
    queue_removed(queue, "BBBBB"); // nobody said anything of it
    queue_removed(queue, "AAAAA");
    assert_string_equal(heard, "AAAAA 192.0.2.1 ann@a.example 2 7\n");
    assert_false(queue_judged_by_name(queue, "m@x", 2, 7)); // it is gone
    queue_free(&queue);
    assert_string_equal(heard, "AAAAA 192.0.2.1 ann@a.example 2 7\n");
}

static void what_a_filter_gives_back_is_not_meant(void **state)
{
    struct text_buf out;
    struct queue *queue = open_queue(&out);

    (void)state;
    came(queue, "AAAAA", "192.0.2.1", "m@x");
    came(queue, "BBBBB", "127.0.0.1", "m@x");
    assert_true(queue_judged_by_name(queue, "m@x", 1, 7));
    queue_free(&queue);
    assert_string_equal(heard, "AAAAA 192.0.2.1 - 1 7\n");
}

// Who knows another's Message-ID may send it himself.
static void one_name_of_two_clients_is_nobodys(void **state)
{
    struct text_buf out;
    struct queue *queue = open_queue(&out);

    (void)state;
    came(queue, "AAAAA", "192.0.2.1", "m@x");
    came(queue, "BBBBB", "192.0.2.1", "m@x");
    assert_true(queue_judged_by_name(queue, "m@x", 1, 7)); // the last of one client's
    came(queue, "CCCCC", "198.51.100.1", "m@x");
    assert_false(queue_judged_by_name(queue, "m@x", 2, 8));
    queue_removed(queue, "CCCCC");
    assert_true(queue_judged_by_name(queue, "m@x", 2, 9));
    queue_free(&queue);
    assert_string_equal(heard, "BBBBB 192.0.2.1 - 1 7\n");
}

static void a_verdict_may_come_before_all_else(void **state)
{
    struct text_buf out;
    struct queue *queue = open_queue(&out);

    (void)state;
    queue_judged(queue, "AAAAA", 2, 7); // the log begins here: whose it is is not known
    queue_named(queue, "AAAAA", "m@x");
    queue_named(queue, "AAAAA", "other@x");
    assert_false(queue_judged_by_name(queue, "m@x", 2, 8));
    queue_free(&queue);
    assert_string_equal(heard, "AAAAA - - 2 7\n");
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, LINES, check_line);
    TABLE_TEST(&table, a_verdict_finds_its_message_by_name);
    TABLE_TEST(&table, what_a_filter_gives_back_is_not_meant);
    TABLE_TEST(&table, one_name_of_two_clients_is_nobodys);
    TABLE_TEST(&table, a_verdict_may_come_before_all_else);
    return table_run(&table, "import_verdicts");
}
