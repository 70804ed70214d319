"""Makes one image's feature. A process of its own, started by `feature_of.py` for each file.

Reads a JSON request on standard input; writes the feature as raw float32 to standard output, or one line to
standard error.
"""

import json
import sys
from pathlib import Path

import torch

from ..common.errors import UnitscopeError
from ..model.feature import Feature
from ..model.layers import Layer
from .forward import Forward
from .pixels import sample
from .swept_model import load_swept


def main() -> int:
    """Exit code 0 with the feature, 1 with a line that says why not."""
    request = json.load(sys.stdin)
    try:
        model = load_swept(request["spec"], request["weights"], fingerprints=request["fingerprints"])
        feature = Feature(**request["feature"] | {"layer": Layer(**request["feature"]["layer"])})
        one = sample(Path(request["path"]).read_bytes(), model.preprocess)
        if one.pixels is None:
            raise UnitscopeError(str(one.reason))
        with Forward(model, (), feature) as forward:
            result = forward.run(torch.stack([one.pixels]))
    except (UnitscopeError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(result.feature[0].tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
