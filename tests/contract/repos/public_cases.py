"""Structures of public repositories, with text and numbers of our own."""

from tests.contract.repos.cases import Files, History, case, dvc_yaml, hashed, history, locked, md5
from tests.unit.store_repos import RepoBuilder

UNCACHED = {"cache": False}


@case()
def vision_with_dvclive(cache: RepoBuilder) -> History:
    """iterative/example-get-started-experiments: dvclive writes results/train, a cached output, and a dvc.yaml of its
    own in results/evaluate; the model and the data are also .dvc files at times."""

    def trained(loss: float, epochs: int) -> str:
        points = b"".join(b"%d\t%f\n" % (step, loss + 1 / (step + 1)) for step in range(epochs))
        return cache.cache_folder(
            {
                "metrics.json": b'{"train": {"loss": %f}, "eval": {"loss": %f, "dice": 0.5}, "step": %d}'
                % (loss, loss * 2, epochs),
                "params.yaml": b"lr: 1e-3\nwd: ~\nepochs: %d\narch: net\n" % epochs,
                "plots/metrics/train/loss.tsv": b"step\tloss\n" + points,
                "report.html": b"<html></html>",
            }
        )

    def lock(loss: float, epochs: int) -> str:
        return locked(
            data_split={
                "deps": {"data/pool_data": md5(1) + ".dir", "src/split.py": md5(2)},
                "outs": {"data/train": md5(3) + ".dir", "data/test": md5(4) + ".dir"},
            },
            train={
                "deps": {"data/train": md5(3) + ".dir"},
                "outs": {"models/model.pkl": md5(epochs), "results/train": trained(loss, epochs)},
            },
            evaluate={
                "deps": {"models/model.pkl": md5(epochs)},
                "outs": {
                    "results/evaluate": cache.cache_folder(
                        {"metrics.json": b'{"dice": %f}' % loss, "plots/images/a.png": b"\x89PNG"}
                    )
                },
            },
        )

    train = {"cmd": "python src/train.py", "deps": ["data/train", "src/train.py"], "params": ["base", "train"]}
    pipeline = dvc_yaml(
        params=["results/train/params.yaml"],
        metrics=["results/train/metrics.json", "results/evaluate/metrics.json"],
        plots=[{"results/train/plots/metrics": {"x": "step"}}, "results/evaluate/plots/images"],
        artifacts={
            "pool-model": {"path": "models/model.pkl", "type": "model", "desc": "finds pools", "labels": ["cv"]}
        },
        stages={
            "data_split": {
                "cmd": "x",
                "deps": ["data/pool_data", "src/split.py"],
                "params": ["base", "data_split"],
                "outs": ["data/train", "data/test"],
            },
            "train": {**train, "outs": ["models/model.pkl", "results/train"]},
            "evaluate": {
                "cmd": "x",
                "deps": ["data/test", "models/model.pkl"],
                "params": ["base", "evaluate"],
                "outs": ["results/evaluate"],
            },
        },
    )
    params = (
        "base: {random_seed: 42}\ndata_split: {test_regions: [a, b], test_pct: 0.15}\n"
        "train: {epochs: 8, fine_tune: {lr: 1e-3}}\nevaluate: {n: 5}\n"
    )
    notebook: Files = {
        ".dvc/config": "[core]\n    remote = storage\n['remote \"storage\"']\n    url = https://example.invalid/data\n",
        "data/pool_data.dvc": dvc_yaml(
            outs=[{"md5": md5(1) + ".dir", "size": 5, "nfiles": 3, "hash": "md5", "path": "pool_data"}]
        ),
        "models/model.pkl.dvc": dvc_yaml(outs=hashed({"model.pkl": md5(9)})),
        "results/evaluate/dvc.yaml": dvc_yaml(metrics=["metrics.json"], plots=["plots/images"]),
        "results/evaluate/metrics.json": {"dice": 0.1},
        "results/evaluate/plots/images.dvc": dvc_yaml(outs=hashed({"images": md5(8) + ".dir"})),
        "README.md": "text\n",
    }
    return history(
        notebook,
        {
            "models/model.pkl.dvc": None,
            "results/evaluate/dvc.yaml": None,
            "results/evaluate/metrics.json": None,
            "results/evaluate/plots/images.dvc": None,
            "dvc.yaml": pipeline,
            "params.yaml": params,
            "dvc.lock": lock(0.5, 8),
        },
        [
            {"params.yaml": params.replace("8", "16"), "dvc.lock": lock(0.25, 16)},
            {"params.yaml": params.replace("1e-3", "1e-2"), "dvc.lock": lock(0.75, 8)},
        ],
        {"params.yaml": params.replace("8", "16"), "dvc.lock": lock(0.25, 16)},
    )


