"""`pc`: pyarrow.compute, untyped: its functions are made at import, where no type checker sees them."""

from typing import Any

import pyarrow.compute

pc: Any = pyarrow.compute
