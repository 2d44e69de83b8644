"""Kernels for the notebooks' tests: forked from one process that has imported TensorFlow.

Importing it takes longer than most lectures' arithmetic, and is the same for each. The nursery
imports the packages and never runs one of their operations, so that no thread but BLAS's, which
minds forks, has started. A kernel forked from it reads its own copy of all that follows. Elsewhere
than on Linux nbval starts kernels by itself.
"""

import functools
import json
import os
import signal
import subprocess
import sys

from jupyter_client.manager import KernelManager
from jupyter_client.provisioning import LocalProvisioner

NURSERY = """\
import json, os, signal, sys
import genlib  # first: it imports TensorFlow without its start-up notes
import ipykernel.kernelapp, scipy.stats, sklearn.svm, tensorflow_probability

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # an ended kernel is not kept
for line in sys.stdin:
    task = json.loads(line)
    pid = os.fork()
    if not pid:
        break
    print(pid, flush=True)
else:
    sys.exit()
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
os.setsid()
os.chdir(task["cwd"])
os.environ.clear()
os.environ.update(task["env"])
for stream in (0, 1, 2):
    os.dup2(os.open(os.devnull, os.O_RDWR), stream)
sys.argv = ["ipykernel_launcher", *task["arguments"]]
sys.path[0] = ""
ipykernel.kernelapp.launch_new_instance()
"""


class Child:
    """A kernel that the nursery forked, with as much of ``Popen`` as its provisioner calls."""

    stdin = stdout = stderr = None

    def __init__(self, pid):
        self.pid = pid

    def poll(self):
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self):
        return 0  # the nursery has seen to it

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


@functools.cache
def nursery():
    """One for this process; it ends when its standard input does."""
    command = [sys.executable, "-c", NURSERY]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, text=True, **pipes)


class Forked(LocalProvisioner):
    async def launch_kernel(self, cmd, cwd=None, env=None, **kwargs):
        task = {"arguments": cmd[cmd.index("-f") :], "cwd": cwd or os.getcwd(), "env": dict(env)}
        print(json.dumps(task), file=nursery().stdin, flush=True)
        self.process = Child(int(nursery().stdout.readline()))
        self.pid = self.process.pid
        return self.connection_info


class ForkedManager(KernelManager):
    """nbval's kernel manager, but for where its kernels come from."""

    def __init__(self, **options):
        super().__init__(**options)
        self.provisioner = Forked(
            kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
        )
