// ldap_session.c: see ldap_session.h; the only user of libldap. Its socket does not block, so that a server that sends a
// byte a second has no more time than one that is silent: libldap then waits by itself, and within what it is given.
#include "node/probe/ldap_session.h"

#include <errno.h>
#include <lber.h>
#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum {
    ENTRIES_MOST = 2,   // two are as good as a thousand
    MESSAGES_MOST = 64, // entries and references of one search
    PASSWORD_BYTES = 512,
    KEEPALIVE_S = 30,
};
static const ber_len_t MESSAGE_BYTES_MAX = 256U << 10;

struct ldap_session {
    LDAP *ld;
};

void ldap_session_prepare(void)
{
    const int of_a_client = 0;

    (void)setenv("LDAPNOINIT", "1", 1);
    // Makes the library set up itself and TLS, which it does without a lock.
    (void)ldap_set_option(NULL, LDAP_OPT_X_TLS_NEWCTX, &of_a_client);
}

static struct timeval span(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

// say: what the library calls it, and what the server or TLS said about it.
static enum err say(LDAP *ld, enum err err, const char *doing, int result, struct err_detail *why)
{
    char clean[160] = "";
    char *more = NULL;

    (void)ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
    if (more != NULL) {
        if (strcmp(more, "(unknown error code)") != 0)
            (void)text_clean(clean, sizeof(clean) - 1, more, strlen(more));
        ldap_memfree(more);
    }
    return err_say(why, err, "%s: %s%s%s", doing, ldap_err2string(result),
                   clean[0] != '\0' ? ": " : "", clean);
}

// ---- opening

static bool set_number(LDAP *ld, int option, int value)
{
    return ldap_set_option(ld, option, &value) == LDAP_OPT_SUCCESS;
}

static bool set_tls(LDAP *ld, const struct ldap_access *access)
{
    return ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, access->ca_file) == LDAP_OPT_SUCCESS &&
           set_number(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND) &&
           set_number(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2) &&
           set_number(ld, LDAP_OPT_X_TLS_NEWCTX, 0);
}

static bool is_encrypted(const struct ldap_access *access)
{
    return access->start_tls || strncmp(access->uri, "ldaps:", 6) == 0;
}

static bool set_options(LDAP *ld, const struct ldap_access *access)
{
    const struct timeval step = span(access->step_ms);

    return set_number(ld, LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3) &&
           ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &step) == LDAP_OPT_SUCCESS &&
           ldap_set_option(ld, LDAP_OPT_TIMEOUT, &step) == LDAP_OPT_SUCCESS &&
           set_number(ld, LDAP_OPT_X_KEEPALIVE_IDLE, KEEPALIVE_S);
}

// stop_blocking: the library's own handshake makes its socket block again when it is over.
static void stop_blocking(LDAP *ld)
{
    Sockbuf *socket = NULL;
    ber_len_t most = MESSAGE_BYTES_MAX;

    if (ldap_get_option(ld, LDAP_OPT_SOCKBUF, &socket) != LDAP_OPT_SUCCESS || socket == NULL)
        return;
    (void)ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_NONBLOCK, socket); // any pointer: on
    (void)ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &most);
}

// say_tls: the library often does not say what it had against a certificate.
static enum err say_tls(LDAP *ld, const char *doing, int result, const struct ldap_access *access,
                        struct err_detail *why)
{
    struct err_detail said = {""};

    (void)say(ld, ERR_UNAVAILABLE, doing, result, &said);
    return err_say(why, ERR_UNAVAILABLE,
                   "%.300s (its certificate must be of this name, and signed by %.150s)", said.text,
                   access->ca_file);
}

static enum err connect_to(LDAP *ld, const struct ldap_access *access, struct err_detail *why)
{
    int result = ldap_connect(ld);

    if (result != LDAP_SUCCESS && is_encrypted(access) && !access->start_tls)
        return say_tls(ld, "cannot connect with TLS", result, access, why);
    if (result != LDAP_SUCCESS)
        return say(ld, ERR_UNAVAILABLE, "cannot connect", result, why);
    stop_blocking(ld);
    if (!access->start_tls)
        return ERR_NONE;
    result = ldap_start_tls_s(ld, NULL, NULL);
    if (result != LDAP_SUCCESS)
        return say_tls(ld, "cannot start TLS", result, access, why);
    stop_blocking(ld);
    return ERR_NONE;
}

