// ldap_session.h: one connection to one directory server (LDAP version 3, RFC 4511), for one thread at a time, which waits
// in it.
//
// Promises: each step ends within its time, whatever the server sends or does not; only the system's resolver may take
// longer for a host's name. The server is believed for nothing but whether it found an entry, and one value of it;
// referrals are not followed: nobody else is ever asked. No password is sent but to who is asked to bind, and none
// without a name or a name without one (RFC 4513 5.1.2 would make that an anonymous bind that succeeds).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/core/person.h"
#include "proto/err.h"

// How it is reached; borrowed while the session is opened.
struct ldap_access {
    const char *uri; // ldap://host:port, ldaps://..., ldapi://%2fpath
    bool start_tls;
    const char *ca_file;       // whose certificates are trusted, PEM
    const char *bind_dn;       // "" = anonymous
    const char *password_file; // whose first line is the password; read each time
    uint64_t step_ms;          // connecting, TLS, bind: each
};

enum ldap_scope { LDAP_SCOPE_OF_BASE, LDAP_SCOPE_OF_ONE, LDAP_SCOPE_OF_SUB };

struct ldap_search {
    const char *base;
    const char *filter;
    const char *attribute; // whose value is wanted; "" = none
    int scope;             // enum ldap_scope
};

struct ldap_found {
    bool exists;
    char value
        [PERSON_ADDRESS_MAX]; // of the attribute, of the only entry found; "" = none, or it does not fit
};

struct ldap_session;

// ldap_session_prepare: once, before there is a thread that opens one: from then on libldap heeds no ldap.conf, no
// .ldaprc and no environment.
void ldap_session_prepare(void);

// ldap_session_open: ERR_UNAVAILABLE if the server is not there, does not speak or proves to be another; ERR_CONFIG if it
// does not let us in, or the password cannot be read. The detail is clean (text.h).
MUST_USE enum err ldap_session_open(struct ldap_session **out, const struct ldap_access *access,
                                    struct err_detail *why);
// ldap_session_search: ERR_UNAVAILABLE, ERR_TIMEOUT: close it, it is of no use any more. ERR_CONFIG: the server answers,
// but not to this: no such base, no right to it. within_ms > 0.
MUST_USE enum err ldap_session_search(struct ldap_session *session,
                                      const struct ldap_search *search, uint64_t within_ms,
                                      struct ldap_found *out, struct err_detail *why);
void ldap_session_close(struct ldap_session **session); // NULL-safe, NULLs
