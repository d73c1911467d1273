// queue.c: see queue.h. Promises: bounded memory, whatever a log holds: so many messages
// and so many bytes of them at once, and so many recipients of one.
#include "client/ctl/import/queue.h"

#include <string.h>

#include "proto/base/mem.h"

enum {
    CHAINS = 1 << 16,
    MAILS_MAX = 1 << 16,
    BYTES_MAX = 48 << 20,
    RECIPIENTS_MAX = 1000,
    ID_BYTES = 24,
};

struct mail {
    struct mail *chain;         // of one hash
    struct mail *older, *newer; // in the order in which they came
    char id[ID_BYTES];
    size_t bytes;
    struct queue_mail said;
};

struct queue {
    void (*tell)(void *arg, const struct queue_mail *mail);
    void *arg;
    struct mail *oldest, *newest;
    size_t count, bytes;
    struct mail *chain[CHAINS];
};

// FNV-1a.
static struct mail **chain_of(struct queue *queue, const char *id)
{
    uint32_t hash = 2166136261U;

    for (; *id != '\0'; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619U;
    return &queue->chain[(hash ^ hash >> 16) % CHAINS];
}

static struct mail *find(struct queue *queue, const char *id)
{
    struct mail *mail = *chain_of(queue, id);

    while (mail != NULL && strcmp(mail->id, id) != 0)
        mail = mail->chain;
    return mail;
}

static void unlink_mail(struct queue *queue, struct mail *mail)
{
    struct mail **at = chain_of(queue, mail->id);

    while (*at != mail)
        at = &(*at)->chain;
    *at = mail->chain;
    *(mail->older == NULL ? &queue->oldest : &mail->older->newer) = mail->newer;
    *(mail->newer == NULL ? &queue->newest : &mail->newer->older) = mail->older;
    queue->count--;
    queue->bytes -= mail->bytes;
}

// leave: tells of it, and forgets it.
static void leave(struct queue *queue, struct mail *mail)
{
    struct queue_mail *said = &mail->said;

    unlink_mail(queue, mail);
    if (said->count > 0)
        queue->tell(queue->arg, said);
    mem_free(said->client);
    mem_free(said->name);
    mem_free(said->sender);
    mem_free(said->login);
    for (size_t i = 0; i < said->count; i++)
        mem_free(said->recipient[i]);
    mem_free((void *)said->recipient);
    mem_free(mail);
}

static void add_bytes(struct queue *queue, struct mail *mail, size_t bytes)
{
    mail->bytes += bytes;
    queue->bytes += bytes;
    while (queue->oldest != mail && (queue->count > MAILS_MAX || queue->bytes > BYTES_MAX))
        leave(queue, queue->oldest);
}

static struct mail *begin(struct queue *queue, const char *id)
{
    struct mail **chain = chain_of(queue, id);
    struct mail *mail = mem_new(sizeof(*mail));

    (void)strncpy(mail->id, id, ID_BYTES - 1);
    mail->chain = *chain;
    *chain = mail;
    mail->older = queue->newest;
    *(queue->newest == NULL ? &queue->oldest : &queue->newest->newer) = mail;
    queue->newest = mail;
    queue->count++;
    add_bytes(queue, mail, sizeof(*mail));
    return mail;
}

static struct mail *find_or_begin(struct queue *queue, const char *id)
{
    struct mail *mail = find(queue, id);

    return mail != NULL ? mail : begin(queue, id);
}

static void keep(struct queue *queue, struct mail *mail, char **into, const char *text)
{
    if (*into != NULL || text == NULL)
        return;
    *into = mem_text(text);
    add_bytes(queue, mail, strlen(text) + 1);
}

struct queue *queue_new(void (*tell)(void *arg, const struct queue_mail *mail), void *arg)
{
    struct queue *queue = mem_new(sizeof(*queue));

    queue->tell = tell;
    queue->arg = arg;
    return queue;
}

void queue_free(struct queue **queue)
{
    if (*queue == NULL)
        return;
    while ((*queue)->oldest != NULL)
        leave(*queue, (*queue)->oldest);
    mem_free(*queue);
    *queue = NULL;
}

// Short queue ids come again: a client's line begins a new message.
void queue_client(struct queue *queue, const char *id, const struct queue_mail *from)
{
    struct mail *mail = find(queue, id);

    if (mail != NULL)
        leave(queue, mail);
    mail = begin(queue, id);
    mail->said.is_own = from->is_own;
    mail->said.is_returned = from->is_returned;
    keep(queue, mail, &mail->said.client, from->client);
    keep(queue, mail, &mail->said.name, from->name);
    keep(queue, mail, &mail->said.login, from->login);
}

void queue_sender(struct queue *queue, const char *id, const char *sender)
{
    struct mail *mail = find_or_begin(queue, id);

    keep(queue, mail, &mail->said.sender, sender);
}

void queue_sent(struct queue *queue, const char *id, const char *recipient, uint64_t at_ms)
{
    struct mail *mail = find_or_begin(queue, id);
    struct queue_mail *said = &mail->said;

    said->at_ms = at_ms;
    if (said->count == RECIPIENTS_MAX)
        return;
    if ((said->count & (said->count - 1)) == 0) // room for twice as many
        said->recipient = mem_grow((void *)said->recipient, said->count == 0 ? 1 : 2 * said->count,
                                   sizeof(char *));
    said->recipient[said->count++] = mem_text(recipient);
    add_bytes(queue, mail, strlen(recipient) + 1 + 2 * sizeof(char *));
}

void queue_removed(struct queue *queue, const char *id)
{
    struct mail *mail = find(queue, id);

    if (mail != NULL)
        leave(queue, mail);
}
