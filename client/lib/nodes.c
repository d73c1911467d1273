// nodes.c: see nodes.h. Promises: no call blocks; a lookup that fails takes no address away; an
// address whose link cannot be opened (no descriptors) is tried again with the next lookup.
#include "client/lib/nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { AGAIN_MOST = 5, DARK_MAX = 8 };

// ---- nodes

static struct node *find_endpoint(const struct nodes *nodes, const char *text)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (strcmp(nodes->node[i]->link.endpoint.text, text) == 0)
            return nodes->node[i];
    }
    return NULL;
}

struct node *nodes_find(const struct nodes *nodes, uint64_t serial)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->node[i]->serial == serial)
            return nodes->node[i];
    }
    return NULL;
}

static enum err watch_link(const struct nodes *nodes, struct link *link, struct err_detail *detail)
{
    struct epoll_event socket = {.events = EPOLLIN, .data = {.ptr = &link->by_socket}};
    struct epoll_event monitor = {.events = EPOLLIN, .data = {.ptr = &link->by_monitor}};

    link->by_socket = (struct link_stir){.link = link};
    link->by_monitor = (struct link_stir){.link = link, .by_monitor = true};
    if (epoll_ctl(nodes->epoll_fd, EPOLL_CTL_ADD, link->fd, &socket) != 0 ||
        epoll_ctl(nodes->epoll_fd, EPOLL_CTL_ADD, link->monitor_fd, &monitor) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot watch a socket: %s", strerror(errno));
    return ERR_NONE;
}

// Trap: libzmq closes descriptors some time after the socket, and until then epoll would still tell
// of a link that is no more.
static void close_link(const struct nodes *nodes, struct link *link)
{
    (void)epoll_ctl(nodes->epoll_fd, EPOLL_CTL_DEL, link->fd, NULL);
    (void)epoll_ctl(nodes->epoll_fd, EPOLL_CTL_DEL, link->monitor_fd, NULL);
    link_close(link);
}

static enum err add_node(struct nodes *nodes, const struct endpoint *endpoint, uint64_t now_ms,
                         struct err_detail *detail)
{
    struct node *node = calloc(1, sizeof(*node));
    enum err err = ERR_NONE;

    if (node == NULL)
        return err_say(detail, ERR_SYSTEM, "out of memory");
    nodes->plan.endpoint = *endpoint;
    nodes->plan.serial++;
    node->serial = nodes->plan.serial;
    err = link_open(&node->link, &nodes->plan, now_ms, detail);
    if (err == ERR_NONE) {
        err = watch_link(nodes, &node->link, detail);
        if (err != ERR_NONE)
            close_link(nodes, &node->link);
    }
    if (err != ERR_NONE) {
        free(node);
        return err;
    }
    nodes->node[nodes->count++] = node;
    return ERR_NONE;
}

// lead_to: from now on the source leads to this address.
static enum err lead_to(struct nodes *nodes, size_t source, const struct endpoint *endpoint,
                        uint64_t now_ms, struct err_detail *detail)
{
    struct node *node = find_endpoint(nodes, endpoint->text);
    enum err err = ERR_NONE;

    if (node == NULL && nodes->count == nodes->max)
        return err_say(detail, ERR_LIMIT, "more than %zu addresses of nodes", nodes->max);
    if (node == NULL) {
        err = add_node(nodes, endpoint, now_ms, detail);
        node = err == ERR_NONE ? nodes->node[nodes->count - 1] : NULL;
    }
    if (node != NULL)
        node->sources |= UINT64_C(1) << source;
    return err;
}

struct node *nodes_idle(const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->node[i]->sources == 0 && nodes->node[i]->seen.in_flight == 0)
            return nodes->node[i];
    }
    return NULL;
}

void nodes_drop(struct nodes *nodes, struct node **node)
{
    size_t i = 0;

    while (nodes->node[i] != *node)
        i++;
    nodes->node[i] = nodes->node[--nodes->count];
    close_link(nodes, &(*node)->link);
    free(*node);
    *node = NULL;
}

enum reeve_node_state node_state(const struct node *node)
{
    if (node->sources == 0)
        return REEVE_NODE_GONE;
    if (!node->link.is_up)
        return REEVE_NODE_AWAY;
    if (node->health.is_suspect)
        return REEVE_NODE_SUSPECT;
    return node->health.is_draining ? REEVE_NODE_DRAINING : REEVE_NODE_UP;
}

// ---- making and ending

enum err nodes_add(struct nodes *nodes, const char *endpoint, uint64_t now_ms,
                   struct err_detail *detail)
{
    struct endpoint address = {.text = ""};
    struct source *source = &nodes->source[nodes->source_count];
    enum err err;

    if (nodes->source_count == SOURCES_MAX)
        return err_say(detail, ERR_CONFIG, "more than %d nodes given", SOURCES_MAX);
    err = endpoint_parse(endpoint, &address, &source->name, detail);
    if (err == ERR_NONE && source->name.host[0] == '\0')
        err = lead_to(nodes, nodes->source_count, &address, now_ms, detail);
    if (err == ERR_NONE)
        nodes->source_count++;
    return err;
}

static bool is_name(const struct source *source)
{
    return source->name.host[0] != '\0';
}

static enum err open_resolver(struct nodes *nodes, struct resolve_how how,
                              struct err_detail *detail)
{
    struct epoll_event watch = {.events = EPOLLIN};
    enum err err = resolver_new(&nodes->resolver, how, detail);

    if (err == ERR_NONE &&
        epoll_ctl(nodes->epoll_fd, EPOLL_CTL_ADD, resolver_fd(nodes->resolver), &watch) != 0)
        err = err_say(detail, ERR_SYSTEM, "cannot watch the resolver: %s", strerror(errno));
    return err;
}

