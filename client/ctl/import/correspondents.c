// correspondents.c: `reevectl import correspondents`: whom one's own users have written to, by the logs of
// Postfix and Exim. Promises: only what somebody who logged in, or a client of a network that the
// operator named, has handed in counts: who writes in another's name from outside teaches nothing. What
// a log does not show, the headers, is not looked at.
#include <string.h>

#include "client/ctl/import/import.h"
#include "client/ctl/import/logs.h"
#include "proto/base/mem.h"
#include "proto/ip.h"

enum { RECIPIENTS_MAX = 50 };

struct inside {
    struct import *import;
    struct ip_net *net;
    size_t count;
};

static bool is_inside(const struct inside *inside, const struct queue_mail *mail)
{
    struct ip client;

    if (mail->is_own)
        return true;
    if (mail->client == NULL || !ip_parse(mail->client, &client))
        return false;
    for (size_t i = 0; i < inside->count; i++) {
        if (ip_net_contains(&inside->net[i], &client))
            return true;
    }
    return false;
}

// left_of: why nothing is learnt of a message; IMPORT_LEFT_COUNT = something is.
static enum import_left left_of(const struct inside *inside, const struct queue_mail *mail)
{
    if (mail->client == NULL || mail->sender == NULL)
        return IMPORT_NO_LOG;
    if (!is_inside(inside, mail))
        return IMPORT_INBOUND;
    if (mail->sender[0] == '\0')
        return IMPORT_NULL_SENDER;
    return mail->count > RECIPIENTS_MAX ? IMPORT_MANY : IMPORT_LEFT_COUNT;
}

// The owner is the login, where that is an address. To which domain another one belongs says the policy
// set (settings.auth_domain), which is not read here, and the sender says it as well.
static const char *owner_of(const struct queue_mail *mail)
{
    return mail->login != NULL && strchr(mail->login, '@') != NULL ? mail->login : mail->sender;
}

static void take_mail(void *arg, const struct queue_mail *mail)
{
    const struct inside *inside = arg;
    enum import_left why = left_of(inside, mail);
    struct import_row row = {.at_ms = mail->at_ms, .client = "", .name = ""};

    for (size_t i = 0; i < mail->count; i++) {
        row.recipient = mail->recipient[i];
        if (why != IMPORT_LEFT_COUNT) {
            import_leave(inside->import, why, row.recipient);
            continue;
        }
        row.sender = owner_of(mail);
        import_take(inside->import, &row);
    }
}

static int read_nets(struct inside *inside, const struct arg_texts *texts)
{
    struct err_detail detail = {.text = ""};

    inside->net = mem_new_array(texts->count + 1, sizeof(*inside->net));
    for (; inside->count < texts->count; inside->count++) {
        if (ip_net_parse(texts->text[inside->count], &inside->net[inside->count], &detail) !=
            ERR_NONE)
            return import_fail(inside->import, "--inside %s: %s", texts->text[inside->count],
                               detail.text);
    }
    return CTL_FINE;
}

int import_correspondents(struct import *import, char **sources, int count)
{
    struct inside inside = {.import = import};
    const struct logs_how how = {.want_exim = true, .tell = take_mail, .arg = &inside};
    int code = read_nets(&inside, &import->options.inside);

    if (code == CTL_FINE)
        code = logs_read(import, (const char *const *)sources, (size_t)count, &how);
    mem_free(inside.net);
    return code;
}
