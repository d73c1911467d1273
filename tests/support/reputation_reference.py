#!/usr/bin/python3
"""Reputation once more, slowly, from the formulas of node/core/README.md and the format of node/core/reputation.h: what the node is
measured against. Serial: one report after the other, each climbs to the root at once, nothing is cached.

    reference = Reference()
    mail = Client(ip="192.0.2.1", asn=64500, country="DE", domain="example.org", auth=PASSED)
    reference.judge(mail, now)                  before
    reference.report(mail, "mx1", True, 1.0, now)

As a program it checks histories that tests/unit/test_reputation_random.c plays and tells on standard input:
usage: reputation_reference.py --check"""
import collections
import ctypes
import functools
import ipaddress
import math
import struct
import sys

DAY = 86400
KINDS = ("ip", "net", "wide", "asn", "country", "world", "sender", "domain", "tld", "senders")
ROOTS = ("world", "senders")
# Strength m of the prior, half-life in days.
LEVELS = {"ip": (1, 30), "net": (1, 60), "wide": (1, 90), "asn": (2, 120), "country": (4, 180), "world": (0, 180),
          "sender": (1, 30), "domain": (1, 60), "tld": (2, 120), "senders": (0, 180)}
UNASKED, PASSED, UNCONFIRMED, FAILED = range(4)
BELIEVED = {UNASKED: 0.5, PASSED: 1.0, UNCONFIRMED: 0.5, FAILED: 0.0}
FULL = 32.0  # what an entity holds at most, roots apart
DUST = 2.0 ** -20
LEAST = 0.001  # of what climbs
ALARM = 0.5  # a reporter below is not trusted
HELD = 0.25  # a reporter with less has said nothing yet
ACTIVE = 7 * DAY

Client = collections.namedtuple("Client", "ip asn country domain auth", defaults=(0, "", "", UNASKED))
Added = collections.namedtuple("Added", "added onward at_cap")
Judgement = collections.namedtuple(
    "Judgement", "p address sender ip trust_sender lower upper n_ip n_net reporters has_sender warm shares")


# ---- names

@functools.lru_cache(maxsize=100000)
def address_keys(ip):
    ip = ipaddress.ip_address(ip)
    ip = getattr(ip, "ipv4_mapped", None) or ip
    lengths = (4, 3, 2) if ip.version == 4 else (16, 8, 6)
    return tuple((kind, f"r:{kind[0]}:{ip.packed[:length].hex()}") for kind, length in zip(("ip", "net", "wide"), lengths))


def levels(client):
    """Two chains of (kind, key), leaf to root; a chain that says nothing is empty."""
    address, sender = [], []
    if client.ip:
        address = list(address_keys(client.ip))
        if client.asn:
            address.append(("asn", f"r:a:{client.asn}"))
        if client.country:
            address.append(("country", f"r:c:{client.country}"))
        address.append(("world", "r:g:address"))
    if client.domain and client.auth != FAILED:
        if client.asn:
            sender.append(("sender", f"r:e:{client.asn}/{client.domain}"))
        if client.auth != UNCONFIRMED:
            sender.append(("domain", f"r:d:{client.domain}"))
        sender += [("tld", "r:t:" + client.domain.rpartition(".")[2]), ("senders", "r:g:sender")]
    return address, sender


@functools.lru_cache(maxsize=None)
def registrable(domain):
    """The registrable domain, by the list of public suffixes that the node has too; "" if there is none."""
    psl = ctypes.CDLL("libpsl.so.5")
    psl.psl_builtin.restype = psl.psl_registrable_domain.restype = ctypes.c_void_p
    psl.psl_registrable_domain.argtypes = ctypes.c_void_p, ctypes.c_void_p
    text = ctypes.create_string_buffer(domain.encode())  # what is found points into it
    found = psl.psl_registrable_domain(psl.psl_builtin(), text)
    return ctypes.string_at(found).decode() if found else ""


# ---- an entity

def to_bits(value, bits):
    """Rounded to so many significant bits, half away from zero. A double has 53."""
    if value < DUST:
        return 0.0
    if bits == 53:
        return value
    fraction, exponent = math.frexp(value)
    return math.ldexp(math.floor(math.ldexp(fraction, bits) + 0.5), exponent - bits)


