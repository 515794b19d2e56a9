"""Params in a Python file, as DVC finds them: literals assigned in the module, in classes, and to self in __init__."""

import ast
from typing import Any


def load_python(data: bytes) -> dict[str, Any]:
    """Name -> value; nothing is run. SyntaxError or ValueError if it does not parse."""
    return _of_body(ast.parse(data.decode("utf-8")).body, of_self=False)


def _of_body(body: list[ast.stmt], of_self: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for statement in body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            found.update(_assigned(statement, of_self))
        elif isinstance(statement, ast.ClassDef):
            found[statement.name] = _of_body(statement.body, of_self=False)
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            found.update(_of_body(statement.body, of_self=True))
    return found


def _assigned(statement: ast.Assign | ast.AnnAssign, of_self: bool) -> dict[str, Any]:
    """Name and value of an assignment; nothing if it is no literal, or has several targets."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    name = _name(targets[0], of_self) if len(targets) == 1 else None
    if name is None or statement.value is None:
        return {}
    try:
        return {name: ast.literal_eval(statement.value)}
    except (ValueError, TypeError, MemoryError, RecursionError):
        return {}


def _name(target: ast.expr, of_self: bool) -> str | None:
    if isinstance(target, ast.Name):
        return None if of_self else target.id
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        return target.attr
    return None
