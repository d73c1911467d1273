// options.c: see options.h.
#include "node/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

static int usage(FILE *to, int code)
{
    (void)fprintf(
        to, "usage: reeved [-c reeve.yaml] [-t | -T] [--replay]\n"
            "  -c, --config FILE  the node's file; without it, the defaults\n"
            "  -t, --test         check it and the policy files, say what is wrong, and leave\n"
            "  -T, --print        check them and print what is in force\n"
            "      --replay       time comes from requests (loopback only; see reeved(8))\n"
            "  -V, --version\n"
            "  -h, --help\n");
    return code;
}

int command_line_read(int argc, char **argv, struct options *out)
{
    static const struct option longs[] = {{"config", required_argument, NULL, 'c'},
                                          {"test", no_argument, NULL, 't'},
                                          {"print", no_argument, NULL, 'T'},
                                          {"replay", no_argument, NULL, 'r'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "c:tTVh", longs, NULL)) != -1) {
        switch (option) {
        case 'c':
            out->config_path = optarg;
            break;
        case 't':
            out->task = TASK_TEST;
            break;
        case 'T':
            out->task = TASK_PRINT;
            break;
        case 'r':
            out->replay = true;
            break;
        case 'V':
            (void)printf("reeved %s\n", REEVE_VERSION);
            return EX_OK;
        case 'h':
            return usage(stdout, EX_OK);
        default:
            return usage(stderr, EX_USAGE);
        }
    }
    return optind < argc ? usage(stderr, EX_USAGE) : -1;
}
