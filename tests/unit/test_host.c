// test_host.c: names of clients: real ones of big senders, of hosting companies and of access lines.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/host.h"

// want: the identity; "" = none, because the name looks dynamic or is no name. The public suffix list grows: companies add domains whose
// customers are strangers to each other, so rows of such companies (clouds, hosts) are kept to what stays as it is.
static const struct {
    const char *name, *ip, *want;
} rows[] = {
    // big senders: the pool is one
    {"mail-lf1-f41.google.com", "209.85.167.41", "google.com"},
    {"mail-ej1-f50.google.com", "209.85.218.50", "google.com"},
    {"mail-am6eur05on2070.outbound.protection.outlook.com", "40.107.22.70", "outlook.com"},
    {"mail-dm6nam11on2062.outbound.protection.outlook.com", "40.107.223.62", "outlook.com"},
    {"a8-31.smtp-out.amazonses.com", "54.240.8.31", "amazonses.com"},
    {"b224-14.smtp-out.eu-central-1.amazonses.com", "69.169.224.14", "amazonses.com"},
    {"sonic308-2.consmr.mail.ir2.yahoo.com", "77.238.178.130", "yahoo.com"},
    {"mout.gmx.net", "212.227.17.20", "gmx.net"},
    {"mout-xforward.kundenserver.de", "82.165.159.7", "kundenserver.de"},
    {"mout.web.de", "212.227.15.3", "web.de"},
    {"out5-smtp.messagingengine.com", "66.111.4.29", "messagingengine.com"},
    {"mail-40133.protonmail.ch", "185.70.40.133", "protonmail.ch"},
    {"o1.ptr9980.sendgrid.net", "167.89.17.173", "sendgrid.net"},
    {"mail132-5.atl131.mandrillapp.com", "198.2.132.5", "mandrillapp.com"},
    {"mail250.suw51.mcdlv.net", "198.2.180.250", "mcdlv.net"},
    {"m204-22.eu.mailgun.net", "141.193.32.22", "mailgun.net"},
    {"mta-70-39-48.sparkpostmail.com", "156.70.39.48", "sparkpostmail.com"}, // three of its octets
    {"3.mo2.mail-out.ovh.net", "46.105.58.226", "ovh.net"},
    {"smtp1-g21.free.fr", "212.27.42.1", "free.fr"},
    {"smtp-02.mail.qiye.163.com", "115.236.118.61", "163.com"},
    {"fallback13.mail.ru", "94.100.179.30", "mail.ru"},
    {"forward501a.mail.yandex.net", "178.154.239.81", "yandex.net"},
    {"spring-chicken-ab.twitter.com", "199.16.156.171", "twitter.com"},
    // pools that number their machines by the address: the word `mail` says what they are
    {"69-171-232-143.mail-mail.facebook.com", "69.171.232.143", "facebook.com"},
    {"out203-205-221-173.mail.qq.com", "203.205.221.173", "qq.com"},
    {"outbound-192-0-2-7.example.net", "192.0.2.7", "example.net"},
    {"smtp-192-0-2-7.example.net", "192.0.2.7", "example.net"},
    {"mta-c0000207.example.net", "192.0.2.7", "example.net"},
    {"mail-192-0-2-7.dyn.example.net", "192.0.2.7", ""}, // a line, whatever its customer sends
    {"webmail-192-0-2-7.example.net", "192.0.2.7", ""},
    {"email-192-0-2-7.example.net", "192.0.2.7", ""},
    {"mail-oi1-x22d.google.com", "2607:f8b0:4864:20::22d", "google.com"},
    {"mail-sn1nam02on0613.outbound.protection.outlook.com", "2a01:111:f400:fe44::613",
     "outlook.com"},
    {"mail-eopbgr00089.outbound.protection.outlook.com", "40.107.0.89", "outlook.com"},
    {"mail-westus2azon11012345.outbound.protection.outlook.com", "52.101.1.5", "outlook.com"},
    {"blu004-omc4s32.hotmail.com", "65.55.111.171", "hotmail.com"},
    {"a4-10.smtp-out.eu-west-1.amazonses.com", "54.240.4.10", "amazonses.com"},
    {"smtp-out-127-105.amazon.com", "176.32.127.105", "amazon.com"},
    {"smtpbgau1.qq.com", "54.206.16.166", "qq.com"},
    {"f497.i.mail.ru", "217.69.138.160", "mail.ru"},
    {"forward14h.cmail.yandex.net", "87.250.230.156", "yandex.net"},
    {"forward14h.cmail.yandex.net", "2a02:6b8:0:f35::9f", "yandex.net"},
    {"out30-132.freemail.mail.aliyun.com", "115.124.30.132", "aliyun.com"},
    {"o1.sg.crunchbase.com", "167.89.93.77", "crunchbase.com"},
    {"xtrwkhkq.outbound-mail.sendgrid.net", "167.89.100.150", "sendgrid.net"},
    {"o16789118x21.outbound-mail.sendgrid.net", "167.89.118.21", "sendgrid.net"},
    {"github-smtp2-ext8.iad.github.net", "192.30.252.199", "github.net"},
    {"o11.sgmail.github.com", "167.89.101.202", "github.com"},
    {"spruce-goose-av.x.com", "199.59.150.91", "x.com"},
    {"st43p00im-zteg10062001.me.com", "17.58.63.166", "me.com"},
    {"smtp-bc0a.mail.infomaniak.ch", "45.157.188.10", "infomaniak.ch"},
    {"mout-u-204.mailbox.org", "80.241.56.204", "mailbox.org"},
    {"mailout03.t-online.de", "194.25.134.81", "t-online.de"},
    {"mo4-p00-ob.smtp.rzone.de", "81.169.146.162", "rzone.de"},
    {"p3plsmtpa07-05.prod.phx3.secureserver.net", "173.201.192.234", "secureserver.net"},
    {"omr-m02e.mx.aol.com", "64.12.143.76", "aol.com"},
    {"mx0a-001b2d01.pphosted.com", "148.163.156.1", "pphosted.com"},
    {"eu-smtp-delivery-151.mimecast.com", "185.58.86.151", "mimecast.com"},
    // hosting companies: the machine has the customer's name, or the provider's
    {"static.88-198-50-60.clients.your-server.de", "88.198.50.60", ""},
    {"static.60.50.198.88.clients.your-server.de", "88.198.50.60", ""},
    {"vps-1a2b3c4d.vps.ovh.net", "51.77.12.34", ""},
    {"ns3012345.ip-51-77-12.eu", "51.77.12.34", "ip-51-77-12.eu"}, // a /24's own domain
    {"34.12.77.51.bc.googleusercontent.com", "51.77.12.34", ""},
    {"ec2-51-77-12-34.compute-1.amazonaws.com", "51.77.12.34", ""},
    {"vm1.westeurope.cloudapp.example.net", "51.77.12.34", ""},
    {"ip-51-77-12-34.ip.secureserver.net", "51.77.12.34", ""},
    {"h1234567.hoster.example", "51.77.12.34", "hoster.example"}, // nothing says that it is let
    {"ip-51-77-12-34.eu", "51.77.12.34", "ip-51-77-12-34.eu"}, // its registrable domain is its own
    {"ec2-54-240-8-31.eu-west-1.compute.amazonaws.com", "54.240.8.31",
     "ec2-54-240-8-31.eu-west-1.compute.amazonaws.com"}, // a public suffix above it: its own,
    {"mx1.corp.co.uk", "192.0.2.1", "corp.co.uk"},
    {"MX1.Corp.Co.UK.", "192.0.2.1", "corp.co.uk"},
    // access lines
    {"p5b0e1a2c.dip0.t-ipconnect.de", "91.14.26.44", ""},
    {"dslb-088-064-001-002.088.064.pools.vodafone-ip.de", "88.64.1.2", ""},
    {"cpe-24-58-1-2.twcny.res.rr.com", "24.58.1.2", ""},
    {"c-73-1-2-3.hsd1.fl.comcast.net", "73.1.2.3", ""},
    {"pool-96-1-2-3.washdc.fios.verizon.net", "96.1.2.3", ""},
    {"host86-1-2-3.range86-1.btcentralplus.com", "86.1.2.3", ""},
    {"3.2.1.86.rev.vodafone.pt", "86.1.2.3", ""},
    {"abo-3-2-1-86.example.net", "86.1.2.3", ""},
    {"lfbn-lyo-1-123-3.w86-1.abo.wanadoo.fr", "86.1.2.3", ""}, // three of its octets: the word
    {"ip5f5ac123.dynamic.kabel-deutschland.de", "95.90.193.35", ""},
    {"bzq-34-52.fixed.bezeqint.net", "62.219.34.52", ""},
    {"cr2006816739.cable.net.co", "200.68.167.39", ""},
    {"cr3916768200.cable.net.co", "200.68.167.39", ""},
    {"86.1.2.3.dynamic.barak-online.net", "86.1.2.3", ""},
    {"dyn7.example.net", "192.0.2.7", ""},
    {"c0000207.example.net", "192.0.2.7", ""},
    {"0xc0000207.example.net", "192.0.2.7", ""},
    {"c0-00-02-07.example.net", "192.0.2.7", ""},
    {"192000002007.example.net", "192.0.2.7", ""},
    {"007002000192.example.net", "192.0.2.7", ""},
    // nearly, but not
    {"mx-192-0-2.example.net", "192.0.2.7", "example.net"},
    {"c2006816738.example.net", "200.68.167.39", "example.net"},
    {"c20068167390.example.net", "200.68.167.39", "example.net"},
    {"c200681673.example.net", "200.68.167.39", "example.net"},
    {"mx-192-0-2-8.example.net", "192.0.2.7", "example.net"},
    {"mx-7-7-7-7.example.net", "192.0.2.7", "example.net"}, // one octet counts once
    {"liverpool.example.net", "192.0.2.7", "example.net"},
    {"customs.example.net", "192.0.2.7", "example.net"},
    {"adsl.example.net", "2001:db8::7", ""},
    {"mx-192-0-2-7.example.net", "2001:db8::7", "example.net"}, // no IPv4 address: no octets
    {"mx.dsl.net", "192.0.2.7", "dsl.net"},                     // the word is the domain's own
    // no names
    {"", "192.0.2.7", ""},
    {"localhost", "192.0.2.7", ""},
    {"com", "192.0.2.7", ""},
    {"co.uk", "192.0.2.7", ""},
    {"a..example.net", "192.0.2.7", ""},
    {"[192.0.2.7]", "192.0.2.7", ""},
    {"a b.example.net", "192.0.2.7", ""},
    {"mx.\xEF\xBF\xBD.example.net", "192.0.2.7", ""},
};

