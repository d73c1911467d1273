// verdicts.c: see verdicts.h. Promises: what a stranger chose cannot name another client: of lines that quote his text before the client
// only the queue id is believed, and the client that another line has told of it; all other fields are read in their order.
#include "client/ctl/import/verdicts.h"

#include <string.h>

#include "client/ctl/import/maillog.h"

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

// behind: what follows a word that stands in the text; NULL if it does not.
static char *behind(char *text, const char *word)
{
    char *at = text == NULL ? NULL : strstr(text, word);

    return at == NULL ? NULL : at + strlen(word);
}

// ---- rspamd

// Whether a symbol was set: "[A(1.00){},B(0.00){}]" has A and B. What stands in braces is of the message.
static bool has_symbol(const char *list, const char *name)
{
    const size_t len = strlen(name);
    bool is_first = true;
    unsigned depth = 0;

    for (const char *at = list; *at != '\0' && (*at != ']' || depth > 0); at++) {
        if (is_first && depth == 0 && strncmp(at, name, len) == 0 && at[len] == '(')
            return true;
        depth += *at == '{';
        depth -= *at == '}' && depth > 0;
        is_first = *at == ',';
    }
    return false;
}

static enum verdicts_class class_of_action(const char *action)
{
    static const struct {
        const char *word;
        enum verdicts_class class;
    } ACTIONS[] = {{"(no action)", VERDICTS_HAM},   {"(reject)", VERDICTS_SPAM},
                   {"(add header)", VERDICTS_SPAM}, {"(rewrite subject)", VERDICTS_SPAM},
                   {"(quarantine)", VERDICTS_SPAM}, {"(discard)", VERDICTS_SPAM}};

    for (size_t i = 0; i < sizeof(ACTIONS) / sizeof(ACTIONS[0]); i++) {
        if (starts(action, ACTIONS[i].word))
            return ACTIONS[i].class;
    }
    return VERDICTS_UNDECIDED;
}

// read_task_sender: behind the address stand the login, if there was one, and the sender, if it was not the null one.
static char *read_task_sender(char *text, struct verdicts_line *out)
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

// read_result: " (default: T (reject): [19.00/15.00] [SYMBOLS]), ..."
static bool read_result(char *text, struct verdicts_line *out)
{
    char *action = behind(text, "(default: ");
    char *symbols;

    if (action == NULL || strlen(action) < 4) // "T (reject)"
        return false;
    out->class = class_of_action(action + 2);
    symbols = behind(action, "] [");
    if (symbols != NULL) {
        out->spf_passed = has_symbol(symbols, "R_SPF_ALLOW");
        out->spf_failed = has_symbol(symbols, "R_SPF_FAIL");
    }
    return true;
}

// The queue's id stands behind the message's, which a stranger chose; so the task's own is looked at first: "<3f1a9c>; task; ".
static void read_task_ids(char *text, const char *task, char *fields, struct verdicts_line *out)
{
    char *tag = strchr(text, '<');
    char *qid = behind(fields, ", qid: <");
    char *end = qid == NULL ? NULL : strchr(qid, '>');

    if (tag != NULL && tag < task) {
        (void)maillog_address(tag + 1, &out->id);
    }
    if (end != NULL && end > qid) {
        *end = '\0';
        out->id = qid;
    }
}

// Message id and sender are the stranger's words: a line that names two clients is believed in neither.
static void read_task(char *text, char *task, struct verdicts_line *out)
{
    const bool is_twice = behind(behind(task, ", ip: "), ", ip: ") != NULL;
    char *message = task + strlen("; task; rspamd_task_write_log: id: <");
    char *fields = maillog_address(message, &out->message_id);
    char *ip = behind(fields, ", ip: ");
    char *rest = ip == NULL ? NULL : strchr(ip, ',');

    if (rest == NULL || is_twice)
        return;
    rest = read_task_sender(maillog_cut(rest, 1), out);
    if (rest == NULL || !read_result(rest, out))
        return;
    read_task_ids(text, task, fields, out);
    out->client = ip;
    out->is_returned = maillog_is_here(ip);
    out->kind = VERDICTS_WHOLE;
}

// ---- amavis

static enum verdicts_class class_of_amavis(const char *text)
{
    static const struct {
        const char *word;
        enum verdicts_class class;
    } WORDS[] = {{"Passed CLEAN ", VERDICTS_HAM},    {"Passed SPAM ", VERDICTS_SPAM},
                 {"Passed SPAMMY ", VERDICTS_SPAM},  {"Blocked SPAM ", VERDICTS_SPAM},
                 {"Blocked SPAMMY ", VERDICTS_SPAM}, {"Blocked INFECTED ", VERDICTS_SPAM},
                 {"Passed INFECTED ", VERDICTS_SPAM}};

    for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++) {
        if (starts(text, WORDS[i].word))
            return WORDS[i].class;
    }
    return VERDICTS_UNDECIDED;
}

