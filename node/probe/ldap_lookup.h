// ldap_lookup.h: asks directory servers (LDAP) whether they have a recipient, as settings.ldap and the recipient's domain
// say: with the filter of its address, below the base of its domain.
//
// Promises: those of ldap_pool.h. A recipient does not exist if a server has searched and found nothing, and for no other
// reason: a base that is not there, no right to search, a referral, a limit are no answers. An attribute that names
// another mailbox makes the address an alias of that.
#pragma once

#include "node/probe/ldap_pool.h"
#include "node/probe/probe.h"

struct ldap_lookup;

// ldap_lookup_new: counters: where ldap_connects, ldap_connect_errors and crowded are counted; outlive it.
struct ldap_lookup *ldap_lookup_new(const struct ldap_pool_config *config,
                                    struct probe_counters *counters);
// ldap_lookup_free: nobody is told. May take two seconds (ldap_pool_free). NULL-safe, NULLs.
void ldap_lookup_free(struct ldap_lookup **lookup);

// ldap_lookup_ask: done is called exactly once, possibly before this returns, within question->settings' ldap.whole_ms and
// one step: EXISTS, NOBODY or REFUSED. question->within_ms is not looked at.
void ldap_lookup_ask(struct ldap_lookup *lookup, const struct probe_question *question,
                     struct probe_done done);
