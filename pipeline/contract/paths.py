"""Where a project keeps its files, relative to its root."""

from pathlib import Path

PARAMS_FILE = Path("params.yaml")
PIPELINE_FILE = Path("dvc.yaml")
LOCK_FILE = Path("dvc.lock")
RAW_DATA = Path("data/raw")
PREPARED_DATA = Path("data/prepared")
DATA_REPORT = PREPARED_DATA / "report.json"
METRICS_DIR = Path("data/metrics")
MODELS_DIR = Path("data/models")
TEACHER_DIR = Path("data/teacher")
SAMPLES_DIR = Path("data/samples")
EVAL_DIR = Path("data/eval")
PREDICTIONS = EVAL_DIR / "predictions.parquet"
CHECKPOINTS = Path("checkpoints")
CHECKPOINTS_VARIABLE = "FINETUI_CHECKPOINTS"

METRICS_NAME = "metrics.json"
CATEGORIES_NAME = "categories.json"
RESOURCES_NAME = "resources.json"
SERIES_NAME = "series.jsonl"
SERIES_TABLE_NAME = "series.csv"
RUN_RECORD_NAME = "run.json"
SAMPLES_NAME = "samples.jsonl"


def split_file(split: str) -> Path:
    """Parquet file of the train, validation or test split."""
    return PREPARED_DATA / f"{split}.parquet"


def preferences_file(split: str) -> Path:
    """Parquet file with the comparisons of the train, validation or test split."""
    return PREPARED_DATA / f"preferences-{split}.parquet"


def samples_file(stage: str) -> Path:
    """What a model answered while a stage trained it: one JSON object per step and prompt."""
    return SAMPLES_DIR / stage / SAMPLES_NAME


def model_dir(stage: str) -> Path:
    """Model directory of a stage."""
    return MODELS_DIR / stage


def metrics_dir(stage: str) -> Path:
    """Directory with the metrics, series and run record of a stage."""
    return METRICS_DIR / stage
