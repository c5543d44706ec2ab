"""Products of signs against the plain product of matrices."""

import numpy as np
import pytest

from diurnal_fidelity.signs import products


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 1000])
def test_products_are_those_of_matrices_of_signs(rows: int) -> None:
    rng = np.random.default_rng(rows)
    first, second = rng.integers(0, 2, (rows, 5), np.uint8), rng.integers(0, 2, (rows, 7), np.uint8)
    signs = [bits.astype(np.int64) * 2 - 1 for bits in (first, second)]
    assert products(first, second).tolist() == (signs[0].T @ signs[1]).tolist()
