// report.c: what the caller can see of the nodes.
#include "client/lib/client.h"

static void fill_seen(struct node *node)
{
    node->seen.endpoint = node->link.endpoint.text;
    node->seen.node = node->name;
    node->seen.state = node_state(node);
    node->seen.connects = node->link.connects;
}

const struct reeve_node *reeve_node_at(struct reeve *reeve, size_t index)
{
    if (index >= reeve->lookups.count)
        return NULL;
    fill_seen(reeve->lookups.node[index]);
    return &reeve->lookups.node[index]->seen;
}

const struct reeve_counters *reeve_counters(const struct reeve *reeve)
{
    return &reeve->counters;
}

void client_tell(struct reeve *reeve)
{
    for (size_t i = 0; i < reeve->lookups.count; i++) {
        struct node *node = reeve->lookups.node[i];

        if (node_state(node) == node->told)
            continue;
        fill_seen(node);
        node->told = node->seen.state;
        if (reeve->node_changed != NULL)
            reeve->node_changed(reeve->node_arg, &node->seen);
    }
}
