"""Every statement has a name: declared where it is built, and sent with it as a comment.

``SELECT /* halo:find_contacts */ …``: the server's log, ``pg_stat_activity`` and
``pg_stat_statements`` tell which statement it is. The name follows the first word, because
PostgreSQL 18 leaves out of ``pg_stat_statements`` what comes before that, and ``pg_stat_activity``
shows the first kilobyte alone.
"""

import re
from collections.abc import Callable, Mapping
from inspect import currentframe
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

from sqlalchemy import Engine, Executable, TextClause, event

_Given = ParamSpec("_Given")
_Built = TypeVar("_Built", bound=Executable)

_OPTION: Final = "halo_name"
_FIRST_WORD: Final = re.compile(r"\s*\w+")
_COMMENT: Final = re.compile(r" /\* halo:(\w+) \*/")


class Statement(Generic[_Given, _Built]):
    """A function that builds a statement; what it returns bears the statement's name.

    ``samples`` are arguments to show the statement with, by name (``sql.samples``).
    """

    def __init__(
        self,
        name: str,
        build: Callable[_Given, _Built],
        samples: Mapping[str, Any],
        module: str,
    ) -> None:
        self.name = name
        self.module = module
        self.build = build
        self.samples = samples

    def __call__(self, *given: _Given.args, **named: _Given.kwargs) -> _Built:
        """Return the statement for these arguments."""
        return self.build(*given, **named).execution_options(**{_OPTION: self.name})


#: All statements declared by the modules that are imported, by name.
DECLARED: Final[dict[str, Statement[..., Executable]]] = {}


def statement(
    name: str, /, **samples: Any
) -> Callable[[Callable[_Given, _Built]], Statement[_Given, _Built]]:
    """Declare the statement that a function builds; raises ValueError if the name is taken."""

    def declare(build: Callable[_Given, _Built]) -> Statement[_Given, _Built]:
        if name in DECLARED:
            raise ValueError(f"two statements are called {name}")
        declared = Statement(name, build, samples, build.__module__)
        DECLARED[name] = cast(Statement[..., Executable], declared)
        return declared

    return declare


def named(name: str, built: _Built) -> _Built:
    """Declare a statement that is always the same, and return it with its name."""

    def build() -> _Built:
        return built

    caller = currentframe()
    if caller is not None and caller.f_back is not None:
        build.__module__ = caller.f_back.f_globals["__name__"]
    return statement(name)(build)()


def name_of(built: Executable) -> str | None:
    """Return the name of a statement; None if it has none."""
    return built.get_execution_options().get(_OPTION)


def marked(text: str, name: str) -> str:
    """Return the text of a statement with its name in it."""
    first = _FIRST_WORD.match(text)
    after = first.end() if first else 0
    return f"{text[:after]} /* halo:{name} */{text[after:]}"


def as_sent(built: TextClause) -> str:
    """Return the text of a statement with its name, for a driver that executes it itself."""
    name = name_of(built)
    return built.text if name is None else marked(built.text, name)


def name_in(text: str) -> str | None:
    """Return the name that a statement was sent with; None if it had none."""
    found = _COMMENT.search(text)
    return found and found[1]


def unmarked(text: str) -> str:
    """Return the text of a statement without its name."""
    return _COMMENT.sub("", text, count=1)


def send_names(engine: Engine) -> None:
    """Make an engine send each statement with its name."""
    event.listen(engine, "before_cursor_execute", _mark, retval=True)


def _mark(_connection: Any, _cursor: Any, text: str, given: Any, context: Any, _many: bool) -> Any:
    # Without a context it is a `Prepared`, whose text is marked already.
    name = context and context.execution_options.get(_OPTION)
    return (marked(text, name) if name else text), given
