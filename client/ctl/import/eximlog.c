// eximlog.c: see eximlog.h. Promises: what a stranger chose (a name in HELO, an address, a client
// certificate, an ident reply) cannot pass for a login: fields are read in the order in which Exim
// writes them, and where such a text could end early, nothing behind it is believed.
#include "client/ctl/import/eximlog.h"

#include <string.h>

enum { ID_FIRST = 6, ID_LONG = 11, OWN_STAMP_LEN = 19 };

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

// token_len: up to a blank that is in no quotes.
static size_t token_len(const char *text)
{
    bool is_quoted = false;
    size_t len = 0;

    for (; text[len] != '\0' && (is_quoted || text[len] != ' '); len++) {
        if (text[len] == '\\' && text[len + 1] != '\0')
            len++;
        else if (text[len] == '"')
            is_quoted = !is_quoted;
    }
    return len;
}

// take_token: terminated; what follows its blank.
static char *take_token(char *text, const char **out)
{
    size_t len = token_len(text);

    *out = text;
    return text[len] == '\0' ? text + len : maillog_cut(text + len, 1);
}

// ---- whose line it is

static size_t id_part(const char *text)
{
    return strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

// take_id: "1mABCD-0001ab-CD ..." (six, six or eleven, two or four; Exim 4.97 made them longer) -> what
// is behind it; NULL if there is none.
static char *take_id(char *text, const char **out)
{
    size_t first = id_part(text);
    size_t second = first == ID_FIRST && text[first] == '-' ? id_part(text + first + 1) : 0;
    char *last = text + first + 1 + second;
    size_t third;

    if ((second != ID_FIRST && second != ID_LONG) || *last != '-')
        return NULL;
    third = id_part(last + 1);
    if (third != (second == ID_FIRST ? 2 : 4) || last[1 + third] != ' ')
        return NULL;
    *out = text;
    return maillog_cut(last + 1 + third, 1);
}

// skip_pid: "[1234] ...", where Exim is set to write it.
static char *skip_pid(char *text)
{
    size_t digits = text[0] == '[' ? strspn(text + 1, "0123456789") : 0;

    return digits > 0 && starts(text + 1 + digits, "] ") ? text + 3 + digits : text;
}

// skip_stamp: Exim's own behind syslog's: "2026-11-21 21:13:01 ...", perhaps with ms and a zone.
static char *skip_stamp(char *text)
{
    char *end;

    if (strspn(text, "0123456789-: ") < OWN_STAMP_LEN || text[4] != '-' || text[10] != ' ')
        return text;
    end = text + OWN_STAMP_LEN;
    end += strspn(end, ".0123456789");
    if (starts(end, " +") || starts(end, " -"))
        end += 1 + strcspn(end + 1, " ");
    return *end == ' ' ? end + 1 : text;
}

// skip_tag: "mx exim[123]: ..."; NULL if another program wrote it.
static char *skip_tag(char *text)
{
    char *tag = strchr(text, ' ');
    char *end = tag == NULL ? NULL : strstr(tag, ": ");

    if (end == NULL || !starts(tag + 1, "exim") || memchr(tag + 1, ' ', (size_t)(end - tag - 1)))
        return NULL;
    return skip_stamp(end + 2);
}

// ---- who brought it, and who logged in

// skip_helo: "(name) [" -> "[": the name is the client's, and where Exim takes any it may hold anything;
// NULL if it could end in two places.
static char *skip_helo(char *text)
{
    char *end = strstr(text, ") [");

    return end == NULL || strstr(end + 1, ") [") != NULL ? NULL : end + 2;
}

// take_host: "mx.sender.example (helo) [192.0.2.1]:25 ..." -> what is behind it; NULL if it is no host.
static char *take_host(char *text, struct maillog *out)
{
    char *end;

    if (text[0] != '(' && text[0] != '[')
        text = take_token(text, &out->name);
    if (text[0] == '(')
        text = skip_helo(text);
    end = text == NULL || text[0] != '[' ? NULL : strchr(text, ']');
    if (end == NULL)
        return NULL;
    out->client = text + 1;
    text = maillog_cut(end, 1);
    return text + strcspn(text, " ");
}

// is_strangers: a field that holds a stranger's words, so that nothing behind it is believed: what a
// host says of itself (ident), its certificate, the name it asked for, and all that follows the size.
static bool is_strangers(const char *field, bool is_remote)
{
    return starts(field, "S=") || starts(field, "DN=") || starts(field, "SNI=") ||
           (is_remote && starts(field, "U="));
}

// read_login: of the fields behind the host.
static void read_login(char *text, struct maillog *out)
{
    const char *field = "";
    char *login;
    bool is_remote = out->client[0] != '\0';

    while (*(text += *text == ' ') != '\0') {
        text = take_token(text, &field);
        if (is_strangers(field, is_remote))
            return;
        if (!starts(field, "A="))
            continue;
        out->is_own = true;
        login = strchr(field, ':');
        if (login == NULL)
            return; // the authenticator alone: it is set to name nobody
        out->login = ++login;
        login[strcspn(login, ":")] = '\0';
        return;
    }
}

// read_came: "ann@corp.example H=... P=..."; a program of this host has no H=.
static void read_came(char *text, struct maillog *out)
{
    const char *sender = "";

    text = take_token(text, &sender);
    if (starts(text, "R="))
        text = take_token(text, &out->recipient); // the message that it is about
    if (starts(text, "DS "))
        text += 3; // its name was found by DNSSEC
    out->recipient = "";
    out->sender = strcmp(sender, "<>") == 0 ? "" : sender;
    if (starts(text, "H="))
        text = take_host(text + strlen("H="), out);
    if (text == NULL)
        return;
    out->kind = MAILLOG_CAME;
    out->is_returned = maillog_is_here(out->client);
    read_login(text, out);
}

// ---- whom it went to

// read_sent: "bob (parent@corp.example) <b@corp.example> R=...": the last is the address of RCPT TO,
// where that is another one. What goes to a file or a program has no other end.
static void read_sent(char *text, struct maillog *out)
{
    const char *parent = "";

    text = take_token(text, &out->recipient);
    while (text[0] == '(')
        text = take_token(text, &parent);
    if (text[0] == '<' && maillog_address(text + 1, &out->recipient) == NULL)
        return;
    if (strchr(out->recipient, '@') != NULL)
        out->kind = MAILLOG_SENT;
}

void eximlog_read(char *text, struct maillog *out)
{
    char *rest;

    maillog_clear(out);
    rest = take_id(skip_pid(text), &out->id);
    if (rest == NULL && (text = skip_tag(text)) != NULL)
        rest = take_id(skip_pid(text), &out->id);
    if (rest == NULL)
        return;
    if (starts(rest, "<= "))
        read_came(rest + 3, out);
    else if (starts(rest, "=> ") || starts(rest, "-> "))
        read_sent(rest + 3, out);
    else if (strcmp(rest, "Completed") == 0 || starts(rest, "Completed QT="))
        out->kind = MAILLOG_REMOVED;
}
