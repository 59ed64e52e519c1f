"""The mask: what was not seen is unknown, and nothing else becomes so."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
from dask.base import is_dask_collection
from hypothesis import given, settings
from hypothesis import strategies as st

from glaciolake.pipeline.mask import blank, hide_invalid, shadowed
from tests.pipeline.scenes import power

DIMS = ("time", "y", "x")


def cube_of(n_slices: int, *, mask: bool = True) -> xr.Dataset:
    """Powers with holes, and a mask that cycles through its values (time, y, x)."""
    vv = np.stack([power((6, 10), seed) for seed in range(n_slices)])
    vv[:, 0, 0] = np.nan
    variables = {"vv": (DIMS, vv, {"units": "1", "grid_mapping": "spatial_ref"}), "vh": (DIMS, vv / 5)}
    cube = xr.Dataset(variables, coords={"pass_id": ("time", [str(one) for one in range(n_slices)])})
    if mask:
        codes = np.tile(np.array([0, 1, 2, 3, 255], np.uint8), 12).reshape(6, 10)
        cube["mask"] = (DIMS, np.stack([codes] * n_slices))
    return cube


@pytest.mark.parametrize("hide_layover", [True, False])
def test_shadow_and_fill_are_hidden_and_layover_if_wanted(hide_layover: bool) -> None:
    cube = cube_of(2)
    seen = hide_invalid(cube, hide_layover=hide_layover)
    assert list(seen.data_vars) == ["vv", "vh", "shadow"]
    hidden = cube["mask"].isin([1, 3, 255] + [2] * hide_layover)
    xr.testing.assert_equal(seen["vv"], cube["vv"].where(~hidden))
    xr.testing.assert_equal(seen["vh"], cube["vh"].where(~hidden))
    xr.testing.assert_equal(seen["shadow"], cube["mask"].isin([1, 3] + [2] * hide_layover))
    assert seen["vv"].dtype == np.float32
    assert seen["vv"].attrs == cube["vv"].attrs


def test_without_a_mask_only_impossible_powers_go() -> None:
    cube = cube_of(2, mask=False)
    cube["vv"][0, 1, 1:4] = [-1e-6, np.inf, 0.0]
    seen = hide_invalid(cube)
    assert list(seen.data_vars) == ["vv", "vh"]
    assert np.isnan(seen["vv"][0, 1, 1:3]).all()
    assert seen["vv"][0, 1, 3] == 0
    assert int(seen["vv"].isnull().sum()) == 2 + 2


def test_fill_of_a_mask_that_never_came_hides_nothing() -> None:
    cube = cube_of(3).assign_coords(mask_complete=("time", [True, False, True]))
    cube["mask"][1] = 255
    cube["mask"][1, 3, 3] = 1
    seen = hide_invalid(cube)
    assert int(seen["vv"][1].isnull().sum()) == 2  # its own hole and the one shadow that is known
    assert bool(seen["shadow"][1, 3, 3])
    alone = hide_invalid(cube.isel(time=[0, 2]))
    xr.testing.assert_identical(seen.isel(time=[0, 2]), alone)


@settings(max_examples=25, deadline=None)
@given(
    n_slices=st.integers(1, 5),
    chunk=st.integers(1, 5),
    hide_layover=st.booleans(),
    complete=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_chunking_does_not_show(n_slices: int, chunk: int, hide_layover: bool, complete: list[bool]) -> None:
    cube = cube_of(n_slices).assign_coords(mask_complete=("time", complete[:n_slices]))
    whole = hide_invalid(cube, hide_layover=hide_layover)
    parts = hide_invalid(cube.chunk({"time": chunk}), hide_layover=hide_layover)
    assert isinstance(parts["vv"].data, da.Array)
    assert isinstance(parts["shadow"].data, da.Array)
    assert parts["vv"].data.dtype == np.float32
    assert parts["shadow"].data.dtype == np.bool_
    xr.testing.assert_identical(parts.compute(), whole)


def test_hiding_is_lazy() -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a step computed")

    with dask.config.set(scheduler=refuse):
        assert is_dask_collection(hide_invalid(cube_of(4).chunk({"time": 2})))


def test_hiding_twice_is_hiding_once() -> None:
    once = hide_invalid(cube_of(2))
    again = hide_invalid(once.drop_vars("shadow"))
    xr.testing.assert_identical(again["vv"], once["vv"])


def test_the_bare_functions_keep_shape_and_type() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.flatnonzero(shadowed(codes, hide_layover=True)).tolist() == [1, 2, 3]
    assert np.flatnonzero(shadowed(codes, hide_layover=False)).tolist() == [1, 3]
    kept = blank(np.ones((16, 16), np.float32), codes, hide_layover=False)
    assert kept.dtype == np.float32
    assert np.flatnonzero(np.isnan(kept)).tolist() == [1, 3, 255]
