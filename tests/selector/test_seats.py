"""Seats: those who come most often are followed, in bounded memory."""

from __future__ import annotations

from random import Random

from msgspec import Struct

from selector.seats import seated


class Visitor(Struct):
    tag: int
    patience: int = 0


def test_a_user_who_comes_often_keeps_the_seat_whoever_else_comes() -> None:
    guests: dict[int, Visitor] = {}
    rng, followed = Random(1), 0
    for i in range(2_000):
        regular = rng.random() < 0.5
        guest = seated(guests, 8, "regular" if regular else f"passer-by {i}", Visitor)
        followed += regular and guest is not None
    assert followed > 950  # of about 1,000
    assert len(guests) <= 8


def test_a_seat_is_lost_to_one_who_comes_more_often() -> None:
    guests: dict[int, Visitor] = {}
    assert seated(guests, 1, "once", Visitor) is not None
    came = [seated(guests, 1, "often", Visitor) for _ in range(3)]
    assert came[0] is None
    assert came[1] is came[2] is not None
