// hold.c: who uses a compiled set. Promises: it is freed once, after its last user; the loop never waits for that.
#include "node/policy/hold.h"

#include "node/policy/set.h"
#include "proto/base/mem.h"

struct policy_hold *hold_new(struct policy *policy, struct loop *loop)
{
    struct policy_hold *hold = mem_new(sizeof(*hold));

    *hold = (struct policy_hold){.policy = policy, .users = 1, .loop = loop};
    return hold;
}

struct policy_hold *hold_take(struct policy_hold *hold)
{
    hold->users++;
    return hold;
}

static void free_beside(void *arg)
{
    struct policy *policy = arg;

    policy_free(&policy);
}

static void is_freed(void *arg, bool wanted)
{
    struct policy *policy = arg;

    if (!wanted) // it never ran, because the loop ends
        policy_free(&policy);
}

void hold_release(struct policy_hold **hold)
{
    struct policy_hold *last = *hold;

    *hold = NULL;
    if (last == NULL || --last->users > 0)
        return;
    if (last->used != NULL)
        last->used_free(&last->used);
    if (last->loop == NULL)
        policy_free(&last->policy);
    else
        (void)loop_work_new(last->loop, free_beside, is_freed, last->policy);
    mem_free(last);
}
