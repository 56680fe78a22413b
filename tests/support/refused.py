"""refused.py WHAT COMMAND...: run it where the kernel refuses what an older one does not know; its children, too."""

import ctypes
import errno
import os
import struct
import sys

CALLS = {"fcntl": 72, "memfd_create": 319} if os.uname().machine == "x86_64" else {"fcntl": 25, "memfd_create": 279}
LOAD, EQUAL, ANY, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, FILTER = 22, 2


def refuse(call, conditions, number):
    """conditions: (argument, code, value), all of which have to hold."""
    program = [(LOAD, 0, 0, 0), (EQUAL, 0, 2 * len(conditions) + 1, CALLS[call])]
    for at, (argument, code, value) in enumerate(conditions):
        program += [(LOAD, 0, 0, 16 + 8 * argument), (code, 0, 2 * (len(conditions) - at) - 1, value)]
    program += [(RETURN, 0, 0, ERRNO | number), (RETURN, 0, 0, ALLOW)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in program))
    whole = ctypes.create_string_buffer(struct.pack("<H6xQ", len(program), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, FILTER, whole, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")


REFUSED = {
    "future-write": ("fcntl", [(1, EQUAL, 1033), (2, ANY, 0x10)], errno.EINVAL),  # before Linux 5.1
    "seals": ("fcntl", [(1, EQUAL, 1033)], errno.EINVAL),
    "memfd": ("memfd_create", [], errno.ENOSYS),  # before Linux 3.17
}

if __name__ == "__main__":
    refuse(*REFUSED[sys.argv[1]])
    os.execvp(sys.argv[2], sys.argv[2:])