enum err nodes_start(struct nodes *nodes, struct resolve_how how, uint64_t now_ms,
                     struct err_detail *detail)
{
    enum err err = ERR_NONE;

    for (size_t i = 0; i < nodes->source_count && nodes->resolver == NULL && err == ERR_NONE; i++) {
        if (is_name(&nodes->source[i]))
            err = open_resolver(nodes, how, detail);
    }
    if (err == ERR_NONE)
        nodes_tick(nodes, now_ms);
    return err;
}

void nodes_close(struct nodes *nodes)
{
    while (nodes->count > 0) {
        struct node *node = nodes->node[nodes->count - 1];

        nodes_drop(nodes, &node);
    }
    resolver_free(&nodes->resolver);
}

// ---- names

// is_dark: no address of this source is connected.
static bool is_dark(const struct nodes *nodes, size_t source)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if ((nodes->node[i]->sources >> source & 1) != 0 && nodes->node[i]->link.is_up)
            return false;
    }
    return true;
}

static uint64_t wait_in_the_dark(const struct nodes *nodes, const struct source *source)
{
    uint64_t wait_ms = nodes->again_ms << source->dark;

    return wait_ms < AGAIN_MOST * nodes->again_ms ? wait_ms : AGAIN_MOST * nodes->again_ms;
}

// plan_lookup: when to ask next. All gateways of a site would else ask in step.
static void plan_lookup(struct nodes *nodes, size_t i, uint64_t now_ms, uint64_t random)
{
    struct source *source = &nodes->source[i];
    uint64_t spread_ms = nodes->period_most_ms - nodes->period_least_ms + 1;

    if (is_dark(nodes, i)) {
        source->next_ms = now_ms + wait_in_the_dark(nodes, source);
        source->dark += source->dark < DARK_MAX;
    } else {
        source->next_ms = now_ms + nodes->period_least_ms + random % spread_ms;
        source->dark = 0;
    }
}

// use_addresses: what the name led to and does not any more is let go, the rest is connected.
static void use_addresses(struct nodes *nodes, size_t source, const struct addresses *addresses,
                          uint64_t now_ms)
{
    struct err_detail detail = {.text = ""};

    for (size_t i = 0; i < nodes->count; i++)
        nodes->node[i]->sources &= ~(UINT64_C(1) << source);
    for (size_t i = 0; i < addresses->count; i++) {
        if (lead_to(nodes, source, &addresses->endpoint[i], now_ms, &detail) != ERR_NONE)
            (void)snprintf(nodes->source[source].why, sizeof(nodes->source[source].why), "%.150s",
                           detail.text);
    }
}

static void take_resolved(struct nodes *nodes, const struct resolved *resolved, uint64_t now_ms,
                          uint64_t random)
{
    struct source *source = &nodes->source[resolved->who];

    nodes->asking--;
    source->is_asking = false;
    source->why[0] = '\0';
    if (resolved->err == ERR_NONE)
        use_addresses(nodes, resolved->who, &resolved->addresses, now_ms);
    else
        (void)snprintf(source->why, sizeof(source->why), "%.150s", resolved->why.text);
    plan_lookup(nodes, resolved->who, now_ms, random);
}

void nodes_take_addresses(struct nodes *nodes, uint64_t now_ms, uint64_t random)
{
    struct resolved *resolved;

    while (nodes->asking > 0 && (resolved = resolver_take(nodes->resolver)) != NULL) {
        take_resolved(nodes, resolved, now_ms, random);
        resolver_drop(&resolved);
        random = random >> 7 | random << 57;
    }
}

void nodes_lost(struct nodes *nodes, const struct node *node, uint64_t now_ms)
{
    for (size_t i = 0; i < nodes->source_count; i++) {
        struct source *source = &nodes->source[i];
        uint64_t soonest_ms = source->asked_ms + nodes->again_ms;

        if ((node->sources >> i & 1) == 0 || !is_name(source) || !is_dark(nodes, i))
            continue;
        soonest_ms = soonest_ms > now_ms ? soonest_ms : now_ms;
        source->next_ms = source->next_ms < soonest_ms ? source->next_ms : soonest_ms;
    }
}

const char *nodes_trouble(const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->source_count; i++) {
        if (nodes->source[i].why[0] != '\0')
            return nodes->source[i].why;
    }
    return "";
}

// ---- time

static void look_up(struct nodes *nodes, size_t i, uint64_t now_ms)
{
    struct source *source = &nodes->source[i];

    source->asked_ms = now_ms;
    source->is_asking = resolver_start(nodes->resolver, (unsigned)i, &source->name);
    if (source->is_asking)
        nodes->asking++;
    else
        source->next_ms = now_ms + nodes->again_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void nodes_tick(struct nodes *nodes, uint64_t now_ms)
{
    uint64_t wake_ms = UINT64_MAX;

    for (size_t i = 0; i < nodes->source_count; i++) {
        struct source *source = &nodes->source[i];

        if (is_name(source) && !source->is_asking && now_ms >= source->next_ms)
            look_up(nodes, i, now_ms);
        if (is_name(source) && !source->is_asking)
            wake_ms = earlier(wake_ms, source->next_ms);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        struct node *node = nodes->node[i];

        node->is_full = false;
        link_renew(&node->link, now_ms);
        if (!node->link.is_up)
            wake_ms = earlier(wake_ms, node->link.renew_ms);
        else if (node->health.is_suspect && nodes->count > 1)
            wake_ms = earlier(wake_ms, node->health.probe_ms);
    }
    nodes->wake_ms = wake_ms;
}
