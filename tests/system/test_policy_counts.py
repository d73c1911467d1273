"""What nodes remember together of their policies: how often each was used, and since when a domain is declared."""
from tests.support.asking import Gateway, now_ms, verdict
from tests.support.harness import wait_for

DAY_MS = 24 * 3600 * 1000
POLICY = {
    "domains": {"corp.example": {}},
    "settings": {"greylist": {"mode": "enforce"}},
    "policies": [
        {"id": "friend", "kind": "permit", "from": "friend.example"},
        {"id": "foe", "kind": "block", "from": "foe.example", "mode": "shadow"},
        {"id": "nobody", "kind": "permit", "from": "nobody.example"},
    ],
}


def reason(gateway, sender):
    return verdict(gateway.check(sender, "bob@corp.example", ip="192.0.2.9")).reason


def used(gateway):
    return {row["policy"]: (int(row["hits"]), int(row["shadow_hits"])) for row in gateway.admin("policy.used")}


def test_nodes_count_used_policies_and_the_age_of_domains_together(site):
    redis = site.redis()
    nodes = [site.node(f"node-{name}", policy=POLICY, store={"mode": "single", "address": redis.address}) for name in "ab"]
    lookups = [Gateway(site.folder, node.lookups) for node in nodes]
    admin = [Gateway(site.folder, node.admin) for node in nodes]

    # Both are used at both nodes, and within seconds each node tells the sum.
    for gateway in lookups:
        assert reason(gateway, "ann@friend.example") == "permit_admin"
        assert verdict(gateway.check("eve@foe.example", "bob@corp.example", ip="192.0.2.9")).shadow == "block_admin"
    expected = {"friend": (2, 0), "foe": (0, 2), "nobody": (0, 0)}
    for gateway in admin:
        wait_for(lambda one=gateway: used(one) == expected, "the sums of both nodes", seconds=30)

    # A domain is young until the store says otherwise; what it says holds for both, and while it is away.
    first = int(redis.command("HGET", "since:{p}", "corp.example"))
    assert abs(first - now_ms()) < DAY_MS
    for gateway in lookups:
        assert reason(gateway, "ann@corp.example") in ("greylist_new", "greylist_early")
    redis.command("HSET", "since:{p}", "corp.example", str(now_ms() - 8 * DAY_MS))
    for node, gateway in zip(nodes, lookups):
        assert node.reevectl("reload").returncode == 0
        wait_for(lambda one=gateway: reason(one, "ann@corp.example") == "anti_spoof_envelope", "the domain to be of age")
    redis.stop()
    for gateway in lookups:
        assert reason(gateway, "ann@corp.example") == "anti_spoof_envelope"
