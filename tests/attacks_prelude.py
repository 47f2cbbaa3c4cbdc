"""What the text of every attack may use."""

from __future__ import annotations

import ctypes
import errno
import gc
import importlib
import json
import mmap
import os
import pickle
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

import numpy as np

libc = ctypes.CDLL(None, use_errno=True)


def system_call(number, *arguments):
    """A raw system call; raises `OSError` where the kernel says no."""
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
