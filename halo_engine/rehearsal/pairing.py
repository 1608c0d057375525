"""Pairs the rows that a scenario expects with those that there are."""

from collections.abc import Sequence


def paired(fitting: Sequence[Sequence[int]]) -> dict[int, int]:
    """Give as many as possible a place of their own among those that fit; return it by number.

    Whoever came first makes room where another place fits it too.
    """
    taken: dict[int, int] = {}

    def finds_place(number: int, tried: set[int]) -> bool:
        free = next((place for place in fitting[number] if place not in taken), None)
        if free is not None:
            taken[free] = number
            return True
        for place in fitting[number]:
            if place not in tried:
                tried.add(place)
                if finds_place(taken[place], tried):
                    taken[place] = number
                    return True
        return False

    for number in range(len(fitting)):
        finds_place(number, set())
    return {number: place for place, number in taken.items()}
