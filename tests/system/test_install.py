"""make install: what a packager and a programmer get. Programs, manual pages, samples, units; and libreeve as a stranger uses
it: found by pkg-config, linked shared and static, from C and C++, with nothing exported but its own names."""
import os
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("REEVE_BUILD", "build")
PREFIX = "opt/reeve"

# A gateway in thirty lines: no node is there, so the answer is the fallback it asked for, and it says so.
PROGRAM = r"""
#include <reeve.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    const char *nodes[] = {"ipc:///nowhere/at/all"};
    const char *recipients[] = {"bob@recipient.example"};
    struct reeve_options options = {.nodes = nodes, .node_count = 1, .deadline_ms = 20,
                                    .fallback = REEVE_FALLBACK_DEFER};
    struct reeve_check check = {.client_ip = "192.0.2.1", .sender = "ann@sender.example",
                                .recipients = recipients, .recipient_total = 1};
    struct reeve_answer *answer = NULL;
    struct reeve *reeve = NULL;
    char message[256] = "";

    if (reeve_new(&reeve, &options, message, sizeof(message)) != REEVE_OK) {
        printf("reeve_new: %s\n", message);
        return 1;
    }
    if (reeve_check(reeve, &check, &answer) != REEVE_UNREACHABLE)
        return 2;
    printf("%s %s %d %s\n", reeve_version(), answer->verdicts[0].reason, (int)answer->verdicts[0].action,
           answer->fallback ? "fallback" : "node");
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    return 0;
}
"""


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that stands for the root of the file system."""
    root = tmp_path_factory.mktemp("root")
    run("make", "-s", "-C", TOP, f"BUILD={BUILD}", f"DESTDIR={root}", f"PREFIX=/{PREFIX}", "install")
    return root


@pytest.fixture
def pkg_config(installed):
    """pkg-config's words, as it answers somebody who has Reeve installed in that root."""
    environment = dict(os.environ, PKG_CONFIG_PATH=str(installed / PREFIX / "lib/pkgconfig"))

    def ask(*words):
        return [word.replace(f"/{PREFIX}", str(installed / PREFIX))
                for word in run("pkg-config", *words, env=environment).split()]

    return ask


@pytest.fixture
def program(tmp_path):
    source = tmp_path / "gateway.c"
    source.write_text(PROGRAM)
    return source


@pytest.mark.parametrize(
    "path",
    [
        "sbin/reeved",
        "sbin/reeve-policyd",
        "bin/reevectl",
        "bin/reeve-load",
        "lib/libreeve.a",
        "lib/libreeve.so.0",
        "lib/pkgconfig/reeve.pc",
        "include/reeve.h",
        "share/reeve/reeve.proto",
        "share/reeve/reeve.yaml",
        "share/reeve/policy.yaml",
        "share/reeve/policy-test.yaml",
        "share/reeve/replay.yaml",
        "share/bash-completion/completions/reevectl",
        "share/zsh/site-functions/_reevectl",
        "share/reeve/reeve-policyd.yaml",
        "share/reeve/reeve.acl",
        "share/reeve/geo-update",
        "share/reeve/asn-database",
        "share/reeve/postfix/main.cf", "share/reeve/postfix/submission.cf",
        "share/reeve/postfix/README.md",
        "share/man/man1/reevectl.1",
        "share/man/man1/reeve-load.1",
        "share/man/man3/reeve.3",
        "share/man/man5/reeve.yaml.5",
        "share/man/man5/reeve-policy.5",
        "share/man/man5/reeve-policy-test.5",
        "share/man/man5/reeve-policyd.yaml.5",
        "share/man/man8/reeved.8",
        "share/man/man8/reeve-policyd.8",
        "lib/systemd/system/reeved.service",
        "lib/systemd/system/reeve-policyd.service",
    ],
)
def test_file_is_installed(installed, path):
    assert (installed / PREFIX / path).stat().st_size > 0


