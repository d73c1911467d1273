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
    struct mail *namesake;      // of one hash of the message id, the newest first; if it has one
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
    struct mail *named[CHAINS];
};

// FNV-1a.
static size_t hash_of(const char *id)
{
    uint32_t hash = 2166136261U;

    for (; *id != '\0'; id++)
        hash = (hash ^ (uint8_t)*id) * 16777619U;
    return (hash ^ hash >> 16) % CHAINS;
}

static struct mail **chain_of(struct queue *queue, const char *id)
{
    return &queue->chain[hash_of(id)];
}

static struct mail *find(struct queue *queue, const char *id)
{
    struct mail *mail = *chain_of(queue, id);

    while (mail != NULL && strcmp(mail->id, id) != 0)
        mail = mail->chain;
    return mail;
}

static void unlink_name(struct queue *queue, struct mail *mail)
{
    if (mail->said.message_id == NULL)
        return;
    struct mail **at = &queue->named[hash_of(mail->said.message_id)];

    while (*at != mail)
        at = &(*at)->namesake;
    *at = mail->namesake;
}

static void unlink_mail(struct queue *queue, struct mail *mail)
{
    struct mail **at = chain_of(queue, mail->id);

    while (*at != mail)
        at = &(*at)->chain;
    *at = mail->chain;
    unlink_name(queue, mail);
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
    said->id = mail->id;
    if (said->count > 0 || said->class != 0)
        queue->tell(queue->arg, said);
    mem_free(said->client);
    mem_free(said->name);
    mem_free(said->sender);
    mem_free(said->login);
    mem_free(said->message_id);
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

void queue_named(struct queue *queue, const char *id, const char *message_id)
{
    struct mail *mail = find_or_begin(queue, id);
    struct mail **named = &queue->named[hash_of(message_id)];

    if (mail->said.message_id != NULL)
        return;
    mail->said.message_id = mem_text(message_id);
    mail->namesake = *named;
    *named = mail;
    add_bytes(queue, mail, strlen(message_id) + 1);
}

void queue_judged(struct queue *queue, const char *id, int class, uint64_t at_ms)
{
    struct mail *mail = find_or_begin(queue, id);

    if (mail->said.class != 0)
        return;
    mail->said.class = class;
    mail->said.judged_ms = at_ms;
}

// What this host gives back to itself is the same message once more, and has no client of its own.
static bool is_of(const struct mail *mail, const char *message_id)
{
    return strcmp(mail->said.message_id, message_id) == 0 && !mail->said.is_returned &&
           mail->said.client != NULL;
}

bool queue_judged_by_name(struct queue *queue, const char *message_id, int class, uint64_t at_ms)
{
    struct mail *found = NULL;

    for (struct mail *mail = queue->named[hash_of(message_id)]; mail != NULL;
         mail = mail->namesake) {
        if (!is_of(mail, message_id))
            continue;
        if (found != NULL && strcmp(found->said.client, mail->said.client) != 0)
            return false;
        found = found == NULL ? mail : found;
    }
    if (found != NULL)
        queue_judged(queue, found->id, class, at_ms);
    return found != NULL;
}
