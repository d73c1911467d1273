// ctl.c: errors and the connection of a command. Promises: an error names what was wrong and what
// to do about it, once, on standard error; standard output holds nothing but results.
#include "client/ctl/ctl.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/mem.h"
#include "proto/text.h"

enum {
    LOOKUP_DEADLINE_MS = 2000,
    ADMIN_DEADLINE_MS = 10000,
    PATIENCE_MS = 60000,
    MESSAGE_MAX = 4096
};

static void tell(struct ctl *ctl, int code, const char *message)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "reevectl: %s\n", message);
    if (!ctl->want_json)
        return;
    json_open(&ctl->json, NULL, '{');
    json_open(&ctl->json, "error", '{');
    json_count(&ctl->json, "exit", (uint64_t)code);
    json_text(&ctl->json, "message", message);
    json_close(&ctl->json, '}');
    json_close(&ctl->json, '}');
}

int ctl_fail(struct ctl *ctl, int code, const char *fmt, ...)
{
    char message[MESSAGE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    tell(ctl, code, message);
    return code;
}

int ctl_misuse(struct ctl *ctl, const struct command *command, const char *fmt, ...)
{
    const char *group = command->group == NULL ? "" : command->group;
    const char *space = command->group == NULL ? "" : " ";
    char message[MESSAGE_MAX];
    size_t used;
    va_list args;

    (void)snprintf(message, sizeof(message), "%s%s%s: ", group, space, command->name);
    used = command->name[0] == '\0' ? 0 : strlen(message);
    va_start(args, fmt);
    (void)vsnprintf(message + used, sizeof(message) - used, fmt, args);
    va_end(args);
    tell(ctl, CTL_USAGE, message);
    (void)fprintf(stderr, "usage: reevectl %s%s%s%s%s\n", group, space, command->name,
                  command->name[0] == '\0' ? "" : " ", command->usage);
    return CTL_USAGE;
}

void ctl_warn(const char *fmt, ...)
{
    va_list args;

    (void)fflush(stdout);
    va_start(args, fmt);
    (void)fputs("reevectl: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

int ctl_fail_answer(struct ctl *ctl, const char *endpoint, const struct reeve_answer *answer)
{
    if (answer->error == REEVE_REFUSED)
        return ctl_fail(ctl, CTL_REFUSED, "%s", answer->message);
    if (answer->status == REEVE_STATUS_UNAVAILABLE)
        return ctl_fail(ctl, CTL_NO_STORE, "%s", answer->message);
    if (answer->status != REEVE_STATUS_OK)
        return ctl_fail(ctl, CTL_NO_NODE, "%s", answer->message);
    return ctl_fail(ctl, CTL_NO_NODE,
                    "no answer from %s: %s. Is reeved running there, and is it the right address "
                    "(--node, --admin)?",
                    endpoint, answer->message);
}

// join: the texts one after the other, with commas between, on the heap.
static char *join(const struct arg_texts *texts)
{
    size_t size = 1;
    char *joined;

    for (size_t i = 0; i < texts->count; i++)
        size += strlen(texts->text[i]) + 1;
    joined = mem_new(size);
    for (size_t i = 0, used = 0; i < texts->count; i++)
        used += (size_t)snprintf(joined + used, size - used, "%s,", texts->text[i]);
    return joined;
}

// split: "tcp://a:7170, tcp://b:7170" is two. Cuts the list itself into pieces.
static void split(struct arg_texts *out, char *list)
{
    static const char separators[] = ", \t";

    for (list += strspn(list, separators); *list != '\0'; list += strspn(list, separators)) {
        size_t len = strcspn(list, separators);
        bool is_last = list[len] == '\0';

        out->text = mem_grow((void *)out->text, out->count + 1, sizeof(*out->text));
        out->text[out->count++] = list;
        list[len] = '\0';
        list += is_last ? len : len + 1;
    }
}

void ctl_nodes(struct ctl *ctl)
{
    const struct arg_texts environment = {.text = &ctl->node, .count = 1};
    struct arg_texts all = {.count = 0};
    char memory[MESSAGE_MAX / 2];
    struct text_buf text;

    if (ctl->own_list != NULL)
        return;
    ctl->own_list = join(ctl->nodes.count > 0 ? &ctl->nodes : &environment);
    split(&all, ctl->own_list);
    text_buf_init(&text, memory, sizeof(memory));
    for (size_t i = 0; i < all.count; i++)
        text_buf_add(&text, "%s%s", i == 0 ? "" : ", ", all.text[i]);
    ctl->own_node = mem_text(memory);
    ctl->node = ctl->own_node;
    mem_free((void *)ctl->nodes.text);
    ctl->nodes = all;
}

void ctl_end(struct ctl *ctl)
{
    reeve_free(&ctl->reeve);
    mem_free((void *)ctl->nodes.text);
    mem_free(ctl->own_list);
    mem_free(ctl->own_node);
}

const char *ctl_bare(const char *address)
{
    const size_t len = address != NULL ? strlen(address) : 0;
    char *text = (char *)(uintptr_t)address; // of argv, which a program may change

    if (len < 2 || address[0] != '<' || address[len - 1] != '>')
        return address;
    text[len - 1] = '\0';
    return text + 1;
}

int ctl_connect(struct ctl *ctl, const char *const *nodes, size_t count, struct reeve **out)
{
    const unsigned deadline_ms = (unsigned)ctl->deadline_ms;
    const struct reeve_options options = {
        .nodes = nodes,
        .node_count = count,
        .admin = ctl->admin,
        .gateway = ctl->gateway,
        .sent_deadline_ms = deadline_ms,
        .deadline_ms = deadline_ms > 0 ? deadline_ms : LOOKUP_DEADLINE_MS,
        .admin_deadline_ms = deadline_ms > 0   ? deadline_ms
                             : ctl->is_patient ? PATIENCE_MS
                                               : ADMIN_DEADLINE_MS,
    };
    char message[512];
    enum reeve_error error = reeve_new(out, &options, message, sizeof(message));

    if (error == REEVE_OK)
        return CTL_FINE;
    return ctl_fail(ctl, error == REEVE_BAD_OPTION ? CTL_USAGE : CTL_NO_NODE, "%s", message);
}

int ctl_client(struct ctl *ctl)
{
    if (ctl->reeve != NULL)
        return CTL_FINE;
    ctl_nodes(ctl);
    return ctl_connect(ctl, ctl->nodes.text, ctl->nodes.count, &ctl->reeve);
}

static const char *name_of_user(uid_t uid, char number[32])
{
    const struct passwd *entry = getpwuid(uid);

    (void)snprintf(number, 32, "%u", (unsigned)uid);
    return entry == NULL ? number : entry->pw_name;
}

static const char *name_of_group(gid_t gid, char number[32])
{
    const struct group *entry = getgrgid(gid);

    (void)snprintf(number, 32, "%u", (unsigned)gid);
    return entry == NULL ? number : entry->gr_name;
}

// Whom the socket lets in is for its owner to say; a person wants to know who that is.
static int refuse_stranger(struct ctl *ctl, const char *path)
{
    struct stat status;
    char user[32], group[32];

    if (stat(path, &status) != 0)
        return ctl_fail(ctl, CTL_NO_NODE,
                        "you may not use the admin socket %s: you may not even look into its "
                        "directory; become root",
                        path);
    return ctl_fail(ctl, CTL_NO_NODE,
                    "you may not use the admin socket %s: it belongs to user %s and group %s, with "
                    "mode %04o; become root, or a member of that group (admin.mode and admin.group "
                    "in reeve.yaml say who may)",
                    path, name_of_user(status.st_uid, user), name_of_group(status.st_gid, group),
                    (unsigned)status.st_mode & 07777U);
}

// An ipc door that is not there would only be noticed when the deadline is over.
static int look_at_door(struct ctl *ctl)
{
    const char *path = ctl->admin + strlen("ipc://");

    if (strncmp(ctl->admin, "ipc:///", strlen("ipc:///")) != 0 || access(path, W_OK) == 0)
        return CTL_FINE;
    if (errno == EACCES)
        return refuse_stranger(ctl, path);
    return ctl_fail(ctl, CTL_NO_NODE,
                    "there is no admin socket %s: is reeved running on this host? (another "
                    "address: --admin or REEVE_ADMIN)",
                    path);
}

int ctl_admin_try(struct ctl *ctl, const struct reeve_admin_request *request,
                  struct reeve_answer **out)
{
    struct reeve_admin_request timed = *request;
    int code = look_at_door(ctl);

    if (code == CTL_FINE)
        code = ctl_client(ctl);
    timed.at_ms = ctl->at_ms;
    if (code == CTL_FINE)
        (void)reeve_admin_ask(ctl->reeve, &timed, out); // the answer says the same
    return code;
}

int ctl_admin_ask(struct ctl *ctl, const struct reeve_admin_request *request,
                  struct reeve_answer **out)
{
    struct reeve_answer *answer = NULL;
    int code = ctl_admin_try(ctl, request, &answer);

    if (code == CTL_FINE && answer->error != REEVE_OK) {
        code = ctl_fail_answer(ctl, ctl->admin, answer);
        reeve_answer_free(&answer);
    }
    if (code == CTL_FINE)
        *out = answer;
    return code;
}

int ctl_admin(struct ctl *ctl, const char *verb, const struct reeve_pair *args, size_t arg_count,
              bool dry_run, struct reeve_answer **out)
{
    const struct reeve_admin_request request = {
        .verb = verb, .args = args, .arg_count = arg_count, .dry_run = dry_run};

    return ctl_admin_ask(ctl, &request, out);
}
