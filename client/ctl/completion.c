// completion.c: `reevectl completion bash|zsh`: the table of commands, and the options as each command reads them, as a
// script that completes them. What a value or a word is (a file, a directory, one of some words) is what the line of
// usage calls it.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"

enum { TOKENS_MAX = 128, TOKEN_MAX = 64 };

// ---- what a line of usage says

// One word of it, without brackets and bars.
struct token {
    char text[TOKEN_MAX];
};

static size_t split(const char *usage, struct token tokens[TOKENS_MAX])
{
    static const char apart[] = " []|";
    size_t count = 0;

    for (usage += strspn(usage, apart); *usage != '\0' && count < TOKENS_MAX;
         usage += strspn(usage, apart)) {
        size_t len = strcspn(usage, apart);

        (void)snprintf(tokens[count++].text, TOKEN_MAX, "%.*s", (int)len, usage);
        usage += len;
    }
    return count;
}

static bool is_file(const char *text)
{
    return strcmp(text, "FILE") == 0 || strcmp(text, "LOG") == 0;
}

static bool is_directory(const char *text)
{
    return strcmp(text, "DIR") == 0;
}

static bool is_word(const char *text)
{
    return islower((unsigned char)text[0]) != 0 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz-") == strlen(text);
}

static bool is_option(const char *text)
{
    return strncmp(text, "--", 2) == 0 && text[2] != '\0';
}

// value_of: what the usage calls the value of an option; "" if it does not say.
static const char *value_of(const struct token *tokens, size_t count, const char *option)
{
    for (size_t i = 0; i + 1 < count; i++) {
        if (is_option(tokens[i].text) && strcmp(tokens[i].text + 2, option) == 0)
            return tokens[i + 1].text;
    }
    return "";
}

static const struct arg_row *find_row(const struct arg_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->row[i].name, name) == 0)
            return &list->row[i];
    }
    return NULL;
}

static bool takes_value(const struct arg_list *list, const char *option)
{
    const struct arg_row *row = find_row(list, option + 2);

    return row != NULL && row->kind != ARG_FLAG;
}

// is_value: token i belongs to the option in front of it. Words that an option takes one of follow it all.
static bool is_value(const struct token *tokens, const struct arg_list *list, size_t i)
{
    size_t at = i;

    while (at > 0 && is_word(tokens[at].text) && is_word(tokens[at - 1].text))
        at--;
    return at > 0 && is_option(tokens[at - 1].text) && takes_value(list, tokens[at - 1].text);
}

// ---- one command

struct shell {
    const char *file, *directory; // what completes them
};

static const struct shell BASH = {"_reevectl_paths -f", "_reevectl_paths -d"};
static const struct shell ZSH = {"_files", "_files -/"};

static void print_name(const struct command *command)
{
    (void)printf("%s%s%s", command->group == NULL ? "" : command->group,
                 command->group == NULL ? "" : " ", command->name);
}

// print_words: of an option, as the shell's function takes them.
static void print_words(const char *const *words)
{
    (void)fputs("_reevectl_words", stdout);
    for (; *words != NULL; words++)
        (void)printf(" %s", *words);
}

// print_values: a line for each option that takes a value: what completes it.
static void print_values(const struct shell *shell, const struct command *command,
                         const struct arg_list *list)
{
    struct token tokens[TOKENS_MAX];
    size_t count = split(command->usage, tokens);

    for (size_t i = 0; i < list->count; i++) {
        const struct arg_row *row = &list->row[i];
        const char *value = value_of(tokens, count, row->name);

        if (row->kind == ARG_FLAG ||
            (row->kind != ARG_WORD && !is_file(value) && !is_directory(value)))
            continue;
        (void)fputs("    '", stdout);
        print_name(command);
        (void)printf(" --%s') ", row->name);
        if (row->kind == ARG_WORD)
            print_words(row->words);
        else
            (void)fputs(is_file(value) ? shell->file : shell->directory, stdout);
        (void)fputs("; return ;;\n", stdout);
    }
}