// read_amavis: "(123-01) Passed CLEAN {RelayedInbound}, [192.0.2.1]:5012 [192.0.2.1] <ann@..> -> <bob@..>, Queue-ID: .., ..."
static void read_amavis(char *text, struct verdicts_line *out)
{
    char *end = text[0] == '(' ? strstr(text, ") ") : NULL;
    char *verdict = end == NULL ? NULL : end + 2;
    char *client, *sender, *rest, *id;

    if (verdict == NULL || (!starts(verdict, "Passed ") && !starts(verdict, "Blocked ")))
        return;
    client = strchr(verdict, '[');
    sender = strchr(verdict, '<');
    if (client == NULL || sender == NULL || client > sender)
        return;
    out->class = class_of_amavis(verdict);
    *client = '\0';
    out->is_own = strstr(verdict, "Outbound") != NULL || strstr(verdict, "Internal") != NULL;
    out->client = client + 1;
    out->client += starts(out->client, "IPv6:") ? strlen("IPv6:") : 0;
    client[1 + strcspn(client + 1, "]")] = '\0';
    rest = maillog_address(sender + 1, &out->sender);
    id = behind(rest, ">, Queue-ID: ");
    if (id != NULL) {
        id[strcspn(id, ",")] = '\0';
        out->id = id;
    } else {
        out->id = text + 1;
        *end = '\0';
    }
    out->is_returned = maillog_is_here(out->client);
    out->kind = rest != NULL ? VERDICTS_WHOLE : VERDICTS_OTHER;
}

// ---- spamd

static void read_spamd(char *text, struct verdicts_line *out)
{
    char *mid;

    if (!starts(text, "spamd: result: "))
        return;
    text += strlen("spamd: result: ");
    if (text[0] != 'Y' && text[0] != '.')
        return;
    mid = behind(text, ",mid=<");
    if (mid == NULL || maillog_address(mid, &out->message_id) == NULL)
        return;
    out->class = text[0] == 'Y' ? VERDICTS_SPAM : VERDICTS_HAM;
    out->kind = VERDICTS_MESSAGE;
}

// ---- Postfix

// The last one that stands before " to=<" is not to be told from what the sender wrote into a header: whoever sends names
// himself as he likes anyhow.
static void read_sender(char *text, struct verdicts_line *out)
{
    for (char *at = strstr(text, "; from=<"); at != NULL; at = strstr(at + 1, "; from=<"))
        out->sender = at + strlen("; from=<");
    if (out->sender[0] != '\0' &&
        maillog_address(text + (out->sender - text), &out->sender) == NULL)
        out->sender = "";
}

// is_permanent: " from mx.x[192.0.2.1]: 5.7.1 ..." or "...: 554 5.7.0 ...".
static bool is_permanent(const char *text)
{
    const char *reply = strstr(text, "]: ");

    return reply != NULL && reply[3] == '5';
}

static void read_cleanup(char *rest, struct verdicts_line *out)
{
    if (starts(rest, "message-id=<")) {
        if (maillog_address(rest + strlen("message-id=<"), &out->message_id) != NULL)
            out->kind = VERDICTS_NAMED;
        return;
    }
    if (starts(rest, "milter-reject: END-OF-MESSAGE ")) {
        out->class = is_permanent(rest) ? VERDICTS_SPAM : VERDICTS_UNDECIDED;
    } else if (starts(rest, "reject: header ") || starts(rest, "reject: body ") ||
               starts(rest, "discard: header ") || starts(rest, "discard: body ")) {
        out->class = VERDICTS_SPAM;
    } else {
        return;
    }
    read_sender(rest, out);
    out->kind = VERDICTS_ID;
}

// A filter before the queue: there is no queue yet, and the client stands before what the filter says.
static void read_proxy(char *rest, struct verdicts_line *out)
{
    char *client = starts(rest, "proxy-reject: END-OF-MESSAGE from ") ? strchr(rest, '[') : NULL;
    char *end = client == NULL ? NULL : strstr(client, "]: ");

    if (end == NULL)
        return;
    out->class = is_permanent(rest) ? VERDICTS_SPAM : VERDICTS_UNDECIDED;
    read_sender(rest, out);
    *end = '\0';
    out->client = client + 1;
    out->is_returned = maillog_is_here(out->client);
    out->kind = VERDICTS_WHOLE;
}

// take_id: "4f2XkB1zK9z2xq: rest" -> rest; NULL if there is none.
static char *take_id(char *text, const char **out)
{
    enum { SHORTEST = 5, LONGEST = 23 };
    size_t len = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (len < SHORTEST || len > LONGEST || text[len] != ':' || text[len + 1] != ' ')
        return NULL;
    *out = text;
    return maillog_cut(text + len, 2);
}

static void read_postfix(const char *program, char *text, struct verdicts_line *out)
{
    static const char none[] = "NOQUEUE: ";
    char *rest;

    if (starts(program, "cleanup[")) {
        if (strstr(text, ": message-id=<") == NULL && strstr(text, "reject: ") == NULL &&
            strstr(text, ": discard: ") == NULL)
            return;
        rest = take_id(text, &out->id);
        if (rest != NULL)
            read_cleanup(rest, out);
    } else if (starts(program, "smtpd[") && starts(text, none)) {
        read_proxy(text + strlen(none), out);
    }
}

// ---- which program wrote it

void verdicts_read(char *text, struct verdicts_line *out)
{
    char *task = strstr(text, "; task; rspamd_task_write_log: id: <");
    char *tag = strchr(text, ' ');
    char *rest = tag == NULL ? NULL : strstr(tag + 1, ": ");
    const char *slash = NULL;

    *out = (struct verdicts_line){.id = "", .message_id = "", .client = "", .sender = ""};
    if (task != NULL && (text[0] == '#' || (tag != NULL && starts(tag + 1, "rspamd")))) {
        read_task(text, task, out);
        return;
    }
    if (rest == NULL || memchr(tag + 1, ' ', (size_t)(rest - tag - 1)) != NULL)
        return;
    for (const char *at = tag + 1; at < rest; at++)
        slash = *at == '/' ? at : slash;
    rest += 2;
    if (slash != NULL)
        read_postfix(slash + 1, rest, out);
    else if (starts(tag + 1, "amavis"))
        read_amavis(rest, out);
    else if (starts(tag + 1, "spamd"))
        read_spamd(rest, out);
}
