// dns_lists.c: see dns_lists.h. Every list has 127.0.0.2, or test, as a sound one does.
#include "tests/scenario/dns_lists.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "node/dnslist/question.h"
#include "proto/base/mem.h"
#include "tests/scenario/world.h"

enum { LIFE_S = 300, MESSAGE_MAX = 256 };

struct dns {
    struct node *node;
};

// ---- the name server

static size_t put(unsigned char *to, size_t at, uint32_t number, size_t size)
{
    for (size_t i = size; i-- > 0;)
        to[at++] = (unsigned char)(number >> (8 * i));
    return at;
}

static size_t put_record(unsigned char *to, size_t at, uint32_t type, uint32_t len)
{
    at = put(to, at, 0, 1);
    at = put(to, at, type << 16 | 1, 4);
    at = put(to, at, LIFE_S, 4);
    return put(to, at, len, 2);
}

static bool is_test_name(const char *name)
{
    return strncmp(name, "2.0.0.127.", 10) == 0 || strncmp(name, "test.", 5) == 0;
}

static const struct dns_listed *find(const struct dns_lists *lists, const char *name)
{
    static const struct dns_listed test = {.code = {0x7f000002}, .code_count = 1};
    static const struct dns_listed none = {.code_count = 0};

    for (size_t i = 0; i < lists->count; i++)
        if (strcmp(lists->listed[i].name, name) == 0)
            return &lists->listed[i];
    return is_test_name(name) ? &test : &none;
}

static void answer(const struct dns_lists *lists, const char *name,
                   void (*done)(void *arg, const struct dns_reply *reply), void *arg)
{
    const struct dns_listed *listed = find(lists, name);
    unsigned char bytes[MESSAGE_MAX] = {0, 0, 0x81, 0x80};
    size_t at = 12;

    (void)put(bytes, 6, (uint32_t)listed->code_count, 2);
    (void)put(bytes, 8, listed->code_count > 0 ? 0 : 1, 2);
    for (size_t i = 0; i < listed->code_count; i++) {
        at = put_record(bytes, at, 1, 4);
        at = put(bytes, at, listed->code[i], 4);
    }
    if (listed->code_count == 0) {
        at = put_record(bytes, at, 6, 22);
        at = put(bytes, at, 0, 2);
        for (unsigned i = 0; i < 5; i++)
            at = put(bytes, at, LIFE_S, 4);
    }
    done(arg, &(struct dns_reply){.state = listed->code_count > 0 ? DNS_FOUND : DNS_VOID,
                                  .bytes = bytes,
                                  .len = at});
}

static bool ends_with(const char *name, const char *zone)
{
    const size_t len = strlen(name);
    const size_t zone_len = strlen(zone);

    return len > zone_len && strcmp(name + len - zone_len, zone) == 0 &&
           name[len - zone_len - 1] == '.';
}

static struct dns_mute *mute_of(struct dns_lists *lists, const char *name)
{
    for (size_t i = 0; i < lists->mute_count; i++)
        if (ends_with(name, lists->mute[i].zone))
            return &lists->mute[i];
    return NULL;
}

// ---- in the place of proto/base/dns.c

enum err dns_new(struct dns **out, struct loop *loop, const struct dns_config *config,
                 struct err_detail *detail)
{
    struct dns *dns = mem_new(sizeof(*dns));
    void *node = loop; // dns_lists_open gives it

    (void)config;
    (void)detail;
    dns->node = node;
    *out = dns;
    return ERR_NONE;
}

void dns_ask(struct dns *dns, const char *name, int type,
             void (*done)(void *arg, const struct dns_reply *reply), void *arg)
{
    struct dns_lists *lists = &dns->node->world->dns_lists;
    const struct dns_mute *mute = mute_of(lists, name);

    (void)type;
    lists->asked++;
    if (mute == NULL) {
        answer(lists, name, done, arg);
        return;
    }
    if (mute->fails || lists->held_count == DNS_HELD_MAX) {
        done(arg, &(struct dns_reply){.state = DNS_FAILED, .why = "the script says so"});
        return;
    }
    struct dns_held *held = &lists->held[lists->held_count++];

    *held = (struct dns_held){.dns = dns, .done = done, .arg = arg};
    (void)snprintf(held->name, sizeof(held->name), "%s", name);
}

