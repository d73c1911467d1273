// connect.c: see connect.h.
#include "client/load/connect.h"

#include <zmq.h>

#include "client/lib/endpoint.h"
#include "proto/base/clock.h"

enum { CONNECT_MS = 2000, LOOK_MS = 10 };

// await_node: until a node has shaken hands. False: none did in CONNECT_MS.
static bool await_node(struct link *link)
{
    uint64_t until_ms = clock_mono_ms() + CONNECT_MS;

    while (!link->is_up && clock_mono_ms() < until_ms) {
        zmq_pollitem_t news = {.socket = link->monitor, .events = ZMQ_POLLIN};

        (void)zmq_poll(&news, 1, LOOK_MS);
        link_look(link, clock_mono_ms());
    }
    return link->is_up;
}

enum err connect_node(struct link *link, const struct connect_plan *plan, struct err_detail *detail)
{
    struct link_plan opening = {
        .context = plan->context,
        .queue_max = plan->queue_max,
        .message_max = plan->message_max,
        .serial = plan->serial,
    };
    enum err err = endpoint_resolve(plan->node, &opening.endpoint, detail);

    if (err == ERR_NONE)
        err = link_open(link, &opening, clock_mono_ms(), detail);
    if (err == ERR_NONE && !await_node(link))
        err = err_say(detail, ERR_UNAVAILABLE,
                      "no node answers at '%s'; is reeved running, and is this its `lookups` "
                      "address?",
                      plan->node);
    return err;
}
