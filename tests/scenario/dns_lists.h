// dns_lists.h: the DNS lists of a scenario. What they have is in the script; what a node makes of it is node/dnslist as it is, which
// asks this in the place of a name server.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/dnslist/dnslist.h"

struct node;
struct world;

enum { DNS_NAMES_MAX = 128, DNS_HELD_MAX = 64, DNS_TEXT_MAX = 256, DNS_CODES_MAX = 4 };

struct dns_lists {
    struct dns_listed { // a name that a list has
        char name[DNS_TEXT_MAX];
        uint32_t code[DNS_CODES_MAX];
        size_t code_count; // 0 = it has it no more
    } listed[DNS_NAMES_MAX];
    size_t count;
    struct dns_mute { // a list that does not answer
        char zone[DNS_TEXT_MAX];
        bool fails; // it answers with an error
    } mute[DNS_NAMES_MAX];
    size_t mute_count;
    struct dns_held { // a question that waits for such a list
        struct dns *dns;
        char name[DNS_TEXT_MAX];
        void (*done)(void *arg, const struct dns_reply *reply);
        void *arg;
    } held[DNS_HELD_MAX];
    size_t held_count;
    uint64_t asked;    // questions
    uint64_t expected; // of them, at the last `expect lists`
};

// dns_lists_open, dns_lists_close: a node's desk.
struct dnslist *dns_lists_open(struct node *node);
void dns_lists_close(struct dnslist **desk);
// dns_lists_on_ask: as server_out.lists; arg is the struct node. Where a list that it names is silent, nobody waits.
void dns_lists_on_ask(void *arg, const struct dnslist_question *question, struct dnslist_done done);

// dns_lists_say: from now on the list has that address or domain, with these codes parted by commas; "-" = it has not. False: they are no
// codes, or there is no room.
bool dns_lists_say(struct world *world, const char *zone, const char *name, const char *codes);
// dns_lists_mute: from now on it is silent, fails, or answers again: then also what was asked meanwhile. False: no such word.
bool dns_lists_mute(struct world *world, const char *zone, const char *how);