static void names_tell_who_runs_a_client(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ip ip = {0};
        char got[MAIL_DOMAIN_MAX + 1] = "";

        assert_true(ip_parse(rows[i].ip, &ip));
        bool has = host_identity(rows[i].name, &ip, got);

        if (has != (rows[i].want[0] != '\0') || (has && strcmp(got, rows[i].want) != 0)) {
            print_error("%s (%s): wanted '%s', came '%s'\n", rows[i].name, rows[i].ip, rows[i].want,
                        has ? got : "");
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static const struct aligned_row {
    const char *a, *b;
    bool aligned;
} aligned_rows[] = {
    {"sender.example", "sender.example", true},
    {"bounce.sender.example", "sender.example", true},
    {"a.sender.example", "b.c.sender.example", true},
    {"sender.example", "other.example", false},
    {"xsender.example", "sender.example", false},
    {"mail.corp.co.uk", "corp.co.uk", true},
    {"corp-one.co.uk", "corp-two.co.uk", false},
    // nobody owns these
    {"co.uk", "co.uk", false},
    {"com", "com", false},
    {"localhost", "localhost", false},
    {"a.github.io", "b.github.io", false}, // each a customer's
    {"github.io", "github.io", false},
    {"", "", false},
    {"sender.example", "", false},
    {"[192.0.2.7]", "[192.0.2.7]", false},
};

static void one_owner_is_one_registrable_domain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(aligned_rows) / sizeof(aligned_rows[0]); i++) {
        const struct aligned_row *row = &aligned_rows[i];

        print_message("'%s' and '%s'\n", row->a, row->b);
        assert_int_equal(host_aligned(row->a, row->b), row->aligned);
        assert_int_equal(host_aligned(row->b, row->a), row->aligned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_tell_who_runs_a_client),
                                       cmocka_unit_test(one_owner_is_one_registrable_domain)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
