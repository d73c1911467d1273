// steps.c: what a line of a scenario does: one table of words, one function a word.
#include "tests/scenario/steps.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/places.h"
#include "tests/scenario/protobuf.h"
#include "tests/scenario/steps_expect.h"
#include "tests/scenario/steps_line.h"
#include "tests/scenario/when.h"

static void run_text(struct world *world, unsigned number, const char *text, const char *block);

// What stands behind the first words of the line.
static const char *behind(const struct step_line *line, size_t words)
{
    const char *text = line->place.text;

    for (size_t i = 0; i < words && i < line->words.count; i++) {
        text += strspn(text, " \t");
        text += strlen(line->words.word[i]);
    }
    return text + strspn(text, " \t");
}

// ---- Time

static void step_start(struct step_line *line)
{
    struct world *world = line->world;

    if (world->node_count > 0 ||
        !when_time(word(line, 1), world->start_ms, world->now_ms, &world->start_ms)) {
        misunderstood(line, "start 2026-01-05T06:00:00Z, before anything else");
        return;
    }
    world->now_ms = 0;
    (void)world_set_time(world, world->start_ms);
}

static void step_at(struct step_line *line)
{
    struct world *world = line->world;
    uint64_t at_ms;

    if (!when_time(word(line, 1), world->start_ms, world->now_ms, &at_ms)) {
        misunderstood(line, "at +61s | 12h+1s | 2026-01-05T06:00:00Z [STEP]");
        return;
    }
    if (!world_set_time(world, at_ms)) {
        misunderstood(line, "a time that is not over; the scripted clock never goes back");
        return;
    }
    if (line->words.count > 2)
        run_text(world, line->place.number, behind(line, 2), line->block);
}

// replaced: a copy of the text in which every name is its value.
static char *replaced(const char *text, const char *name, const char *value)
{
    char *out = mem_text(text);
    char *found;

    while ((found = strstr(out, name)) != NULL) {
        char *next = mem_format("%.*s%s%s", (int)(found - out), out, value, found + strlen(name));

        mem_free(out);
        out = next;
    }
    return out;
}

static void repeat(struct step_line *line, uint64_t times, int64_t every_ms, size_t words)
{
    struct world *world = line->world;
    const char *body = behind(line, words);

    for (uint64_t i = 1; i <= times && !world->broken; i++) {
        char number[24];
        char *text;

        (void)snprintf(number, sizeof(number), "%" PRIu64, i);
        text = replaced(body, "{n}", number);

        (void)world_set_time(world, world->now_ms + (uint64_t)every_ms);
        run_text(world, line->place.number, text, line->block);
        mem_free(text);
    }
}

static void step_every(struct step_line *line)
{
    int64_t every_ms = 0;
    int64_t for_ms = 0;

    if (!when_span(word(line, 1), &every_ms) || strcmp(word(line, 2), "for") != 0 ||
        !when_span(word(line, 3), &for_ms) || every_ms <= 0)
        misunderstood(line, "every 1d for 40d STEP");
    else
        repeat(line, (uint64_t)(for_ms / every_ms), every_ms, 4);
}

static void step_repeat(struct step_line *line)
{
    uint64_t times;

    if (!read_count(word(line, 1), &times))
        misunderstood(line, "repeat 3 STEP");
    else
        repeat(line, times, 0, 2);
}

// ---- Nodes and policies

static void step_policy(struct step_line *line)
{
    const char *name = value_of(line, "node");
    struct node *node = name == NULL ? NULL : world_node(line->world, name);
    struct err_detail detail = {""};

    if (line->block == NULL)
        misunderstood(line, "policy [node=NAME] <<END, YAML, END");
    else if (world_set_policy(line->world, node, line->block, &detail) != ERR_NONE)
        misunderstood(line, detail.text);
}

static void step_node(struct step_line *line)
{
    struct node *node = world_node(line->world, word(line, 1));
    const char *seats = value_of(line, "seats");
    uint64_t count = 0;

    if (node == NULL || line->words.count < 3 || (seats != NULL && !read_count(seats, &count))) {
        misunderstood(line, "node NAME [replay] [seats=N] [hide-addresses]");
        return;
    }
    for (size_t i = 2; i < line->words.count; i++) {
        node->config.replay = node->config.replay || strcmp(word(line, i), "replay") == 0;
        node->config.hide_addresses =
            node->config.hide_addresses || strcmp(word(line, i), "hide-addresses") == 0;
    }
    if (seats != NULL)
        node->config.seats = (unsigned)count;
    world_restart(node);
}

static void step_restart(struct step_line *line)
{
    struct node *node = world_node(line->world, word(line, 1));

    if (node == NULL || line->words.count != 2)
        misunderstood(line, "restart NAME");
    else
        world_restart(node);
}

static void step_drain(struct step_line *line)
{
    struct node *node = world_node(line->world, word(line, 1));

    if (node == NULL || line->words.count != 2)
        misunderstood(line, "drain NAME");
    else
        server_drain(node->server);
}

