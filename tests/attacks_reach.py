"""Attacks on the network, on other processes and on the kernel. See attacks_files."""

from __future__ import annotations

from typing import Any

from attacks_prelude import *

Aim = dict[str, Any]


def connect_over_tcp(aim: Aim) -> object:
    with socket.create_connection(("127.0.0.1", aim["tcp"]), timeout=5) as client:
        return client.recv(100).decode()


def listen_on_tcp(aim: Aim) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        return server.getsockname()[1] > 0


def send_over_udp(aim: Aim) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"secret", ("127.0.0.1", aim["udp"]))
        return client.recv(100).decode()


def ask_a_name_server(aim: Aim) -> object:
    """A question for an address, to a name server of the test; the name carries the data out."""
    question = struct.pack(">HHHHHH", 7, 256, 1, 0, 0, 0) + b"\x06secret\x04test\x00" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(question, ("127.0.0.1", aim["udp"]))
        return client.recv(512)[:2] == b"\x00\x07"


def resolve_a_name(aim: Aim) -> object:
    return socket.getaddrinfo("localhost", 80)[0][4][1]


def open_ipv6(aim: Aim) -> object:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
        return one.fileno() > 0


def open_netlink(aim: Aim) -> object:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as one:
        one.bind((0, 0))
        return one.getsockname() is not None


def connect_to_an_abstract_socket(aim: Aim) -> object:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect("\0" + aim["abstract"])
        return client.recv(100).decode()


def connect_to_a_file_socket(aim: Aim) -> object:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(aim["socket"])
        return client.recv(100).decode()


def pair_sockets(aim: Aim) -> object:
    one, other = socket.socketpair()
    one.send(b"x")
    return other.recv(1).decode()


def signal_a_process(aim: Aim) -> object:
    os.kill(aim["victim"], signal.SIGUSR1)
    return True


def signal_everyone(aim: Aim) -> object:
    """Whether it could signal the process that forked it (signal 0 asks without doing)."""
    if os.getppid() == 0:
        raise ProcessLookupError
    os.kill(os.getppid(), 0)
    return True


def trace_a_process(aim: Aim) -> object:
    system_call(101, ctypes.c_long(16), ctypes.c_long(aim["victim"]), None, None)  # PTRACE_ATTACH
    os.waitpid(aim["victim"], 0x40000000)
    system_call(101, ctypes.c_long(17), ctypes.c_long(aim["victim"]), None, None)  # PTRACE_DETACH
    return True


def trace_oneself(aim: Aim) -> object:
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.ptrace(0, 0, None, None) == 0 else 1)
    return os.waitpid(child, 0)[1] == 0


def read_memory_across_processes(aim: Aim) -> object:
    source, target = ctypes.create_string_buffer(b"secret", 8), ctypes.create_string_buffer(8)
    pair = [struct.pack("QQ", ctypes.addressof(one), 8) for one in (target, source)]
    system_call(310, ctypes.c_long(os.getpid()), pair[0], ctypes.c_long(1), pair[1], ctypes.c_long(1), ctypes.c_long(0))
    return target.value.decode()


def hold_a_process(aim: Aim) -> object:
    return os.pidfd_open(aim["victim"]) >= 0


def change_priorities(aim: Aim) -> object:
    return os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + 1) is None


def fork(aim: Aim) -> object:
    child = os.fork()
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def run_a_program(aim: Aim) -> object:
    return subprocess.run([sys.executable, "-c", "print('ran')"], capture_output=True, text=True, check=True).stdout


def enter_a_user_namespace(aim: Aim) -> object:
    return in_a_child(lambda: unshare(0x10000000))


def enter_a_network_namespace(aim: Aim) -> object:
    return in_a_child(lambda: unshare(0x10000000 | 0x40000000))


def clone_into_a_namespace(aim: Aim) -> object:
    child = system_call(56, ctypes.c_long(0x10000000 | signal.SIGCHLD), None, None, None, None)
    if child == 0:
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def mount_something(aim: Aim) -> object:
    def mount() -> None:
        unshare(0x10000000 | 0x00020000)
        where = aim["folder"] if os.path.isdir(aim["folder"]) else "outputs/tmp"
        if libc.mount(b"tmpfs", os.fsencode(where), b"tmpfs", 0, None) != 0:
            raise OSError(ctypes.get_errno(), "mount")

    return in_a_child(mount)


def change_the_root(aim: Aim) -> object:
    def change() -> None:
        unshare(0x10000000)
        os.chroot(".")

    return in_a_child(change)


def become_somebody_else(aim: Aim) -> object:
    def change() -> None:
        unshare(0x10000000)
        system_call(126, struct.pack("Ii", 0x20080522, 0), b"\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0" * 2)

    return in_a_child(change)


def make_a_memory_file(aim: Aim) -> object:
    return system_call(319, b"flood", ctypes.c_long(0)) >= 0


def share_memory(aim: Aim) -> object:
    number = system_call(29, ctypes.c_long(0), ctypes.c_long(4096), ctypes.c_long(0o1600))
    system_call(31, ctypes.c_long(number), ctypes.c_long(0), None)
    return True


def use_io_uring(aim: Aim) -> object:
    return system_call(425, ctypes.c_long(1), ctypes.create_string_buffer(120)) >= 0


def use_userfaultfd(aim: Aim) -> object:
    return system_call(323, ctypes.c_long(1)) >= 0


def use_the_keyring(aim: Aim) -> object:
    return system_call(250, ctypes.c_long(0), ctypes.c_long(-2 & 0xFFFFFFFF), ctypes.c_long(1)) != 0


def count_performance_events(aim: Aim) -> object:
    event = struct.pack("IIQ", 1, 120, 1) + b"\0" * 24 + struct.pack("Q", 0x21) + b"\0" * 72
    return system_call(298, event, ctypes.c_long(0), ctypes.c_long(-1), ctypes.c_long(-1), ctypes.c_long(0)) >= 0


def load_a_bpf_map(aim: Aim) -> object:
    return system_call(321, ctypes.c_long(0), struct.pack("IIII", 2, 4, 4, 1) + b"\0" * 104, ctypes.c_long(120)) >= 0


def watch_the_file_system(aim: Aim) -> object:
    return system_call(294, ctypes.c_long(0)) >= 0


def raise_a_limit(aim: Aim) -> object:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return True


def forge_the_keepers_answer(aim: Aim) -> object:
    """Write where the parent of this process talks to whoever started it."""
    written = []
    for number in range(5, 64):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                written.append(os.write(number, b""))
        except OSError:
            pass
    return [0 for _ in written]


def unshare(flags):
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def in_a_child(action):
    """Do it in a forked child where that is possible, else here; whether it could be done."""
    try:
        child = os.fork()
    except OSError:
        action()
        return True
    if child == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


TOOLS = [unshare, in_a_child]
ATTACKS = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__module__", "") == __name__ and value not in TOOLS
]
