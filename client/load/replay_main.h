// replay_main.h: reeve-load replay, from the command line to the exit code.
#pragma once

#include <signal.h>

enum { EXIT_FINE = 0, EXIT_NOT_MEASURED = 1, EXIT_USAGE = 2 };

// replay_main: argv[0] is the word replay. *stop becomes true when it shall end.
int replay_main(int argc, char **argv, const volatile sig_atomic_t *stop);
