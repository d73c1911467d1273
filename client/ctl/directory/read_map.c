// read_map.c: maps of Postfix: relay_recipient_maps, virtual_mailbox_maps, and with targets virtual_alias_maps, as their
// owner writes them (text, not what postmap makes of it).
#include "client/ctl/directory/folded.h"
#include "client/ctl/directory/import.h"
#include "client/ctl/directory/map.h"

static void take_map_entry(struct directory_import *import, struct map_line *line, uint64_t number)
{
    const char *target = NULL;

    if (import->options.has_targets)
        target = map_target(line->value);
    directory_take(import, &(struct directory_found){.line = number,
                                                     .address = line->key,
                                                     .mailbox = target != NULL ? target : "",
                                                     .state = "",
                                                     .groups = "",
                                                     .is_alias = target != NULL});
}

static void take_map_line(struct directory_import *import, char *text, uint64_t number)
{
    struct map_line line = {.key = ""};

    switch (map_read(text, &line)) {
    case MAP_NONE:
        break;
    case MAP_ENTRY:
        take_map_entry(import, &line, number);
        break;
    case MAP_DOMAIN:
        directory_leave(import, LEFT_DOMAIN, number, line.key);
        break;
    case MAP_CATCHALL:
        directory_leave(import, LEFT_CATCHALL, number, line.key);
        break;
    case MAP_PATTERN:
        directory_leave(import, LEFT_PATTERN, number, line.key);
        break;
    }
}

int directory_read_map(struct directory_import *import, struct lines *lines)
{
    struct folded *folded = folded_new(lines, false);
    uint64_t number = 0;
    char *text = NULL;

    while (directory_goes_on(import, lines) && folded_next(folded, &text, &number))
        take_map_line(import, text, number);
    folded_free(&folded);
    return CTL_FINE;
}
