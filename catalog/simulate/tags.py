"""The GeoTIFF tags of a real granule, with what is true of a simulated one."""

from __future__ import annotations

from datetime import datetime, timedelta

from glaciolake.catalog.simulate.bursts import BURST_S, Burst
from glaciolake.catalog.simulate.granules import Lattice
from glaciolake.catalog.simulate.shore import SPACING_M

SIMULATED = "glaciolake (simulated)"
"""The institution: how every reader tells these files from real ones."""

_SAME_FOR_ALL = {
    "ACQUISITION_MODE": "IW",
    "BOUNDING_BOX_PIXEL_COORDINATE_CONVENTION": "Edges/corners. Xmin, Ymin, Xmax, Ymax.",
    "BOUNDING_POLYGON_EPSG_CODE": "4326",
    "CENTER_FREQUENCY": "5405000454.33435",
    "CEOS_ANALYSIS_READY_DATA_PRODUCT_TYPE": "Normalised Radar Backscatter",
    "INPUT_DEM_SOURCE": "none: the ground is drawn",
    "INSTITUTION": SIMULATED,
    "LOOK_DIRECTION": "right",
    "PROCESSING_INFORMATION_BISTATIC_DELAY_CORRECTION_APPLIED": "True",
    "PROCESSING_INFORMATION_BURST_GEOGRID_SNAP_X": "30.0",
    "PROCESSING_INFORMATION_BURST_GEOGRID_SNAP_Y": "30.0",
    "PROCESSING_INFORMATION_FILTERING_APPLIED": "False",
    "PROCESSING_INFORMATION_INPUT_BACKSCATTER_NORMALIZATION_CONVENTION": "beta0",
    "PROCESSING_INFORMATION_MULTILOOKING_APPLIED": "False",
    "PROCESSING_INFORMATION_NOISE_CORRECTION_APPLIED": "True",
    "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_DECIBEL_CONVERSION_EQUATION": "10*log10(backscatter_linear)",
    "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_EXPRESSION_CONVENTION": "linear backscatter intensity",
    "PROCESSING_INFORMATION_OUTPUT_BACKSCATTER_NORMALIZATION_CONVENTION": "gamma0",
    "PROCESSING_INFORMATION_RADIOMETRIC_TERRAIN_CORRECTION_APPLIED": "True",
    "PROCESSING_TYPE": "NOMINAL",
    "PRODUCT_LEVEL": "L2",
    "PRODUCT_SPECIFICATION_VERSION": "1.0",
    "PRODUCT_VERSION": "1.0",
    "PROJECT": "OPERA",
    "RADAR_BAND": "C",
    "SOURCE_DATA_AZIMUTH_RESOLUTION_IN_METERS": "22.7",
    "SOURCE_DATA_PRODUCT_LEVEL": "L1",
    "SOURCE_DATA_RANGE_BANDWIDTH": "48300000.0",
    "SOURCE_DATA_SLANT_RANGE_RESOLUTION_IN_METERS": "3.1",
    "SOURCE_DATA_SLANT_RANGE_SPACING": "2.329562114715323",
    "SOURCE_DATA_ZERO_DOPPLER_TIME_SPACING": "0.002055556299999998",
}

