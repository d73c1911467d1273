// steps_reputation.c: the line `reputation ...`: what is kept of an entity, as if reports had made it so.
#include <stdio.h>

#include "node/core/reputation.h"
#include "tests/scenario/steps_line.h"
#include "tests/scenario/when.h"

static const char USAGE[] =
    "reputation KIND NAME spam=N ham=N [by=mx1,mx2] [age=SPAN] [first=SPAN] "
    "[hour=N] [week=N], KIND as reputation_kind_text";

static double number_of(const struct step_line *line, const char *key, double unsaid)
{
    const char *text = value_of(line, key);

    return text != NULL ? strtod(text, NULL) : unsaid;
}

static bool span_of(const struct step_line *line, const char *key, uint64_t *out)
{
    const char *text = value_of(line, key);
    int64_t ms = 0;

    if (text != NULL && (!when_span(text, &ms) || ms < 0))
        return false;
    *out = (uint64_t)ms;
    return true;
}

static bool read_net(const char *name, struct reputation_id *out)
{
    struct err_detail detail = {""};

    return ip_net_parse(name, &out->net, &detail) == ERR_NONE;
}

// sender: corp.example/64500
static bool read_sender(char *name, struct reputation_id *out)
{
    char *slash = strchr(name, '/');

    if (slash == NULL)
        return false;
    *slash = '\0';
    out->domain = name;
    out->asn = (uint32_t)strtoul(slash + 1, NULL, 10);
    return true;
}

static bool read_id(char *name, struct reputation_id *out)
{
    switch (out->kind) {
    case REPUTATION_IP:
    case REPUTATION_NET:
    case REPUTATION_WIDE:
        return read_net(name, out);
    case REPUTATION_ASN:
        out->asn = (uint32_t)strtoul(name, NULL, 10);
        return out->asn != 0;
    case REPUTATION_COUNTRY:
        (void)snprintf(out->country, sizeof(out->country), "%.2s", name);
        return true;
    case REPUTATION_SENDER:
        return read_sender(name, out);
    case REPUTATION_DOMAIN:
    case REPUTATION_TLD:
        out->domain = name;
        return true;
    case REPUTATION_WORLD:
    case REPUTATION_SENDERS:
        return true;
    case REPUTATION_KINDS:
        break;
    }
    return false;
}

// Each of those that report holds the same part.
static void share_out(const struct step_line *line, struct reputation_state *is)
{
    const char *by = value_of(line, "by");
    char names[256];
    unsigned count = 1;

    (void)snprintf(names, sizeof(names), "%s", by != NULL ? by : "mx1");
    for (const char *at = names; (at = strchr(at, ',')) != NULL; at++)
        count++;
    char *name = names;

    for (unsigned i = 0; i < count && i < is->slot_count; i++) {
        char *end = name + strcspn(name, ",");
        const bool is_last = *end == '\0';

        *end = '\0';
        is->slot[i] =
            (struct reputation_slot){.reporter = memory_reporter(line->world->memory, name),
                                     .spam = is->spam / count,
                                     .ham = is->ham / count};
        name = is_last ? end : end + 1;
    }
}

void step_reputation(struct step_line *line)
{
    struct reputation_id id = {.kind = reputation_kind_of(word(line, 1))};
    const uint64_t now_ms = line->world->now_ms;
    char name[REPUTATION_KEY_MAX];
    uint64_t age_ms = 0;
    uint64_t first_ms = 0;

    (void)snprintf(name, sizeof(name), "%s", word(line, 2));
    if (id.kind == REPUTATION_KINDS || !read_id(name, &id) || !span_of(line, "age", &age_ms) ||
        !span_of(line, "first", &first_ms) || value_of(line, "spam") == NULL ||
        value_of(line, "ham") == NULL) {
        misunderstood(line, USAGE);
        return;
    }
    struct reputation_state is = {
        .spam = number_of(line, "spam", 0),
        .ham = number_of(line, "ham", 0),
        .hour = number_of(line, "hour", 0),
        .week = number_of(line, "week", 0),
        .at_s = (uint32_t)((now_ms - age_ms) / 1000),
        .first_day = (uint16_t)((now_ms - (first_ms > age_ms ? first_ms : age_ms)) / 86400000),
        .slot_count = reputation_is_root(id.kind) ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS};

    share_out(line, &is);
    memory_reputation_put(line->world->memory, &id, &is);
}
