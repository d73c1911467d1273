// smtp_reply.c: bytes -> replies. Promises: reads each byte once, keeps one line, and never more than it has room for.
#include "node/probe/smtp_reply.h"

#include <string.h>
#include <strings.h>

#include "proto/text.h"

void smtp_reader_reset(struct smtp_reader *reader)
{
    reader->reply = (struct smtp_reply){0};
    reader->lines = 0;
    reader->used = 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// One to three digits at text; the number of them, 0 if there are none or more.
static size_t read_number(const char *text, size_t len, int *out)
{
    size_t used = 0;

    *out = 0;
    for (; used < len && is_digit(text[used]); used++) {
        if (used == 3)
            return 0;
        *out = 10 * *out + (text[used] - '0');
    }
    return used;
}

// The enhanced code at the front of a reply's text, and how long it is with its blank; 0: there is none, or it is of
// another class than the code, and then says nothing.
static size_t read_enhanced(const char *text, size_t len, struct smtp_reply *out)
{
    int subject = 0;
    int detail = 0;
    size_t at = 2;

    if (len < 5 || text[0] - '0' != out->code / 100 || text[1] != '.')
        return 0;
    const size_t first = read_number(text + at, len - at, &subject);

    at += first;
    if (first == 0 || at == len || text[at] != '.')
        return 0;
    at++;
    const size_t second = read_number(text + at, len - at, &detail);

    at += second;
    if (second == 0 || (at < len && text[at] != ' '))
        return 0;
    out->subject = subject;
    out->detail = detail;
    return at < len ? at + 1 : at;
}

static bool is_keyword(const char *text, size_t len, const char *keyword)
{
    const size_t size = strlen(keyword);

    return len >= size && strncasecmp(text, keyword, size) == 0 &&
           (len == size || text[size] == ' ');
}

// The words of one line. The first is kept; those behind it may be extensions.
static void take_text(struct smtp_reader *reader, const char *text, size_t len)
{
    struct smtp_reply *reply = &reader->reply;

    if (reader->lines > 1) {
        reply->starttls |= is_keyword(text, len, "STARTTLS");
        reply->smtputf8 |= is_keyword(text, len, "SMTPUTF8");
        return;
    }
    const size_t enhanced = read_enhanced(text, len, reply);

    (void)text_clean(reply->text, SMTP_TEXT_MAX, text + enhanced, len - enhanced);
}

// One whole line: three digits, then a blank (the last), a hyphen (more follow), or nothing (the last).
static enum smtp_read take_line(struct smtp_reader *reader, size_t len)
{
    const char *line = reader->line;
    const bool goes_on = len > 3 && line[3] == '-';
    int code = 0;

    if (len < 3 || read_number(line, 3, &code) != 3 || code < 200 || code > 599 ||
        (len > 3 && line[3] != ' ' && line[3] != '-'))
        return SMTP_GARBAGE;
    if (reader->lines > 0 && code != reader->reply.code)
        return SMTP_GARBAGE;
    reader->reply.code = code;
    reader->lines++;
    take_text(reader, line + (len > 3 ? 4 : 3), len - (len > 3 ? 4 : 3));
    if (!goes_on)
        return SMTP_REPLY;
    return reader->lines < SMTP_LINES_MAX ? SMTP_MORE : SMTP_GARBAGE;
}

enum smtp_read smtp_reader_take(struct smtp_reader *reader, const char *bytes, size_t len,
                                size_t *used)
{
    enum smtp_read read = SMTP_MORE;

    for (*used = 0; *used < len && read == SMTP_MORE; (*used)++) {
        size_t line = reader->used;

        if (bytes[*used] != '\n') {
            if (line == SMTP_LINE_MAX)
                return SMTP_GARBAGE;
            reader->line[reader->used++] = bytes[*used];
            continue;
        }
        if (line > 0 && reader->line[line - 1] == '\r')
            line--;
        reader->used = 0;
        read = take_line(reader, line);
    }
    return read;
}

static bool is_about_recipient(const struct smtp_reply *reply)
{
    if (reply->subject == 0 && reply->detail == 0)
        return reply->code == 550 || reply->code == 551 || reply->code == 553;
    if (reply->subject == 1)
        return reply->detail != 7 && reply->detail != 8;
    return (reply->subject == 2 || reply->subject == 4) && reply->detail == 1;
}

enum facts_probe smtp_reply_says(const struct smtp_reply *reply)
{
    if (reply->code / 100 == 2)
        return FACTS_EXISTS;
    return reply->code / 100 == 5 && is_about_recipient(reply) ? FACTS_NOBODY : FACTS_REFUSED;
}

void smtp_reply_put(const struct smtp_reply *reply, struct text_buf *out)
{
    text_buf_add(out, "%d", reply->code);
    if (reply->subject != 0 || reply->detail != 0)
        text_buf_add(out, " %d.%d.%d", reply->code / 100, reply->subject, reply->detail);
    if (reply->text[0] != '\0')
        text_buf_add(out, " %s", reply->text);
}
