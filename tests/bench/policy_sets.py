"""Policy sets of any size, as a site of that size would have them: blocked senders above all, then networks, permits, exceptions,
mail policies, groups from files. Deterministic; none of it is about the mail of reeve-load, which has to be looked up all the same.

    python3 -m tests.bench.policy_sets FOLDER POLICIES MEMBERS     writes FOLDER/set.yaml and its files of members"""
import pathlib
import sys

OURS = ["submission.example", "recipient.example", "corp.example"]
MEMBERS_A_GROUP = 1000


def net_of(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


# What each of so many policies in a row is about.
KINDS = [
    lambda i: f"kind: block, from: eve{i}@mail{i % 997}.spam.test",
    lambda i: f"kind: block, from: spam{i}.test",
    lambda i: f"kind: block, from: u{i}@bulk.test, to: ann@corp.example",
    lambda i: f"kind: block, from: .pool{i}.test",
    lambda i: f"kind: block, from: x{i}.example, source: [{net_of(i)}]",
    lambda i: f"kind: block, from: x{i}.example, to: corp.example",
    lambda i: f'kind: block, from: "list{i}@*"',
    lambda i: f"kind: block, from: eve{i}@spam.test, valid: {{from: 2026-01-01, until: 2036-01-01}}",
    lambda i: f"kind: block, option: no_action, from: good{i}@spam{i % 97}.test",
    lambda i: f'kind: block, from: "*", source: ["2001:db8:{i >> 16:x}:{i & 0xffff:x}::/64", {net_of(i)}]',
    lambda i: f'kind: permit, from: "*", source: [{net_of(i)}]',
    lambda i: f"kind: permit, from: partner{i}.test",
    lambda i: f"kind: permit, from: bob@partner{i}.test, to: sales@corp.example",
    lambda i: f"kind: anti_spoof, option: no_action, from: corp.example, source: [{net_of(i)}]",
    lambda i: f"kind: greylist, option: no_action, to: desk{i}@corp.example",
    lambda i: f"kind: greylist, option: no_action, from: bank{i}.test, mode: shadow",
    lambda i: f"kind: mail, from: user{i}@corp.example, default: allow, except: [{{to: rival{i}.test}}]",
    lambda i: f"kind: mail, to: chief{i}@corp.example, default: block, except: [{{from: internal}}]",
    lambda i: f"kind: mail, from: temp{i}@corp.example, when: {{size_over: 5M, direction: outbound}}, action: block",
    lambda i: f"kind: limit, from: user{i}@corp.example, rcpt_per_mail: 30, rcpt_per_day: 500",
]


def policy_line(number, groups):
    if groups and number % 200 == 50:
        group = number // 200 % groups
        return f"  - {{id: g{number}, kind: block, from: {{group: g{group}}}, to: g{group}@corp.example}}\n"
    return f"  - {{id: p{number}, {KINDS[number % len(KINDS)](number)}}}\n"


def write_groups(folder, members, out):
    groups = (members + MEMBERS_A_GROUP - 1) // MEMBERS_A_GROUP
    if groups:
        out.write("groups:\n")
    for group in range(groups):
        count = min(MEMBERS_A_GROUP, members - group * MEMBERS_A_GROUP)
        (folder / f"g{group}.members").write_text("".join(f"m{group}-{i}@members.test\n" for i in range(count)))
        out.write(f"  g{group}: {{address: g{group}@corp.example, file: g{group}.members}}\n")
    return groups


def write_set(folder, policies, members, head=""):
    """The set's main file. head: more YAML, of other sections than domains, groups and policies."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    path = folder / "set.yaml"
    with path.open("w", encoding="utf-8") as out:
        out.write(head + "domains:\n" + "".join(f"  {name}: {{anti_spoof: enforce}}\n" for name in OURS))
        groups = write_groups(folder, members, out)
        out.write("policies:\n" if policies else "")
        out.writelines(policy_line(i, groups) for i in range(policies))
    return path


if __name__ == "__main__":
    write_set(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
