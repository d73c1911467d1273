// version.c: one number for what a set says: the sum of the hashes of all its statements (canonical.h), so that their
// order cannot matter. What changes no decision and no answer (order, comments, files, defaults that are written out) is
// no statement. Nodes of two releases agree on the number only while they state alike, so a new field or setting is
// stated only where it is not the default.
#include <string.h>

#include "node/core/policy_hash.h"
#include "node/policy/build.h"
#include "node/policy/canonical.h"

static bool add(const struct canonical *said, void *arg)
{
    struct canonical_hash hash;
    uint64_t *sum = arg;

    canonical_hash_of(said, &hash);
    sum[0] += policy_hash_mix(hash.key[0] + policy_hash_mix(hash.value[0]));
    sum[1] += policy_hash_mix(hash.key[1] + policy_hash_mix(hash.value[1]));
    return true;
}

uint64_t version_of(const struct policy *policy)
{
    uint64_t sum[2] = {0, 0};
    uint64_t number;

    canonical_each(policy, CANONICAL_ANY_ORDER, add, sum);
    number = policy_hash_mix(sum[0] ^ policy_hash_mix(sum[1]));
    number &= (1ULL << 53) - 1; // exact also where it becomes a double: metrics, JSON
    return number != 0 ? number : 1;
}
