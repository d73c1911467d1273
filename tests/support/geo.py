"""Databases of countries and ASs for tests: tiny ones of their own in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), and the
real ones that scripts/geo-update fetches from the npm registry."""
import hashlib
import ipaddress
import shutil
import subprocess
import tarfile

import pytest

from tests.support.processes import BUILD, TOP

# The registry drops old versions now and then: then take the latest, and the checksums of its iptoasn-country.mmdb and asn-ipv4.csv.
VERSION = "2.3.2026061719"
SHA256 = "93cc3158038b5ddd3cef52652ba6d7a134ece0496117fae0a3ab6e7b5101815e"
ASN_VERSION = "2.3.2026061719"
ASN_SHA256 = "76afd7f575bc22d3b3d52f4666fb1ec20c254948829c8f23b1ecc8b8856106d5"


def _fetched(path, what, *command):
    """path, which the command writes unless it is there; skips the test where that cannot be."""
    if not path.exists():
        if shutil.which("npm") is None:
            pytest.skip(f"no npm here, which fetches the {what}")
        path.parent.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if fetched.returncode != 0:
            pytest.skip(f"the {what} cannot be fetched here: {fetched.stderr.strip()}")
    return path


def real_database():
    """The path of the real database of countries. It is fetched once into the build folder."""
    path = BUILD / "geo" / f"iptoasn-country-{VERSION}.mmdb"
    _fetched(path, "database of countries", TOP / "scripts" / "geo-update", "-v", VERSION, "country", path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256, f"{path} is not what it was; remove it"
    return path


def real_tables():
    """The real tables of ASs, as lists of lines: {"asn-ipv4.csv": [...], "asn-ipv6.csv": [...]}. They are fetched once."""
    path = BUILD / "geo" / f"ip-location-db-asn-{ASN_VERSION}.tgz"
    _fetched(path, "tables of ASs", "npm", "pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", path.parent,
             f"@ip-location-db/asn@{ASN_VERSION}")
    with tarfile.open(path) as archive:
        texts = {name: archive.extractfile(f"package/{name}").read() for name in ("asn-ipv4.csv", "asn-ipv6.csv")}
    assert hashlib.sha256(texts["asn-ipv4.csv"]).hexdigest() == ASN_SHA256, f"{path} is not what it was; remove it"
    return {name: text.decode().splitlines() for name, text in texts.items()}


class Database:
    """Reads a database in MaxMind's format, whole into memory: database.find("192.0.2.1") is a record, or None. Written from the
    format's description, so that what is written by one library and read by another has a third opinion."""

    MARK = b"\xab\xcd\xefMaxMind.com"

    def __init__(self, path):
        self.bytes = path.read_bytes()
        at = self.bytes.rindex(self.MARK) + len(self.MARK)
        self.base = at
        self.metadata = self._value(at)[0]
        self.size = self.metadata["record_size"]
        self.nodes = self.metadata["node_count"]
        self.base = self.nodes * self.size // 4 + 16

    def find(self, address):
        address = ipaddress.ip_address(address)
        bits = f"{int(address):0{128 if self.metadata['ip_version'] == 6 else 32}b}"
        node = 0
        for bit in bits:
            node = self._child(node, int(bit))
            if node >= self.nodes:
                break
        return None if node == self.nodes else self._value(self.base + node - self.nodes - 16)[0]

    def _child(self, node, side):
        pair = self.bytes[node * self.size // 4:(node + 1) * self.size // 4]
        if self.size == 28:  # the middle byte holds the upper four bits of either
            upper = pair[3] >> 4 if side == 0 else pair[3] & 15
            return upper << 24 | int.from_bytes(pair[:3] if side == 0 else pair[4:], "big")
        half = self.size // 8
        return int.from_bytes(pair[:half] if side == 0 else pair[half:], "big")

    def _value(self, at):
        """(value, where the next one begins)"""
        control, at = self.bytes[at], at + 1
        kind, size = control >> 5, control & 31
        if kind == 1:
            length = (size >> 3) + 1
            number = int.from_bytes(self.bytes[at:at + length], "big") + (((size & 7) << 8 * length) if length < 4 else 0)
            return self._value(self.base + number + (0, 2048, 526336, 0)[length - 1])[0], at + length
        if kind == 0:
            kind, at = self.bytes[at] + 7, at + 1
        if size >= 29:
            length = size - 28
            size, at = (29, 285, 65821)[length - 1] + int.from_bytes(self.bytes[at:at + length], "big"), at + length
        if kind in (7, 11):
            values = []
            for _ in range(size * (2 if kind == 7 else 1)):
                value, at = self._value(at)
                values.append(value)
            return (dict(zip(values[::2], values[1::2])) if kind == 7 else values), at
        if kind == 2:
            return self.bytes[at:at + size].decode(), at + size
        assert kind in (5, 6, 9), f"a value of type {kind}"
        return int.from_bytes(self.bytes[at:at + size], "big"), at + size


def write_database(path, countries):
    """A database of IPv4 networks: {"192.0.2.0/24": "DE", ...}. It takes the place of path in one step."""
    data, places = b"", {}
    for country in sorted(set(countries.values())):
        places[country] = len(data)
        data += _map({"country": {"iso_code": country}})
    nodes = [[None, None]]  # of each: where 0 and where 1 lead; a number is a node, a text is a country
    for network, country in countries.items():
        _insert(nodes, ipaddress.ip_network(network), country)

    def record(value):
        if value is None:
            return len(nodes)  # nothing is known
        return value if isinstance(value, int) else len(nodes) + 16 + places[value]
    tree = b"".join(record(value).to_bytes(3, "big") for node in nodes for value in node)
    metadata = _map({"binary_format_major_version": _number(2, 2), "binary_format_minor_version": _number(2, 0),
                     "build_epoch": _number(8, 1), "database_type": "test", "description": {}, "ip_version": _number(2, 4),
                     "languages": b"\x00\x04", "node_count": _number(4, len(nodes)), "record_size": _number(2, 24)})
    new = path.with_name(path.name + ".new")
    new.write_bytes(tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + metadata)
    new.rename(path)


def _insert(nodes, network, country):
    bits = f"{int(network.network_address):032b}"[:network.prefixlen]
    at = 0
    for bit in bits[:-1]:
        if nodes[at][int(bit)] is None:
            nodes[at][int(bit)] = len(nodes)
            nodes.append([None, None])
        at = nodes[at][int(bit)]
    nodes[at][int(bits[-1])] = country


def _map(values):
    return bytes([7 << 5 | len(values)]) + b"".join(_value(key) + _value(value) for key, value in values.items())


def _number(size, number):
    """An unsigned one of so many bytes; the size is part of its type."""
    return {2: b"\xa2", 4: b"\xc4", 8: b"\x08\x02"}[size] + number.to_bytes(size, "big")


def _value(value):
    if isinstance(value, bytes):
        return value  # written already
    if isinstance(value, dict):
        return _map(value)
    assert len(value) < 29
    return bytes([2 << 5 | len(value)]) + value.encode()
