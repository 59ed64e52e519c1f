"""Exports hold what the store holds, as programs that know nothing of us read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import fsspec
import geopandas as gpd
import h5py
import numpy as np
import pandas as pd
import pytest
import rasterio
import rioxarray  # noqa: F401  # gives the .rio accessor that users read the CRS with
import s3fs
import xarray as xr
import zarr
from moto.server import ThreadedMotoServer
from pyproj import CRS, Geod
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import shape

from glaciolake.catalog.store import Store
from glaciolake.catalog.variables import BY_NAME, PIXEL, Flag, Surface
from glaciolake.pipeline.errors import PipelineError
from glaciolake.pipeline.export.choice import Choice
from glaciolake.pipeline.export.formats import FORMATS, export
from tests.pipeline.drawn_store import UNSEEN, fill_store, small_series

TRACKS = ("T085", "T121")
PICTURES = ("water_probability", "surface", "gamma0_vv_db")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    url = tmp_path_factory.mktemp("drawn") / "lakes.icechunk"
    return fill_store(str(url), [small_series("T121"), small_series("T085", n=3)])


@pytest.fixture(scope="module")
def series(store: Store) -> xr.Dataset:
    """What the store gives for T121, in memory."""
    return store.read("tsho-rolpa", "T121").load()


@pytest.fixture(scope="module")
def out(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with everything in every format."""
    folder = tmp_path_factory.mktemp("exported") / "out"
    assert len(list(export(store.url, str(folder), ["all"]))) == len(TRACKS) * len(FORMATS)
    return folder


def same_values(found: xr.Dataset, series: xr.Dataset) -> None:
    """Every variable and coordinate is there with its values, NaN where the store has none."""
    assert set(found.data_vars) == set(series.data_vars)
    assert np.array_equal(found["time"].values, series["time"].values)
    for name, array in series.data_vars.items():
        assert found[name].dims == array.dims, name
        if array.dtype.kind == "f":
            np.testing.assert_allclose(found[name].values, array.values, rtol=1e-6, atol=1e-6)
        elif array.dtype.kind == "u" and found[name].dtype.kind == "f":  # xarray opens a fill value as NaN
            fill = int(BY_NAME[str(name)].fill or 0)
            assert list(found[name].fillna(fill).values) == list(array.values), name
        else:
            assert [str(one) for one in found[name].values] == [str(one) for one in array.values], name


def test_every_name_holds_its_track_and_nothing_else_is_left(out: Path) -> None:
    names = {f"tsho-rolpa_{track}{one.ending}" for track in TRACKS for one in FORMATS.values()}
    assert {path.name for path in out.iterdir()} == names | {"models", "catalog.json"}


@pytest.mark.parametrize("track", TRACKS)
def test_zarr_opens_as_it_is_stored(store: Store, out: Path, track: str) -> None:
    path = out / f"tsho-rolpa_{track}.zarr"
    found = xr.open_zarr(path, consolidated=True)
    same_values(found, store.read("tsho-rolpa", track))
    assert (
        found.attrs["track"] == track and "T085 T121".replace(track, "").strip() not in found.attrs["title"]
    )
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == 3 and group.metadata.consolidated_metadata is not None
    for name in PICTURES:  # packed: what lies there are the store's own integers
        array = group[name]
        assert isinstance(array, zarr.Array)
        assert array.dtype == BY_NAME[name].dtype and array.attrs["grid_mapping"] == "spatial_ref"


def test_netcdf_opens_in_xarray_with_dates_units_and_reference_system(series: xr.Dataset, out: Path) -> None:
    with xr.open_dataset(out / "tsho-rolpa_T121.nc", engine="h5netcdf", decode_coords="all") as found:
        same_values(found, series)
        assert found["time"].dtype.kind == "M" and found["area_m2"].attrs["units"] == "m2"
        assert "spatial_ref" in found.coords
        assert CRS.from_wkt(found["spatial_ref"].attrs["crs_wkt"]) == CRS.from_epsg(32645)
        assert found.rio.crs.to_epsg() == 32645


def test_netcdf_lies_where_gdal_sees_the_store_s_grid(series: xr.Dataset, out: Path) -> None:
    with rasterio.open(f"netcdf:{out / 'tsho-rolpa_T121.nc'}:surface") as file:
        assert CRS.from_wkt(file.crs.to_wkt()).to_epsg() == 32645
        assert file.count == series.sizes["time"] and file.nodata == 255
        x, y = file.xy(0, 0)
        assert (x, y) == (series.x.values[0], series.y.values[0])
        np.testing.assert_array_equal(file.read(1), np.nan_to_num(series["surface"].values[0], nan=255))


