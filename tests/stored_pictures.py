"""Compare a lecture's stored pictures with fresh ones, wherever no training lies behind them.

A picture that training draws differs from one processor to the next; any other must look as it did
when the lecture was stored, or it is stale.
"""

import ast
import base64
import io
import re

import numpy as np
from PIL import Image

#: Calls whose results differ in their last digits, and then in all, between processors; or that
#: depend on the clock.
CHANCE = {
    "fit", "pretrain", "minimise", "apply", "apply_gradients", "assign", "assign_sub", "assign_add",
    "on_toy", "on_digits", "over_seeds", "critic_step", "generator_step", "perf_counter",
    "sample_posterior", "mcmc", "vi",
}  # fmt: skip

BLOCK = 8  # pixels: one letter
MOST = 40  # of 255: how far the mean colour of a block may move


def untrained(sources: list[str]) -> list[bool]:
    """For each code cell of a lecture in order: whether nothing trained has a part in it."""
    trained, clean = set(), []
    for source in sources:
        tree = ast.parse(re.sub(r"^(\s*)[%!].*$", r"\1pass", source, flags=re.M))
        clean.append(True)
        for statement in tree.body:
            loaded, stored, calls = _uses(statement)
            if calls & CHANCE or loaded & trained:
                clean[-1] = False
                trained |= stored
            else:
                trained -= stored  # a name that is used anew
    return clean


def _uses(statement) -> tuple[set[str], set[str], set[str]]:
    """The names that a statement of a cell reads, those that it sets, and what it calls."""
    loaded, stored, calls = set(), set(), set()
    own = {getattr(statement, "name", "")} - {""}  # of a function or a class
    inner = set()  # what lives in functions, comprehensions and loops alone
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            (stored if isinstance(node.ctx, ast.Store) else loaded).add(node.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            calls.add(node.func.attr)
            if node.func.attr in CHANCE and isinstance(node.func.value, ast.Name):
                stored.add(node.func.value.id)  # trained in place
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls.add(node.func.id)
        elif isinstance(node, ast.comprehension | ast.For):
            inner |= {name.id for name in ast.walk(node.target) if isinstance(name, ast.Name)}
        elif isinstance(node, ast.arguments):
            inner |= {arg.arg for arg in node.posonlyargs + node.args + node.kwonlyargs}
    if own:
        return loaded - inner - stored, own, calls
    return loaded - inner, stored - inner, calls


def pictures(outputs) -> list[np.ndarray]:
    """Return the PNG pictures among a cell's outputs as arrays (h, w, 3)."""
    found = (output.get("data", {}).get("image/png") for output in outputs)
    return [_decode("".join(png)) for png in found if png]


def _decode(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))


def difference(stored: np.ndarray, fresh: np.ndarray) -> float:
    """How far the mean colour of the most changed block has moved, in 0 to 255; inf for sizes."""
    if stored.shape != fresh.shape:
        return float("inf")
    height, width = (side // BLOCK * BLOCK for side in stored.shape[:2])
    gap = stored[:height, :width].astype(float) - fresh[:height, :width]
    blocks = gap.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3).mean((1, 3))
    return float(np.abs(blocks).max())


def complaint(stored_outputs, fresh_outputs) -> str:
    """Say what is stale about a cell's stored pictures, or ""."""
    stored, fresh = pictures(stored_outputs), pictures(fresh_outputs)
    if len(stored) != len(fresh):
        return f"{len(stored)} pictures are stored, and it draws {len(fresh)}"
    gaps = [difference(*pair) for pair in zip(stored, fresh, strict=True)]
    stale = [f"{i} ({gap:.0f} of 255)" for i, gap in enumerate(gaps) if gap > MOST]
    return f"stale pictures, by the block that moved most: {', '.join(stale)}" if stale else ""