@case()
def text_with_scikit_learn(cache: RepoBuilder) -> History:
    """iterative/example-get-started: first old .dvc stages, then prepare, featurize, train and evaluate, with curves
    in eval/, first as metrics and plots of the stage, later as dvclive writes them."""
    stages = {
        "prepare": {
            "cmd": "python src/prepare.py data/data.xml",
            "deps": ["data/data.xml", "src/prepare.py"],
            "params": ["prepare.seed", "prepare.split"],
            "outs": ["data/prepared"],
        },
        "featurize": {
            "cmd": "x",
            "deps": ["data/prepared"],
            "params": ["featurize.max_features", "featurize.ngrams"],
            "outs": ["data/features"],
        },
        "train": {
            "cmd": "x",
            "deps": ["data/features"],
            "params": ["train.min_split", "train.n_est", "train.seed"],
            "outs": ["model.pkl"],
        },
    }
    early = {
        "cmd": "x",
        "deps": ["model.pkl"],
        "metrics": [{"scores.json": UNCACHED}],
        "plots": [{"prc.json": {**UNCACHED, "x": "recall", "y": "precision"}}, {"roc.json": UNCACHED}],
    }
    late = {
        "cmd": "x",
        "deps": ["model.pkl"],
        "outs": [{"eval/live": UNCACHED}, "eval/prc"],
        "metrics": [{"eval/live/metrics.json": UNCACHED}],
    }
    outs = {"prepare": "data/prepared", "featurize": "data/features", "train": "model.pkl"}
    params = (
        "prepare:\n  split: 0.20\n  seed: 20170428\n\nfeaturize:\n  max_features: 100\n  ngrams: 1\n\ntrain:\n"
        "  seed: 20170428\n  n_est: 50\n  min_split: 0.01\n"
    )

    def lock(seed: int) -> str:
        return locked(
            **{name: {"outs": {path: md5(seed + number)}} for number, (name, path) in enumerate(outs.items())}
        )

    curve = {"prc": [{"precision": 0.1, "recall": 1.0}]}
    return history(
        {
            "data/data.xml.dvc": dvc_yaml(outs=[{"md5": md5(1), "size": 5, "path": "data.xml"}]),
            "train.dvc": dvc_yaml(
                md5=md5(2), deps=hashed({"data/features": md5(3)}), outs=hashed({"model.pkl": md5(4)})
            ),
            "auc.metric": "0.588426\n",
        },
        {
            "train.dvc": None,
            "auc.metric": None,
            "dvc.yaml": dvc_yaml(stages={**stages, "evaluate": early}),
            "dvc.lock": lock(10),
            "params.yaml": params,
            "scores.json": {"avg_prec": 0.52, "roc_auc": 0.9},
            "prc.json": curve,
            "roc.json": curve,
        },
        [
            {
                "params.yaml": params.replace("100", "200").replace("ngrams: 1", "ngrams: 2"),
                "dvc.lock": lock(20),
                "scores.json": {"avg_prec": 0.56, "roc_auc": 0.93},
            },
            {"params.yaml": params.replace("50", "100"), "dvc.lock": lock(30)},
        ],
        {
            "scores.json": None,
            "prc.json": None,
            "roc.json": None,
            "dvc.yaml": dvc_yaml(
                stages={**stages, "evaluate": late},
                metrics=["eval/live/metrics.json"],
                plots=[
                    {"ROC": {"template": "simple", "x": "fpr", "y": {"eval/live/plots/sklearn/roc/train.json": "tpr"}}}
                ],
            ),
            "eval/live/metrics.json": {
                "avg_prec": {"train": 0.97, "test": 0.94},
                "roc_auc": {"train": 0.98, "test": 0.94},
            },
            "eval/live/plots/sklearn/roc/train.json": curve,
        },
        [
            {
                "params.yaml": params.replace("seed: 20170428", "seed: 1"),
                "eval/live/metrics.json": {"avg_prec": {"train": 0.9, "test": 1}},
            }
        ],
    )


