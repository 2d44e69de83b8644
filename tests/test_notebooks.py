"""Each lecture follows the template, and the rules that say so catch what they are for."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from nbconvert.exporters import ScriptExporter

import course
import format
import new
import run
import stamp
import verify
from format import WIDGET_VIEW, canonical

LECTURES = course.lectures()


@pytest.mark.parametrize("rule", verify.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", LECTURES, ids=lambda path: path.stem)
def test_lecture_follows_the_template(path, rule):
    assert list(rule(path, course.read(path))) == []


# A lecture without a fault, made by hand, and then one fault at a time.

PNG = "iVBORw0KGgo="


def picture(alt="A line that rises."):
    metadata = {"image/png": {"alt": alt}} if alt else {}
    data = {"image/png": PNG, "text/plain": alt or "figure"}
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def stream(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def good_lecture():
    lecture = new.skeleton("10_kl", "A lecture")
    for count, (_, cell) in enumerate(course.code_cells(lecture), 1):
        cell.execution_count = count
        if "TODO: a picture" in cell.source:
            cell.source, cell.outputs = "print(1)", [picture()]
        if "explore(" in cell.source:
            cell.outputs = [picture("Two densities.")]
        if "source.show" in cell.source:
            cell.source = "from genlib import source"
        if "check(" in cell.source:
            word = (
                "Right: so." if course.is_solution(cell) else "Not answered yet: replace the None."
            )
            cell.outputs = [stream(word + "\n")]
            cell.source = cell.source.replace("...  # TODO", "1")
    for cell in lecture.cells:
        cell.source = cell.source.replace("TODO", "Said")
    return lecture


def problems(lecture, folder, slug="10_kl", stored=None):
    path = folder / f"{slug}.ipynb"
    path.write_text(stored or canonical(lecture))
    return verify.problems(path)


def test_a_good_lecture_passes(tmp_path):
    assert problems(good_lecture(), tmp_path) == []


def test_a_lecture_on_a_gan_sums_its_game_up_in_a_box():
    lecture = good_lecture()
    box = "\n### The game in a box\n\n| | |\n| --- | --- |\n"
    box += "".join(f"| **{row}** | said |\n" for row in verify.BOX)
    mathematics = next(cell for cell in lecture.cells if "## The mathematics" in cell.source)
    mathematics.source += box
    path = course.NOTEBOOKS / "30_gan.ipynb"
    assert list(verify.boxed(path, lecture)) == []
    mathematics.source = mathematics.source.replace("The game**", "Game**")
    assert "must be a table" in next(verify.boxed(path, lecture))


def replace(old, new):
    def change(lecture):
        for cell in lecture.cells:
            cell.source = cell.source.replace(old, new)

    return change


def on_cell(having, action):
    def change(lecture):
        action(next(cell for cell in lecture.cells if having in cell.source))

    return change


def drop_picture(lecture):
    for _, cell in course.code_cells(lecture):
        cell.outputs = [o for o in cell.outputs if "image/png" not in o.get("data", {})]


def solution(action):
    return lambda lecture: action(next(c for c in lecture.cells if course.is_solution(c)))


def widget_without_picture(cell):
    view = {WIDGET_VIEW: {"model_id": "x"}, "text/plain": "Explorer"}
    cell.outputs = [nbformat.v4.new_output("display_data", data=view)]


FAULTS = {
    "badge elsewhere": (replace("github/OWNER", "github/other"), "cell 0 needs this line"),
    "no title": (replace("# A lecture", "A lecture"), "must be markdown that begins"),
    "no goals": (replace("- Said\n- Said\n\n**You need", "\n**You need"), "needs a list"),
    "no preface": (replace("**You need first**", "Before"), "in this order"),
    "another time": (replace("about 45 minutes", "about 46 minutes"), "plan's minutes want"),
    "too little time": (replace("\n\nSaid", "\n\n" + 6000 * "word "), "the plan says fewer"),
    "a need that is not planned": (replace("(02_likelihood_vs_pdf", "(11_jsd"), "plan's needs are"),
    "a need left out": (replace("](02_likelihood_vs_pdf.ipynb)", "]"), "plan's needs are"),
    "no answers": (replace("<details>", ""), "2 numbered prompts, 0 folded answers"),
    "no prompts": (replace("Predict, then try:\n\n1. Said", ""), "0 numbered prompts, 1 folded"),
    "an answer short": (
        replace("1. Said\n\n<det", "1. Said\n2. Said\n\n<det"),
        "2 numbered prompts",
    ),
    "unfinished": (replace("## Play\n\nSaid", "## Play\n\nTODO"), "still says TODO"),
    "own set-up": (replace("import genlib.lectures", "import genlib"), "set-up cell"),
    "section missing": (replace("## Where it breaks", "## Limits"), "the sections"),
    "section misplaced": (replace("## Play", "## References"), "the sections"),
    "two lines to take away": (replace("Take away\n\n- Said", "Take away\n"), "three lines"),
    "nothing to play with": (replace("explore(", "print("), "must open an explorer"),
    "exercises miscounted": (replace("### Exercise 2", "### Exercise 3"), "count from 1"),
    "one exercise": (replace("### Exercise 2", "### More"), "2 to 4 exercises"),
    "answer unchecked": (replace('check("10_kl/2", answer)', "answer"), "answer cell"),
    "wrong solution": (solution(lambda c: c.update(outputs=[stream("No.")])), "printed 'Right'"),
    "open solution": (solution(lambda c: c.metadata.pop("jupyter")), "metadata must be"),
    "nameless solution": (replace("# @title Solution", "# so"), "must begin with"),
    "not run in order": (
        on_cell("explore", lambda c: c.update(execution_count=9)),
        "top to bottom",
    ),
    "an error": (
        on_cell("explore", lambda c: c.outputs.append(nbformat.v4.new_output("error", ename="E"))),
        "ended in E",
    ),
    "stderr": (on_cell("explore", lambda c: c.outputs.append(stream("!", "stderr"))), "to stderr"),
    "address": (
        on_cell("explore", lambda c: c.outputs.append(stream("<f at 0x7f1234567890>"))),
        "prints an address",
    ),
    "a dead widget": (on_cell("explore", widget_without_picture), "without a still picture"),
    "no alt text": (on_cell("explore", lambda c: c.update(outputs=[picture("")])), "alt text"),
    "no alt text in prose": (replace("## Where it", "![](a.png)\n\n## Where it"), "alt text"),
    "no picture": (drop_picture, "no picture is stored"),
    "formula first": (replace("## The question", "## The question\n\n$$x$$"), "first formula"),
    "too large": (on_cell("explore", lambda c: c.outputs.append(stream("x" * 1_500_000))), "bytes"),
    "undefined name": (replace("print(1)", "print(figure_one)"), "F821"),
    "a function of genlib's": (replace("print(1)", "def explore(x):\n    return x"), "import it"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught(name, tmp_path):
    change, said = FAULTS[name]
    lecture = good_lecture()
    change(lecture)
    assert said in "\n".join(problems(lecture, tmp_path))


def test_copied_lines_are_caught(monkeypatch):
    lines = ["first_line = 1", "second_line = 2", "third_line = 3", "fourth_line = 4"]
    monkeypatch.setattr(verify, "library", lambda: (set(), {tuple(lines)}))
    lecture = good_lecture()
    copy = next(c for c in lecture.cells if c.source == "print(1)")
    copy.source = "\n".join(["if True:", *(f"    {line}" for line in lines), "# end"])
    assert any("copies lines of genlib" in p for p in verify.no_copies(None, lecture))
    copy.source = "\n".join(lines[:3])
    assert list(verify.no_copies(None, lecture)) == []


def test_the_library_is_read():
    names, runs = verify.library()
    assert {"explore", "positive", "kl", "emd", "GAN", "check"} <= names
    own = verify.telling_lines((course.ROOT / "genlib" / "validate.py").read_text())
    assert tuple(own[:4]) in runs


def test_a_lecture_that_is_not_planned_is_caught(tmp_path):
    assert any("is not in the plan" in p for p in problems(good_lecture(), tmp_path, "99_x"))


def test_a_lecture_without_a_module_is_caught(tmp_path, monkeypatch):
    monkeypatch.setattr(course.plan, "source_of", lambda slug: course.ROOT / f"l{slug}.py")
    assert any("its module is missing: l10_kl.py" in p for p in problems(good_lecture(), tmp_path))


def test_a_start_without_a_widget_is_caught(tmp_path):
    lecture = new.skeleton("00_start_here", "Start")
    del lecture.cells[4:6]
    found = problems(lecture, tmp_path, "00_start_here")
    assert any("first five cells" in problem for problem in found)


def test_the_canonical_form_drops_noise_and_is_stable(tmp_path):
    lecture = good_lecture()
    cell = next(c for c in lecture.cells if "explore(" in c.source)
    cell.source = "from genlib.widgets import explore\nimport numpy as np\nexplore( 'kl' )"
    cell.metadata["execution"] = {"iopub.status.busy": "now"}
    cell.outputs = [
        stream("10 %\r50 %\r"),
        stream("done\n"),
        stream("more\n"),
        picture() | {"data": {"image/png": PNG + "\n", WIDGET_VIEW: {}, "text/plain": "x"}},
    ]
    lecture.metadata["widgets"] = {"state": {}}
    text = canonical(lecture)
    new = json.loads(text)
    assert canonical(nbformat.reads(text, as_version=4)) == text
    assert set(new["metadata"]) == {"kernelspec", "language_info"}
    assert [c["id"] for c in new["cells"]][:2] == ["cell-00", "cell-01"]
    cell = next(c for c in new["cells"] if any("explore(" in line for line in c["source"]))
    assert cell["metadata"] == {}
    assert cell["outputs"][0]["text"] == ["done\n", "more\n"]
    assert set(cell["outputs"][1]["data"]) == {"image/png", "text/plain"}
    assert cell["outputs"][1]["metadata"]["image/png"]["alt"]
    source = "".join(cell["source"])
    assert source.index("import numpy") < source.index("from genlib")
    assert 'explore("kl")' in source
    assert problems(lecture, tmp_path, stored=text.replace('"cell-01"', '"other"'))


def test_a_lecture_that_fails_or_warns_is_not_stored(tmp_path):
    for source, said in (
        ("1 / 0", "ZeroDivisionError"),
        ("import sys\nsys.stderr.write('!')", "stderr"),
    ):
        path = tmp_path / "x.ipynb"
        before = canonical(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]))
        path.write_text(before)
        with pytest.raises(run.LectureError, match=said):
            run.run(path)
        assert path.read_text() == before


def test_running_stores_results_time_and_memory(tmp_path):
    path = tmp_path / "x.ipynb"
    cells = [nbformat.v4.new_code_cell("explore = print"), nbformat.v4.new_code_cell("explore(6)")]
    path.write_text(canonical(nbformat.v4.new_notebook(cells=cells)))
    report = run.run(path).split()
    seconds, widget, memory = (float(number) for number in report[1:4])
    assert 0 < widget < seconds < 60 and 10 < memory < 2000
    stored = course.read(path)
    assert len(stored.cells) == 2 and stored.cells[1].outputs[0].text == "6\n"


# The commands


@pytest.mark.parametrize("tool", [run, format, verify], ids=lambda tool: tool.__name__)
def test_an_unknown_lecture_is_named(tool, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tool", "zebra"])
    with pytest.raises(SystemExit, match="no lecture 'zebra'"):
        tool.main()


@pytest.mark.parametrize(
    "slug, said", [("99_x", "'99_x' is not in the plan"), ("10_kl", "10_kl.ipynb exists")]
)
def test_a_lecture_starts_once_and_from_the_plan(slug, said, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["new.py", slug, "Title"])
    with pytest.raises(SystemExit, match=said):
        new.main()


def test_the_tools_read_the_plan_without_tensorflow(tmp_path):
    """The first TensorFlow to be found ends the program: none of the tools comes to it."""
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    work = """
import course, format, new, run, stamp, table, verify
path = course.NOTEBOOKS / "10_kl.ipynb"
verify.problems(path), stamp.stamped_lecture(path), table.table(), new.skeleton("10_kl", "KL")
print("worked")
import genlib
"""
    path = {"PYTHONPATH": f"{course.ROOT / 'tools'}:{tmp_path}:{course.ROOT}"}
    done = subprocess.run([sys.executable, "-c", work], env=path, capture_output=True, text=True)
    assert done.stdout == "worked\n", done.stderr
    assert done.stderr == "TensorFlow was imported\n"


def test_nbconvert_makes_a_script():
    code, resources = ScriptExporter().from_filename(course.NOTEBOOKS / "10_kl.ipynb")
    assert resources["output_extension"] == ".py"
    compile(code, "10_kl.py", "exec")


# The set-up cell


def test_the_set_up_cell_sees_through_another_genlib(tmp_path, monkeypatch):
    """PyPI has a library of this name. Here pip is a stand-in that puts ours in its place."""
    monkeypatch.setattr(stamp, "address", lambda: "a/course")
    other = tmp_path / "genlib"
    other.mkdir()
    (other / "__init__.py").write_text("class SerialPort: ...")
    work = f"""
import os, shutil, sys
from IPython.core.interactiveshell import InteractiveShell

# The course's own environment finds its genlib beside any other.
sys.meta_path[:] = [f for f in sys.meta_path if not f.__module__.startswith("__editable__")]

def pip(line):
    print("pip", line)
    shutil.rmtree({str(other)!r})
    os.symlink({str(course.ROOT / "genlib")!r}, {str(other)!r})

shell = InteractiveShell.instance()
shell.register_magic_function(pip)
setup = {stamp.setup_cell()!r}
for cell in (setup, setup, "print(genlib.divergences.__name__)"):
    shell.run_cell(cell).raise_error()
"""
    path = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", work]
    done = subprocess.run(command, env=path, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("pip install -q") and second == "genlib.divergences"
