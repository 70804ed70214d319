"""Principal components in numpy: for the index's codes, and for maps.

In one thread: the sums of a matrix product depend on how many share it, and the same input must give the same bytes.
"""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Projection:
    """An orthonormal projection. mean: (width,) float32, matrix: (width, dimensions) float32.

    explained: (dimensions,) float64, each component's share of the variance of the rows it was fitted to.
    """

    mean: np.ndarray
    matrix: np.ndarray
    explained: np.ndarray

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Project rows. rows: (rows, width) float32; gives (rows - mean) @ matrix, (rows, dimensions) float32."""
        with threadpool_limits(1, "blas"):
            return (rows - self.mean) @ self.matrix

    def first(self, dimensions: int) -> "Projection":
        """Return the projection on the first, strongest dimensions."""
        matrix = np.ascontiguousarray(self.matrix[:, :dimensions])
        return Projection(self.mean, matrix, self.explained[:dimensions])


@threadpool_limits.wrap(limits=1, user_api="blas")
def fit_projection(sample: np.ndarray, dimensions: int, seed: int) -> Projection:
    """Return the first principal components of `sample` (rows, width) float32, by randomised subspace iteration.

    At most min(rows, width) of them. Each one's largest entry is positive, so that the sign is the same every time.
    Source: Halko, Martinsson & Tropp 2011, algorithm 4.4, with four iterations.
    """
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = sample - mean
    columns = min(dimensions + 16, *sample.shape)
    basis = np.random.default_rng(seed).standard_normal((sample.shape[1], columns)).astype(np.float32)
    for _ in range(4):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    turned = centred @ basis
    variances, vectors = np.linalg.eigh(turned.T.astype(np.float64) @ turned)
    matrix = basis @ vectors[:, ::-1][:, :dimensions].astype(np.float32)
    matrix *= np.where(np.take_along_axis(matrix, np.abs(matrix).argmax(axis=0)[None], axis=0) < 0, -1, 1)
    total = float((centred.astype(np.float64) ** 2).sum())
    explained = np.maximum(0, variances[::-1][:dimensions]) / (total or 1.0)
    return Projection(mean, np.ascontiguousarray(matrix, np.float32), explained)
