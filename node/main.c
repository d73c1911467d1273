// main.c: reeved, the node: assembles the rooms and tears them down; it decides nothing about mail.
//
// Life: read the files (or this node's copy of the policy set that was applied), start the store, open the doors when it can be asked, say
// "ready". SIGHUP reads the policy files again. SIGTERM or SIGINT drains: replies say draining, the node leaves after a second without a
// request (30 s at most), having answered what it had read; a second signal leaves at once. Exit
// codes are those of sysexits(3).
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "node/config.h"
#include "node/dnslist/dnslist.h"
#include "node/geo.h"
#include "node/keeper/keeper.h"
#include "node/net/context.h"
#include "node/net/door.h"
#include "node/net/pub.h"
#include "node/options.h"
#include "node/policy/set.h"
#include "node/probe/probe.h"
#include "node/stats.h"
#include "node/store/store.h"
#include "node/verbs/server.h"
#include "node/vitals.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/loop.h"
#include "proto/base/mem.h"
#include "proto/wire.h"

enum {
    DRAIN_IDLE_MS = 1000,  // without a request, a draining node leaves
    DRAIN_MOST_MS = 30000, // it leaves anyway
    DRAIN_TELL_MS = 5000,  // what was learnt until then, and is not written, is lost
    DRAIN_TICK_MS = 20,
    LARGE_SEATS = 16,       // from some 30 recipients on, or a dozen with traces
    LOOKUPS_WAITING = 1000, // requests of one gateway
    ADMIN_WAITING = 8,      // each may hold a document of 16 MiB
    EVENT_BYTES = 256 << 10,
    LISTS_SHOWN = 64, // in metrics
};

struct node {
    struct config *config;
    struct options options;
    struct loop *loop;
    void *zmq;
    struct store *store;
    struct stats stats;
    struct server *server;
    struct keeper *keeper;
    struct door *doors[2]; // [enum server_door]
    struct pub *pub;
    struct geo *geo;
    struct probe *probe;   // NULL with --replay
    struct dnslist *lists; // likewise
    struct loop_timer *tick;
    struct loop_timer *drain_tick;
    struct loop_signal *signals[3];
    uint64_t started_ms;
    uint64_t drain_ms; // when draining began; 0 = it did not
    bool was_up;       // the store, once
    bool failed;
    struct stats_snapshot snapshot;
    struct arena scratch;
    uint8_t event_bytes[EVENT_BYTES];
};

// ---- what the server calls

static void send_reply(void *arg, enum server_door door, const struct door_peer *peer,
                       const void *bytes, size_t len)
{
    struct node *node = arg;

    if (!door_send(node->doors[door], peer, bytes, len))
        node->stats.replies_lost++;
}

static bool wants_event(void *arg, const char *topic)
{
    const struct node *node = arg;

    return pub_is_wanted(node->pub, topic);
}

static void publish_event(void *arg, const char *topic, const struct msg_event *event)
{
    struct node *node = arg;
    size_t len = 0;

    arena_reset(&node->scratch);
    if (wire_encode_event(event, &node->scratch, node->event_bytes, sizeof(node->event_bytes),
                          &len) == ERR_NONE)
        pub_send(node->pub, topic, node->event_bytes, len);
}

static const char *find_country(void *arg, const struct ip *ip, char out[SERVER_COUNTRY_MAX])
{
    struct node *node = arg;

    _Static_assert((int)SERVER_COUNTRY_MAX == (int)GEO_COUNTRY_MAX, "one text, two rooms");
    return geo_country(node->geo, ip, out);
}

static uint32_t find_asn(void *arg, const struct ip *ip)
{
    struct node *node = arg;

    return geo_asn(node->geo, ip);
}

static void ask_probe(void *arg, const struct probe_question *question, struct probe_done done)
{
    struct node *node = arg;

    probe_ask(node->probe, question, done);
}

static void ask_lists(void *arg, const struct dnslist_question *question, struct dnslist_done done)
{
    struct node *node = arg;

    dnslist_ask(node->lists, question, done);
}

// ---- what the probe calls

