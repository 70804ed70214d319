"""What the person who serves stores allows of each: its model and dataset, or others in their place."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...common.errors import UsageError
from ...index.store.trust import Trust


@dataclass(frozen=True)
class Trusted:
    """model, data: whether to use what every store names. models, weights, datasets: `STORE=VALUE`, or the value alone
    where one store is served; a STORE is a path as it was given, or a name in addresses.

    stores: the paths that are served, which tell a `STORE=` from a value that holds `=`.
    """

    model: bool = False
    data: bool = False
    models: Sequence[str] = ()
    weights: Sequence[str] = ()
    datasets: Sequence[str] = ()
    stores: Sequence[str] = ()

    def of(self, path: str, name: str) -> Trust:
        """Return what is allowed of the store with this path and name. Raises UsageError for a value without one."""
        return Trust(
            self.model,
            self.data,
            self._chosen("--model", self.models, path, name),
            self._chosen("--weights", self.weights, path, name),
            self._chosen("--data", self.datasets, path, name),
        )

    def _chosen(self, option: str, values: Sequence[str], path: str, name: str) -> str | None:
        found: str | None = None
        for text in values:
            store, equals, value = text.partition("=")
            if equals and store in (path, name):
                found = value
            elif len(self.stores) == 1:
                found = text
            elif not equals or not self._is_named(store):
                raise UsageError(
                    f"{option} {text}: say of which store, as in {option} {name}={text}; there are "
                    f"{', '.join(self.stores)}"
                )
        return found

    def _is_named(self, store: str) -> bool:
        """Return whether this may be the path or the name of a store."""
        ends = (one.rstrip("/").rpartition("/")[2] for one in self.stores)
        return store in self.stores or any(end in (store, store[:-2]) for end in ends)
