"""scripts/walls: every kind of breach is seen, with file and line, and what is allowed is not complained about.

Each row is one file in an otherwise innocent tree.
"""
import pathlib
import subprocess

import pytest

WALLS = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "walls"

BREACHES = [
    # name, file, contents, what must be said
    ("proto sees the node", "proto/ip.c", '#include "node/config.h"', "behind a wall"),
    ("proto sees a client", "proto/ip.c", '#include "client/lib/reeve.h"', "behind a wall"),
    ("core sees the store", "node/core/chain.c", '#include "node/store/store.h"', "behind a wall"),
    ("core sees the policy room", "node/core/chain.c", '#include "node/policy/set.h"', "behind a wall"),
    ("core sees the log", "node/core/chain.c", '#include "proto/base/log.h"', "behind a wall"),
    ("core sees the clock", "node/core/chain.c", '#include "proto/base/clock.h"', "behind a wall"),
    ("core sees the loop", "node/core/chain.c", '#include "proto/base/loop.h"', "behind a wall"),
    ("core sees YAML", "node/core/chain.c", '#include "proto/base/yaml.h"', "behind a wall"),
    ("core sees the wire", "node/core/chain.c", '#include "proto/wire.h"', "behind a wall"),
    ("core sees time", "node/core/chain.c", "#include <time.h>", "pure"),
    ("core sees sockets", "node/core/chain.c", "#include <sys/socket.h>", "pure"),
    ("core sees the kernel", "node/core/chain.c", "#include <unistd.h>", "pure"),
    ("core allocates", "node/core/chain.c", "int *p = malloc(4);", "malloc() must not be called"),
    ("core frees", "node/core/chain.c", "    free (p);", "free() must not be called"),
    ("core prints", "node/core/chain.c", 'printf("x");', "printf() must not be called"),
    ("core asks for the time", "node/core/chain.c", "long now = time(NULL);", "time() must not be called"),
    ("the store sees a verb", "node/store/redis.c", '#include "node/verbs/server.h"', "behind a wall"),
    ("the store sees the chain", "node/store/redis.c", '#include "node/core/chain.h"', "behind a wall"),
    ("the policy sees the store", "node/policy/set.c", '#include "node/store/store.h"', "behind a wall"),
    ("a door sees a verb", "node/net/router.c", '#include "node/verbs/server.h"', "behind a wall"),
    ("a verb sees a socket", "node/verbs/check.c", '#include "node/net/pub.h"', "behind a wall"),
    ("a client sees the node", "client/ctl/main.c", '#include "node/config.h"', "behind a wall"),
    ("the library sees the loop", "client/lib/reeve.c", '#include "proto/base/loop.h"', "behind a wall"),
    ("the library sees the tool", "client/lib/reeve.c", '#include "client/ctl/ctl.h"', "behind a wall"),
    ("policyd sees the library's inside", "client/policyd/main.c", '#include "client/lib/node.h"', "behind a wall"),
    ("the library ends the process", "client/lib/reeve.c", "    abort();", "abort() must not be called"),
    ("ZeroMQ outside of net", "node/verbs/check.c", "#include <zmq.h>", "may be seen only by node/net"),
    ("ZeroMQ in main", "node/main.c", "#include <zmq.h>", "may be seen only by node/net"),
    ("hiredis outside of store", "node/verbs/check.c", "#include <hiredis/hiredis.h>", "may be seen only by node/store"),
    ("hiredis in a client", "client/ctl/main.c", "  #  include <hiredis/async.h>", "may be seen only by node/store"),
    ("protobuf-c outside of wire", "proto/ip.c", "#include <protobuf-c/protobuf-c.h>", "may be seen only by proto/wire"),
    ("generated code outside of wire", "client/lib/reeve.c", '#include "proto/reeve.pb-c.h"', "only by proto/wire"),
    ("libuv outside of the loop", "node/net/router.c", "#include <uv.h>", "may be seen only by proto/base/loop.c"),
    ("libyaml outside of yaml", "node/policy/set.c", "#include <yaml.h>", "may be seen only by proto/base/yaml.c"),
    ("libidn2 outside of mail", "node/policy/set.c", "#include <idn2.h>", "may be seen only by proto/mail.c"),
    ("libunistring outside of mail", "proto/text.c", "#include <unistr.h>", "may be seen only by proto/mail.c"),
    ("libsodium outside of its rooms", "node/verbs/check.c", "#include <sodium.h>", "may be seen only by"),
    ("cmocka in the product", "node/main.c", "#include <cmocka.h>", "may be seen only by tests"),
    ("an unlisted library", "proto/ip.c", "#include <curl/curl.h>", "on no list"),
    ("a path that is not from the top", "node/core/chain.c", '#include "key.h"', "from the top"),
    ("a path that climbs", "node/core/chain.c", '#include "../store/store.h"', "from the top"),
    ("a file without a room", "node/attic/old.c", "int x;", "no room"),
    ("time outside of the clock", "node/verbs/check.c", "clock_gettime(CLOCK_REALTIME, &ts);", "must not be called"),
    ("strcpy anywhere", "tests/unit/test_x.c", "    strcpy(a, b);", "strcpy() must not be called"),
    ("sprintf anywhere", "client/ctl/main.c", "    sprintf(a, b);", "sprintf() must not be called"),
]

INNOCENT = [
    ("proto/base/clock.c", "clock_gettime(CLOCK_MONOTONIC, &ts);"),
    ("node/core/chain.c", '#include "node/core/facts.h"\n#include <string.h>'),
    ("node/core/chain.c", "    // free(p) would be wrong here; so would time(NULL)"),
    ("node/core/chain.c", '    text_buf_add(why, "printf(3) in a text");'),
    ("node/core/chain.c", "    snprintf(a, sizeof(a), b); sometime(); x->free(y);"),
    ("node/core/key.c", "#include <sodium.h>"),
    ("node/main.c", '#include "node/net/router.h"\n#include "node/verbs/server.h"'),
    ("client/ctl/check.c", '#include "client/policyd/request.h"'),
    ("tests/unit/test_x.c", '#include "node/store/store.h"\n#include <cmocka.h>'),
]


def walls(tree, file, contents):
    """What scripts/walls says about a tree of one harmless file and this one."""
    for path, text in (("proto/ok.c", "int ok;\n"), (file, contents + "\n")):
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return subprocess.run([WALLS, tree], capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("file, contents, said", [row[1:] for row in BREACHES], ids=[row[0] for row in BREACHES])
def test_breach_is_seen(tmp_path, file, contents, said):
    result = walls(tmp_path, file, contents)
    assert result.returncode == 1
    assert f"{file}:1: " in result.stdout
    assert said in result.stdout
    assert "1 breaches" in result.stderr


@pytest.mark.parametrize("file, contents", INNOCENT)
def test_innocent_is_let_be(tmp_path, file, contents):
    result = walls(tmp_path, file, contents)
    assert (result.returncode, result.stdout) == (0, "walls: 2 files, every wall stands\n")


def test_empty_tree_is_an_error(tmp_path):
    result = subprocess.run([WALLS, tmp_path], capture_output=True, text=True, timeout=30)
    assert result.returncode == 1
    assert "no C files" in result.stderr


def test_this_checkout_keeps_its_walls():
    result = subprocess.run([WALLS], capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result.stdout