_NOTHING = "none: simulated"
_WITHOUT_A_SENSE = dict.fromkeys(
    (
        "CEOS_ANALYSIS_READY_DATA_DOCUMENT_IDENTIFIER",
        "CONTACT_INFORMATION",
        "INPUT_ANNOTATION_FILES",
        "INPUT_L1_SLC_GRANULES",
        "INPUT_ORBIT_FILES",
        "ISCE3_VERSION",
        "PROCESSING_INFORMATION_DEM_EGM_MODEL",
        "PROCESSING_INFORMATION_DEM_INTERPOLATION_ALGORITHM",
        "PROCESSING_INFORMATION_GEOCODING_ALGORITHM",
        "PROCESSING_INFORMATION_GEOCODING_ALGORITHM_REFERENCE",
        "PROCESSING_INFORMATION_NOISE_REMOVAL_ALGORITHM_REFERENCE",
        "PROCESSING_INFORMATION_RADIOMETRIC_TERRAIN_CORRECTION_ALGORITHM",
        "PROCESSING_INFORMATION_RADIOMETRIC_TERRAIN_CORRECTION_ALGORITHM_REFERENCE",
        "PRODUCT_DATA_ACCESS",
        "QA_RFI_BURST_REPORT_AZIMUTH_TIME",
        "QA_RFI_BURST_REPORT_SWATH",
        "QA_RFI_MITIGATION_DOMAIN",
        "QA_RFI_MITIGATION_PERFORMED",
        "S1_READER_VERSION",
        "SOFTWARE_VERSION",
        "SOURCE_DATA_ACCESS",
        "SOURCE_DATA_INSTITUTION",
        "SOURCE_DATA_PROCESSING_CENTER",
        "SOURCE_DATA_SOFTWARE_VERSION",
        "STATIC_LAYERS_DATA_ACCESS",
    ),
    _NOTHING,
) | {
    "PROCESSING_INFORMATION_STATIC_TROPOSPHERIC_GEOLOCATION_CORRECTION_APPLIED": "False",
    "PROCESSING_INFORMATION_WET_TROPOSPHERIC_GEOLOCATION_CORRECTION_APPLIED": "False",
    "QA_GEOMETRIC_ACCURACY_BIAS_X": "0.0",
    "QA_GEOMETRIC_ACCURACY_BIAS_Y": "0.0",
    "QA_GEOMETRIC_ACCURACY_STDDEV_X": "0.0",
    "QA_GEOMETRIC_ACCURACY_STDDEV_Y": "0.0",
    "QA_RFI_INFO_AVAILABLE": "False",
    "QA_RFI_IN_BAND_OUT_BAND_POWER_RATIO": "nan",
    "SOURCE_DATA_NUMBER_OF_ACQUISITIONS": "1",
    "SOURCE_DATA_NUMBER_OF_AZIMUTH_LINES": "1509",
    "SOURCE_DATA_NUMBER_OF_RANGE_SAMPLES": "25643",
    "SOURCE_DATA_SLANT_RANGE_START": "nan",
}
"""Of what no simulation has: there, so that readers of the real ones find the keys they ask for."""
CYCLE_S = 12 * 86400 / 175
"""One orbit, seconds: 175 in 12 days."""
ORBIT_EPOCH = datetime.fromisoformat("2014-04-03T21:02:00+00:00")
"""Launch of Sentinel-1A, from which orbits are counted here; real numbers differ by some."""


def tags_of(burst: Burst, lattice: Lattice, sensor: str, start: datetime, made: datetime) -> dict[str, str]:
    """Tags of one granule of a burst, keys as in the real product."""
    track = burst.track
    right_m = lattice.left_m + lattice.columns * SPACING_M
    bottom_m = lattice.top_m - lattice.rows * SPACING_M
    platform = f"Sentinel-1{sensor[-1]}"
    first, last = (
        f"{start:%Y-%m-%dT%H:%M:%S.%fZ}",
        f"{start + timedelta(seconds=BURST_S):%Y-%m-%dT%H:%M:%S.%fZ}",
    )
    return (
        _SAME_FOR_ALL
        | _WITHOUT_A_SENSE
        | {
            "ABSOLUTE_ORBIT_NUMBER": str(max(0, round((start - ORBIT_EPOCH).total_seconds() / CYCLE_S))),
            "LAYER_DESCRIPTION": "Radiometric terrain corrected Sentinel-1 backscatter, simulated",
            "SOURCE_DATA_PROCESSING_DATETIME": first.removesuffix("Z"),
            "SOURCE_DATA_ZERO_DOPPLER_END_TIME": last,
            "SOURCE_DATA_ZERO_DOPPLER_START_TIME": first,
            "BOUNDING_BOX": str([lattice.left_m, bottom_m, right_m, lattice.top_m]),
            "BOUNDING_BOX_EPSG_CODE": str(lattice.epsg),
            "BOUNDING_POLYGON": burst.footprint.wkt,
            "BURST_ID": burst.id.lower().replace("-", "_"),
            "INSTRUMENT_NAME": f"{platform} CSAR",
            "ORBIT_PASS_DIRECTION": track.orbit_state,
            "PLATFORM": platform,
            "PROCESSING_DATETIME": f"{made:%Y-%m-%dT%H:%M:%S.%fZ}",
            "PRODUCT_TYPE": "RTC-S1",
            "SUB_SWATH_ID": burst.subswath,
            "TRACK_NUMBER": str(track.relative_orbit),
            "ZERO_DOPPLER_END_TIME": last,
            "ZERO_DOPPLER_START_TIME": first,
        }
    )
