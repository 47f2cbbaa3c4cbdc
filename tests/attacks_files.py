"""Attacks on files and on what is inherited. Each gives what it got hold of; nothing where it failed.

They are sent as source text into a trial, and into a plain run as the positive control; `aim` says what to go for.
They do no harm where they succeed: they touch their own workspace and a temporary folder of the test.
"""

from __future__ import annotations

from typing import Any

from attacks_prelude import *

Aim = dict[str, Any]


def read_the_answer(aim: Aim) -> object:
    return open(aim["answer"]).read()


def read_the_bank(aim: Aim) -> object:
    return open(aim["bank"], "rb").read(6).decode()


def read_sealed_labels(aim: Aim) -> object:
    return [round(value, 3) for value in np.load(aim["sealed_labels"]).tolist()]


def search_the_whole_disk(aim: Aim) -> object:
    top = os.path.dirname(aim["answer"])
    roots = [top] if os.path.exists(top) else [f"/{name}" for name in os.listdir("/")]
    for root in roots:
        for folder, _, names in os.walk(root):
            if os.path.basename(aim["answer"]) in names:
                return folder
    return None


def read_the_data_generator(aim: Aim) -> object:
    return "def generate" in open(aim["generator"]).read()


def import_the_data_generator(aim: Aim) -> object:
    sys.path.append(aim["package_root"])
    module = importlib.import_module("mlops_debugger.projects.loan_outcomes.data")
    return module.__name__


def import_the_faults(aim: Aim) -> object:
    sys.path.append(aim["package_root"])
    return importlib.import_module("mlops_debugger.faults").__name__


def load_a_librarys_data_set(aim: Aim) -> object:
    from sklearn.datasets import load_digits

    return len(load_digits().target)


def read_a_librarys_data_set(aim: Aim) -> object:
    import sklearn

    folder = os.path.join(os.path.dirname(sklearn.__file__), "datasets", "data")
    return sorted(os.listdir(folder))[:3]


def read_the_environment(aim: Aim) -> object:
    return {name: os.environ[name] for name in ("PATH", "HOME", "USER", "PYTHONPATH", "SECRET") if name in os.environ}


def read_the_parents_environment(aim: Aim) -> object:
    return "PATH=" in open(f"/proc/{aim['parent']}/environ", "rb").read().decode("utf-8", "replace")


def read_the_parents_command_line(aim: Aim) -> object:
    return open(f"/proc/{aim['parent']}/cmdline").read()[:10]


def walk_the_parents_root(aim: Aim) -> object:
    return os.listdir(f"/proc/{aim['parent']}/root")


def read_the_parents_memory(aim: Aim) -> object:
    with open(f"/proc/{os.getppid()}/maps") as maps, open(f"/proc/{os.getppid()}/mem", "rb") as memory:
        start, _, _ = next(line for line in maps if "[heap]" in line).partition("-")
        memory.seek(int(start, 16))
        return len(memory.read(4096))


def list_processes(aim: Aim) -> object:
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()][:3]


def inherit_descriptors(aim: Aim) -> object:
    found = []
    for number in range(3, 256):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            pass
    return found[2:]  # its own two pipes are what a run is given


def write_outside_scratch(aim: Aim) -> object:
    path = os.path.join(aim["folder"], "written")
    open(path, "w").write("here")
    return os.path.exists(path)


def write_to_a_world_writable_folder(aim: Aim) -> object:
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        path = os.path.join(folder, aim["token"])
        try:
            open(path, "w").close()
        except OSError:
            continue
        os.unlink(path)
        return path
    return None


def overwrite_inputs(aim: Aim) -> object:
    open("data/aim.json", "w").write("{}")
    return open("data/aim.json").read() == "{}"


def overwrite_the_project(aim: Aim) -> object:
    open("pipeline.py", "a").write("\n")
    return True


def delete_inputs(aim: Aim) -> object:
    os.unlink("data/aim.json")
    return not os.path.exists("data/aim.json")


def move_the_output_folder(aim: Aim) -> object:
    os.rename("outputs", "elsewhere")
    os.mkdir("outputs")
    return os.path.isdir("elsewhere")


def shadow_a_library(aim: Aim) -> object:
    first = next(folder for folder in sys.path if os.path.isdir(folder))
    open(os.path.join(first, "yaml.py"), "w").write("SHADOW = True\n")
    sys.modules.pop("yaml", None)
    importlib.invalidate_caches()
    return importlib.import_module("yaml").SHADOW


def leave_a_sitecustomize(aim: Aim) -> object:
    place = aim["folder"] if os.path.isdir(aim["folder"]) else "outputs/tmp"
    open(os.path.join(place, "sitecustomize.py"), "w").write("print('customized')\n")
    words = [sys.executable, "-c", ""]
    done = subprocess.run(words, env={"PYTHONPATH": place}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def link_the_result_to_a_secret(aim: Aim) -> object:
    os.symlink(aim["answer"], "outputs/live.txt")
    return open("outputs/live.txt").read()


def link_the_result_folder_elsewhere(aim: Aim) -> object:
    os.rmdir("outputs/tmp") if os.path.exists("outputs/tmp") else os.mkdir("outputs/none")
    os.symlink(aim["folder"], "outputs/tmp2")
    open("outputs/tmp2/through", "w").close()
    return os.path.exists(os.path.join(aim["folder"], "through"))


def hard_link_a_secret(aim: Aim) -> object:
    os.link(aim["answer"], os.path.abspath("outputs/hard.txt"))
    return open("outputs/hard.txt").read()


def hard_link_an_input(aim: Aim) -> object:
    os.link("data/aim.json", "outputs/hard.json")
    return True


def race_renames(aim: Aim) -> object:
    """Swap a plain file for a link while somebody reads it."""
    open("outputs/plain", "w").close()
    os.symlink(aim["answer"], "outputs/link")
    for _ in range(50):
        os.rename("outputs/plain", "outputs/seen")
        os.rename("outputs/link", "outputs/seen")
        open("outputs/plain", "w").close()
        os.symlink(aim["answer"], "outputs/link")
    os.rename("outputs/link", "outputs/seen")
    return open("outputs/seen").read()


def put_a_pipe_where_a_file_is_read(aim: Aim) -> object:
    os.mkfifo("outputs/fifo")
    return stat.S_ISFIFO(os.stat("outputs/fifo").st_mode)


def make_a_node(aim: Aim) -> object:
    os.mknod("outputs/node", stat.S_IFREG | 0o600)
    return os.path.exists("outputs/node")


def make_a_file_setuid(aim: Aim) -> object:
    open("outputs/program", "w").close()
    os.chmod("outputs/program", 0o4755)
    return bool(os.stat("outputs/program").st_mode & stat.S_ISUID)


def leave_something_for_the_next_trial(aim: Aim) -> object:
    """Whether it finds what an earlier run of the same code left."""
    places = [aim["folder"], "outputs", "outputs/tmp", ".", "/tmp", "/dev/shm"]
    marks = [os.path.join(place, f"left-{aim['token']}") for place in places]
    found = [mark for mark in marks if os.path.exists(mark)]
    for mark in marks:
        try:
            open(mark, "w").close()
        except OSError:
            pass
    if aim["last"]:
        for mark in marks:
            try:
                os.unlink(mark)
            except OSError:
                pass
    return found


ATTACKS = [
    value for value in list(globals().values()) if callable(value) and getattr(value, "__module__", "") == __name__
]
TWICE = [leave_something_for_the_next_trial]
