"""The examples in the docstrings of pipeline.evals hold."""

import doctest
import importlib
import pkgutil

from pipeline import evals


def test_examples_in_docstrings() -> None:
    names = [module.name for module in pkgutil.iter_modules(evals.__path__, "pipeline.evals.")]
    results = [doctest.testmod(importlib.import_module(name)) for name in names]
    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= 15