@case()
def several_pipelines_with_nested_params(cache: RepoBuilder) -> History:
    """iterative/vscode-dvc, folder demo: early revisions have `live:` and checkpoints, which DVC 3 refuses or ignores,
    later ones a training with params in three files, and a second pipeline in special/ that uses code above it."""
    train = {
        "cmd": "python train.py",
        "deps": ["data/MNIST", "train.py"],
        "params": [
            "seed",
            "lr",
            "weight_decay",
            {"customparams.yaml": ["test"]},
            {"nested/params.yaml": ["nestedtest"]},
        ],
        "outs": [{"model.pt": {"checkpoint": True}}],
        "plots": [{"predictions.json": {**UNCACHED, "template": "confusion", "x": "actual", "y": "predicted"}}],
    }
    special = {
        "cmd": "python ../train.py",
        "deps": ["../data/MNIST", "../train.py"],
        "params": ["seed", "lr", "cow"],
        "outs": ["model.pt"],
    }
    scored = {
        **train,
        "metrics": [{"training/metrics.json": {**UNCACHED, "persist": True}}],
        "plots": [{"training/plots": {**UNCACHED, "x": "step"}}],
    }
    deps = {"data/MNIST": md5(1) + ".dir", "train.py": md5(2)}
    first: Files = {
        "dvc.yaml": dvc_yaml(stages={"train": {**train, "live": {"logs": {"summary": True, "html": True}}}}),
        "params.yaml": "lr: 0.003\nweight_decay: 0\nseed: 473987\n",
        "customparams.yaml": "test: 5\nother: 6\n",
        "nested/params.yaml": "nestedtest: true\nrest: [1]\n",
        "data/MNIST/raw.dvc": dvc_yaml(outs=hashed({"raw": md5(1) + ".dir"})),
        "logs.json": {"step": 15, "loss": 2.0, "acc": 0.5},
    }
    return history(
        first,
        [{"params.yaml": "lr: 0.002\nweight_decay: 0\nseed: 1\n"}],
        {
            "dvc.yaml": dvc_yaml(stages={"train": train}),
            "dvc.lock": locked(train={"deps": deps, "outs": {"model.pt": md5(3)}}),
        },
        [{"nested/params.yaml": "nestedtest: {deep: 1}\n"}, {"customparams.yaml": None}],
        {
            "dvc.yaml": dvc_yaml(stages={"train": scored}),
            "special/dvc.yaml": dvc_yaml(stages={"train": special}),
            "special/params.yaml": "seed: 1\nlr: 1e-3\ncow: moo\nnot: shown\n",
            "training/metrics.json": {"step": 9, "test": {"loss": 0.3, "acc": 0.9}},
            "training/plots/metrics/acc.tsv": "step\tacc\n0\t0.1\n",
        },
        [{"special/params.yaml": "seed: 1\nlr: 2\ncow: ~\n"}, {"training/metrics.json": {"step": 1}}],
    )
