"""Attacks on what there is of time, memory, space and processes; `aim["much"]` says how far they go.

The positive controls are tiny: they only show that the same text works where nothing limits it.
"""

from __future__ import annotations

from typing import Any

from attacks_prelude import *

Aim = dict[str, Any]
MIB = 1 << 20


def allocate(aim: Aim) -> object:
    return len(bytearray(aim["much"])) == aim["much"]


def map_shared_memory(aim: Aim) -> object:
    with mmap.mmap(-1, aim["much"]) as block:
        return len(block) == aim["much"]


def write_one_large_file(aim: Aim) -> object:
    with open("outputs/large", "wb") as handle:
        for _ in range(aim["much"] >> 16):
            handle.write(b"x" * 65536)
    return os.path.getsize("outputs/large") == aim["much"]


def write_many_files(aim: Aim) -> object:
    for number in range(16):
        with open(f"outputs/part{number}", "wb") as handle:
            handle.write(b"x" * (aim["much"] // 16))
    return True


def reserve_space(aim: Aim) -> object:
    with open("outputs/reserved", "wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, aim["much"])
    return True


def make_many_files(aim: Aim) -> object:
    for number in range(aim["many"]):
        open(f"outputs/tiny{number}", "w").close()
    return True


def make_many_folders(aim: Aim) -> object:
    path = "outputs"
    for _ in range(aim["many"]):
        path += "/d"
        os.mkdir(path)
    return True


def flood_the_log(aim: Aim) -> object:
    for _ in range(aim["much"] >> 16):
        os.write(1, b"x" * 65536)
    return os.fstat(1).st_size >= aim["much"]


def open_many_files(aim: Aim) -> object:
    held = [open("/dev/null") for _ in range(aim["many"])]
    return len(held) == aim["many"]


def start_many_threads(aim: Aim) -> object:
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, daemon=True) for _ in range(aim["few"])]
    try:
        for thread in threads:
            thread.start()
    finally:
        over.set()
    return True


def fork_many(aim: Aim) -> object:
    """A fork bomb that stops by itself."""
    children = []
    try:
        for _ in range(aim["few"]):
            child = os.fork()
            if child == 0:
                time.sleep(30)
                os._exit(0)
            children.append(child)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return True


def loop(aim: Aim) -> object:
    until = time.monotonic() + aim["seconds"]
    while time.monotonic() < until:
        pass
    return True


def compute(aim: Aim) -> object:
    """As loop, by the time that it gets."""
    while time.process_time() < aim["seconds"]:
        pass
    return True


def sleep(aim: Aim) -> object:
    time.sleep(aim["seconds"])
    return True


def ignore_every_signal(aim: Aim) -> object:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(aim["seconds"])
    return True


def stop_oneself(aim: Aim) -> object:
    """Stop for a while: somebody who waits for an end waits."""
    for thread_count in range(2):
        threading.Thread(target=time.sleep, args=[aim["seconds"]]).start()
    time.sleep(aim["seconds"])
    return thread_count


def close_the_pipes_and_go_on(aim: Aim) -> object:
    """The pipes tell the keeper that a trial has ended: without them it could wait for ever."""
    for number in (3, 4):
        if aim["close"]:
            os.close(number)
    time.sleep(aim["seconds"])
    return True


def claim_to_be_done_and_go_on(aim: Aim) -> object:
    if aim["close"]:
        os.write(3, b"TTTTTTTT")
    time.sleep(aim["seconds"])
    return True


def burn_time_in_threads(aim: Aim) -> object:
    until = time.monotonic() + aim["seconds"]

    def burn() -> None:
        while time.monotonic() < until:
            sum(range(1000))

    threads = [threading.Thread(target=burn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return True


def leave_a_daemon(aim: Aim) -> object:
    """Fork twice, leave the session, ignore signals, and live on; gives its process id as it knows it."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.setsid()
        daemon = os.fork()
        if daemon:
            os.write(writer, struct.pack("I", daemon))
            os._exit(0)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        for number in (0, 1, 2, 3, 4, reader, writer):
            try:
                os.close(number)
            except OSError:
                pass
        time.sleep(60)
        os._exit(0)
    return struct.unpack("I", os.read(reader, 4))[0]


SPACE = [
    allocate, map_shared_memory, write_one_large_file, write_many_files, reserve_space, make_many_files, make_many_folders,
    flood_the_log, open_many_files, start_many_threads,
]  # fmt: skip
TIME = [
    loop, sleep, ignore_every_signal, stop_oneself, close_the_pipes_and_go_on, claim_to_be_done_and_go_on,
    burn_time_in_threads,
]  # fmt: skip
