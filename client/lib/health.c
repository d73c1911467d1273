// health.c: see health.h.
#include "client/lib/health.h"

static uint64_t longer(uint64_t backoff_ms)
{
    if (backoff_ms == 0)
        return HEALTH_PROBE_FIRST_MS;
    return 2 * backoff_ms < HEALTH_PROBE_MOST_MS ? 2 * backoff_ms : HEALTH_PROBE_MOST_MS;
}

void health_connected(struct health *health)
{
    *health = (struct health){.is_suspect = false};
}

void health_suspect(struct health *health, uint64_t now_ms)
{
    if (health->is_suspect)
        return;
    if (now_ms - health->trusted_ms >= HEALTH_FORGIVEN_MS)
        health->backoff_ms = 0;
    health->is_suspect = true;
    health->probe_id = 0;
    health->backoff_ms = longer(health->backoff_ms);
    health->probe_ms = now_ms + health->backoff_ms;
    health->patience_ms = health->probe_ms;
}

static void trust(struct health *health, uint64_t now_ms)
{
    health->is_suspect = false;
    health->probe_id = 0;
    health->trusted_ms = now_ms;
}

void health_answered(struct health *health, uint64_t now_ms)
{
    if (health->is_suspect && now_ms >= health->patience_ms)
        trust(health, now_ms);
}

bool health_is_due(struct health *health, uint64_t now_ms)
{
    if (!health->is_suspect || now_ms < health->probe_ms)
        return false;
    if (health->probe_id == 0)
        return true;
    health->probe_id = 0;
    health_put_off(health, now_ms);
    return false;
}

void health_put_off(struct health *health, uint64_t now_ms)
{
    health->backoff_ms = longer(health->backoff_ms);
    health->probe_ms = now_ms + health->backoff_ms;
}

void health_probed(struct health *health, uint64_t id, uint64_t now_ms, uint64_t wait_ms)
{
    health->probe_id = id;
    health->probe_ms = now_ms + wait_ms;
}

bool health_pong(struct health *health, uint64_t id, uint64_t now_ms)
{
    if (!health->is_suspect || health->probe_id == 0 || health->probe_id != id)
        return false;
    trust(health, now_ms);
    return true;
}
