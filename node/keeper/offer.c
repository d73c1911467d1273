// offer.c: a version that the store does not have any more, and the copy on the disk from which it comes after a restart.
// Promises: what is offered never takes the place of another version: the store is asked once more before, and adds it only
// if every version that it has is older.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/keeper/inside.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

// ---- the copy

struct saving {
    struct keeper *keeper;
    char *path;
    char *bytes;
    size_t len;
    enum err err;
    struct err_detail detail;
};

static void save(void *arg)
{
    struct saving *saving = arg;

    saving->err = copy_save(saving->path, saving->bytes, saving->len, &saving->detail);
}

static void is_saved(void *arg, bool wanted)
{
    struct saving *saving = arg;
    struct keeper *keeper = saving->keeper;

    if (wanted) {
        keeper->saving = NULL;
        if (saving->err != ERR_NONE)
            log_error("this node's copy of the policy set was not written, a restart without the "
                      "store begins "
                      "with an older one: %s",
                      saving->detail.text);
        if (keeper->save_again)
            keeper_save(keeper);
    }
    mem_free(saving->path);
    mem_free(saving->bytes);
    mem_free(saving);
}

static void put_since(const struct keeper *keeper, struct copy *copy)
{
    size_t count = 0;
    const struct declared *declared = store_declared_all(keeper->store, &count);

    if (count > COPY_SINCE_MAX)
        count = COPY_SINCE_MAX;
    copy->since = mem_new_array(count, sizeof(*copy->since));
    for (size_t i = 0; i < count; i++) {
        struct copy_since *since = &copy->since[copy->since_count];

        if (declared[i].at_ms == 0 || strlen(declared[i].domain) > COPY_DOMAIN_MAX)
            continue;
        (void)snprintf(since->domain, sizeof(since->domain), "%s", declared[i].domain);
        since->at_ms = declared[i].at_ms;
        copy->since_count++;
    }
}

void keeper_save(struct keeper *keeper)
{
    struct copy copy = {.version = keeper->version, .document = keeper->document};
    struct saving *saving = NULL;

    keeper->save_again = keeper->saving != NULL;
    if (keeper->path == NULL || keeper->save_again || keeper->document == NULL ||
        keeper->is_stopped)
        return;
    keeper->saved_since = store_declared_changes(keeper->store);
    put_since(keeper, &copy);
    copy.was_count = keeper->was_count;
    for (size_t i = 0; i < keeper->was_count; i++)
        copy.was[i] = keeper->was[i];
    saving = mem_new(sizeof(*saving));
    *saving = (struct saving){.keeper = keeper, .path = mem_text(keeper->path)};
    saving->bytes = copy_format(&copy, &saving->len);
    mem_free(copy.since);
    keeper->saving = loop_work_new(keeper->loop, save, is_saved, saving);
}

// ---- offering

static void end(struct keeper *keeper)
{
    keeper->is_offering = false;
}

static void is_offered(void *arg, enum store_activation how, enum store_state state,
                       const struct store_version *tip, bool unreplicated)
{
    struct keeper *keeper = arg;
    char text[KEEPER_VERSION_TEXT];

    (void)unreplicated;
    end(keeper);
    if (how == STORE_ACTIVATED)
        log_info("the store has this node's policy set again: %s",
                 keeper_version_text(&keeper->version, text));
    else if (how == STORE_OVERTAKEN)
        keeper_tip(keeper, tip, true);
    else
        log_warn("the store did not take this node's policy set back, it is offered again "
                 "version=%" PRIu64 " store=\"%s\"",
                 keeper->version.version, store_state_text(state));
}

struct offer {
    struct keeper *keeper;
    struct store_version version;
    struct document *document;
};

static void is_staged(void *arg, uint64_t token, enum store_state state)
{
    struct offer *offer = arg;
    struct keeper *keeper = offer->keeper;
    struct store_version version = offer->version;

    (void)token;
    document_release(&offer->document);
    mem_free(offer);
    if (state != STORE_UP || keeper->is_stopped)
        end(keeper); // the next look comes back to it
    else
        store_policy_activate(keeper->store, &version,
                              (struct store_activate_done){is_offered, keeper});
}

static void stage(struct keeper *keeper)
{
    struct offer *offer = mem_new(sizeof(*offer));

    *offer = (struct offer){
        .keeper = keeper, .version = keeper->version, .document = document_hold(keeper->document)};
    store_policy_stage(keeper->store, offer->document->name, offer->document->bytes,
                       offer->document->len, (struct store_done){is_staged, offer, 0, 0});
}

// What was seen first may have been asked before this node had its version.
static void is_confirmed(void *arg, enum store_state state, const struct store_version *tip)
{
    struct keeper *keeper = arg;
    char text[KEEPER_VERSION_TEXT];
    bool is_same = state == STORE_UP && tip->version == keeper->version.version;
    bool is_older = state == STORE_UP &&
                    (tip->version == 0 ||
                     (tip->version < keeper->version.version && keeper_knows(keeper, tip)));

    if (keeper->is_stopped || keeper->version.version == 0 || (!is_same && !is_older)) {
        end(keeper);
        return;
    }
    if (is_older)
        log_warn("the store has lost the policy set, it is offered again: %s newest_there=%" PRIu64,
                 keeper_version_text(&keeper->version, text), tip->version);
    stage(keeper);
}

void keeper_offer(struct keeper *keeper)
{
    if (keeper->is_offering || keeper->version.version == 0)
        return;
    keeper->is_offering = true;
    store_policy_tip(keeper->store, (struct store_version_done){is_confirmed, keeper});
}