static void is_probed(void *arg, const char *address, const struct probe_answer *answer)
{
    struct node *node = arg;

    server_probed(node->server, address, answer);
}

// ---- what the doors call

static void lookup_came(void *arg, const struct door_peer *peer, void *bytes, size_t len,
                        uint64_t age_ms)
{
    struct node *node = arg;

    server_receive(node->server, SERVER_LOOKUPS, peer, bytes, len, age_ms);
}

static void admin_came(void *arg, const struct door_peer *peer, void *bytes, size_t len,
                       uint64_t age_ms)
{
    struct node *node = arg;

    server_receive(node->server, SERVER_ADMIN, peer, bytes, len, age_ms);
}

static void malformed_came(void *arg)
{
    struct node *node = arg;

    node->stats.malformed++;
}

// ---- time and signals

static void publish_stats(struct node *node)
{
    struct keeper_status status;
    struct dnslist_view view[LISTS_SHOWN];
    const size_t views = node->lists != NULL ? dnslist_views(node->lists, view, LISTS_SHOWN) : 0;

    keeper_status(node->keeper, &status);
    const struct stats_gauges gauges = {
        .node = node->config->node,
        .at_ms = store_now_ms(node->store),
        .uptime_ms = clock_mono_ms() - node->started_ms,
        .seats_used = server_seats_used(node->server),
        .sent_waiting = server_sent_waiting(node->server),
        .reports_waiting = server_reports_waiting(node->server),
        .policy_version = server_policy(node->server)->version,
        .policy_refused = status.state == KEEPER_REFUSED,
        .open_fds = vitals_open_fds(),
        .max_fds = vitals_max_fds(),
        .resident_bytes = vitals_resident_bytes(),
        .geo_known = geo_is_known(node->geo, GEO_COUNTRY),
        .geo_asn_known = geo_is_known(node->geo, GEO_ASN),
        .store = node->store,
        .probe = node->probe != NULL ? probe_counters(node->probe) : NULL,
        .lists = node->lists != NULL ? dnslist_counters(node->lists) : NULL,
        .lists_kept = node->lists != NULL ? dnslist_kept(node->lists) : 0,
        .list = view,
        .list_count = views};
    size_t len = 0;

    node->stats.geo_loads = geo_counters(node->geo, GEO_COUNTRY)->loads;
    node->stats.geo_errors = geo_counters(node->geo, GEO_COUNTRY)->errors;
    node->stats.geo_asn_loads = geo_counters(node->geo, GEO_ASN)->loads;
    node->stats.geo_asn_errors = geo_counters(node->geo, GEO_ASN)->errors;

    stats_snapshot(&node->stats, &gauges, &node->snapshot);
    arena_reset(&node->scratch);
    if (wire_encode_stats(&node->snapshot.stats, &node->scratch, node->event_bytes,
                          sizeof(node->event_bytes), &len) == ERR_NONE)
        pub_send(node->pub, "stats", node->event_bytes, len);
}

static void every_second(void *arg)
{
    struct node *node = arg;

    if (pub_is_wanted(node->pub, "stats"))
        publish_stats(node);
}

// A store with another secret or format is no outage but a mistake: a node that was never in it
// does not start.
static void look_at_store(void *arg)
{
    struct node *node = arg;
    enum store_state state = store_state(node->store);

    every_second(arg);
    server_tick(node->server);
    node->was_up |= state == STORE_UP;
    if (state != STORE_FOREIGN || node->was_up)
        return;
    char memory[256];
    struct text_buf text;

    text_buf_init(&text, memory, sizeof(memory));
    store_describe(node->store, &text);
    log_error("this store belongs to another cluster, refusing to start: %s", memory);
    node->failed = true;
    loop_stop(node->loop);
}

static void leave(struct node *node)
{
    log_info("stopped");
    loop_stop(node->loop);
}

// What reports taught has climbed, and those that waited are counted; or the store is away.
static bool has_told(const struct node *node)
{
    size_t waiting = 0;

    store_reputation_flush(node->store);
    waiting += server_reports_waiting(node->server);
    waiting += store_reputation_waiting(node->store);
    waiting += store_reporters_waiting(node->store);
    return waiting == 0 || store_state(node->store) != STORE_UP;
}

