"""Databases of countries for tests: a tiny one of their own in MaxMind's format (https://maxmind.github.io/MaxMind-DB/), and the real one
that scripts/geo-update fetches from the npm registry."""
import hashlib
import ipaddress
import shutil
import subprocess

import pytest

from tests.support.processes import BUILD, TOP

# The registry drops old versions now and then: then take the latest, and the checksum of its iptoasn-country.mmdb.
VERSION = "2.3.2026061719"
SHA256 = "93cc3158038b5ddd3cef52652ba6d7a134ece0496117fae0a3ab6e7b5101815e"


def real_database():
    """The path of the real database; skips the test where it is not to be had. It is fetched once into the build folder."""
    path = BUILD / "geo" / f"iptoasn-country-{VERSION}.mmdb"
    if not path.exists():
        if shutil.which("npm") is None:
            pytest.skip("no npm here, which fetches the database of countries")
        path.parent.mkdir(parents=True, exist_ok=True)
        fetched = subprocess.run([TOP / "scripts" / "geo-update", "-v", VERSION, path], capture_output=True, text=True, timeout=120)
        if fetched.returncode != 0:
            pytest.skip(f"the database of countries cannot be fetched here: {fetched.stderr.strip()}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256, f"{path} is not what it was; remove it"
    return path


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