def test_nothing_is_installed_elsewhere(installed):
    assert [path.name for path in installed.iterdir()] == ["opt"]
    assert [path.name for path in (installed / "opt").iterdir()] == ["reeve"]


def test_manual_pages_name_what_they_describe(installed):
    pages = list((installed / PREFIX / "share/man").rglob("*.[1-8]"))
    assert len(pages) == 9
    for page in pages:
        name, section = page.name.rsplit(".", 1)
        text = page.read_text()
        assert f".Nm {name}" in text, page
        assert f".Dt {name.upper()} {section}" in text, page


def test_units_name_the_installed_programs(installed):
    for unit in (installed / PREFIX / "lib/systemd/system").iterdir():
        text = unit.read_text()
        started = re.findall(r"^ExecStart(?:Pre)?=(\S+)", text, re.MULTILINE)
        assert started and all((installed / path.lstrip("/")).exists() for path in started), unit
        assert "@PREFIX@" not in text, unit


def test_shared_library_as_a_stranger_uses_it(installed, pkg_config, program, tmp_path):
    binary = tmp_path / "gateway"
    run("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", program, "-o", binary, *pkg_config("--cflags", "--libs", "reeve"))
    said = run(binary, env={"LD_LIBRARY_PATH": str(installed / PREFIX / "lib")})
    assert re.fullmatch(r"\d+\.\d+\.\d+ fallback 2 fallback\n", said)
    assert "libreeve.so.0" in run("objdump", "-p", binary)


def test_static_library_as_a_stranger_uses_it(pkg_config, program, tmp_path):
    """libreeve.a with the system's shared libraries (Debian's libzmq.pc cannot be linked with --static)."""
    binary = tmp_path / "gateway"
    flags = ["-l:libreeve.a" if flag == "-lreeve" else flag for flag in pkg_config("--cflags", "--libs", "reeve")]
    run("gcc", "-std=c11", program, "-o", binary, *flags, *pkg_config("--libs", "libzmq", "libprotobuf-c"))
    assert "fallback" in run(binary)
    assert "libreeve" not in run("objdump", "-p", binary)


@pytest.mark.parametrize("compiler", [("gcc", "-std=c11", "-Wpedantic"), ("clang", "-x", "c++", "-std=c++11")])
def test_header_compiles_alone(pkg_config, tmp_path, compiler):
    source = tmp_path / "only.c"
    source.write_text("#include <reeve.h>\nint main(void) { return 0; }\n")
    run(*compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", source, *pkg_config("--cflags", "reeve"))


def test_library_exports_its_own_names_and_no_others(installed):
    listing = run("nm", "-D", "--defined-only", installed / PREFIX / "lib/libreeve.so.0")
    exported = {line.split()[-1] for line in listing.splitlines()}
    header = (installed / PREFIX / "include/reeve.h").read_text()
    declared = set(re.findall(r"^REEVE_API [^;(]*?(reeve_\w+)\(", header, re.MULTILINE))
    assert len(declared) >= 10
    assert exported == declared


def test_library_needs_little(installed):
    """A gateway is not made to load the node's libraries."""
    needed = set(re.findall(r"NEEDED\s+(\S+?)\.so", run("objdump", "-p", installed / PREFIX / "lib/libreeve.so.0")))
    assert needed <= {"libzmq", "libprotobuf-c", "libc", "libm", "libpthread", "ld-linux-x86-64", "ld-linux-aarch64"}


@pytest.mark.parametrize("name", ["sbin/reeved", "sbin/reeve-policyd", "bin/reevectl"])
def test_programs_are_hardened(installed, name):
    headers = run("readelf", "-W", "-h", "-l", "-d", installed / PREFIX / name)
    assert "DYN (Position-Independent Executable file)" in headers
    assert "GNU_RELRO" in headers and "BIND_NOW" in headers
    assert re.search(r"GNU_STACK .* RW ", headers)