static void look_at_drain(void *arg)
{
    struct node *node = arg;
    uint64_t draining_ms = clock_mono_ms() - node->drain_ms;
    uint64_t idle_ms = server_idle_ms(node->server);

    if ((draining_ms < DRAIN_IDLE_MS || idle_ms < DRAIN_IDLE_MS) && draining_ms < DRAIN_MOST_MS)
        return;
    door_drain(node->doors[SERVER_LOOKUPS]);
    door_drain(node->doors[SERVER_ADMIN]);
    const uint64_t quiet_ms = idle_ms < draining_ms ? idle_ms : draining_ms;
    const bool is_done = server_seats_used(node->server) == 0 &&
                         (quiet_ms > DRAIN_IDLE_MS + DRAIN_TELL_MS || has_told(node));

    if (is_done || draining_ms > DRAIN_MOST_MS + DRAIN_IDLE_MS)
        leave(node);
}

static void on_terminate(void *arg)
{
    struct node *node = arg;

    if (node->drain_ms != 0) {
        leave(node);
        return;
    }
    log_info("draining: leaving after %d ms without a request, %d ms at most", DRAIN_IDLE_MS,
             DRAIN_MOST_MS);
    node->drain_ms = clock_mono_ms();
    server_drain(node->server);
    keeper_leave(node->keeper);
    loop_timer_set(node->drain_tick, DRAIN_TICK_MS, DRAIN_TICK_MS);
}

static void is_reloaded(void *arg, const struct keeper_answer *answer)
{
    (void)arg;
    (void)answer; // it was logged
}

static void on_hangup(void *arg)
{
    const struct node *node = arg;

    keeper_reload(node->keeper, (struct keeper_done){is_reloaded, NULL});
}

// ---- assembling

static enum err open_door(struct node *node, enum server_door door, struct err_detail *detail)
{
    bool lookups = door == SERVER_LOOKUPS;
    const struct door_config config = {
        .endpoint = lookups ? node->config->lookups_listen : node->config->admin_listen,
        .message_max = lookups ? MSG_LOOKUP_BYTES_MAX : MSG_ADMIN_BYTES_MAX,
        .waiting_max = lookups ? LOOKUPS_WAITING : ADMIN_WAITING,
        .ipc = {lookups ? 0660 : node->config->admin_mode,
                lookups ? ENDPOINT_NO_GROUP : node->config->admin_group}};
    const struct door_calls calls = {lookups ? lookup_came : admin_came, malformed_came, node};

    return door_new(&node->doors[door], node->loop, node->zmq, &config, calls, detail);
}

// What the keeper calls.

static enum err load_files(void *arg, struct policy **out, struct err_detail *detail)
{
    const struct config *config = arg;

    return policy_load(config->policy.text, config->policy.count, out, detail);
}

static void policy_changed(void *arg, struct policy_hold *hold)
{
    const struct node *node = arg;

    server_set_policy(node->server, hold);
}

static void start_server(struct node *node)
{
    const struct server_config config = {.node = node->config->node,
                                         .version = REEVE_VERSION,
                                         .keeper = node->keeper,
                                         .replay = node->options.replay,
                                         .hide_addresses = !node->config->stats_show_addresses,
                                         .budget_ms = node->config->lookups_budget_ms,
                                         .seats = (unsigned)node->config->lookups_seats,
                                         .large_seats = LARGE_SEATS};
    const struct server_out out = {.send = send_reply,
                                   .wants_event = wants_event,
                                   .event = publish_event,
                                   .country = find_country,
                                   .asn = find_asn,
                                   .lists = node->options.replay ? NULL : ask_lists,
                                   .probe = node->options.replay ? NULL : ask_probe,
                                   .arg = node};

    server_new(&node->server, &config, node->store, &node->stats, out);
    keeper_start(node->keeper, node->loop, node->store,
                 (struct keeper_calls){policy_changed, node});
}

