"""ASs of clients: the database that scripts/asn-database writes and scripts/geo-update brings, what is in it, and what the node does by it."""
import io
import ipaddress
import os
import subprocess
import tarfile

import pytest

from tests.support.asking import Gateway, verdict
from tests.support.geo import Database, real_tables
from tests.support.harness import sample_policy
from tests.support.processes import TOP, wait_for

pytestmark = pytest.mark.skipif(subprocess.run(["perl", "-MMaxMind::DB::Writer", "-e", "1"], capture_output=True).returncode != 0,
                                reason="no MaxMind::DB::Writer here, which asn-database writes with")
SHARE = 100  # of the real tables: each so manieth line, else it takes a minute
GOOGLE = 15169


def update(folder, *words):
    """geo-update with a registry of our own: npm copies package.tgz, or fails where there is none."""
    env = dict(os.environ, PATH=f"{folder / 'bin'}:{os.environ['PATH']}", TMPDIR=str(folder))
    return subprocess.run([TOP / "scripts" / "geo-update", *words], capture_output=True, text=True, timeout=120, env=env)


def publish(folder, files):
    """What the registry has from now on: {"asn-ipv4.csv": text, ...}."""
    with tarfile.open(folder / "package.tgz", "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


@pytest.fixture(name="registry", scope="module")
def make_registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("registry")
    (folder / "bin").mkdir()
    npm = folder / "bin" / "npm"
    npm.write_text(f"""#!/bin/sh
echo "$*" >>{folder}/npm.log
while [ $# -gt 1 ]; do
    [ "$1" = --pack-destination ] && into=$2
    shift
done
exec cp {folder}/package.tgz "$into/package.tgz"
""")
    npm.chmod(0o755)
    return folder


@pytest.fixture(name="real", scope="module")
def make_real(registry):
    """A share of the real tables, and the database that came of them: (ranges in their order, path)."""
    lines = {name: [line for number, line in enumerate(lines) if number % SHARE == 0 or f",{GOOGLE}," in line]
             for name, lines in real_tables().items()}
    publish(registry, {name: "\n".join(some) + "\n" for name, some in lines.items()})
    path = registry / "asn.mmdb"
    done = update(registry, "-v", "1.2.3", "asn", path)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert "@ip-location-db/asn@1.2.3" in (registry / "npm.log").read_text()
    ranges = []
    for line in lines["asn-ipv4.csv"] + lines["asn-ipv6.csv"]:
        first, last, asn, _ = line.split(",", 3)
        ranges.append((ipaddress.ip_address(first), ipaddress.ip_address(last), int(asn)))
    return ranges, path


def test_the_real_tables_are_in_the_database_to_the_address(real):
    ranges, path = real
    database = Database(path)
    assert len(ranges) > 4000
    assert "routeviews.org" in database.metadata["description"]["en"] and "CC BY 4.0" in database.metadata["description"]["en"]

    def asn(address):
        record = database.find(address)
        return record["autonomous_system_number"] if record else None
    before = None
    for first, last, number in ranges:
        assert (asn(first), asn(last)) == (number, number), first
        if before is not None and before.version == first.version and int(first) - int(before) > 1:
            assert (asn(before + 1), asn(first - 1)) == (None, None), f"between {before} and {first}"
        before = last


def test_what_the_registry_does_not_have_leaves_the_file(registry, tmp_path):
    file = tmp_path / "asn.mmdb"
    file.write_text("as it was")
    cases = {
        "no package": (None, "npm could not fetch @ip-location-db/asn@latest"),
        "another package": ({"asn-ipv4.csv": "1.0.0.0,1.0.0.255,13335,X\n"}, "holds no asn-ipv6.csv"),
        "tables of something else": ({"asn-ipv4.csv": "1.0.0.0,1.0.0.255,DE\n", "asn-ipv6.csv": ""},
                                     "asn-ipv4.csv:1: 'DE' is no number of an AS"),
        "empty tables": ({"asn-ipv4.csv": "", "asn-ipv6.csv": ""}, "the tables name no range"),
    }
    for name, (files, error) in cases.items():
        (registry / "package.tgz").unlink(missing_ok=True)
        if files is not None:
            publish(registry, files)
        done = update(registry, "asn", file)
        assert done.returncode == 1 and error in done.stderr, f"{name}: {done.stderr}"
        assert file.read_text() == "as it was", name
    assert [entry.name for entry in tmp_path.iterdir()] == ["asn.mmdb"]  # and nothing beside it
    for words in ([], ["city", file], ["asn", file, "more"], ["-x", file]):
        assert update(registry, *words).returncode == 64, words
    assert not (TOP / "asn").exists()


BAD = {
    "no range": ("192.0.2.0\n", "it is no line of the form"),
    "no number": ("192.0.2.0,192.0.2.255\n", "it is no line of the form"),
    "a name that does not end": ('192.0.2.0,192.0.2.255,64500,"An Operator\n', "it is no line of the form"),
    "something behind the name": ('192.0.2.0,192.0.2.255,64500,"A" B\n', "it is no line of the form"),
    "no address": ("192.0.2,192.0.2.255,64500,A\n", "'192.0.2' is no IPv4 or IPv6 address"),
    "a number for an address": ("3221225984,3221226239,64500,A\n", "'3221225984' is no IPv4 or IPv6 address"),
    "an address of neither family": ("2001:db8::,2001:db8::g,64500,A\n", "'2001:db8::g' is no"),
    "both families": ("192.0.2.0,2001:db8::,64500,A\n", "one address is IPv4, the other is IPv6"),
    "backwards": ("192.0.2.255,192.0.2.254,64500,A\n", "the range ends before it begins"),
    "a name for a number": ("192.0.2.0,192.0.2.255,AS64500,A\n", "'AS64500' is no number of an AS"),
    "33 bits": ("192.0.2.0,192.0.2.255,4294967296,A\n", "'4294967296' is no number of an AS"),
    "nothing but comments": ("\n192.0.2.0,192.0.2.255,0,\n", "the tables name no range"),
}


def test_a_table_that_is_none_is_refused_by_its_line(tmp_path):
    file = tmp_path / "asn.mmdb"
    running = []
    for number, (text, error) in enumerate(BAD.values()):
        table = tmp_path / f"{number}.csv"
        table.write_text("# first,last,number\n" + text)
        running.append((table, error, subprocess.Popen([TOP / "scripts" / "asn-database", file, table], stdout=subprocess.PIPE,
                                                       stderr=subprocess.PIPE, text=True)))
    for (table, error, process), name in zip(running, BAD):
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 1 and error in stderr, f"{name}: {stderr}"
        assert "name no range" in stderr or f"{table}:2: " in stderr, f"{name}: {stderr}"
    assert not file.exists()


def test_a_table_of_ones_own_counts_before_the_registrys(tmp_path):
    """Later lines win, 0 takes a range out, private networks may have an AS, names may hold anything, and lines may end as in DOS."""
    (tmp_path / "world.csv").write_text('192.0.2.0,192.0.2.255,64500,"An ""Operator"", Ltd."\r\n2001:db8::,2001:db8::ffff,4200000000,\n',
                                        encoding="utf-8")
    (tmp_path / "own.csv").write_text("# ours\n10.0.0.0,10.0.0.9,64512,Büro\n192.0.2.128,192.0.2.128,0\n192.0.2.129,192.0.2.131,64513\n",
                                      encoding="utf-8")
    file = tmp_path / "asn.mmdb"
    done = subprocess.run([TOP / "scripts" / "asn-database", "-d", "Tést", file, tmp_path / "world.csv", tmp_path / "own.csv"],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "4 ranges\n")
    database = Database(file)
    found = {address: (database.find(address) or {}).get("autonomous_system_number")
             for address in ("192.0.2.127", "192.0.2.128", "192.0.2.129", "192.0.2.131", "192.0.2.132", "10.0.0.9", "10.0.0.10",
                             "2001:db8::ffff", "2001:db8::1:0")}
    assert list(found.values()) == [64500, None, 64513, 64513, 64500, 64512, None, 4200000000, None]
    assert database.find("192.0.2.1")["autonomous_system_organization"] == 'An "Operator", Ltd.'
    assert database.find("10.0.0.1")["autonomous_system_organization"] == "Büro"
    assert database.find("192.0.2.129") == {"autonomous_system_number": 64513}


def test_a_retry_from_elsewhere_in_its_as_passes(real, site):
    """Three networks that have been Google's for decades; 193.0.0.1 is not."""
    policy = sample_policy(greylist={"mode": "enforce", "delay": "1s", "identities": ["net", "asn"]}, domains={"rcpt.example": {}})
    node = site.node("node-asn", policy=policy, geo={"asn": str(real[1])})
    with Gateway(site.folder, node.lookups) as gateway:
        def reason(client):
            return verdict(gateway.check("ann@sender.example", ip=client)).reason
        assert reason("8.8.8.8") == "greylist_new"
        wait_for(lambda: reason("64.233.160.1") == "greylist_pass", "the delay to be over")
        assert [reason(client) for client in ("2001:4860::1", "193.0.0.1", "10.0.0.1")] == ["greylist_known", "greylist_new", "greylist_new"]