static enum err read_password(const char *path, char out[PASSWORD_BYTES], struct err_detail *why)
{
    FILE *file = path[0] != '\0' ? fopen(path, "re") : NULL;

    out[0] = '\0';
    if (path[0] == '\0')
        return err_say(why, ERR_CONFIG, "a bind_dn needs ldap.password_file in reeve.yaml");
    if (file == NULL)
        return err_say(why, ERR_CONFIG, "password_file cannot be read: %s", strerror(errno));
    if (fgets(out, PASSWORD_BYTES, file) != NULL)
        out[strcspn(out, "\r\n")] = '\0';
    (void)fclose(file);
    if (out[0] == '\0')
        return err_say(why, ERR_CONFIG, "password_file has no password in its first line");
    return ERR_NONE;
}

static enum err log_in(LDAP *ld, const struct ldap_access *access, struct err_detail *why)
{
    char password[PASSWORD_BYTES];
    struct berval secret = {.bv_val = password};
    enum err err = ERR_NONE;
    int result = LDAP_SUCCESS;

    if (access->bind_dn[0] == '\0')
        return ERR_NONE;
    err = read_password(access->password_file, password, why);
    secret.bv_len = strlen(password);
    if (err == ERR_NONE)
        result = ldap_sasl_bind_s(ld, access->bind_dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
    explicit_bzero(password, sizeof(password));
    if (err != ERR_NONE || result == LDAP_SUCCESS)
        return err;
    return say(ld,
               LDAP_API_ERROR(result) || LDAP_SERVICE_ERROR(result) ? ERR_UNAVAILABLE : ERR_CONFIG,
               "cannot bind", result, why);
}

enum err ldap_session_open(struct ldap_session **out, const struct ldap_access *access,
                           struct err_detail *why)
{
    struct ldap_session session = {NULL};
    struct ldap_session *opened;
    int result = ldap_initialize(&session.ld, access->uri);
    enum err err = ERR_NONE;

    if (result != LDAP_SUCCESS)
        return err_say(why, ERR_CONFIG, "%s", ldap_err2string(result));
    if (!set_options(session.ld, access))
        err = err_say(why, ERR_CONFIG, "the library refuses its settings");
    if (err == ERR_NONE && is_encrypted(access) && !set_tls(session.ld, access))
        err = err_say(why, ERR_CONFIG, "the certificates of %s cannot be used", access->ca_file);
    if (err == ERR_NONE)
        err = connect_to(session.ld, access, why);
    if (err == ERR_NONE)
        err = log_in(session.ld, access, why);
    if (err != ERR_NONE) {
        (void)ldap_unbind_ext_s(session.ld, NULL, NULL);
        return err;
    }
    opened = mem_new(sizeof(*opened));
    *opened = session;
    *out = opened;
    return ERR_NONE;
}

void ldap_session_close(struct ldap_session **session)
{
    if (*session == NULL)
        return;
    (void)ldap_unbind_ext_s((*session)->ld, NULL, NULL);
    mem_free(*session);
    *session = NULL;
}

// ---- searching

struct results {
    unsigned entries;
    unsigned messages;
    int result; // of the search as a whole
    bool is_over;
};

static void take_value(LDAP *ld, LDAPMessage *entry, const char *attribute, struct ldap_found *out)
{
    struct berval **values =
        attribute[0] != '\0' ? ldap_get_values_len(ld, entry, attribute) : NULL;

    if (values == NULL)
        return;
    if (values[0] != NULL && values[0]->bv_len < sizeof(out->value) &&
        text_is_clean(values[0]->bv_val, values[0]->bv_len, sizeof(out->value) - 1)) {
        memcpy(out->value, values[0]->bv_val, values[0]->bv_len);
        out->value[values[0]->bv_len] = '\0';
    }
    ldap_value_free_len(values);
}

static void take_message(LDAP *ld, LDAPMessage *message, const struct ldap_search *search,
                         struct results *results, struct ldap_found *out)
{
    results->messages++;
    switch (ldap_msgtype(message)) {
    case LDAP_RES_SEARCH_ENTRY:
        results->entries++;
        take_value(ld, message, search->attribute, out);
        break;
    case LDAP_RES_SEARCH_RESULT:
        results->is_over = true;
        if (ldap_parse_result(ld, message, &results->result, NULL, NULL, NULL, NULL, 0) !=
            LDAP_SUCCESS)
            results->result = LDAP_DECODING_ERROR;
        break;
    default:
        break; // a referral to another server: nobody goes there
    }
    (void)ldap_msgfree(message);
}

// gather: what the search brings, until it is over, its time is, or it brings more than is wanted. Returns a result code.
static int gather(LDAP *ld, int id, const struct ldap_search *search, uint64_t until_ms,
                  struct ldap_found *out)
{
    struct results results = {.result = LDAP_SUCCESS};

