// places.h: where addresses are, in a scenario: their country and their AS.
#pragma once

#include "node/verbs/server.h"

struct world;

// places_on_country, places_on_asn: as in server_out; arg is the struct node.
const char *places_on_country(void *arg, const struct ip *ip, char out[SERVER_COUNTRY_MAX]);
uint32_t places_on_asn(void *arg, const struct ip *ip);

// places_set: from now on all nodes know so of a network; "" and 0 = they know of none. False if there are too many.
bool places_set(struct world *world, const struct ip_net *net, const char *country, uint32_t asn);
