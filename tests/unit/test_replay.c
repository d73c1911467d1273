// reeve-load replay: files of messages that are read or said to be wrong, and figures of scores against what one counts by hand.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/load/diagram.h"
#include "client/load/replay_report.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

// ---- files

static enum err read_text(const char *text, bool skip_bad, struct messages *out,
                          struct err_detail *detail)
{
    char path[] = "/tmp/reeve-replay-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    enum err err = messages_read(out, path, skip_bad, detail);

    assert_int_equal(unlink(path), 0);
    return err;
}

struct wrong_row {
    const char *name;
    const char *text;
    const char *says; // is part of the message
};

#define HEAD "ts,ip,label,asn,cc,dom,spf\n"

static const struct wrong_row wrong_rows[] = {
    {"file: empty", "", "the file is empty"},
    {"file: no messages", HEAD, "no messages"},
    {"file: no column ts", "ip,label\n192.0.2.1,1\n", ":1: there is no column ts"},
    {"file: no column ip", "ts,label\n1,1\n", ":1: there is no column ip"},
    {"file: no column label", "ts,ip\n1,192.0.2.1\n", ":1: there is no column label"},
    {"file: no first line", "1017612000,192.0.2.1,1\n", ":1: there is no column ts"},
    {"file: a column twice", "ts,ip,label,ip\n1,192.0.2.1,1,192.0.2.1\n",
     "columns 2 and 4 (ip) are both ip"},
    {"file: a column twice by another name", "ts,ip,client_ip,label\n1,::1,::1,1\n",
     "columns 2 and 3 (client_ip) are both ip"},
    {"row: too few fields", HEAD "1,192.0.2.1,1\n", ":2: 3 fields, but the first line names 7"},
    {"row: too many fields", HEAD "1,192.0.2.1,1,,,,,\n", ":2: 8 fields"},
    {"row: an open quote", HEAD "1,\"192.0.2.1,1,,,,\n", ":2: a quote"},
    {"row: the line is named", HEAD "1,192.0.2.1,1,,,,\n\n1,192.0.2.1,2,,,,\n", ":4: label"},
    {"ts: none", HEAD ",192.0.2.1,1,,,,\n", "ts: expected Unix seconds"},
    {"ts: a word", HEAD "soon,192.0.2.1,1,,,,\n", "not 'soon'"},
    {"ts: 0", HEAD "0,192.0.2.1,1,,,,\n", "ts: expected"},
    {"ts: negative", HEAD "-1,192.0.2.1,1,,,,\n", "ts: expected"},
    {"ts: far away", HEAD "99999999999999999999,192.0.2.1,1,,,,\n", "ts: expected"},
    {"ts: milliseconds with decimals", HEAD "1017612000123.5,192.0.2.1,1,,,,\n", "ts: expected"},
    {"ts: half a stamp", HEAD "2002-08-22,192.0.2.1,1,,,,\n", "ts: expected"},
    {"ts: a zone", HEAD "2002-08-22T12:36:23+02:00,192.0.2.1,1,,,,\n", "ts: expected"},
    {"ts: decimals without a digit", HEAD "12.,192.0.2.1,1,,,,\n", "ts: expected"},
    {"ip: none", HEAD "1,,1,,,,\n", "ip: expected"},
    {"ip: a network", HEAD "1,192.0.2.0/24,1,,,,\n", "not '192.0.2.0/24'"},
    {"ip: too large", HEAD "1,192.0.2.256,1,,,,\n", "ip: expected"},
    {"ip: control characters are not printed", HEAD "1,\x1b[2J,1,,,,\n", "not '?[2J'"},
    {"label: none", HEAD "1,192.0.2.1,,,,,\n", "label: expected spam or ham"},
    {"label: 2", HEAD "1,192.0.2.1,2,,,,\n", "label: expected"},
    {"label: another word", HEAD "1,192.0.2.1,virus,,,,\n", "not 'virus'"},
    {"label: two words", HEAD "1,192.0.2.1,1 spam,,,,\n", "label: expected"},
    {"asn: a name", HEAD "1,192.0.2.1,1,LEVEL3,,,\n", "asn: expected the number"},
    {"asn: beyond 32 bits", HEAD "1,192.0.2.1,1,4294967296,,,\n", "asn: expected"},
    {"cc: three letters", HEAD "1,192.0.2.1,1,,DEU,,\n", "cc: expected the two letters"},
    {"cc: a digit", HEAD "1,192.0.2.1,1,,D1,,\n", "cc: expected"},
    {"spf: another word", HEAD "1,192.0.2.1,1,,,,good\n", "spf: expected"},
};

