// postgrey_entry.h: what postgrey keeps of a triplet and of a client. Pure; source:
// postgrey 1.37, smtpd_access_policy.
//
//     postgrey.db          192.0.2.0/ann@sender.example/bob@corp.example    first,last
//                          192.0.2.7/32/ann@...                             ... with --lookup-by-host
//                          da39a3ee5e6b4b0d3255bfef95601890afd80709         ... with --privacy: SHA-1
//     postgrey_clients.db  192.0.2.7                                        count,last
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { POSTGREY_TEXT_MAX = 1200, POSTGREY_CLIENT_MAX = 64 };

struct postgrey_entry {
    char client[POSTGREY_CLIENT_MAX]; // address; network where its host bits are all zero
    char text[POSTGREY_TEXT_MAX];
    const char *sender, *recipient; // in text
    uint64_t first_s, last_s;
};

enum postgrey_kind { POSTGREY_ENTRY, POSTGREY_HASHED, POSTGREY_UNREADABLE };

// postgrey_read: a record of postgrey.db; bytes of any kind.
struct postgrey_bytes {
    const char *at;
    size_t len;
};
enum postgrey_kind postgrey_read(struct postgrey_bytes key, struct postgrey_bytes value,
                                 struct postgrey_entry *out);

// postgrey_read_client: a record of postgrey_clients.db: client, first_s (the count of passes) and
// last_s are filled.
enum postgrey_kind postgrey_read_client(struct postgrey_bytes key, struct postgrey_bytes value,
                                        struct postgrey_entry *out);
