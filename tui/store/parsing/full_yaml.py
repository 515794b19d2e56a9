"""The real YAML parsers, loaded when there is a document that is not plain: most commands never see one."""

from typing import Any

_MAX_RETRIED = 1024 * 1024
_HEAD = 1024


def load_yaml(data: bytes | str) -> Any:
    """The values of a document, by the rules of YAML 1.2; one of `yaml_errors` or ValueError if it is none."""
    import yaml

    from pipeline.contract.yaml12 import TooDeepError
    from pipeline.contract.yaml12 import load_yaml as load

    has_odd_rules = "%YAML" in str(data[:_HEAD]) or has_tabs(data)
    try:
        if not has_odd_rules or len(data) > _MAX_RETRIED:
            return load(data)
    except yaml.YAMLError as error:
        if len(data) > _MAX_RETRIED or isinstance(error, TooDeepError):
            raise
    return _load_as_dvc_does(data)


def has_tabs(data: bytes | str) -> bool:
    """Whether there are tabs, which DVC's parser takes for blanks in fewer places."""
    return b"\t" in data if isinstance(data, bytes) else "\t" in data


def _load_as_dvc_does(data: bytes | str) -> Any:
    """What is an error for libyaml need not be one for the parser that DVC has, which is far slower."""
    import warnings

    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return YAML(typ="safe").load(data)
    except (YAMLError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError) as error:
        raise ValueError(what_is_wrong(error)) from error  # it raises all of these for what is no YAML


def what_is_wrong(error: BaseException) -> str:
    """The reason that an error gives, in one line."""
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        return f"{getattr(error, 'problem', None) or 'bad syntax'} in line {mark.line + 1}"
    return str(error).partition("\n")[0] or type(error).__name__


def yaml_errors() -> type[Exception]:
    """What the parser raises; named where it is caught, so that nothing is loaded before it is raised."""
    import yaml

    found: type[Exception] = yaml.YAMLError
    return found
