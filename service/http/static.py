"""The style sheet, the icon and the scripts, from memory and on the event loop: no page waits for a thread to paint."""

import hashlib
import mimetypes
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from .responses import IMMUTABLE, REVALIDATE, etag_matches


class MemoryFiles(StaticFiles):
    """The files of a folder, all read at once.

    version: what `v=` holds in the addresses that pages have of them; such a one may be kept for good.
    """

    def __init__(self, folder: Path, version: str) -> None:
        super().__init__(directory=folder)
        self._version = version
        self._files = {
            path.relative_to(folder).as_posix(): _File(path) for path in folder.rglob("*") if path.is_file()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Raises HTTPException."""
        await self._respond(Request(scope))(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405)
        file = self._files.get(self.get_path(request.scope))
        if file is None:
            raise HTTPException(404)
        kept = IMMUTABLE if request.query_params.get("v") == self._version else REVALIDATE
        headers = {"ETag": file.etag, "Cache-Control": kept}
        if etag_matches(request.headers.get("if-none-match"), file.etag):
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.kind, headers=headers)


class _File:
    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self.etag = f'"{hashlib.sha256(self.data).hexdigest()[:32]}"'
        self.kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