def test_netcdf_keeps_the_rules_of_cf(out: Path) -> None:
    with h5py.File(out / "tsho-rolpa_T121.nc") as file:
        text = {key: value for key, value in file.attrs.items() if isinstance(value, str)}
        assert text["Conventions"] == "CF-1.11"
        assert all(text[key] for key in ("title", "source", "history", "comment"))
        time = file["time"]
        assert time.attrs["units"] == "seconds since 1970-01-01" and time.attrs["axis"] == "T"
        assert time.attrs["calendar"] == "proleptic_gregorian" and time.attrs["standard_name"] == "time"
        assert np.all(np.diff(time[:]) > 0)
        for axis in ("x", "y"):
            attrs = file[axis].attrs
            assert attrs["standard_name"] == f"projection_{axis}_coordinate" and attrs["units"] == "m"
            assert attrs["axis"] == axis.upper()
        for name in ("time", "x", "y"):  # coordinates have no missing values
            assert "_FillValue" not in file[name].attrs
        mapping = file["spatial_ref"].attrs
        assert mapping["grid_mapping_name"] == "transverse_mercator" and "crs_wkt" in mapping
        for name, variable in BY_NAME.items():
            if name not in file:
                continue
            attrs = file[name].attrs
            assert attrs["long_name"] == variable.meaning
            assert not variable.units or attrs["units"] == variable.units.removesuffix("T00:00:00")
            for key in ("flag_values", "flag_masks", "_FillValue"):
                assert key not in attrs or attrs[key].dtype == file[name].dtype, f"{name}: {key}"
            assert (attrs.get("grid_mapping") == "spatial_ref") == (variable.dims == PIXEL)
            words = attrs.get("flag_meanings", "").split()
            assert len(words) == len(attrs.get("flag_values", attrs.get("flag_masks", [])))
        others = str(file["area_m2"].attrs["ancillary_variables"]).split()
        assert set(others) >= {"area_sigma_m2", "flags"} and all(one in file for one in others)


def test_cogs_are_valid_and_hold_every_picture(series: xr.Dataset, out: Path) -> None:
    folder = out / "tsho-rolpa_T121.cogs"
    ids = [str(one) for one in series["pass_id"].values]
    assert {one.name for one in folder.iterdir()} == {f"{one}_{name}.tif" for one in ids for name in PICTURES}
    for path in folder.iterdir():
        valid, errors, warnings = cog_validate(path, strict=True)
        assert valid and not errors and not warnings, f"{path.name}: {errors} {warnings}"
    for name in PICTURES:
        for index in (0, UNSEEN):
            with rasterio.open(folder / f"{ids[index]}_{name}.tif") as file:
                assert file.crs.to_epsg() == 32645 and file.overviews(1) == [2]
                assert file.nodata == BY_NAME[name].fill
                read = file.read(1, masked=True) * file.scales[0] + file.offsets[0]
                np.testing.assert_allclose(read.filled(np.nan), series[name].values[index], atol=1e-5)


def test_a_cog_says_what_it_shows(series: xr.Dataset, out: Path) -> None:
    one = series.isel(time=2)
    with rasterio.open(out / "tsho-rolpa_T121.cogs" / f"{one.pass_id.item()}_gamma0_vv_db.tif") as file:
        tags = file.tags()
        assert file.descriptions == ("gamma0_vv_db",) and file.units == ("dB",)
    assert (tags["TRACK"], tags["LAKE"], tags["UNITS"]) == ("T121", "tsho-rolpa", "dB")
    assert tags["PASS_ID"] == one.pass_id.item() and tags["GRANULES"] == one.granules.item()
    assert pd.Timestamp(tags["SENSING_START"]) == pd.Timestamp(one.time.values, tz="UTC")
    assert float(tags["AREA_M2"]) == pytest.approx(one.area_m2.item(), abs=0.1)
    with rasterio.open(out / "tsho-rolpa_T121.cogs" / f"{series.pass_id.values[UNSEEN]}_surface.tif") as file:
        assert "AREA_M2" not in file.tags()  # not measured is not zero
        assert file.tags()["CLASSES"] == "0=land 1=other_water 2=lake 255=unknown"
        assert file.colormap(1)[2][2] > file.colormap(1)[0][2] - 255  # the lake has a colour of its own