static void step_geo(struct step_line *line)
{
    struct err_detail detail = {""};
    struct ip_net net;
    const char *last = word(line, line->words.count - 1);
    const bool has_asn = strncmp(last, "AS", 2) == 0 && last[2] != '\0';
    const uint32_t asn = has_asn ? (uint32_t)strtoul(last + 2, NULL, 10) : 0;
    const char *country = line->words.count - (has_asn ? 1 : 0) > 2 ? word(line, 2) : "";

    if (line->words.count > 4 || ip_net_parse(word(line, 1), &net, &detail) != ERR_NONE ||
        !places_set(line->world, &net, country, asn))
        misunderstood(line, "geo 192.0.2.0/24 DE AS64500 (either, or none: not known)");
}

static bool read_says(const char *text, enum facts_probe *out)
{
    static const char *const words[] = {[FACTS_UNASKED] = "waits",
                                        [FACTS_SILENT] = "silent",
                                        [FACTS_REFUSED] = "refused",
                                        [FACTS_EXISTS] = "exists",
                                        [FACTS_NOBODY] = "nobody"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        *out = (enum facts_probe)i;
        if (strcmp(words[i], text) == 0)
            return true;
    }
    return false;
}

static void step_probe(struct step_line *line)
{
    const bool answers = strcmp(word(line, 2), "answers") == 0;
    const bool says = strcmp(word(line, 2), "says") == 0;
    const bool names = says && line->words.count == 5 && strcmp(word(line, 3), "exists") == 0;
    enum facts_probe said;

    if ((line->words.count != 4 && !names) || answers == says || !read_says(word(line, 3), &said) ||
        (answers && said == FACTS_UNASKED))
        misunderstood(line, "probe ADDRESS says exists [MAILBOX]|nobody|refused|silent|waits, or "
                            "probe ADDRESS answers exists|nobody|refused|silent");
    else if (says && !probes_say(line->world, word(line, 1), said))
        misunderstood(line, "fewer addresses");
    else if (answers && !probes_answer(line->world, word(line, 1), said))
        misunderstood(line, "an address that somebody asked for, and was not answered");
    else
        world_settle(line->world);
    if (says)
        probes_name(line->world, word(line, 1), names ? word(line, 4) : "");
}

static void step_list(struct step_line *line)
{
    const bool says = line->words.count == 4 &&
                      dns_lists_say(line->world, word(line, 1), word(line, 2), word(line, 3));
    const bool mutes =
        line->words.count == 3 && dns_lists_mute(line->world, word(line, 1), word(line, 2));

    if (!says && !mutes)
        misunderstood(line, "list ZONE ADDRESS|DOMAIN 127.0.0.2[,127.0.0.4...]|-, or "
                            "list ZONE silent|fails|answers");
}

static void step_listen(struct step_line *line)
{
    mem_free(line->world->topic);
    line->world->topic = mem_text(word(line, 1));
}

// ---- Requests

static void ask_line(struct step_line *line,
                     enum err (*read)(const struct words *, size_t *, struct arena *, struct ask *,
                                      struct err_detail *))
{
    struct err_detail detail = {""};
    struct ask ask;
    size_t used = 0;

    if (read(&line->words, &used, &line->world->scratch, &ask, &detail) != ERR_NONE)
        misunderstood(line, detail.text);
    else if (used == line->words.count)
        misunderstood(line, "... -> what is expected");
    else
        world_ask(line->world, &line->place, &ask);
}

static void step_check(struct step_line *line)
{
    ask_line(line, ask_check);
}

// given: words that every check from now on has; those of recipients stand last.
static void step_given(struct step_line *line)
{
    const char *recipient = strstr(behind(line, 1), "to=");

    if (recipient != NULL && strchr(recipient, ' ') != NULL) {
        misunderstood(line, "given WORDS OF A CHECK ... to=<...>, the one recipient last");
        return;
    }
    mem_free(line->world->given);
    line->world->given = mem_text(behind(line, 1));
}

static void step_admin(struct step_line *line)
{
    ask_line(line, ask_admin);
}

static void step_sent(struct step_line *line)
{
    struct err_detail detail = {""};
    struct ask ask;
    size_t used = 0;

    if (ask_sent(&line->words, &used, &line->world->scratch, &ask, &detail) != ERR_NONE) {
        misunderstood(line, detail.text);
    } else if (used == line->words.count) {
        misunderstood(line, "... -> what is expected");
    } else {
        if (ask.has_ago)
            ask.sent_at_ms = (uint64_t)((int64_t)line->world->now_ms - ask.ago_ms);
        world_ask(line->world, &line->place, &ask);
    }
}