    while (!results.is_over && results.entries < ENTRIES_MOST && results.messages < MESSAGES_MOST) {
        const uint64_t now_ms = clock_mono_ms();
        struct timeval left = span(until_ms > now_ms ? until_ms - now_ms : 0);
        LDAPMessage *message = NULL;
        const int type = ldap_result(ld, id, LDAP_MSG_ONE, &left, &message);

        if (type == 0)
            return LDAP_TIMEOUT;
        if (type < 0) {
            (void)ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &results.result);
            return results.result != LDAP_SUCCESS ? results.result : LDAP_SERVER_DOWN;
        }
        take_message(ld, message, search, &results, out);
    }
    if (!results.is_over)
        (void)ldap_abandon_ext(ld, id, NULL, NULL);
    out->exists = results.entries > 0;
    if (results.entries > 1 || results.result != LDAP_SUCCESS)
        out->value[0] = '\0'; // of which of them?
    if (out->exists)
        return LDAP_SUCCESS; // whatever limit it met behind what it found
    return results.is_over ? results.result : LDAP_SIZELIMIT_EXCEEDED;
}

static int search_in(LDAP *ld, const struct ldap_search *search, uint64_t within_ms,
                     struct ldap_found *out)
{
    static const int SCOPES[] = {[LDAP_SCOPE_OF_BASE] = LDAP_SCOPE_BASE,
                                 [LDAP_SCOPE_OF_ONE] = LDAP_SCOPE_ONELEVEL,
                                 [LDAP_SCOPE_OF_SUB] = LDAP_SCOPE_SUBTREE};
    const uint64_t until_ms = clock_mono_ms() + within_ms;
    char *attribute = mem_text(search->attribute[0] != '\0' ? search->attribute : LDAP_NO_ATTRS);
    char *attributes[] = {attribute, NULL};
    struct timeval limit = span(within_ms);
    int id = 0;
    int result = ldap_search_ext(ld, search->base, SCOPES[search->scope], search->filter,
                                 attributes, 0, NULL, NULL, &limit, ENTRIES_MOST, &id);

    mem_free(attribute);
    return result != LDAP_SUCCESS ? result : gather(ld, id, search, until_ms, out);
}

enum err ldap_session_search(struct ldap_session *session, const struct ldap_search *search,
                             uint64_t within_ms, struct ldap_found *out, struct err_detail *why)
{
    struct ldap_found found = {.exists = false};
    const int result = search_in(session->ld, search, within_ms, &found);

    if (result == LDAP_SUCCESS) {
        *out = found;
        return ERR_NONE;
    }
    if (result == LDAP_TIMEOUT)
        return err_say(why, ERR_TIMEOUT, "no answer within %llu ms", (unsigned long long)within_ms);
    // Busy, unavailable, unwilling: another server may answer, or this one later.
    return say(session->ld,
               LDAP_API_ERROR(result) || LDAP_SERVICE_ERROR(result) ? ERR_UNAVAILABLE : ERR_CONFIG,
               "cannot search", result, why);
}