def test_overviews_average_nothing(series: xr.Dataset, out: Path) -> None:
    path = out / "tsho-rolpa_T121.cogs" / f"{series.pass_id.values[0]}_gamma0_vv_db.tif"
    with rasterio.open(path) as file, rasterio.open(path, overview_level=0) as small:
        assert small.shape == (65, 75)
        assert set(np.unique(small.read(1))) <= set(np.unique(file.read(1)))


def test_csv_and_geojson_are_those_of_the_series_command(series: xr.Dataset, out: Path) -> None:
    table = pd.read_csv(out / "tsho-rolpa_T121.csv")
    assert list(table["pass_id"]) == list(series["pass_id"].values) and set(table["track"]) == {"T121"}
    np.testing.assert_allclose(table["area_m2"], series["area_m2"], atol=0.1)
    read = gpd.read_file(out / "tsho-rolpa_T121.geojson")
    assert read.crs.to_epsg() == 4326 and len(read) == len(table)


def lake_m2(series: xr.Dataset) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Area of the pixels classed as lake, (time,)."""
    return np.asarray((series["surface"] == int(Surface.LAKE)).sum(("y", "x")).values * 900.0)


def test_geoparquet_has_the_lake_s_own_water_to_the_square_metre(series: xr.Dataset, out: Path) -> None:
    read = gpd.read_parquet(out / "tsho-rolpa_T121.parquet")
    assert read.crs.to_epsg() == 32645
    assert list(read["pass_id"]) == list(series["pass_id"].values) and set(read["track"]) == {"T121"}
    assert str(read["time"].dt.tz) == "UTC"
    assert read.geometry[UNSEEN] is None and np.isnan(read["area_m2"][UNSEEN])
    assert read.geometry.drop(UNSEEN).is_valid.all()
    np.testing.assert_allclose(read.geometry.area.fillna(0.0), lake_m2(series))
    assert read["flags"][0] == ""


def test_geojson_is_the_same_outline_in_degrees(series: xr.Dataset, out: Path) -> None:
    told = json.loads((out / "tsho-rolpa_T121.geojson").read_text())
    assert "crs" not in told  # RFC 7946 knows one reference system
    for feature, area_m2 in zip(told["features"], lake_m2(series), strict=True):
        if feature["geometry"] is None:
            assert area_m2 == 0
            continue
        on_ground, _ = Geod(ellps="WGS84").geometry_area_perimeter(shape(feature["geometry"]))
        assert on_ground == pytest.approx(area_m2, rel=2e-3)  # UTM's scale; positive: counter-clockwise


def test_days_and_track_are_kept_to(store: Store, tmp_path: Path) -> None:
    choice = Choice("tsho-rolpa", "t121", date(2023, 7, 13), date(2023, 7, 25))
    made = list(export(store.url, str(tmp_path), ["csv", "zarr"], choice))
    assert [(one.name, one.n_slices) for one in made] == [
        ("tsho-rolpa_T121.zarr", 2),
        ("tsho-rolpa_T121.csv", 2),
    ]
    days = pd.read_csv(tmp_path / "tsho-rolpa_T121.csv")["time"].str[:10]
    assert list(days) == ["2023-07-13", "2023-07-25"]  # both ends are in
    assert xr.open_zarr(tmp_path / "tsho-rolpa_T121.zarr").sizes["time"] == 2


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice("como"), "'como'; it holds tsho-rolpa: T085, T121"),
        (Choice("tsho-rolpa", "T012"), "track 'T012'; it holds tsho-rolpa: T085, T121"),
        (Choice(start=date(2025, 1, 1)), "T121 has 2023-07-01 to 2023-08-18"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    store: Store, tmp_path: Path, choice: Choice, words: str
) -> None:
    with pytest.raises(PipelineError, match=words):
        list(export(store.url, str(tmp_path / "out"), ["csv"], choice))
    assert not (tmp_path / "out").exists()


def test_swapped_days_and_unknown_formats_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="swap them"):
        Choice(start=date(2024, 2, 1), end=date(2024, 1, 1))
    with pytest.raises(PipelineError, match="'shapefile'; give some of zarr, netcdf"):
        list(export(store.url, str(tmp_path), ["shapefile"]))


def test_nothing_is_overwritten_unless_asked_for(store: Store, tmp_path: Path) -> None:
    other = tmp_path / "tsho-rolpa_T121.csv"
    other.write_text("mine")
    with pytest.raises(PipelineError, match=r"is there already, and nothing was written.*--overwrite"):
        list(export(store.url, str(tmp_path), ["zarr", "csv"]))
    assert other.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1
    for _ in range(2):
        list(export(store.url, str(tmp_path), ["zarr", "csv"], overwrite=True))
    assert other.read_text().startswith("lake,track")
    assert len(list(tmp_path.iterdir())) == 4  # and nothing of the work is left beside them


def test_a_failed_writer_leaves_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(PipelineError, match=r"No space left on device.*free space"):
        list(export(store.url, str(tmp_path / "out"), ["netcdf"]))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_in_the_way_and_an_unknown_address_are_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PipelineError, match="is a file; give a folder"):
        list(export(store.url, str(tmp_path / "file"), ["csv"]))
    with pytest.raises(PipelineError, match="cannot write to 'gopher://host/x'"):
        list(export(store.url, "gopher://host/x", ["csv"]))


def test_an_object_store_gets_the_same(store: Store, series: xr.Dataset) -> None:
    list(export(store.url, "memory://bucket/lakes", ["all"], Choice(track="T121")))
    files = fsspec.filesystem("memory")
    found = xr.open_zarr("memory://bucket/lakes/tsho-rolpa_T121.zarr")
    same_values(found, series)
    with files.open("/bucket/lakes/tsho-rolpa_T121.parquet", "rb") as file:
        assert len(gpd.read_parquet(file)) == series.sizes["time"]
    told = json.loads(files.cat("/bucket/lakes/tsho-rolpa_T121.stac/collection.json"))
    assert files.exists("/bucket/lakes/tsho-rolpa_T121.stac/" + told["links"][-1]["href"].removeprefix("./"))
    with pytest.raises(PipelineError, match="is there already"):
        list(export(store.url, "memory://bucket/lakes", ["zarr"], Choice(track="T121")))
    list(export(store.url, "memory://bucket/lakes", ["zarr"], Choice(track="T121"), overwrite=True))


@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("https://host/lakes", "https can only be read"),
        ("zip://lakes.zip", "zip can only be read"),
        ("simplecache::https://host/lakes", "https can only be read"),
        ("nope://lakes", "Protocol not known: nope; give a path, or install what speaks"),
        ("ftp://127.0.0.1:9/lakes", "Connection refused"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_any_work(store: Store, out: str, told: str) -> None:
    with pytest.raises(PipelineError, match=f"cannot write to '{out}': .*{told}"):
        list(export(store.url, out, ["csv"]))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a bucket on an S3 server of this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    files.call_s3("create_bucket", Bucket="lakes")
    yield "s3://lakes"
    s3fs.S3FileSystem.close_session(files.loop, files.s3)
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_a_bucket_is_written_to_and_never_made(
    store: Store, series: xr.Dataset, bucket: str, tmp_path: Path
) -> None:
    list(export(store.url, f"{bucket}/out", ["zarr", "csv"], Choice(track="T121")))
    s3fs.S3FileSystem().get(f"{bucket}/out/tsho-rolpa_T121.zarr", str(tmp_path / "got"), recursive=True)
    same_values(xr.open_zarr(tmp_path / "got"), series)
    with pytest.raises(PipelineError, match="is there already"):
        list(export(store.url, f"{bucket}/out", ["csv"]))
    with pytest.raises(PipelineError, match=r"cannot write to 's3://mistyped/out': .*bucket does not exist"):
        list(export(store.url, "s3://mistyped/out", ["csv"]))
    assert s3fs.S3FileSystem().ls("") == ["lakes"]


def test_missing_keys_of_a_bucket_are_one_clear_error(
    store: Store, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    monkeypatch.setattr(fsspec, "url_to_fs", lambda _: (files, "lakes/out"))
    with pytest.raises(PipelineError, match=r"cannot write to 's3://lakes/out': .*[Cc]redentials"):
        list(export(store.url, f"{bucket}/out", ["csv"]))
    s3fs.S3FileSystem.close_session(files.loop, files.s3)


def test_states_go_along(store: Store, out: Path) -> None:
    incomplete = small_series("T121")["flags"].values & int(Flag.INCOMPLETE)
    found = xr.open_zarr(out / "tsho-rolpa_T121.zarr")["flags"]
    np.testing.assert_array_equal(found.values & int(Flag.INCOMPLETE), incomplete)
    assert found.attrs["flag_meanings"].split()[0] == "incomplete"
