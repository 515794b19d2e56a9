"""How values are written into YAML so that readers of YAML 1.1 (PyYAML) and 1.2 (DVC) agree on them."""

import math
from typing import Any

import yaml
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from pipeline.contract.yaml12 import load_yaml


class PortableRepresenter(RoundTripRepresenter):
    """Writes 0.00001 as `1.0e-05`: YAML 1.1 takes `1e-05` for text."""

    def represent_portable_float(self, value: float) -> Any:
        """Scalar node of a float."""
        return self.represent_scalar("tag:yaml.org,2002:float", float_text(value))

    def represent_null(self, _value: None) -> Any:
        """Scalar node of null, which is easier to see than nothing."""
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


PortableRepresenter.add_representer(type(None), PortableRepresenter.represent_null)
PortableRepresenter.add_representer(float, PortableRepresenter.represent_portable_float)


def float_text(value: float) -> str:
    """The shortest text that reads back as this float, always with a dot."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if "." in text or "e" not in text else text.replace("e", ".0e")


def portable(value: Any) -> Any:
    """The value, with texts quoted that some reader would take for something else, such as `no`."""
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [portable(item) for item in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) and _is_ambiguous(value) else value


def _is_ambiguous(text: str) -> bool:
    try:
        return bool(yaml.safe_load(text) != text or load_yaml(text) != text)
    except (yaml.YAMLError, ValueError):
        return True
