// maillog.c: see maillog.h. Promises: what a stranger chose (addresses, host names, a
// server's reply) cannot pass for another field: fields are read in the order in which Postfix writes
// them, an address ends where its quotes allow it, and what follows a reply is not read.
#include "client/ctl/import/maillog.h"

#include <string.h>

#include "proto/ip.h"

enum { ID_MIN = 5, ID_MAX = 23 };

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

void maillog_clear(struct maillog *out)
{
    *out = (struct maillog){
        .id = "", .client = "", .name = "", .sender = "", .recipient = "", .login = ""};
}

char *maillog_cut(char *at, size_t skip)
{
    *at = '\0';
    return at + skip;
}

// ---- addresses

char *maillog_address(char *text, const char **out)
{
    bool is_quoted = false;

    for (char *at = text; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        else if (*at == '"')
            is_quoted = !is_quoted;
        else if (*at == '>' && !is_quoted) {
            *out = text;
            return maillog_cut(at, 1);
        }
    }
    return NULL;
}

// take_client: "mx.sender.example[192.0.2.1]..." or "unknown[...]"; NULL if it is none.
static char *take_client(char *text, const char **name, const char **client)
{
    size_t len = strcspn(text, "[, ");
    char *end;

    if (text[len] != '[')
        return NULL;
    *name = text;
    *client = maillog_cut(text + len, 1);
    end = strchr(*client, ']');
    if (end == NULL)
        return NULL;
    if (strcmp(*name, "unknown") == 0)
        *name = "";
    return maillog_cut(end, 1);
}

bool maillog_is_here(const char *client)
{
    struct ip ip;

    return !ip_parse(client, &ip) || ip_is_loopback(&ip);
}

// ---- Postfix' programs

// take_login: "..., sasl_username=ann, sasl_sender=..." -> ann; to be called last, as it cuts the line.
static void take_login(char *tail, struct maillog *out)
{
    static const char word[] = ", sasl_username=";
    char *at = strstr(tail, word);
    char *end;

    out->is_own = at != NULL;
    if (at == NULL)
        return;
    out->login = at + strlen(word);
    end = strstr(out->login, ", ");
    if (end != NULL)
        *end = '\0';
}

// With a proxy in front of the queue the client is the proxy, and the real one is the original; with
// a filter behind it the original had a queue entry of its own, which is read as such.
static void read_smtpd(char *rest, struct maillog *out)
{
    char *tail;
    char *original;

    if (!starts(rest, "client="))
        return;
    tail = take_client(rest + strlen("client="), &out->name, &out->client);
    if (tail == NULL)
        return;
    out->kind = MAILLOG_CLIENT;
    out->is_returned = maillog_is_here(out->client);
    original = strstr(tail, ", orig_client=");
    if (out->is_returned && original != NULL && strstr(tail, ", orig_queue_id=") == NULL) {
        if (take_client(original + strlen(", orig_client="), &out->name, &out->client) != NULL)
            out->is_returned = maillog_is_here(out->client);
        else
            out->kind = MAILLOG_OTHER;
    }
    take_login(tail, out);
}

static void read_qmgr(char *rest, struct maillog *out)
{
    if (strcmp(rest, "removed") == 0)
        out->kind = MAILLOG_REMOVED;
    else if (starts(rest, "from=<") &&
             maillog_address(rest + strlen("from=<"), &out->sender) != NULL)
        out->kind = MAILLOG_FROM;
}

// The policy service was asked about the address of RCPT TO: that is the original one.
static void read_delivery(char *rest, struct maillog *out)
{
    if (!starts(rest, "to=<"))
        return;
    rest = maillog_address(rest + strlen("to=<"), &out->recipient);
    if (rest != NULL && starts(rest, ", orig_to=<"))
        rest = maillog_address(rest + strlen(", orig_to=<"), &out->recipient);
    rest = rest == NULL ? NULL : strstr(rest, ", status=");
    if (rest != NULL && starts(rest, ", status=sent ("))
        out->kind = MAILLOG_SENT;
}

