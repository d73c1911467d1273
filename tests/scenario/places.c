// places.c: see places.h.
#include "tests/scenario/places.h"

#include <stdio.h>
#include <string.h>

#include "tests/scenario/world.h"

// Of two lines about one network the last.
static const struct world_place *place_of(const struct world *world, const struct ip *ip)
{
    const struct world_place *found = NULL;

    for (size_t i = 0; i < world->place_count; i++) {
        const struct world_place *one = &world->place[i];

        if (ip_net_contains(&one->net, ip) && (found == NULL || one->net.bits >= found->net.bits))
            found = one;
    }
    return found;
}

uint32_t places_on_asn(void *arg, const struct ip *ip)
{
    const struct node *node = arg;
    const struct world_place *found = place_of(node->world, ip);

    return found != NULL ? found->asn : 0;
}

const char *places_on_country(void *arg, const struct ip *ip, char out[SERVER_COUNTRY_MAX])
{
    const struct node *node = arg;
    const struct world_place *found = place_of(node->world, ip);

    (void)snprintf(out, SERVER_COUNTRY_MAX, "%s", found != NULL ? found->country : "");
    return out;
}

bool places_set(struct world *world, const struct ip_net *net, const char *country, uint32_t asn)
{
    struct world_place *one = &world->place[world->place_count];

    if (world->place_count == WORLD_PLACES_MAX || strlen(country) >= SERVER_COUNTRY_MAX)
        return false;
    one->net = *net;
    one->asn = asn;
    (void)snprintf(one->country, sizeof(one->country), "%s", country);
    world->place_count++;
    return true;
}
