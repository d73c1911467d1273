// postfix.c: `reevectl import postfix`: mail that was delivered, by Postfix' logs.
#include "client/ctl/import/import.h"
#include "client/ctl/import/logs.h"

static void take_mail(void *arg, const struct queue_mail *mail)
{
    struct import *import = arg;
    struct import_row row = {
        .at_ms = mail->at_ms, .client = mail->client, .name = mail->name, .sender = mail->sender};

    for (size_t i = 0; i < mail->count; i++) {
        row.recipient = mail->recipient[i];
        if (mail->is_own)
            import_leave(import, IMPORT_OUTBOUND, row.recipient);
        else if (mail->is_returned)
            import_leave(import, IMPORT_RETURNED, row.recipient);
        else if (mail->client == NULL || mail->sender == NULL)
            import_leave(import, IMPORT_NO_LOG, row.recipient);
        else
            import_take(import, &row);
    }
}

int import_postfix(struct import *import, char **sources, int count)
{
    const struct logs_how how = {.tell = take_mail, .arg = import};

    return logs_read(import, (const char *const *)sources, (size_t)count, &how);
}
