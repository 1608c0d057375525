"""The whole model of the contract in one class."""

from tests.model.planning import Planning


class World(Planning):
    """One organisation on a virtual clock: one method per action and per `expect` key.

    Every action handles its signals and the rows due by then before it returns; `at` moves the
    clock. Actions raise `RefusedError` and then have written nothing. Methods take the keys of
    scenarios.md as arguments, so that `getattr(world, action)(**value)` plays an entry.
    """
