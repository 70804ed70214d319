"""The feature of an image file, made in a child process: torch and FAISS must not meet in one.

`feature_of_file` starts `python -m unitscope.jobs.build.feature_process` once for each file; it answers with raw float32.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from ...common.errors import ImageError, StorageError, UnitscopeError, UsageError
from ...index.datasets.decode import decode
from ...index.datasets.exif import marked
from ...index.store.store import Store
from ...index.store.trust import model_source

TIMEOUT = 600


def feature_of_file(store: Store, path: str) -> np.ndarray:
    """Return (width,) float32. Raises UsageError for no such file or a bad image, ModelNotAllowedError,
    UnitscopeError.
    """
    file, exif = Path(path), store.manifest.exif
    if not file.is_file():
        raise UsageError(
            f"there is no file {path}; give an image file, or an image id from 0 to {store.images_count - 1}"
        )
    try:
        decode(marked(file.read_bytes(), exif))
    except ImageError as error:
        raise UsageError(f"{path} is not an image that can be read ({error.status}): {error}") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    manifest = store.manifest
    source = model_source(manifest, store.trust)
    request = {
        "path": str(file.absolute()),
        "exif": exif,
        "spec": source.spec,
        "weights": source.weights,
        "fingerprints": manifest.fingerprints,
        "feature": manifest.model["feature"],
    }
    command = [sys.executable, "-P", "-m", "unitscope.jobs.build.feature_process"]
    done = subprocess.run(
        command, input=json.dumps(request).encode(), stdout=subprocess.PIPE, timeout=TIMEOUT, check=False
    )
    return _read_answer(done.stdout, path, done.returncode)


def _read_answer(answer: bytes, path: str, code: int) -> np.ndarray:
    """Return what the process answered. Raises UnitscopeError where it did not, or says why there is no feature."""
    head, newline, body = answer.partition(b"\n")
    if not newline:
        raise UnitscopeError(
            f"the feature of {path} could not be made: its process ended without an answer (exit code {code})"
        )
    if error := json.loads(head).get("error"):
        raise UnitscopeError(f"the feature of {path} could not be made: {error}")
    return np.frombuffer(body, np.float32)
