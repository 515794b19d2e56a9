"""How large a model is: parameters by its manifest, bytes on disk."""

from pathlib import Path

from pipeline.contract.manifest import Manifest


def model_sizes(manifest: Manifest) -> dict[str, int]:
    """Parameters and bytes of a model; what full fine-tuning adds on disk is the whole model."""
    weights = weight_bytes(Path(manifest.weights))
    adapters = sum(weight_bytes(Path(adapter.path)) for adapter in manifest.adapters)
    return {
        "model/num_parameters": manifest.num_parameters,
        "model/num_trainable_parameters": manifest.num_trainable_parameters,
        "model/model_bytes": weights + adapters,
        "model/adapter_bytes": adapters + (weights if manifest.method == "full" else 0),
    }


def weight_bytes(directory: Path) -> int:
    """Bytes of the safetensors files in a directory."""
    return sum(path.stat().st_size for path in directory.glob("*.safetensors"))