static const struct program {
    const char *name;
    void (*read)(char *rest, struct maillog *out);
} PROGRAMS[] = {
    {"smtpd", read_smtpd},    {"qmgr", read_qmgr},        {"lmtp", read_delivery},
    {"local", read_delivery}, {"virtual", read_delivery}, {"smtp", read_delivery},
    {"pipe", read_delivery},
};

static const struct program *find_program(const char *name)
{
    for (size_t i = 0; i < sizeof(PROGRAMS) / sizeof(PROGRAMS[0]); i++) {
        if (strcmp(PROGRAMS[i].name, name) == 0)
            return &PROGRAMS[i];
    }
    return NULL;
}

// take_id: "4f2XkB1zK9z2xq: ..." -> what is behind it; NULL if there is none.
static char *take_id(char *text, const char **out)
{
    size_t len = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (len < ID_MIN || len > ID_MAX || text[len] != ':' || text[len + 1] != ' ')
        return NULL;
    *out = text;
    return maillog_cut(text + len, 2);
}

// take_program: "postfix/submission/smtpd[123]: ..." -> smtpd.
static char *take_program(char *tag, const struct program **out)
{
    char *end = strstr(tag, ": ");
    char *name;
    char *bracket;

    if (end == NULL || memchr(tag, ' ', (size_t)(end - tag)) != NULL)
        return NULL;
    end = maillog_cut(end, 2);
    name = strrchr(tag, '/');
    bracket = strchr(tag, '[');
    if (name == NULL)
        return NULL;
    if (bracket != NULL)
        *bracket = '\0';
    *out = find_program(name + 1);
    return *out == NULL ? NULL : end;
}

static void read_postfix(char *text, struct maillog *out)
{
    char *host_end = strchr(text, ' ');
    const struct program *program = NULL;
    char *rest = host_end == NULL ? NULL : take_program(host_end + 1, &program);

    if (rest != NULL)
        rest = take_id(rest, &out->id);
    if (rest != NULL)
        program->read(rest, out);
}

// ---- rspamd

// behind: what follows a word that stands in the text; NULL if it does not.
static char *behind(char *text, const char *word)
{
    char *at = text == NULL ? NULL : strstr(text, word);

    return at == NULL ? NULL : at + strlen(word);
}

// read_task_sender: behind the address stand the login, if there was one, and the sender, if it was
// not the null one, in this order.
static char *read_task_sender(char *text, struct maillog *out)
{
    if (starts(text, " user: ")) {
        text = strchr(text, ',');
        if (text == NULL)
            return NULL;
        text++;
        out->is_own = true;
    }
    if (!starts(text, " from: <"))
        return text;
    return maillog_address(text + strlen(" from: <"), &out->sender);
}

// A message that was only told to come again is no proof; a list of recipients that was cut is none.
static void read_task(char *text, struct maillog *out)
{
    char *ip = behind(text, ", ip: ");
    char *rest = ip == NULL ? NULL : strchr(ip, ',');
    char *action, *rcpts;

    if (rest == NULL)
        return;
    rest = read_task_sender(maillog_cut(rest, 1), out);
    action = behind(rest, " (default: ");
    rcpts = behind(action, ", rcpts: <");
    if (rcpts == NULL || out->is_own || maillog_address(rcpts, &out->recipient) == NULL ||
        strstr(out->recipient, "...") != NULL)
        return;
    action[strcspn(action, "[")] = '\0';
    if (strstr(action, "(no action)") == NULL && strstr(action, "(add header)") == NULL &&
        strstr(action, "(rewrite subject)") == NULL)
        return;
    out->client = ip;
    out->kind = maillog_is_here(ip) ? MAILLOG_OTHER : MAILLOG_TASK;
}

// is_of_rspamd: by who wrote the line ("#12(normal) ..." in rspamd's own file, "mx rspamd[12]: ..." by
// syslog): a message that Postfix only quotes may hold any words.
static bool is_of_rspamd(const char *text)
{
    const char *tag = strchr(text, ' ');

    return text[0] == '#' || (tag != NULL && starts(tag + 1, "rspamd"));
}

void maillog_read(char *text, struct maillog *out)
{
    char *task = strstr(text, "; task; rspamd_task_write_log: id: <");

    maillog_clear(out);
    if (task != NULL && is_of_rspamd(text))
        read_task(task, out);
    else
        read_postfix(text, out);
}
