"""The stores that a service answers from, by name."""

from functools import cached_property
from pathlib import PurePosixPath

from ..common.errors import NotFoundError, StoreNotFoundError, UsageError
from ..index.ann import MANIFEST as ANN_MANIFEST
from ..index.ann import Ann
from ..index.atlas import Atlas, list_atlases
from ..index.store import Store


class ServedStore:
    """One store, its index and its atlases, each opened when it is first asked for."""

    def __init__(self, name: str, store: Store) -> None:
        self.name = name
        self.store = store
        self._atlases: dict[str, Atlas] = {}

    @cached_property
    def etag(self) -> str:
        """Strong: the manifest names every byte of the store."""
        return f'"{self.store.manifest.hash[:32]}"'

    @property
    def has_index(self) -> bool:
        """Whether neighbours can be asked for."""
        return self.store.folder.exists(ANN_MANIFEST)

    @cached_property
    def ann(self) -> Ann:
        """Raises StoreNotFoundError, with the command that builds it."""
        try:
            return Ann.open(self.store.folder, store=self.store.manifest.hash)
        except StoreNotFoundError as error:
            raise StoreNotFoundError(
                f"{self.name} has no index for neighbours: run `unitscope index {self.store.folder.url}`"
            ) from error

    def atlas(self, name: str) -> Atlas:
        """Raises StoreNotFoundError, with the command that makes one."""
        if name not in self._atlases:
            self._atlases[name] = Atlas.open(self.store.folder, name, store=self.store.manifest.hash)
        return self._atlases[name]

    def atlases(self) -> list[str]:
        """The names of the finished atlases."""
        return list_atlases(self.store.folder)


class Registry:
    """Store name → store. A name is the last part of the store's path; a second one of that name gets `-2`."""

    def __init__(self, paths: list[str]) -> None:
        if not paths:
            raise UsageError("name at least one finished store to serve")
        self._stores: dict[str, ServedStore] = {}
        for path in paths:
            name = self._free_name(PurePosixPath(path.rstrip("/")).name or "store")
            self._stores[name] = ServedStore(name, Store.open(path))

    def _free_name(self, name: str) -> str:
        taken, number = name, 2
        while taken in self._stores:
            taken, number = f"{name}-{number}", number + 1
        return taken

    def names(self) -> list[str]:
        return list(self._stores)

    def get(self, name: str) -> ServedStore:
        """Raises NotFoundError."""
        try:
            return self._stores[name]
        except KeyError:
            raise NotFoundError(f"no store {name!r}; there are: {', '.join(self._stores)}") from None