static void step_report(struct step_line *line)
{
    struct err_detail detail = {""};
    struct ask ask;
    size_t used = 0;

    if (ask_report(&line->words, ++line->world->reports, &used, &line->world->scratch, &ask,
                   &detail) != ERR_NONE) {
        misunderstood(line, detail.text);
    } else if (used == line->words.count) {
        misunderstood(line, "... -> what is expected");
    } else {
        if (ask.has_ago)
            ask.sent_at_ms = (uint64_t)((int64_t)line->world->now_ms - ask.ago_ms);
        world_ask(line->world, &line->place, &ask);
    }
}

// Verbs without fields of interest: ping, access, held.
static void step_verb(struct step_line *line)
{
    static const struct {
        const char *word;
        enum msg_verb verb;
    } VERBS[] = {{"ping", MSG_PING}, {"access", MSG_ACCESS}, {"held", MSG_HELD}};
    struct ask ask = {.node = value_of(line, "node"), .by_hand = true};

    for (size_t i = 0; i < sizeof(VERBS) / sizeof(VERBS[0]); i++)
        if (strcmp(word(line, 0), VERBS[i].word) == 0)
            ask.verb = VERBS[i].verb;
    ask.node = ask.node == NULL ? "a" : ask.node;
    ask.admin_door = value_of(line, "door") != NULL && strcmp(value_of(line, "door"), "admin") == 0;
    world_ask(line->world, &line->place, &ask);
}

static void step_send(struct step_line *line)
{
    const char *name = value_of(line, "node");
    struct node *node = world_node(line->world, name == NULL ? "a" : name);
    struct err_detail detail = {""};
    struct bytes bytes;

    if (node == NULL ||
        script_value(word(line, 1), &line->world->scratch, &bytes, &detail) != ERR_NONE)
        misunderstood(line, "send hex(0a0b) [node=NAME] -> STATUS");
    else
        world_send(line->world, &line->place, node, &bytes);
}

// ---- Expectations that are no replies

static void step_expect(struct step_line *line)
{
    struct err_detail detail = {""};
    enum err err = expect_run(line->world, &line->words, &detail);

    if (err == ERR_SYNTAX)
        misunderstood(line, detail.text);
    else if (err != ERR_NONE)
        world_fail(line->world, &line->place, "%s", detail.text);
}

// ---- The table

static const struct {
    const char *word;
    void (*run)(struct step_line *line);
} STEPS[] = {
    {"start", step_start},   {"at", step_at},
    {"every", step_every},   {"repeat", step_repeat},
    {"policy", step_policy}, {"node", step_node},
    {"drain", step_drain},   {"restart", step_restart},
    {"listen", step_listen}, {"check", step_check},
    {"admin", step_admin},   {"ping", step_verb},
    {"report", step_report}, {"sent", step_sent},
    {"access", step_verb},   {"held", step_verb},
    {"send", step_send},     {"store", step_store},
    {"expect", step_expect}, {"given", step_given},
    {"geo", step_geo},       {"reputation", step_reputation},
    {"probe", step_probe},   {"directory", step_directory},
    {"list", step_list},
};

// asks_for: the words of a check, up to its ->, have one that begins so.
static bool asks_for(const char *text, const char *key)
{
    const char *arrow = strstr(text, " -> ");
    const char *found = strstr(text, key);

    return found != NULL && (arrow == NULL || found < arrow);
}

// with_given: a check gets the words of `given`, so that a line says only what it is about. Its own
// words come later and so win; where it names recipients, or asks at a stage that has none, that of
// `given` is left out.
static char *with_given(const struct world *world, char *text)
{
    const char *given = world->given;
    const char *recipient = given == NULL ? NULL : strstr(given, "to=");
    size_t keep = given == NULL ? 0 : strlen(given);
    char *longer;

    if (given == NULL || strncmp(text, "check ", 6) != 0)
        return text;
    if (recipient != NULL && (asks_for(text, " to=") || asks_for(text, " stage=mail") ||
                              asks_for(text, " stage=connect")))
        keep = (size_t)(recipient - given);
    longer = mem_format("check %.*s %s", (int)keep, given, text + 6);
    mem_free(text);
    return longer;
}

static void run_text(struct world *world, unsigned number, const char *text, const char *block)
{
    const char *ticket = world->ticket == NULL ? "" : world->ticket;
    char *whole = with_given(world, replaced(text, "{ticket}", ticket));
    struct step_line line = {.world = world, .place = {number, whole}, .block = block};
    struct err_detail detail = {""};
    size_t i = 0;

    if (script_words(whole, &world->scratch, &line.words, &detail) != ERR_NONE) {
        misunderstood(&line, detail.text);
        mem_free(whole);
        return;
    }
    while (i < sizeof(STEPS) / sizeof(STEPS[0]) && strcmp(STEPS[i].word, word(&line, 0)) != 0)
        i++;
    if (i < sizeof(STEPS) / sizeof(STEPS[0]))
        STEPS[i].run(&line);
    else
        misunderstood(&line, "a step of README.md: at, check, admin, store, expect, policy ...");
    mem_free(whole);
}

void steps_run(struct world *world, const struct script_line *line)
{
    arena_reset(&world->scratch);
    run_text(world, line->number, line->text, line->block);
}
