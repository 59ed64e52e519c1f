"""Inference libraries tell their makers that they are used; here they do not.

OpenVINO reports every import to Google Analytics, onnxruntime its use to Microsoft, unasked, from any script
and any worker. Behind a firewall that looks like a lake monitor calling home, and without a network it costs
retries; so both are switched off before they are imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType


def openvino() -> ModuleType:
    """OpenVINO without its reporter, whose absence it allows for."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # "cannot be imported"
    return importlib.import_module("openvino")


def onnxruntime() -> ModuleType:
    """Onnxruntime with its own switch for reports off; a value the user has set stays."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return importlib.import_module("onnxruntime")