static void print_options(const struct command *command, const struct arg_list *list)
{
    (void)fputs("        '", stdout);
    if (command != NULL)
        print_name(command);
    (void)fputs("') _reevectl_words", stdout);
    for (size_t i = 0; i < list->count; i++)
        (void)printf(" --%s", list->row[i].name);
    (void)fputs(" ;;\n", stdout);
}

// print_places: what stands behind a command that is no option.
static void print_places(const struct shell *shell, const struct command *command,
                         const struct arg_list *list)
{
    struct token tokens[TOKENS_MAX];
    size_t count = split(command->usage, tokens), words = 0;
    bool file = false, directory = false;

    for (size_t i = 0; i < count; i++) {
        if (is_value(tokens, list, i))
            continue;
        file |= is_file(tokens[i].text);
        directory |= is_directory(tokens[i].text);
        words += is_word(tokens[i].text);
    }
    if (!file && !directory && words == 0)
        return;
    (void)fputs("    '", stdout);
    print_name(command);
    (void)fputs("') ", stdout);
    if (words > 0)
        (void)fputs("_reevectl_words", stdout);
    for (size_t i = 0; i < count && words > 0; i++) {
        if (!is_value(tokens, list, i) && is_word(tokens[i].text))
            (void)printf(" %s", tokens[i].text);
    }
    if (file || directory)
        (void)printf("%s%s", words > 0 ? "; " : "", file ? shell->file : shell->directory);
    (void)fputs(" ;;\n", stdout);
}

// ---- all commands

static bool is_first_of_group(const struct command *command)
{
    for (const struct command *at = ctl_commands; at != command; at++) {
        if (at->group != NULL && strcmp(at->group, command->group) == 0)
            return false;
    }
    return true;
}

static void print_groups(void)
{
    const char *between = "";

    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        if (at->group == NULL || !is_first_of_group(at))
            continue;
        (void)printf("%s%s", between, at->group);
        between = "|";
    }
}

// print_first_words: commands of one word, and groups.
static void print_first_words(void)
{
    (void)fputs("    '') _reevectl_words", stdout);
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        if (at->group == NULL || is_first_of_group(at))
            (void)printf(" %s", at->group == NULL ? at->name : at->group);
    }
    (void)fputs(" ;;\n", stdout);
}

static void print_second_words(void)
{
    for (const struct command *group = ctl_commands; group->name != NULL; group++) {
        if (group->group == NULL || !is_first_of_group(group))
            continue;
        (void)printf("    '%s') _reevectl_words", group->group);
        for (const struct command *at = ctl_commands; at->name != NULL; at++) {
            if (at->group != NULL && strcmp(at->group, group->group) == 0)
                (void)printf(" %s", at->name);
        }
        (void)fputs(" ;;\n", stdout);
    }
}

// print_valued: every option of any command that takes a value, as a pattern of `case`.
static void print_valued(struct ctl *ctl)
{
    static struct arg_list list, all;

    all.count = 0;
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        args_list(ctl, at, &list);
        for (size_t i = 0; i < list.count; i++) {
            if (list.row[i].kind == ARG_FLAG || find_row(&all, list.row[i].name) != NULL ||
                all.count == ARG_LIST_MAX)
                continue;
            (void)printf("%s--%s", all.count == 0 ? "" : "|", list.row[i].name);
            all.row[all.count++] = list.row[i];
        }
    }
}

