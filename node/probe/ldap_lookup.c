// ldap_lookup.c: see ldap_lookup.h. Between a recipient and the pool, which knows nothing of mail.
#include "node/probe/ldap_lookup.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "node/core/ldap_text.h"
#include "proto/base/mem.h"
#include "proto/mail.h"

enum { TEXT_MAX = 4 * LDAP_TEXT_MAX, ADDRESS_BYTES = 4096 };

// A question in the pool's hands.
struct asking {
    LIST_ENTRY(asking) next;
    struct ldap_lookup *lookup;
    struct probe_done done;
    uint64_t positive_ms, negative_ms;
    char address[PERSON_ADDRESS_MAX];
};
LIST_HEAD(askings, asking);

struct ldap_lookup {
    struct ldap_pool *pool;
    struct probe_counters *counters;
    struct askings askings;
};

// ---- what came back

// take_mailbox: the attribute's value as a mailbox; "" if it names none, or the address itself.
static void take_mailbox(const char *value, const char *address, char out[PERSON_ADDRESS_MAX])
{
    char memory[ADDRESS_BYTES];
    struct arena arena;
    struct mail_address mailbox;

    out[0] = '\0';
    arena_init(&arena, memory, sizeof(memory));
    if (value[0] == '\0' || mail_parse(value, &arena, &mailbox) != ERR_NONE ||
        mailbox.flaw != MAIL_OK || mailbox.null || mailbox.domain[0] == '\0')
        return;
    (void)snprintf(out, PERSON_ADDRESS_MAX, "%s@%s", mailbox.base, mailbox.domain);
    if (strcmp(out, address) == 0)
        out[0] = '\0';
}

static void read_answer(const struct asking *asking, const struct ldap_answer *found,
                        struct probe_answer *out)
{
    if (found->err != ERR_NONE) {
        out->said = FACTS_REFUSED;
        (void)text_clean(out->why, PROBE_WHY_MAX, found->why.text, strlen(found->why.text));
        return;
    }
    out->said = found->found.exists ? FACTS_EXISTS : FACTS_NOBODY;
    out->life_ms = found->found.exists ? asking->positive_ms : asking->negative_ms;
    take_mailbox(found->found.value, asking->address, out->mailbox);
    (void)snprintf(out->why, sizeof(out->why), "the directory server %s",
                   found->found.exists ? "has it" : "does not have it");
}

static void found(void *arg, uint64_t token, const struct ldap_answer *answer)
{
    struct asking *asking = arg;
    struct ldap_lookup *lookup = asking->lookup;
    const struct ldap_pool_counters counters = ldap_pool_counters(lookup->pool);
    const struct probe_done done = asking->done;
    struct probe_answer said = {.said = FACTS_REFUSED};

    (void)token;
    lookup->counters->ldap_connects = counters.connects;
    lookup->counters->ldap_connect_errors = counters.connect_errors;
    read_answer(asking, answer, &said);
    LIST_REMOVE(asking, next);
    mem_free(asking);
    done.fn(done.arg, done.token, &said);
}

// ---- asking

static void set_servers(struct ldap_lookup *lookup, const struct policy_settings *settings)
{
    const struct ldap_servers servers = {.uris = settings->ldap.servers,
                                         .start_tls = settings->ldap.start_tls,
                                         .bind_dn = settings->ldap.bind_dn,
                                         .step_ms = settings->ldap.timeout_ms,
                                         .connections = settings->ldap.connections};

    ldap_pool_set(lookup->pool, &servers);
}

static void refuse(struct probe_done done, const char *why)
{
    struct probe_answer answer = {.said = FACTS_REFUSED};

    (void)snprintf(answer.why, sizeof(answer.why), "%s", why);
    done.fn(done.arg, done.token, &answer);
}

// expand: a text of the policy set with the address in its places. False if that becomes too long.
static bool expand(enum ldap_text kind, const char *text, const char *address, char out[TEXT_MAX])
{
    char base[PERSON_ADDRESS_MAX];
    const char *at = strrchr(address, '@');
    struct text_buf buf;

    if (at == NULL || strlen(address) >= sizeof(base))
        return false;
    memcpy(base, address, (size_t)(at - address));
    base[at - address] = '\0';
    text_buf_init(&buf, out, TEXT_MAX);
    ldap_text_expand(kind, text, base, at + 1, &buf);
    return !buf.full;
}

// put: NULL, or why it cannot be asked.
static const char *put(struct ldap_lookup *lookup, const struct probe_question *question,
                       struct asking *asking)
{
    static const int SCOPES[] = {[POLICY_LDAP_BASE] = LDAP_SCOPE_OF_BASE,
                                 [POLICY_LDAP_ONE] = LDAP_SCOPE_OF_ONE,
                                 [POLICY_LDAP_SUB] = LDAP_SCOPE_OF_SUB};
    const struct policy_settings *settings = question->settings;
    const bool has_base = question->domain->ldap_base[0] != '\0';
    char base[TEXT_MAX];
    char filter[TEXT_MAX];
    const struct ldap_search search = {.base = base,
                                       .filter = filter,
                                       .attribute = settings->ldap.mailbox,
                                       .scope = SCOPES[settings->ldap.scope]};

    if (!expand(LDAP_TEXT_BASE, has_base ? question->domain->ldap_base : settings->ldap.base,
                question->address, base) ||
        !expand(LDAP_TEXT_FILTER, settings->ldap.filter, question->address, filter))
        return "its filter or base is too long with this address";
    return ldap_pool_ask(lookup->pool, &search, settings->ldap.whole_ms,
                         (struct ldap_done){.fn = found, .arg = asking})
               ? NULL
               : "too much is asked already";
}

void ldap_lookup_ask(struct ldap_lookup *lookup, const struct probe_question *question,
                     struct probe_done done)
{
    struct asking *asking = mem_new(sizeof(*asking));
    const char *why;

    asking->lookup = lookup;
    asking->done = done;
    asking->positive_ms = question->settings->ldap.positive_ms;
    asking->negative_ms = question->settings->ldap.negative_ms;
    (void)snprintf(asking->address, sizeof(asking->address), "%s", question->address);
    set_servers(lookup, question->settings);
    why = put(lookup, question, asking);
    if (why == NULL) {
        LIST_INSERT_HEAD(&lookup->askings, asking, next);
        return;
    }
    mem_free(asking);
    lookup->counters->crowded++;
    refuse(done, why);
}

// ---- its life

struct ldap_lookup *ldap_lookup_new(const struct ldap_pool_config *config,
                                    struct probe_counters *counters)
{
    struct ldap_lookup *lookup = mem_new(sizeof(*lookup));

    lookup->pool = ldap_pool_new(config);
    lookup->counters = counters;
    LIST_INIT(&lookup->askings);
    return lookup;
}

void ldap_lookup_free(struct ldap_lookup **lookup)
{
    if (*lookup == NULL)
        return;
    ldap_pool_free(&(*lookup)->pool);
    while (!LIST_EMPTY(&(*lookup)->askings)) {
        struct asking *asking = LIST_FIRST(&(*lookup)->askings);

        LIST_REMOVE(asking, next);
        mem_free(asking);
    }
    mem_free(*lookup);
    *lookup = NULL;
}
