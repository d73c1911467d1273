// suspects.c: see suspects.h. Promises: as many entries as the policy set has domains; a random name that cannot be made is not
// asked for.
#include "node/probe/suspects.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "proto/base/mem.h"

struct suspect {
    SLIST_ENTRY(suspect) next;
    uint64_t again_ms; // monotonic: not examined before
    unsigned yes;      // in a row
    char domain[MAIL_DOMAIN_MAX + 1];
};

static struct suspect *find(struct suspects *suspects, const char *domain)
{
    struct suspect *suspect;

    for (suspect = SLIST_FIRST(suspects); suspect != NULL; suspect = SLIST_NEXT(suspect, next))
        if (strcmp(suspect->domain, domain) == 0)
            return suspect;
    suspect = mem_new(sizeof(*suspect));
    (void)snprintf(suspect->domain, sizeof(suspect->domain), "%s", domain);
    SLIST_INSERT_HEAD(suspects, suspect, next);
    return suspect;
}

bool suspects_note(struct suspects *suspects, const char *address, enum facts_probe said,
                   uint64_t now_ms, char made_up[PERSON_ADDRESS_MAX])
{
    const char *at = strrchr(address, '@');
    uint64_t random[2];

    if (at == NULL || said == FACTS_REFUSED)
        return false;
    struct suspect *suspect = find(suspects, at + 1);

    suspect->yes = said == FACTS_EXISTS ? suspect->yes + 1 : 0;
    if (suspect->yes < SUSPECT_AFTER || now_ms < suspect->again_ms ||
        getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        return false;
    suspect->yes = 0;
    suspect->again_ms = now_ms + SUSPECT_AGAIN_MS;
    (void)snprintf(made_up, PERSON_ADDRESS_MAX, "reeve-probe-%016" PRIx64 "%016" PRIx64 "@%s",
                   random[0], random[1], suspect->domain);
    return true;
}

void suspects_free(struct suspects *suspects)
{
    struct suspect *suspect;

    while ((suspect = SLIST_FIRST(suspects)) != NULL) {
        SLIST_REMOVE_HEAD(suspects, next);
        mem_free(suspect);
    }
}