class Entity:
    """What is kept of one."""
    __slots__ = ("kind", "spam", "ham", "hour", "week", "at", "first", "slots")

    def __init__(self, kind):
        self.kind = kind
        self.spam = self.ham = self.hour = self.week = 0.0
        self.at = self.first = 0
        self.slots = [[0, 0.0, 0.0] for _ in range(16 if kind in ROOTS else 4)]  # reporter, spam, ham

    def copy(self):
        other = Entity(self.kind)
        other.spam, other.ham, other.hour, other.week, other.at, other.first = (
            self.spam, self.ham, self.hour, self.week, self.at, self.first)
        other.slots = [list(slot) for slot in self.slots]
        return other

    def multiply(self, by):
        self.spam *= by
        self.ham *= by
        for slot in self.slots:
            slot[1] *= by
            slot[2] *= by

    def decay(self, now, half_life):
        if now <= self.at:
            return
        if not self.at:
            self.first = now // DAY
        passed = now - self.at
        self.multiply(2.0 ** (-passed / half_life))
        self.hour *= 2.0 ** (-passed / 3600)
        self.week *= 2.0 ** (-passed / (7 * DAY))
        self.at = now

    def slot_of(self, reporter):
        """The reporter's; else a free one; else the smallest. The first of equals."""
        return (next((slot for slot in self.slots if slot[0] == reporter), None)
                or next((slot for slot in self.slots if slot[0] == 0), None)
                or min(self.slots, key=lambda slot: slot[1] + slot[2]))

    def round(self):
        """As it is read back after it was written."""
        root = self.kind in ROOTS
        for name, bits in (("spam", 53 if root else 29), ("ham", 53 if root else 29), ("hour", 16), ("week", 24)):
            setattr(self, name, to_bits(getattr(self, name), bits))
        for i, slot in enumerate(self.slots):
            for j in (1, 2) if slot[0] else ():
                if root:
                    slot[j] = to_bits(slot[j], 53)
                else:
                    spread = (40503 * self.at + 24109 * (2 * i + j - 1)) % 65536 / 65536
                    slot[j] = min(4095, math.floor(128 * slot[j] + spread)) / 128

    def pack(self):
        """The bytes of what was rounded."""
        root = self.kind in ROOTS
        spam, ham = struct.pack(">d", self.spam), struct.pack(">d", self.ham)
        hour, week = struct.pack(">f", self.hour), struct.pack(">f", self.week)
        if root:
            slots = b"".join(struct.pack(">Hdd", *slot) for slot in self.slots)
            return b"\2" + spam + ham + struct.pack(">IH", self.at, self.first) + hour[:3] + week + slots
        slots = b"".join(struct.pack(">H", slot[0]) + (int(slot[1] * 128) << 12 | int(slot[2] * 128)).to_bytes(3, "big")
                         for slot in self.slots)
        return b"\1" + spam[:5] + ham[:5] + struct.pack(">IH", self.at, self.first) + hour[:3] + week + slots


# ---- the formulas

def single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def room(others, active):
    """What a reporter may hold in all where others hold so much."""
    if active <= 2:
        return math.inf
    share = max(1 / 3, 2 / active)
    return max(8.0, share / (1 - share) * others)


def trust_of(record):
    """record: agreed and disagreed where others said ham, and where they said spam."""
    worst = min((record[i] + 9) / (record[i] + record[i + 1] + 10) for i in (0, 2))
    return min(1.0, max(0.0, (worst - 0.6) / 0.3))


def combine(address, sender, believed):
    def logit(p):
        p = min(1 - 1e-6, max(1e-6, p))
        return math.log(p / (1 - p))
    return 1 / (1 + math.exp(-(logit(address) + believed * logit(sender)) / (1 + believed)))


class Gateway:
    """Who reports."""
    def __init__(self, number):
        self.number = number
        self.record = [0.0, 0.0, 0.0, 0.0]
        self.last = None
        self.trust = 1.0

    def note(self, others_spam, agrees):
        first = 2 if others_spam else 0
        self.record[first] *= 0.998
        self.record[first + 1] *= 0.998
        self.record[first + (0 if agrees else 1)] += 1
        self.trust = trust_of(self.record)