static struct dns_held take_held(struct dns_lists *lists, size_t at)
{
    const struct dns_held held = lists->held[at];

    memmove(&lists->held[at], &lists->held[at + 1],
            (lists->held_count - at - 1) * sizeof(lists->held[0]));
    lists->held_count--;
    return held;
}

void dns_free(struct dns **dns)
{
    struct dns_lists *lists = &(*dns)->node->world->dns_lists;

    for (size_t i = lists->held_count; i-- > 0;) {
        if (lists->held[i].dns != *dns)
            continue;
        const struct dns_held held = take_held(lists, i);

        held.done(held.arg, &(struct dns_reply){.state = DNS_FAILED, .why = "closing"});
    }
    mem_free(*dns);
    *dns = NULL;
}

// ---- a node's desk

struct dnslist *dns_lists_open(struct node *node)
{
    void *place = node; // there is no loop in a scenario: dns_new takes it for the node
    const struct dnslist_config config = {.loop = place, .cache = 1000};
    struct dnslist *desk = NULL;

    return dnslist_new(&desk, &config, NULL) == ERR_NONE ? desk : NULL;
}

void dns_lists_close(struct dnslist **desk)
{
    dnslist_free(desk);
}

void dns_lists_on_ask(void *arg, const struct dnslist_question *question, struct dnslist_done done)
{
    struct node *node = arg;
    struct dnslist_question asked = *question;

    if (node->world->dns_lists.mute_count > 0) // no timer is ever due
        asked.within_ms = 0;
    dnslist_ask(node->lists, &asked, done);
}

// ---- the script

static bool read_codes(const char *text, struct dns_listed *out)
{
    char copy[DNS_TEXT_MAX];
    char *rest = NULL;

    out->code_count = 0;
    if (strcmp(text, "-") == 0)
        return true;
    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (const char *one = strtok_r(copy, ",", &rest); one != NULL;
         one = strtok_r(NULL, ",", &rest)) {
        struct in_addr address;

        if (out->code_count == DNS_CODES_MAX || inet_pton(AF_INET, one, &address) != 1)
            return false;
        out->code[out->code_count++] = ntohl(address.s_addr);
    }
    return out->code_count > 0;
}

bool dns_lists_say(struct world *world, const char *zone, const char *name, const char *codes)
{
    struct dns_lists *lists = &world->dns_lists;
    struct policy_dns_list list = {.zone = zone};
    struct dns_listed said;
    struct ip client = {0};
    size_t at = 0;

    list.of_sender = !ip_parse(name, &client);
    if (!dnslist_name(&list, &client, name, said.name) || !read_codes(codes, &said))
        return false;
    while (at < lists->count && strcmp(lists->listed[at].name, said.name) != 0)
        at++;
    if (at == DNS_NAMES_MAX)
        return false;
    lists->listed[at] = said;
    lists->count += at == lists->count;
    return true;
}

static void release(struct dns_lists *lists, const char *zone)
{
    for (size_t i = 0; i < lists->held_count;) {
        if (!ends_with(lists->held[i].name, zone)) {
            i++;
            continue;
        }
        const struct dns_held held = take_held(lists, i);

        answer(lists, held.name, held.done, held.arg);
    }
}

bool dns_lists_mute(struct world *world, const char *zone, const char *how)
{
    struct dns_lists *lists = &world->dns_lists;
    size_t at = 0;

    while (at < lists->mute_count && strcmp(lists->mute[at].zone, zone) != 0)
        at++;
    if (strcmp(how, "answers") == 0) {
        if (at < lists->mute_count)
            lists->mute[at] = lists->mute[--lists->mute_count];
        release(lists, zone);
        return true;
    }
    if ((strcmp(how, "silent") != 0 && strcmp(how, "fails") != 0) || at == DNS_NAMES_MAX)
        return false;
    (void)snprintf(lists->mute[at].zone, sizeof(lists->mute[at].zone), "%s", zone);
    lists->mute[at].fails = strcmp(how, "fails") == 0;
    lists->mute_count += at == lists->mute_count;
    return true;
}
