"""Makes one image's feature. A process of its own, started by `query_feature.py` for each file.

Reads a JSON request on standard input. Answers on the standard output that it was started with: a line of JSON, `{}` or
`{"error": …}`, and after `{}` the feature as raw float32. What the network itself prints goes to standard error.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...common.errors import UnitscopeError
from ...common.private_stdout import take_stdout
from ...index.datasets.exif import marked
from ...model.capture.feature import Feature
from ...model.layers.layers import Layer
from ..sweep.forward import Forward
from ..planning.sample import sample
from .swept_model import load_swept


def main() -> int:
    """Return exit code 0 with an answer."""
    with os.fdopen(take_stdout(), "wb") as channel:
        request = json.load(sys.stdin)
        try:
            feature = _feature(request)
        except (UnitscopeError, OSError) as error:
            channel.write(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            channel.write(b"{}\n" + feature.tobytes())
    return 0


def _feature(request: dict[str, Any]) -> np.ndarray:
    """Return (width,) float32. Raises UnitscopeError."""
    model = load_swept(request["spec"], request["weights"], fingerprints=request["fingerprints"])
    feature = Feature(**request["feature"] | {"layer": Layer(**request["feature"]["layer"])})
    one = sample(marked(Path(request["path"]).read_bytes(), request["exif"]), model.preprocess)
    if one.pixels is None:
        raise UnitscopeError(str(one.reason))
    with Forward(model, (), feature) as forward:
        return forward.run(torch.stack([one.pixels])).feature[0]


if __name__ == "__main__":
    sys.exit(main())
