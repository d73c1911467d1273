// queue.h: messages of a mail log whose end was not read yet, by queue id.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a log says of one message. Texts live as long as the message; NULL = the log did not say.
struct queue_mail {
    char *client, *name, *sender;
    char *login; // of an authenticated user, where the log says it
    bool is_own, is_returned;
    char **recipient; // delivered to, in the order of the log
    size_t count;
    uint64_t at_ms; // of the last delivery
    const char *id;
    char *message_id;
    int class; // what was said of it, as in queue_judged; 0 = nothing
    uint64_t judged_ms;
};

struct queue;

// queue_new: tell is called once for each message that was delivered to somebody or judged, when it leaves.
// Of too many messages, or of too many bytes, the oldest leave before their end.
struct queue *queue_new(void (*tell)(void *arg, const struct queue_mail *mail), void *arg);
// queue_free: those that are left leave.
void queue_free(struct queue **queue);

// queue_client: begins a message; one of that id which is there leaves. queue_sender, queue_sent:
// begin one, too, if the log began later than the message.
void queue_client(struct queue *queue, const char *id, const struct queue_mail *from);
void queue_sender(struct queue *queue, const char *id, const char *sender);
void queue_sent(struct queue *queue, const char *id, const char *recipient, uint64_t at_ms);
void queue_removed(struct queue *queue, const char *id);

// queue_named: a message's id of its own. queue_judged: what was said of a message; the first word counts.
void queue_named(struct queue *queue, const char *id, const char *message_id);
void queue_judged(struct queue *queue, const char *id, int class, uint64_t at_ms);
// queue_judged_by_name: the same of the last one of that message id. False: none is there, or two of different clients
// are, and whose it is nobody knows.
bool queue_judged_by_name(struct queue *queue, const char *message_id, int class, uint64_t at_ms);
