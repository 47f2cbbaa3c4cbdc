"""What a trial can see of the machine: the interpreter's library, the trainer's packages and what they link to.

`view_of_this_machine` says which; it runs in the parent. `build` makes it the root of the calling process's mount
namespace, read-only. Nothing of this package is in the view: no generator, no bank, no fault, no label.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mlops_debugger.runs.sandbox import kernel

PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "torch", "PyYAML")
"""What templates import. Their requirements come with them, nothing else that is installed does."""

LABELLED_DATA = (
    "sklearn/datasets/data", "sklearn/datasets/descr", "sklearn/datasets/images", "sklearn/datasets/tests",
    "networkx/generators/atlas.dat.gz", "scipy/datasets", "statsmodels/datasets",
)  # fmt: skip
"""Below site-packages: data sets that somebody could know the answers of. Covered by nothing."""

# torch chooses its kernels by what kind of processor this is: without these two it computes other last digits.
_PROCESSOR = ("/proc/cpuinfo", "/sys/devices/system/cpu")
_SYSTEM = ("/lib64", "/usr/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo", *_PROCESSOR)
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_PLAIN = kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV
WORK = "/trial"


@dataclass(frozen=True)
class View:
    """Paths of the host, each seen at the same path inside.

    `covered` folders lie below `visible` ones and are seen empty; `beneath` are visible ones below covered ones.
    `forbidden` paths must not exist once the view is built.
    """

    visible: tuple[str, ...]
    covered: tuple[str, ...]
    beneath: tuple[str, ...]
    forbidden: tuple[str, ...]
    search: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As JSON can carry it."""
        return asdict(self)


def read_view(plain: dict[str, Any]) -> View:
    """What `plain` gave."""
    return View(**{name: tuple(str(path) for path in paths) for name, paths in plain.items()})


@functools.cache
def view_of_this_machine() -> View:
    """What the trainer needs here: found from the installed packages' own records, so it follows their versions."""
    library = sysconfig.get_path("stdlib")
    sites = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    entries = _entries(PACKAGES)
    hidden = [str(Path(site) / name) for site in sites for name in LABELLED_DATA]
    # A site-packages inside the standard library holds whatever is installed, so it is covered and filled anew.
    nested = [str(path) for path in Path(library).glob("*-packages") if path.is_dir()]
    inside = [path for path in entries if any(path.startswith(f"{folder}/") for folder in nested)]
    system = [*_SYSTEM, *(f"{root}/{_multiarch()}" for root in ("/lib", "/usr/lib")), *_shared_objects()]
    visible = [library, *(path for path in entries if path not in inside), *system]
    package = Path(__file__).resolve().parents[2]
    return View(
        visible=tuple(path for path in visible if Path(path).exists()),
        covered=(*nested, *(path for path in hidden if Path(path).exists())),
        beneath=tuple(inside),
        forbidden=(str(package), *(str(Path(site) / "mlops_debugger") for site in sites), *_contents(hidden)),
        search=(library, sysconfig.get_config_var("DESTSHARED") or f"{library}/lib-dynload", *sites),
    )


def _contents(folders: Iterable[str]) -> list[str]:
    """A file of each folder: the folders themselves are seen, empty."""
    return [str(path) for folder in folders if Path(folder).is_dir() for path in sorted(Path(folder).iterdir())[:1]]


def _multiarch() -> str:
    return str(sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu")


def _shared_objects() -> list[str]:
    """Libraries beside the interpreter's (a conda environment has its own)."""
    return [str(path) for path in Path(sys.base_prefix, "lib").glob("lib*.so*") if path.is_file()]


def _entries(packages: Iterable[str]) -> list[str]:
    """The top-level files and folders of these distributions and of all that they require."""
    found: dict[str, metadata.Distribution] = {}
    wanted = list(packages)
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # required under a marker that does not hold here
            continue
        for requirement in found[name].requires or ():
            if "extra ==" not in requirement.replace("'", '"'):
                wanted.append(re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0])
    return sorted({path for item in found.values() for path in _top_level(item)})


def _top_level(item: metadata.Distribution) -> set[str]:
    record = item.read_text("RECORD")
    # The record of torch alone has 15,000 lines: splitting them costs a tenth of what `files` costs.
    lines = record.splitlines() if record else [str(path) for path in item.files or ()]
    names = {re.split("[/,]", line, maxsplit=1)[0] for line in lines}
    return {str(item.locate_file(name)) for name in names - {"..", "bin", "__pycache__", ""}}


def build(view: View, root: str) -> None:
    """Build the view below `root` (an empty folder) and make it the root; needs a mount namespace of one's own."""
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.mount("tmpfs", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=1m")
    for path in view.visible:
        _bind(path, root)
    for path in view.covered:
        if not Path(path).is_dir():
            kernel.mount("/dev/null", root + os.path.realpath(path), flags=kernel.MS_BIND)
            continue
        kernel.mount("tmpfs", root + os.path.realpath(path), "tmpfs", 0, "mode=755,size=64k")
    for path in view.beneath:
        _bind(path, root)
    for path in (WORK, "/etc", "/dev"):
        Path(root + path).mkdir(exist_ok=True)
    Path(root, "etc/passwd").write_text("trial:x:1:1::/trial/outputs/tmp:/\n", "utf-8")
    kernel.set_mount_attributes(root, _PLAIN, recursive=True)
    _devices(root)
    kernel.pivot_root(root)


def _devices(root: str) -> None:
    """Devices come last, in a folder of their own: the rest of the view has none that work."""
    kernel.mount("tmpfs", f"{root}/dev", "tmpfs", kernel.MS_NOSUID | kernel.MS_NOEXEC, "mode=755,size=64k")
    for path in DEVICES:
        Path(root + path).touch()
        kernel.mount(path, root + path, flags=kernel.MS_BIND)
    kernel.set_mount_attributes(f"{root}/dev", kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NOEXEC)


def _bind(path: str, root: str) -> None:
    """Show a path at the same place; symbolic links on the way are made again."""
    real = _links(path, root)
    target = Path(root + real)
    if Path(real).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    elif target.exists():  # two names lead here
        return
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    kernel.mount(real, str(target), flags=kernel.MS_BIND | kernel.MS_REC)


def _links(path: str, root: str) -> str:
    """Make the links of `path` again below `root`, and give the path that they lead to."""
    done = "/"
    parts = list(reversed(Path(path).parts[1:]))
    while parts:
        step = os.path.normpath(os.path.join(done, parts.pop()))  # noqa: PTH118 - no resolving
        if not os.path.islink(step):  # noqa: PTH114
            done = step
            continue
        aim = os.readlink(step)  # noqa: PTH115
        seen = Path(root + step)
        if not seen.is_symlink() and not seen.exists():
            seen.parent.mkdir(parents=True, exist_ok=True)
            seen.symlink_to(aim)
        parts += reversed([part for part in Path(aim).parts if part != "/"])
        done = "/" if aim.startswith("/") else done
    return done