static void print_cases(struct ctl *ctl, const struct shell *shell)
{
    static struct arg_list list;

    (void)fputs("    case \"$command $previous\" in\n", stdout);
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        args_list(ctl, at, &list);
        print_values(shell, at, &list);
    }
    (void)fputs("    esac\n    case $previous in\n    ", stdout);
    print_valued(ctl);
    (void)fputs(") return ;;\n    esac\n    if [[ $current == -* ]]; then\n"
                "        case $command in\n",
                stdout);
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        args_list(ctl, at, &list);
        print_options(at, &list);
    }
    args_list(ctl, NULL, &list);
    print_options(NULL, &list);
    (void)fputs("        esac\n        return\n    fi\n    case $command in\n", stdout);
    print_first_words();
    print_second_words();
    for (const struct command *at = ctl_commands; at->name != NULL; at++) {
        args_list(ctl, at, &list);
        print_places(shell, at, &list);
    }
    (void)fputs("    esac\n", stdout);
}

// ---- the two shells

// The words so far that make the command, options and their values left out.
static void print_walk(struct ctl *ctl, const char *loop, const char *word)
{
    (void)printf("    for %s; do\n        case %s in\n        ", loop, word);
    print_valued(ctl);
    (void)printf(") [[ %.*s + 1]} == = ]] && ((i++)); ((i++)) ;;\n"
                 "        -*|=) ;;\n"
                 "        *)\n"
                 "            case $command in\n"
                 "            '') command=%s ;;\n"
                 "            ",
                 (int)strlen(word) - 2, word, word);
    print_groups();
    (void)printf(") command=\"$command %s\" ;;\n"
                 "            esac ;;\n"
                 "        esac\n"
                 "    done\n",
                 word);
}

static void print_bash(struct ctl *ctl)
{
    (void)fputs(
        "# bash completion of reevectl; made by: reevectl completion bash\n"
        "_reevectl_words() {\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$*\" -- \"$current\")\n"
        "}\n"
        "_reevectl_paths() {\n"
        "    compopt -o filenames 2>/dev/null\n"
        "    mapfile -t COMPREPLY < <(compgen \"$1\" -- \"$current\")\n"
        "}\n"
        "_reevectl() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
        "    local command='' i\n"
        "    COMPREPLY=()\n"
        "    # --stage=rcpt comes as three words\n"
        "    if [[ $current == = ]]; then\n"
        "        current=''\n"
        "    elif [[ $previous == = ]]; then\n"
        "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "    fi\n",
        stdout);
    print_walk(ctl, "((i = 1; i < COMP_CWORD; i++))", "${COMP_WORDS[i]}");
    print_cases(ctl, &BASH);
    (void)fputs("}\ncomplete -F _reevectl reevectl\n", stdout);
}

static void print_zsh(struct ctl *ctl)
{
    (void)fputs("#compdef reevectl\n"
                "# zsh completion of reevectl; made by: reevectl completion zsh\n"
                "_reevectl_words() {\n"
                "    compadd -- \"$@\"\n"
                "}\n"
                "_reevectl() {\n"
                "    local current=${words[CURRENT]} previous=${words[CURRENT - 1]} command='' i\n"
                "    if [[ $current == --*=* ]]; then\n"
                "        previous=${current%%=*}\n"
                "        current=${current#*=}\n"
                "        compset -P '*='\n"
                "    fi\n",
                stdout);
    print_walk(ctl, "((i = 2; i < CURRENT; i++))", "${words[i]}");
    print_cases(ctl, &ZSH);
    (void)fputs("}\n"
                "if [[ ${funcstack[1]} == _reevectl ]]; then\n"
                "    _reevectl \"$@\"\n"
                "else\n"
                "    compdef _reevectl reevectl\n"
                "fi\n",
                stdout);
}

int run_completion(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int first = 0;
    int code = args_read(ctl, command, NULL, argc, argv, &first);
    bool is_bash = first < argc && strcmp(argv[first], "bash") == 0;

    if (code != CTL_FINE)
        return code;
    if (argc - first != 1 || (!is_bash && strcmp(argv[first], "zsh") != 0))
        return ctl_misuse(ctl, command, "expected bash or zsh");
    if (is_bash)
        print_bash(ctl);
    else
        print_zsh(ctl);
    return CTL_FINE;
}
