"""The shared code of a course on deep generative models, in TensorFlow 2."""

import importlib
import os
import sys

__version__ = "0.1.0"

#: From the top floor down: an import only ever points down this list.
_MODULES = """
lectures check widgets source plots lab experiments metrics gans likelihood training replicas
networks divergences data gaussian memory validate
""".split()


def _import_tensorflow_quietly() -> None:
    """Import TensorFlow, and let it look for its devices, with the process's stderr closed.

    TensorFlow 2.21 writes start-up notes to stderr before its own log level applies, and they
    would stand at the top of every lecture. An exception still reaches the caller.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        importlib.import_module("tensorflow").config.list_physical_devices()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


if "tensorflow" not in sys.modules:
    _import_tensorflow_quietly()


def __getattr__(name: str):
    """Import a module when it is first named: ``genlib.divergences.kl`` needs one import line."""
    if name in _MODULES:
        return importlib.import_module(f"genlib.{name}")
    raise AttributeError(f"module 'genlib' has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_MODULES])
