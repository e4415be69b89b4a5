"""Which ids are one person: anonymous visits joined to those who signed up, aliases and merges, in any order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

JOINING = ("alias", "merge")
"""Links by which two known people are one; an `identify` joins an anonymous id to a person."""


@dataclass(frozen=True, slots=True)
class Link:
    """That two ids are one person, as of a time (ISO text), and what said so: identify, alias or merge."""

    one: str
    other: str
    at: str
    how: str


@dataclass(frozen=True)
class People:
    """Each id's person, the links that contradict others, with the reason, and ids that name each other in a circle."""

    person: dict[str, str]
    conflicts: tuple[tuple[Link, str], ...]
    circles: tuple[tuple[str, ...], ...] = ()


def people(links: Iterable[Link], known: Iterable[str]) -> People:
    """Find the person behind every id.

    Parameters
    ----------
    links
        In any order; the same one twice is as once.
    known
        Ids of people who are known by name: those that identify, and that events carry once somebody has signed in.

    Returns
    -------
    For every id that stands in a link the id of its person: the known id that was linked first. A visit joined to two
    people stays with the first of them, and the later link is a conflict: two people at one browser are two people.
    Links in a circle join its ids like any others; which of them is the name is for `known` and the times to say.

    Examples
    --------
    >>> found = people([Link("anon", "ann", "2026-01-02", "identify"), Link("anon", "bob", "2026-01-03", "identify")], ["ann", "bob"])
    >>> found.person
    {'ann': 'ann', 'anon': 'ann', 'bob': 'bob'}
    >>> found.conflicts[0][1]
    "'anon' already belongs to 'ann'"
    """
    links = sorted(set(links), key=lambda each: (each.at, each.one, each.other, each.how))
    known = set(known)
    parent: dict[str, str] = {}
    first: dict[str, tuple[str, str]] = {}
    for link in links:
        for name in (link.one, link.other):
            parent.setdefault(name, name)
            first[name] = min(first.get(name, (link.at, name)), (link.at, name))
    conflicts: list[tuple[Link, str]] = []
    # Merges of known people first: they hold whenever they were said, and decide who is whom for the rest.
    for link in links:
        if link.how in JOINING:
            _join(parent, link.one, link.other, known, first)
    for link in links:
        if link.how in JOINING:
            continue
        one, other = _root(parent, link.one), _root(parent, link.other)
        if one == other:
            continue
        if one in known and other in known:
            anonymous, named = sorted((link.one, link.other), key=lambda name: (name in known, name))
            conflicts.append((link, f"{anonymous!r} already belongs to {_root(parent, anonymous)!r}"
                              if anonymous not in known else f"{anonymous!r} and {named!r} are both known people"))
            continue
        _join(parent, link.one, link.other, known, first)
    return People({name: _root(parent, name) for name in sorted(parent)}, tuple(conflicts), circles(links))


def circles(links: Iterable[Link]) -> tuple[tuple[str, ...], ...]:
    """Ids each of which is, by aliases and identifications, said to be the next one, and the last one the first.

    Examples
    --------
    >>> circles([Link("a", "b", "", "alias"), Link("b", "c", "", "alias"), Link("c", "a", "", "alias"), Link("d", "a", "", "alias")])
    (('a', 'b', 'c'),)
    """
    after: dict[str, set[str]] = defaultdict(set)
    before: dict[str, set[str]] = defaultdict(set)
    links = [link for link in links if link.how != "merge" and link.one != link.other]
    both = {link.one for link in links} & {link.other for link in links}
    for link in links:
        if link.one in both and link.other in both:
            after[link.one].add(link.other)
            before[link.other].add(link.one)
    left = _in_circles(after, before)
    found = []
    for start in sorted(left):
        ring = _reached(start, after, left) & _reached(start, before, left) if start in left else set()
        left -= ring
        if len(ring) > 1:
            found.append(tuple(sorted(ring)))
    return tuple(found)


def _in_circles(after: Mapping[str, set[str]], before: Mapping[str, set[str]]) -> set[str]:
    """What is left when ids that lead nowhere, or to which nothing leads, are taken away until there are none."""
    left = set(after) & set(before)
    ends = [name for name in left if not after[name] & left or not before[name] & left]
    while ends:
        left.difference_update(ends)
        beside = {other for name in ends for other in after[name] | before[name]} & left
        ends = [name for name in beside if not after[name] & left or not before[name] & left]
    return left


def _reached(start: str, ways: Mapping[str, set[str]], within: set[str]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        more = ways[waiting.pop()] & within - found
        found |= more
        waiting += more
    return found


def _root(parent: dict[str, str], name: str) -> str:
    top = name
    while parent[top] != top:
        top = parent[top]
    while parent[name] != top:
        parent[name], name = top, parent[name]
    return top


def _join(parent: dict[str, str], one: str, other: str, known: set[str], first: dict[str, tuple[str, str]]) -> None:
    """Make two groups one, named by a known id, the one seen first."""
    roots = sorted({_root(parent, one), _root(parent, other)}, key=lambda name: (name not in known, *first[name]))
    for each in roots[1:]:
        parent[each] = roots[0]


def shared(person: dict[str, str]) -> dict[str, list[str]]:
    """The people with more than one id, each with all of them."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, whose in person.items():
        found[whose].append(name)
    return {whose: sorted(names) for whose, names in found.items() if len(names) > 1}
