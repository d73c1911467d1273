// Fuzzes node/geo.c: whatever a database holds, an address has a country of two capital letters or none, and an AS with a number
// that an AS can have or none. The input is the file, for both.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "node/geo.h"
#include "proto/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// libmaxminddb 1.7 forgets a list of some kilobytes when a description is broken: once for each broken file.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb";
}

static const char *const ADDRESSES[] = {
    "192.0.2.1", "255.255.255.255", "10.0.0.1",
    "::",        "2001:db8::1",     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};

static void look_up(struct geo *geo, const char *address)
{
    char country[GEO_COUNTRY_MAX] = "??";
    struct ip ip;

    if (!ip_parse(address, &ip))
        abort();
    (void)geo_country(geo, &ip, country);
    if (country[0] != '\0' && (strlen(country) != 2 || country[0] < 'A' || country[0] > 'Z' ||
                               country[1] < 'A' || country[1] > 'Z'))
        abort();
    const uint32_t asn = geo_asn(geo, &ip);

    if (asn == 23456 || asn == UINT32_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct loop *loop = NULL;
    struct geo *geo = NULL;
    char path[64];
    int fd = memfd_create("fuzz", 0);

    log_open("fuzz", LOG_ERROR_LEVEL);
    if (loop_new(&loop, NULL) != ERR_NONE)
        abort();
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size))
        abort();
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    const struct geo_config config = {loop, {[GEO_COUNTRY] = path, [GEO_ASN] = path}, 1000};

    geo_new(&geo, &config);
    for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++)
        look_up(geo, ADDRESSES[i]);
    geo_free(&geo);
    loop_free(&loop);
    (void)close(fd);
    return 0;
}
