// probes.c: see probes.h.
#include "tests/scenario/probes.h"

#include <stdio.h>
#include <string.h>

#include "tests/scenario/world.h"

static struct probe_script *find(struct world *world, const char *address)
{
    struct probes *probes = &world->probes;

    for (size_t i = 0; i < probes->count; i++)
        if (strcmp(probes->script[i].address, address) == 0)
            return &probes->script[i];
    return NULL;
}

static struct probe_answer answer_of(const struct probe_script *script, enum facts_probe said)
{
    struct probe_answer answer = {.said = said, .why = "the script says so"};

    if (said == FACTS_EXISTS) {
        answer.life_ms = script->positive_ms;
        memcpy(answer.mailbox, script->mailbox, sizeof(answer.mailbox));
    } else if (said == FACTS_NOBODY)
        answer.life_ms = script->negative_ms;
    return answer;
}

static void tell(struct probe_done done, const struct probe_answer *answer)
{
    if (done.fn != NULL)
        done.fn(done.arg, done.token, answer);
}

// In the order of node/probe/probe.c: it is kept, and then told.
static void answer_now(struct probe_script *script, struct node *node, enum facts_probe said,
                       const struct probe_done *done)
{
    const struct probe_answer answer = answer_of(script, said);

    if (answer.life_ms > 0)
        server_probed(node->server, script->address, &answer);
    if (done != NULL)
        tell(*done, &answer);
}

static void keep_lives(struct probe_script *script, const struct probe_question *question)
{
    const struct policy_settings *settings = question->settings;
    const bool is_ldap = question->domain->recipients == POLICY_RECIPIENTS_LDAP;

    script->positive_ms = is_ldap ? settings->ldap.positive_ms : settings->callforward.positive_ms;
    script->negative_ms = is_ldap ? settings->ldap.negative_ms : settings->callforward.negative_ms;
}

void probes_on_ask(void *arg, const struct probe_question *question, struct probe_done done)
{
    struct node *node = arg;
    struct world *world = node->world;
    struct probe_script *script = find(world, question->address);
    const struct probe_answer refused = {.said = FACTS_REFUSED, .why = "nobody was asked"};

    world->probes.asked++;
    if (script == NULL) {
        tell(done, &refused);
        return;
    }
    keep_lives(script, question);
    if (script->says == FACTS_SILENT || script->says == FACTS_UNASKED)
        script->asker = node;
    if (script->says == FACTS_UNASKED && script->waiters < PROBE_WAITERS_MAX)
        script->waiter[script->waiters++] = done;
    else
        answer_now(script, node, script->says, &done);
}

bool probes_say(struct world *world, const char *address, enum facts_probe says)
{
    struct probes *probes = &world->probes;
    struct probe_script *script = find(world, address);

    if (script == NULL && probes->count == PROBES_MAX)
        return false;
    if (script == NULL) {
        script = &probes->script[probes->count++];
        (void)snprintf(script->address, sizeof(script->address), "%s", address);
    }
    script->says = says;
    return true;
}

void probes_name(struct world *world, const char *address, const char *mailbox)
{
    struct probe_script *script = find(world, address);

    if (script != NULL)
        (void)snprintf(script->mailbox, sizeof(script->mailbox), "%s", mailbox);
}

bool probes_answer(struct world *world, const char *address, enum facts_probe said)
{
    struct probe_script *script = find(world, address);
    struct probe_done waiter[PROBE_WAITERS_MAX];

    if (script == NULL || script->asker == NULL)
        return false;
    const size_t waiters = script->waiters;
    const struct probe_answer answer = answer_of(script, said);

    memcpy(waiter, script->waiter, sizeof(waiter));
    script->waiters = 0;
    answer_now(script, script->asker, said, NULL);
    if (said != FACTS_SILENT) // then it still goes on
        script->asker = NULL;
    for (size_t i = 0; i < waiters; i++)
        tell(waiter[i], &answer);
    return true;
}

void probes_forget(struct world *world, const struct node *node)
{
    for (size_t i = 0; i < world->probes.count; i++) {
        struct probe_script *script = &world->probes.script[i];

        if (script->asker != node)
            continue;
        script->asker = NULL;
        script->waiters = 0;
    }
}

bool probes_are_waited_for(const struct world *world, const struct node *node)
{
    for (size_t i = 0; i < world->probes.count; i++)
        if (world->probes.script[i].asker == node && world->probes.script[i].waiters > 0)
            return true;
    return false;
}