static void start_clocks(struct node *node)
{
    node->tick = loop_timer_new(node->loop, look_at_store, node);
    loop_timer_set(node->tick, 1000, 1000);
    node->drain_tick = loop_timer_new(node->loop, look_at_drain, node);
}

// First of all, so that what comes meanwhile is heeded once the loop runs.
static void listen_to_signals(struct node *node)
{
    node->signals[0] = loop_signal_new(node->loop, SIGTERM, on_terminate, node);
    node->signals[1] = loop_signal_new(node->loop, SIGINT, on_terminate, node);
    node->signals[2] = loop_signal_new(node->loop, SIGHUP, on_hangup, node);
}

static void open_geo(struct node *node)
{
    const struct geo_config config = {
        .loop = node->loop,
        .path = {[GEO_COUNTRY] = node->config->geo_country, [GEO_ASN] = node->config->geo_asn}};

    geo_new(&node->geo, &config);
}

// Mail that is long over is no reason to ask anybody.
static void open_probe(struct node *node)
{
    const struct probe_config config = {.loop = node->loop,
                                        .ldap_password_file = node->config->ldap.password_file,
                                        .ldap_ca_file = node->config->ldap.ca_file};

    if (!node->options.replay)
        node->probe = probe_new(&config, (struct probe_calls){is_probed, node});
}

static enum err open_lists(struct node *node, struct err_detail *detail)
{
    const struct dnslist_config config = {
        .loop = node->loop,
        .dns = {.servers = node->config->dns.servers, .try_ms = node->config->dns.timeout_ms},
        .cache = node->config->dns.cache};

    return node->options.replay ? ERR_NONE : dnslist_new(&node->lists, &config, detail);
}

static void nothing(void *arg)
{
    (void)arg;
}

// The door opens when the store can be asked, so that a node that comes back answers as the others do. A store that is away
// keeps nobody waiting for longer than this.
static void settle(struct node *node)
{
    enum { SETTLE_MS = 250, PULSE_MS = 2 };
    const uint64_t until_ms = clock_mono_ms() + SETTLE_MS;
    struct loop_timer *pulse = loop_timer_new(node->loop, nothing, NULL);

    loop_timer_set(pulse, PULSE_MS, PULSE_MS);
    while ((store_state(node->store) != STORE_UP || store_ring(node->store)->count == 0) &&
           clock_mono_ms() < until_ms)
        loop_turn(node->loop);
    loop_timer_free(&pulse);
}

static enum err assemble(struct node *node, struct err_detail *detail)
{
    enum err err = loop_new(&node->loop, detail);

    node->started_ms = clock_mono_ms();
    node->stats.epoch_ms = clock_wall_ms();
    node->zmq = context_new();
    arena_init(&node->scratch, mem_new(EVENT_BYTES), EVENT_BYTES);
    if (err == ERR_NONE) {
        listen_to_signals(node);
        err = store_new(&node->store, node->loop, &node->config->store, detail);
    }
    if (err == ERR_NONE)
        err = open_lists(node, detail);
    if (err == ERR_NONE) {
        open_geo(node);
        open_probe(node);
        start_server(node);
        start_clocks(node);
        settle(node);
        err = open_door(node, SERVER_LOOKUPS, detail);
    }
    if (err == ERR_NONE)
        err = open_door(node, SERVER_ADMIN, detail);
    if (err == ERR_NONE && node->config->stats_listen[0] != '\0')
        err = pub_new(&node->pub, node->loop, node->zmq, node->config->stats_listen, detail);
    return err;
}

static void tear_down(struct node *node)
{
    for (size_t i = 0; i < sizeof(node->signals) / sizeof(node->signals[0]); i++)
        loop_signal_free(&node->signals[i]);
    loop_timer_free(&node->tick);
    loop_timer_free(&node->drain_tick);
    probe_free(&node->probe);   // answers what still waits, through the doors
    dnslist_free(&node->lists); // likewise
    store_free(&node->store);   // likewise
    keeper_stop(node->keeper);  // likewise
    door_free(&node->doors[SERVER_LOOKUPS]);
    door_free(&node->doors[SERVER_ADMIN]);
    pub_free(&node->pub);
    server_free(&node->server);
    geo_free(&node->geo);
    keeper_free(&node->keeper);
    loop_free(&node->loop); // waits for what is freed beside it
    context_free(&node->zmq);
    mem_free(node->scratch.start);
}

