// vitals.h: what the kernel knows of this process, for the stats and the log.
#pragma once

#include <stdint.h>

// vitals_raise_fds: RLIMIT_NOFILE to its hard limit: at its descriptor limit libzmq spins and
// accepts nothing.
void vitals_raise_fds(void);
uint64_t vitals_open_fds(void);
uint64_t vitals_max_fds(void);
uint64_t vitals_resident_bytes(void);
