"""The line of code behind a formula, shown from genlib itself and never copied."""

import ast
import inspect
import textwrap

from IPython.display import display


def show(obj, doc: bool = False) -> None:
    """Display the source of a function, method, property or class, coloured as Python.

    Docstrings are left out unless ``doc`` is true: the page around it already tells the story.
    Raises TypeError if ``obj`` has no Python source.
    """
    code, where = text(obj, doc)
    markdown = f"`{where}`\n\n```python\n{code}\n```"
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
    lines = code.splitlines()
    for node in ast.walk(ast.parse(code)):
        body = getattr(node, "body", None)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            continue
        if ast.get_docstring(node, clean=False) is None or len(body) == 1:
            continue  # a body that is all docstring must keep it
        first = body[0]
        for row in range(first.lineno - 1, first.end_lineno):
            lines[row] = None
        if first.end_lineno < len(lines) and lines[first.end_lineno] == "":
            lines[first.end_lineno] = None
    return "\n".join(line for line in lines if line is not None)