static void say_ready(const struct node *node)
{
    log_info("ready node=%s version=%s lookups=%s admin=%s stats=%s%s", node->config->node,
             REEVE_VERSION, door_endpoint(node->doors[SERVER_LOOKUPS]),
             door_endpoint(node->doors[SERVER_ADMIN]),
             node->pub != NULL ? pub_endpoint(node->pub) : "none",
             node->options.replay ? " replay=true" : "");
    if (node->options.replay)
        log_warn("REPLAY: time comes from requests and nothing expires; no real mail may be asked "
                 "about here");
    if (server_policy(node->server)->settings.greylist.mode == POLICY_SHADOW)
        log_info("greylisting is in shadow: nothing is deferred; set settings.greylist.mode to "
                 "enforce when you like what you see");
}

static enum err make_keeper(struct node *node, struct err_detail *detail)
{
    const struct keeper_config config = {.node = node->config->node,
                                         .state_dir =
                                             node->options.replay ? "" : node->config->state_dir,
                                         .load = load_files,
                                         .load_arg = node->config};

    node->keeper = keeper_new(&config, &node->stats);
    return keeper_load(node->keeper, detail);
}

static int run(struct node *node)
{
    struct err_detail detail = {""};
    enum err err = make_keeper(node, &detail);

    if (err != ERR_NONE) {
        (void)fprintf(stderr, "reeved: %s\n", detail.text);
        keeper_free(&node->keeper);
        return EX_CONFIG;
    }
    err = assemble(node, &detail);

    if (err == ERR_NONE) {
        say_ready(node);
        loop_run(node->loop);
    } else {
        log_error("cannot start: %s", detail.text);
    }
    tear_down(node);
    if (err != ERR_NONE)
        return err == ERR_CONFIG ? EX_CONFIG : EX_UNAVAILABLE;
    return node->failed ? EX_CONFIG : EX_OK;
}

// ---- the whole

static enum err read_config(struct node *node, struct err_detail *detail)
{
    enum err err = config_load(node->options.config_path, &node->config, detail);

    if (err != ERR_NONE)
        return err;
    node->config->store.replay = node->options.replay;
    if (node->options.replay && !config_is_loopback(node->config))
        return err_say(detail, ERR_CONFIG,
                       "--replay: every listen address must be on loopback or ipc");
    return ERR_NONE;
}

// -t and -T: the policy files, too.
static int check(struct node *node)
{
    struct policy *policy = NULL;
    struct err_detail detail = {""};

    if (policy_load(node->config->policy.text, node->config->policy.count, &policy, &detail) !=
        ERR_NONE) {
        (void)fprintf(stderr, "reeved: %s\n", detail.text);
        return EX_CONFIG;
    }
    if (node->options.task == TASK_TEST) {
        (void)printf("reeved: %s and its policy are fine\n",
                     node->config->path != NULL ? node->config->path : "the defaults");
    } else {
        config_print(node->config, stdout);
        policy_print(policy, stdout);
    }
    policy_free(&policy);
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct node *node = mem_new(sizeof(*node));
    struct err_detail detail = {""};
    int code = command_line_read(argc, argv, &node->options);

    if (code >= 0) {
        mem_free(node);
        return code;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN); // the files are about to be read anyway
    log_open("reeved", LOG_INFO_LEVEL);
    if (read_config(node, &detail) != ERR_NONE) {
        (void)fprintf(stderr, "reeved: %s\n", detail.text);
        code = EX_CONFIG;
    } else if (node->options.task != TASK_RUN) {
        code = check(node);
    } else {
        log_open("reeved", (enum log_level)node->config->log_level);
        vitals_raise_fds();
        code = run(node);
    }
    config_free(&node->config);
    mem_free(node);
    return code;
}
