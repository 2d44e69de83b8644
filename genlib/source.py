"""The line of code behind a formula, shown from genlib itself and never copied."""

import ast
import inspect
import textwrap

from IPython.display import display


def show(obj, doc: bool = False, fold: bool = False) -> None:
    """Display the source of a function, method, property or class, coloured as Python.

    Without docstrings, unless ``doc``; under its name alone until that is pressed, with ``fold``.
    Raises TypeError if ``obj`` has no Python source.
    """
    code, where = text(obj, doc)
    markdown = f"`{where}`\n\n```python\n{code}\n```"
    if fold:
        head, _, body = markdown.partition("\n\n")
        head = head.replace("`", "")
        markdown = f"<details><summary>{head}</summary>\n\n{body}\n\n</details>"
    display({"text/markdown": markdown, "text/plain": f"# {where}\n{code}"}, raw=True)


def text(obj, doc: bool = False) -> tuple[str, str]:
    """Return the source that ``show`` displays and the full name of what it belongs to."""
    if isinstance(obj, property):
        obj = obj.fget
    obj = inspect.unwrap(getattr(obj, "python_function", obj))  # look inside a tf.function
    try:
        code = textwrap.dedent(inspect.getsource(obj)).rstrip()
    except (TypeError, OSError) as error:
        raise TypeError(
            f"obj must be a function, method, class or module written in Python; got {obj!r}"
        ) from error
    module = getattr(obj, "__module__", None)
    name = f"{module}.{obj.__qualname__}" if module else obj.__name__
    return (code if doc else _without_docstrings(code)), name


def _without_docstrings(code: str) -> str:
    lines, kinds = code.splitlines(), ast.FunctionDef | ast.ClassDef | ast.Module
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, kinds) or ast.get_docstring(node) is None or len(node.body) == 1:
            continue  # a body that is all docstring must keep it
        start, end = node.body[0].lineno - 1, node.body[0].end_lineno
        end += lines[end : end + 1] == [""]
        lines[start:end] = [None] * (end - start)
    return "\n".join(line for line in lines if line is not None)