static void check_wrong(void **state)
{
    const struct wrong_row *row = *state;
    struct messages messages;
    struct err_detail detail = {""};

    assert_int_equal(read_text(row->text, false, &messages, &detail), ERR_SYNTAX);
    if (strstr(detail.text, row->says) == NULL)
        fail_msg("'%s' does not say '%s'", detail.text, row->says);
    assert_null(messages.item);
}

struct right_row {
    const char *name;
    const char *text;
    struct message first; // of the messages; ip NULL = 192.0.2.1, sender NULL = ""
};

#define SIXTEEN "abcdefghijklmnop"

static const struct right_row right_rows[] = {
    {"row: what is needed",
     "ts,ip,label\n1017612000,192.0.2.1,1\n",
     {.at_ms = 1017612000000, .is_spam = true, .is_ipv4 = true}},
    {"row: ham",
     "ts,ip,label\n1017612000,192.0.2.1,0\n",
     {.at_ms = 1017612000000, .is_ipv4 = true}},
    {"row: words",
     "ts,ip,label\n1017612000,192.0.2.1,spam\n",
     {.at_ms = 1017612000000, .is_spam = true, .is_ipv4 = true}},
    {"row: words of the other class",
     "ts,ip,label\n1017612000,192.0.2.1,Ham\n",
     {.at_ms = 1017612000000, .is_ipv4 = true}},
    {"row: other names, order and separator",
     "Class;Country;Client_IP;Timestamp\nTRUE;de;192.0.2.1;1017612000.5\n",
     {.at_ms = 1017612000500, .is_spam = true, .is_ipv4 = true, .country = "DE"}},
    {"row: milliseconds",
     "ts,ip,label\n1017612000123,192.0.2.1,1\n",
     {.at_ms = 1017612000123, .is_spam = true, .is_ipv4 = true}},
    {"row: a stamp",
     "ts,ip,label\n2002-03-31T22:00:00Z,192.0.2.1,1\n",
     {.at_ms = 1017612000000, .is_spam = true, .is_ipv4 = true}},
    {"row: a stamp with a blank and decimals",
     "ts,ip,label\n2002-03-31 22:00:00.25,192.0.2.1,1\n",
     {.at_ms = 1017612000250, .is_spam = true, .is_ipv4 = true}},
    {"row: IPv6",
     "ts,ip,label\n1,2001:DB8::0:1,1\n",
     {.at_ms = 1000, .is_spam = true, .ip = (char[]){"2001:db8::1"}}},
    {"row: IPv4 in IPv6",
     "ts,ip,label\n1,::ffff:192.0.2.1,1\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
    {"row: AS64500",
     HEAD "1,192.0.2.1,1,AS64500,,,\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .asn = 64500}},
    {"row: a number that a table made",
     HEAD "1,192.0.2.1,1,64500.0,,,\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .asn = 64500}},
    {"row: nobody's",
     HEAD "1,192.0.2.1,1,0,ZZ,,\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
    {"row: not known",
     HEAD "1,192.0.2.1,1,-,-,-,-\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
    {"row: a domain",
     HEAD "1,192.0.2.1,1,,,sender.example,\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .sender = (char[]){"mail@sender.example"}}},
    {"row: a domain and somebody",
     "ts,ip,label,dom,mfrom_h\n1,192.0.2.1,1,sender.example,e536f71662\n",
     {.at_ms = 1000,
      .is_spam = true,
      .is_ipv4 = true,
      .sender = (char[]){"e536f71662@sender.example"}}},
    {"row: somebody of no domain",
     "ts,ip,label,dom,mfrom_h\n1,192.0.2.1,1,,e536f71662\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
    {"row: an address",
     "ts,ip,label,sender,dom\n1,192.0.2.1,1,ann@sender.example,other.example\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .sender = (char[]){"ann@sender.example"}}},
    {"row: a domain that is none",
     HEAD "1,192.0.2.1,1,,,two words,\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
    {"row: control characters in a domain",
     HEAD "1,192.0.2.1,1,,,sen\x01"
          "der.example,\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
    {"row: a domain with umlauts, in capitals, with a dot",
     HEAD "1,192.0.2.1,1,,,M\xC3\x9CNCHEN.Example.,\n",
     {.at_ms = 1000,
      .is_spam = true,
      .is_ipv4 = true,
      .sender = (char[]){"mail@xn--mnchen-3ya.example"}}},
    {"row: somebody who is no local part",
     "ts,ip,label,dom,mfrom_h\n1,192.0.2.1,1,sender.example,a..b\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .sender = (char[]){"mail@sender.example"}}},
    {"row: the last seconds",
     "ts,ip,label\n8796093022.2,192.0.2.1,1\n",
     {.at_ms = 8796093022200, .is_spam = true, .is_ipv4 = true}},
    {"row: the first number that is milliseconds",
     "ts,ip,label\n100000000000,192.0.2.1,1\n",
     {.at_ms = 100000000000, .is_spam = true, .is_ipv4 = true}},
    {"row: the longest local part",
     "ts,ip,label,dom,mfrom_h\n1,192.0.2.1,1,sender.example," SIXTEEN SIXTEEN SIXTEEN SIXTEEN "\n",
     {.at_ms = 1000,
      .is_spam = true,
      .is_ipv4 = true,
      .sender = (char[]){SIXTEEN SIXTEEN SIXTEEN SIXTEEN "@sender.example"}}},
    {"row: too long a local part",
     "ts,ip,label,dom,mfrom_h\n1,192.0.2.1,1,sender.example,a" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .sender = (char[]){"mail@sender.example"}}},
    {"row: an address instead of somebody",
     "ts,ip,label,dom,mfrom_h\n1,192.0.2.1,1,sender.example,ann@other.example\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .sender = (char[]){"ann@sender.example"}}},
    {"row: an address without a domain",
     "ts,ip,label,sender\n1,192.0.2.1,1,ann\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
    {"row: SPF",
     HEAD "1,192.0.2.1,1,,,,SoftFail\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true, .spf = MSG_AUTH_SOFTFAIL}},
    {"row: the end of line of Windows",
     "\xEF\xBB\xBFts,ip,label\r\n1,192.0.2.1,1\r\n",
     {.at_ms = 1000, .is_spam = true, .is_ipv4 = true}},
};

static void check_right(void **state)
{
    const struct right_row *row = *state;
    const struct message *expected = &row->first;
    struct messages messages;
    struct err_detail detail = {""};
    enum err err = read_text(row->text, false, &messages, &detail);

    if (err != ERR_NONE)
        fail_msg("%s", detail.text);
    const struct message *found = &messages.item[0];

    assert_int_equal(messages.count, 1);
    assert_int_equal(found->at_ms, expected->at_ms);
    assert_string_equal(found->ip, expected->ip == NULL ? "192.0.2.1" : expected->ip);
    assert_string_equal(found->sender, expected->sender == NULL ? "" : expected->sender);
    assert_string_equal(found->country, expected->country);
    assert_int_equal(found->asn, expected->asn);
    assert_int_equal(found->spf, expected->spf);
    assert_int_equal(found->is_spam, expected->is_spam);
    assert_int_equal(messages.spam, expected->is_spam);
    assert_int_equal(found->is_ipv4, expected->is_ipv4);
    assert_true(found->is_first);
    messages_clear(&messages);
}

// By time; those of one moment as they stand. The first of an address is the first in time.
static void messages_are_in_the_order_of_time(void **state)
{
    static const uint64_t lines[] = {4, 3, 5, 2};
    static const bool firsts[] = {true, true, false, false};
    struct messages messages;

    (void)state;
    assert_int_equal(read_text("ts,ip,label\n30,192.0.2.1,1\n20,192.0.2.2,1\n10,192.0.2.1,0\n"
                               "20,192.0.2.1,0\n",
                               false, &messages, NULL),
                     ERR_NONE);
    assert_int_equal(messages.count, 4);
    assert_int_equal(messages.spam, 2);
    assert_int_equal(messages.addresses, 2);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(messages.item[i].line, lines[i]);
        assert_int_equal(messages.item[i].is_first, firsts[i]);
    }
    assert_int_equal(messages.item[0].address, messages.item[2].address);
    assert_int_not_equal(messages.item[0].address, messages.item[1].address);
    messages_clear(&messages);
}

static void rows_that_are_none_are_left_out(void **state)
{
    struct messages messages;
    struct err_detail detail = {""};

    (void)state;
    assert_int_equal(read_text("ts,ip,label\n1,192.0.2.1,1\nx,192.0.2.2,1\n2,192.0.2.3,0\n3,,0\n",
                               true, &messages, &detail),
                     ERR_NONE);
    assert_int_equal(messages.count, 2);
    assert_int_equal(messages.left_out, 2);
    assert_int_equal(messages.left_out_line, 3);
    assert_non_null(strstr(messages.left_out_why.text, "ts: expected"));
    messages_clear(&messages);
    assert_int_equal(read_text("ts,ip,label\nx,192.0.2.2,1\n", true, &messages, &detail),
                     ERR_SYNTAX);
    assert_non_null(strstr(detail.text, "no row could be read; the first, line 2: ts"));
}

static void a_file_that_is_not_there(void **state)
{
    struct messages messages;
    struct err_detail detail = {""};

    (void)state;
    assert_int_equal(messages_read(&messages, "/nowhere/mail.csv", false, &detail), ERR_SYSTEM);
    assert_non_null(strstr(detail.text, "/nowhere/mail.csv"));
}

// ---- figures

struct score_row {
    const char *name;
    const char *scores; // "p" and s (spam) or h (ham), each
    double auc, tpr_0, tpr_50,
        brier; // NAN = cannot be told; tpr at no ham at all, and at the half of it
};

static const struct score_row score_rows[] = {
    {"score: parted", ".1h .2h .8s .9s", 1, 1, 1, .025},
    {"score: turned around", ".9h .8h .2s .1s", 0, 0, 0, .725},
    {"score: all the same", ".5h .5h .5s .5s", .5, 0, 0, .25},
    {"score: one ham above", ".1h .8h .7s .9s", .75, .5, 1, .1875},
    {"score: a tie with the last ham", ".1h .8h .8s .9s", .875, .5, 1, .175},
    {"score: a tie with the last ham that may not be above", ".5h .8h .5s .9s", .625, .5, .5,
     .2875},
    {"score: three ham", ".1h .2h .3h .25s .3s", .75, 0, 1, .2385},
    {"score: no spam", ".1h .2h", NAN, NAN, NAN, .025},
    {"score: no ham", ".8s .9s", NAN, NAN, NAN, .025},
};

static size_t parse_scores(const char *text, struct score score[8])
{
    size_t count = 0;

    for (char *end; *text != '\0'; text = *end == '\0' ? end : end + 1) {
        score[count].p = strtod(text, &end);
        score[count++].is_spam = *end++ == 's';
    }
    return count;
}

static void check_number(const char *what, double found, double expected)
{
    if (isnan(expected) ? !isnan(found) : !(fabs(found - expected) < 1e-5))
        fail_msg("%s is %.6f, not %.6f", what, found, expected);
}

static void check_score(void **state)
{
    const struct score_row *row = *state;
    struct score score[8];
    double threshold;
    size_t count = parse_scores(row->scores, score);

    score_sort(score, count);
    check_number("AUC", score_auc(score, count), row->auc);
    check_number("TPR at 0", score_at_rate(score, count, 0, &threshold), row->tpr_0);
    check_number("TPR at .5", score_at_rate(score, count, .5, &threshold), row->tpr_50);
    check_number("Brier", score_brier(score, count), row->brier);
}

static void all_ham_may_be_above(void **state)
{
    struct score score[8];
    size_t count = parse_scores(".1h .2h .05s .9s", score);
    double threshold;

    (void)state;
    score_sort(score, count);
    // Without a ham that is not above there is no threshold: the lowest ham is one.
    check_number("TPR at 1", score_at_rate(score, count, 1, &threshold), .5);
    check_number("threshold", threshold, .1);
}

// 100 hams: 1 % is one of them, .1 % none.
static void rates_are_rounded_down(void **state)
{
    struct score score[102];
    double threshold;

    (void)state;
    for (size_t i = 0; i < 100; i++)
        score[i] = (struct score){(double)i / 200, false};
    score[100] = (struct score){.4925, true}; // above all but one
    score[101] = (struct score){.9, true};
    score_sort(score, 102);
    check_number("TPR at 1 %", score_at_rate(score, 102, .01, &threshold), 1);
    check_number("threshold at 1 %", threshold, .49);
    check_number("TPR at .1 %", score_at_rate(score, 102, .001, &threshold), .5);
    check_number("threshold at .1 %", threshold, .495);
}

static void calibration_has_ten_bins(void **state)
{
    struct score score[8];
    struct score_bin bin[SCORE_BINS];
    size_t count = parse_scores("0h .05s .1s .15h .95s 1s", score);

    (void)state;
    score_calibrate(score, count, bin);
    assert_int_equal(bin[0].count, 2);
    assert_int_equal(bin[0].spam, 1);
    assert_int_equal(bin[1].count, 2);
    assert_int_equal(bin[9].count, 2);
    assert_int_equal(bin[9].spam, 2);
    // |.05 - 1| + |.25 - 1| + |1.95 - 2|, of six
    check_number("ECE", score_ece(bin), (.95 + .75 + .05) / 6);
    score_calibrate(score, 0, bin);
    check_number("ECE of nothing", score_ece(bin), NAN);
}

// Four messages of two addresses: 192.0.2.1 spams three times, the second is flagged.
static const char sample_text[] = "ts,ip,label\n1,192.0.2.1,1\n2,192.0.2.2,0\n3,192.0.2.1,1\n"
                                  "4,2001:db8::1,1\n5,192.0.2.1,1\n6,192.0.2.2,0\n";
static struct prediction sample_prediction[] = {
    {true, {.5, .4, .5}, 0, 0},  {true, {.6, .4, .5}, 0, 1},  {true, {.9, .4, .5}, 1, 0},
    {true, {.55, .4, .5}, 0, 1}, {true, {.95, .4, .5}, 1, 0}, {true, {.1, .4, .5}, 0, 1},
};

static void senders_until_they_are_flagged(void **state)
{
    struct messages messages;
    struct figures figures;

    (void)state;
    assert_int_equal(read_text(sample_text, false, &messages, NULL), ERR_NONE);
    figures_make(&messages, sample_prediction, FIGURES_both, false, &figures);
    assert_int_equal(figures.count, 6);
    assert_int_equal(figures.spam, 4);
    assert_int_equal(figures.spammers, 2);
    assert_int_equal(figures.flagged, 1);
    assert_int_equal(figures.at_once, 0);
    check_number("until", figures.mean_until, 2);
    check_number("AUC", figures.auc, 6.0 / 8);
    check_number("first contacts", figures.auc_first, 0);
    check_number("the others", figures.auc_repeat, 1);
    check_number("TPR at 1 %", figures.tpr_1, .5);
    figures_make(&messages, sample_prediction, FIGURES_both, true, &figures);
    assert_int_equal(figures.count, 5);
    assert_int_equal(figures.spammers, 1);
    check_number("AUC of IPv4", figures.auc, 5.0 / 6);
    figures_make(&messages, sample_prediction, FIGURES_address, false, &figures);
    check_number("AUC of ties", figures.auc, .5);
    check_number("nobody is flagged", figures.mean_until, NAN);
    messages_clear(&messages);
}

// 200 hams, one of which scores more than the spam: that is .5 % of them. One more was not judged.
static void rates_are_told_of_what_was_judged(void **state)
{
    enum { COUNT = 202 };
    struct message item[COUNT] = {{.at_ms = 0}};
    struct prediction prediction[COUNT] = {{false}};
    const struct messages messages = {.item = item, .count = COUNT, .addresses = COUNT};
    struct figures figures;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        item[i] = (struct message){.is_first = true, .address = i, .is_spam = i == 200};
        prediction[i] = (struct prediction){.is_judged = i != 201, .p = {i == 0 ? .9 : .1, .5, .5}};
    }
    prediction[200].p[FIGURES_both] = .8;
    prediction[201].p[FIGURES_both] = 1;
    figures_make(&messages, prediction, FIGURES_both, false, &figures);
    assert_int_equal(figures.count, 201);
    check_number("TPR at .1 %", figures.tpr_01, 0);
    check_number("threshold at .1 %", figures.threshold_01, .9);
    check_number("TPR at 1 %", figures.tpr_1, 1);
    check_number("threshold at 1 %", figures.threshold_1, .1);
    check_number("AUC", figures.auc, 199.0 / 200);
}

// ---- what is told

static struct replay_config sample_config = {
    .talk = {.node_count = 2, .window = 1}, .gateways = 2, .tongue = {REPLAY_TRUE, REPLAY_FLIP}};

static char *print_with(void (*print)(const struct replay_about *, FILE *))
{
    static struct replay_result result = {.prediction = sample_prediction,
                                          .band = {"greylist", "reject"},
                                          .bands = 2,
                                          .trust = {1, .25},
                                          .reports = 6};
    const struct entities entities = {10, 1610};
    struct messages messages;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_int_equal(read_text(sample_text, false, &messages, NULL), ERR_NONE);
    const struct replay_about about = {"mail.csv", &messages, &sample_config, &result, &entities};

    print(&about, out);
    assert_int_equal(fclose(out), 0);
    messages_clear(&messages);
    return text;
}

static void check_holds(const char *text, const char *const *parts)
{
    for (; *parts != NULL; parts++) {
        if (strstr(text, *parts) == NULL)
            fail_msg("there is no '%s' in:\n%s", *parts, text);
    }
}

static void the_table_tells_all(void **state)
{
    static const char *const parts[] = {
        "mail.csv: 6 messages (4 spam, 2 ham) from 3 addresses, 1970-01-01",
        "through 2 nodes, 1 at once; labels by 2 gateways",
        "\nboth            0.7500   0.0000   1.0000   0.5000   0.5000",
        "\naddress         0.5000",
        "\nboth_ipv4       0.8333",
        "\ngreylist                        2   1.0000        2   0.5000\n",
        "\nreject                          0   0.0000        2   0.5000\n",
        "replay-2        0.2500  says the contrary\n",
        "10 entities, 161.0 bytes each (MEMORY USAGE)\n",
        NULL};
    char *text = print_with(replay_print_text);

    (void)state;
    check_holds(text, parts);
    free(text);
}

static void json_tells_the_same(void **state)
{
    static const char *const parts[] = {
        "{\"file\":\"mail.csv\",\"messages\":6,\"spam\":4,",
        "\"both\":{\"messages\":6,\"spam\":4,\"auc\":0.75,",
        "\"both_ipv4\":{\"messages\":5,",
        "\"bands\":{\"greylist\":{\"ham\":2,\"spam\":2},\"reject\":{\"ham\":0,\"spam\":2}}",
        "\"gateways\":[{\"says\":\"true\",\"trust\":1},{\"says\":\"flip\",\"trust\":0.25}]",
        "\"entities\":10,\"bytes_an_entity\":161}\n",
        NULL};
    char *text = print_with(replay_print_json);

    (void)state;
    check_holds(text, parts);
    free(text);
}

static void scores_are_told_message_by_message(void **state)
{
    static const char *const parts[] = {"line,ts,label,gateway,band,both,address,ip\n",
                                        "\n2,1.000,1,1,greylist,0.5,0.40000000000000002,0.5\n",
                                        "\n3,2.000,0,2,greylist,", "\n4,3.000,1,1,reject,", NULL};
    char *text = print_with(replay_print_scores);

    (void)state;
    check_holds(text, parts);
    free(text);
}

static void the_diagram_is_xml_whatever_the_file_is_called(void **state)
{
    static const char *const parts[] = {"<svg ",      "a&#60;b&#38;c&#62;?</text>",
                                        "both: ECE ", "<title>2 messages, 1 spam</title>",
                                        "</svg>\n",   NULL};
    struct figures figures = {.count = 2, .bin = {[3] = {2, 1, .7}}};
    const struct diagram_curve curve = {"both", &figures};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    diagram_print("a<b&c>\x1b", &curve, 1, out);
    assert_int_equal(fclose(out), 0);
    check_holds(text, parts);
    assert_null(strstr(text, "nan"));
    free(text);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, wrong_rows, check_wrong);
    TABLE_ROWS(&table, right_rows, check_right);
    TABLE_TEST(&table, messages_are_in_the_order_of_time);
    TABLE_TEST(&table, rows_that_are_none_are_left_out);
    TABLE_TEST(&table, a_file_that_is_not_there);
    TABLE_ROWS(&table, score_rows, check_score);
    TABLE_TEST(&table, all_ham_may_be_above);
    TABLE_TEST(&table, rates_are_rounded_down);
    TABLE_TEST(&table, calibration_has_ten_bins);
    TABLE_TEST(&table, senders_until_they_are_flagged);
    TABLE_TEST(&table, rates_are_told_of_what_was_judged);
    TABLE_TEST(&table, the_table_tells_all);
    TABLE_TEST(&table, json_tells_the_same);
    TABLE_TEST(&table, scores_are_told_message_by_message);
    TABLE_TEST(&table, the_diagram_is_xml_whatever_the_file_is_called);
    return table_run(&table, "replay");
}