class Reference:
    """All that is known. settings: as LEVELS. packed: entities are rounded as they are in the store."""
    def __init__(self, settings=None, packed=True):
        self.settings = settings or LEVELS
        self.packed = packed
        self.entities = {}
        self.gateways = {}
        self.numbers = {}

    def gateway(self, name):
        if name not in self.gateways:
            self.gateways[name] = Gateway(len(self.gateways) + 1)
            self.numbers[self.gateways[name].number] = self.gateways[name]
        return self.gateways[name]

    def half_life(self, kind):
        return self.settings[kind][1] * DAY

    def trust(self, number):
        """As a node mirrors it: in single precision."""
        known = self.numbers.get(number)
        return single(known.trust) if known and known.trust != 1 else 1.0

    def left(self, entity, now):
        """The factor of what was written."""
        return 2.0 ** (-max(0, now - entity.at) / self.half_life(entity.kind))

    # -- report

    def add(self, kind, key, number, active, is_spam, weight, now):
        """One report reaches one entity."""
        strength = self.settings[kind][0]
        root = kind in ROOTS
        entity = self.entities[key].copy() if key in self.entities else Entity(kind)
        entity.decay(now, self.half_life(kind))
        held = entity.spam + entity.ham
        slot = entity.slot_of(number)
        own = slot[1] + slot[2]
        free = max(0.0, room(held - own, active) - own)
        added = min(weight, free)
        if not root:
            added = min(added, FULL)
        if added <= 0:
            return Added(0.0, 0.0, weight > free)
        if not root and held + added > FULL:
            entity.multiply((FULL - added) / held)
        slot[0] = number
        slot[1 if is_spam else 2] += added
        if is_spam:
            entity.spam += added
        else:
            entity.ham += added
        if self.packed:
            entity.round()
        self.entities[key] = entity
        onward = 0.0 if root else added * strength / (held + strength)
        return Added(added, onward if onward >= LEAST else 0.0, weight > free)

    def others(self, chain, number, now):
        """What the others are sure of: True for spam, None if they are not."""
        for kind, key in chain:
            entity = self.entities.get(key)
            if entity is None or kind in ROOTS:
                continue
            left = self.left(entity, now)
            known = [slot for slot in entity.slots if slot[0] not in (0, number)
                     and (slot[1] + slot[2]) * left >= HELD and self.trust(slot[0]) >= ALARM]
            spam, ham = sum(slot[1] * left for slot in known), sum(slot[2] * left for slot in known)
            if len(known) >= 2 and spam + ham >= 2.5:
                share = spam / (spam + ham)
                return True if share > 0.9 else False if share < 0.1 else None
        return None

    def active(self, now):
        return sum(now - gateway.last < ACTIVE for gateway in self.gateways.values() if gateway.last is not None)

    def report(self, client, name, is_spam, weight, now, judges=True):
        """Weighed with the trust that the gateway had before. What was added, chain by chain, leaf to root."""
        gateway = self.gateway(name)
        gateway.last = now
        active, weight = self.active(now), weight * gateway.trust
        chains = levels(client)
        for said in [self.others(chain, gateway.number, now) for chain in chains] if judges else []:
            if said is not None:
                gateway.note(said, said == is_spam)
        result = []
        for chain in chains:
            climbing = weight
            for kind, key in chain:
                if climbing <= 0:
                    break
                added = self.add(kind, key, gateway.number, active, is_spam, climbing, now)
                result.append(added)
                climbing = added.onward
        return result

    def undo(self, name, now):
        """Takes out what a gateway holds; how many entities it held something of."""
        gateway = self.gateway(name)
        count = 0
        for entity in self.entities.values():
            for slot in entity.slots:
                if slot[0] == gateway.number and slot[1] + slot[2] > 0:
                    entity.decay(now, self.half_life(entity.kind))
                    entity.spam, entity.ham = max(0.0, entity.spam - slot[1]), max(0.0, entity.ham - slot[2])
                    slot[:] = [0, 0.0, 0.0]
                    if self.packed:
                        entity.round()
                    count += 1
                    break
        gateway.record, gateway.trust = [0.0, 0.0, 0.0, 0.0], 1.0
        return count

    def volume(self, kind, key, mails, now):
        entity = self.entities.setdefault(key, Entity(kind))
        entity.decay(now, self.half_life(kind))
        entity.hour += mails
        entity.week += mails
        if self.packed:
            entity.round()

    # -- judge

    def share(self, key, now):
        """Spam and ham now, without what untrusted reporters said."""
        entity = self.entities.get(key)
        if entity is None:
            return 0.0, 0.0
        spam, ham = entity.spam, entity.ham
        for number, slot_spam, slot_ham in entity.slots:
            if number:
                doubt = 1 - self.trust(number)
                spam -= doubt * slot_spam
                ham -= doubt * slot_ham
        left = self.left(entity, now)
        return max(0.0, spam) * left, max(0.0, ham) * left

    def chain(self, chain, now):
        """(spam, ham, p) of each level, leaf to root."""
        result, p = [], None
        for kind, key in reversed(chain):
            spam, ham = self.share(key, now)
            strength = self.settings[kind][0]
            p = (spam + 1) / (spam + ham + 2) if p is None else (spam + strength * p) / (spam + ham + strength)
            result.insert(0, (spam, ham, p))
        return result

    def count_reporters(self, address, now):
        found = set()
        for _, key in address[:2]:
            entity = self.entities.get(key)
            if entity is not None:
                left = self.left(entity, now)
                found |= {slot[0] for slot in entity.slots
                          if slot[0] and (slot[1] + slot[2]) * left >= HELD and self.trust(slot[0]) >= ALARM}
        return len(found)

    def judge(self, client, now):
        address, sender = levels(client)
        shares, sender_shares = self.chain(address, now), self.chain(sender, now)
        believed = BELIEVED[client.auth] if sender else 0.0
        p_address = shares[0][2] if shares else 0.5
        p_sender = sender_shares[0][2] if sender_shares else 0.5
        if believed and shares:
            p = combine(p_address, p_sender, believed)
        else:
            p = p_sender if believed else p_address
        every = shares + sender_shares
        lower, upper, ip, warm = 0.0, 1.0, 0.5, False
        if every:
            leaf_kind = (address + sender)[0][0]
            deviation = math.sqrt(p * (1 - p) / (every[0][0] + every[0][1] + self.settings[leaf_kind][0] + 1))
            lower, upper = max(0.0, p - 1.645 * deviation), min(1.0, p + 1.645 * deviation)
        if shares:
            strength = self.settings["ip"][0]
            ip = (shares[0][0] + strength * shares[-1][2]) / (shares[0][0] + shares[0][1] + strength)
            smaller = min(shares[-1][:2])
            warm = smaller >= 50 and smaller >= 0.1 * sum(shares[-1][:2])
        return Judgement(p, p_address, p_sender, ip, believed, lower, upper, sum(shares[0][:2]) if shares else 0.0,
                         sum(shares[1][:2]) if shares else 0.0, self.count_reporters(address, now), believed > 0, warm, every)

    def surges(self, key, p, now, least=20, ratio=8):
        entity = self.entities.get(key)
        if entity is None:
            return False
        passed = max(0, now - entity.at)
        hour, week = entity.hour * 2.0 ** (-passed / 3600), entity.week * 2.0 ** (-passed / (7 * DAY))
        rates = hour * math.log(2), week * math.log(2) / 168
        return (hour >= least and (rates[0] + 1) / (rates[1] + 1) >= ratio
                and (now // DAY - entity.first < 7 or p > 0.1))


# ---- the check of histories

class Mismatch(Exception):
    """The node's arithmetic and this one differ."""


def expect(what, told, here):
    if abs(told - here) > 1e-9 * max(1.0, abs(here)):
        raise Mismatch(f"{what}: {told!r}, and here {here!r}")


def read_client(words):
    ip, asn, country, domain, auth = words
    return Client(ip if ip != "-" else "", int(asn), country if country != "-" else "", domain if domain != "-" else "", int(auth))


EXACT_EVERY = 3


class Checker:
    """Plays a history once more, line by line: an operation, and behind `|` what the node made of it. Every few histories also without
    any rounding, as long as it is plain: nobody came to a cap, lost trust or was undone."""
    def __init__(self):
        self.reference = self.exact = Reference()
        self.counts = collections.Counter()
        self.is_plain = True

    def history(self, words, told):
        del told
        settings = {kind: (float.fromhex(words[2 * i]), int(words[2 * i + 1])) for i, kind in enumerate(KINDS)}
        self.reference, self.exact = Reference(settings), Reference(settings, packed=False)
        self.is_plain = self.counts["history"] % EXACT_EVERY == 0

    def report(self, words, told):
        client = read_client(words[1:6])
        here = self.reference.report(client, words[6], words[7] == "1", float.fromhex(words[8]), int(words[0]), words[9] == "1")
        if self.is_plain:
            self.exact.report(client, words[6], words[7] == "1", float.fromhex(words[8]), int(words[0]), words[9] == "1")
        self.is_plain &= self.reference.gateways[words[6]].trust == 1 and not any(added.at_cap for added in here)
        keys = [key for chain in levels(client) for _, key in chain]
        expect("levels that heard of it", int(told[0]), len(here))
        expect("trust", float.fromhex(told[1]), self.reference.gateways[words[6]].trust)
        for i, added in enumerate(here):
            expect(f"added at level {i}", float.fromhex(told[2 + 3 * i]), added.added)
            expect(f"onward at level {i}", float.fromhex(told[3 + 3 * i]), added.onward)
            expect(f"cap at level {i}", int(told[4 + 3 * i]), added.at_cap)
            self.counts["cap"] += added.at_cap
        for key, packed in zip(keys, told[2 + 3 * len(here):]):
            self.packed(key, packed)

    def packed(self, key, told):
        entity = self.reference.entities.get(key)
        here = entity.pack().hex() if entity else "-"
        if told != here:
            raise Mismatch(f"{key}: {told}, and here {here}")

    def judge(self, words, told):
        now = int(words[0])
        client = read_client(words[1:6])
        here = self.reference.judge(client, now)
        for name, text in zip(Judgement._fields[:-1], told):
            expect(name, float.fromhex(text), float(getattr(here, name)))
        self.unpacked(client, now, here)
        self.counts["warm"] += here.warm
        self.counts["doubted"] += any(gateway.trust < 1 for gateway in self.reference.gateways.values())
        if client.ip:
            surges = self.reference.surges(address_keys(client.ip)[0][1], here.p, now)
            expect("surge", int(told[12]), surges)
            self.counts["surge"] += surges

    def unpacked(self, client, now, here):
        """That reals are kept in few bits does not change what is judged; slots are kept in fewer, but matter only for caps and distrust."""
        if self.is_plain and abs(self.exact.judge(client, now).p - here.p) > 1e-6:
            raise Mismatch(f"p: {here.p!r}, and {self.exact.judge(client, now).p!r} if nothing is rounded")
        self.counts["plain"] += self.is_plain

    def flood(self, words, told):
        now, weight = int(words[0]), float.fromhex(words[3])
        number = self.reference.gateway(words[1]).number
        here = self.reference.add("world", "r:g:address", number, self.reference.active(now), words[2] == "1", weight, now)
        if self.is_plain:
            self.exact.add("world", "r:g:address", number, self.reference.active(now), words[2] == "1", weight, now)
        self.is_plain &= not here.at_cap
        expect("added to the root", float.fromhex(told[0]), here.added)
        expect("cap of the root", int(told[2]), here.at_cap)
        self.packed("r:g:address", told[3])

    def undo(self, words, told):
        self.is_plain = False
        expect("entities undone", int(told[0]), self.reference.undo(words[1], int(words[0])))

    def volume(self, words, told):
        key = address_keys(words[1])[0][1]
        self.reference.volume("ip", key, int(words[2]), int(words[0]))
        if self.is_plain:
            self.exact.volume("ip", key, int(words[2]), int(words[0]))
        self.packed(key, told[0])

    def check(self, lines):
        verbs = {"history": self.history, "report": self.report, "judge": self.judge, "flood": self.flood,
                 "undo": self.undo, "volume": self.volume}
        for number, line in enumerate(lines, 1):
            asked, _, told = line.partition("|")
            verb, *words = asked.split()
            self.counts[verb] += 1
            try:
                verbs[verb](words, told.split())
            except Mismatch as mismatch:
                sys.exit(f"line {number}, history {self.counts['history']}: {asked}: {mismatch}")
        print(" ".join(f"{name} {count}" for name, count in sorted(self.counts.items())))
        unseen = [name for name in ("cap", "doubted", "flood", "plain", "surge", "undo", "volume", "warm") if not self.counts[name]]
        if unseen and self.counts["history"] >= 500:
            sys.exit(f"never seen: {', '.join(unseen)}")


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        sys.exit(__doc__)
    Checker().check(sys.stdin)
