"""What tests/probe/probe.c tries from inside the sandbox, and what came of it."""

import os

BY_MEMORY = {"mprotect to execute", "mmap to execute"}
BY_TABLES = {"x32", "32 bits"} if os.uname().machine == "x86_64" else set()
BY_NETWORK = {"socket of packets", "socket of IPv4", "socket of unix", "socketpair", "sendto", "detach the filter"}
BY_FILES = {"open to read", "open to write", "open a directory", "mkdir", "unlink", "rename", "truncate", "chmod", "mount",
            "execve"}
BY_PROCESSES = {"fork", "ptrace", "kill", "process_vm_readv", "setuid", "prctl", "capset", "unshare", "bpf",
                "io_uring_setup", "perf_event_open", "userfaultfd"}
# What a capture may not do with its packet socket; and what it must be able to.
BY_BINDING = {"bind elsewhere", "bind within an entry", "bind behind the table", "bind by an upper half", "bind with more",
              "ring", "membership", "the number on another level", "another option",
              *(f"table, {how}" for how in ("mprotect", "mprotect by a tag", "munmap", "munmap from below", "munmap by a tag",
                                            "madvise", "mmap over it", "mremap over it", "mremap away"))}
NEEDED = {"arm", "disarm"}


def tried(path):
    """What each attempt came to. Where the kernel has no 32-bit calls at all, there is nothing to refuse."""
    results = dict(line.split(": ") for line in path.read_text().splitlines())
    # musl's mmap() says ENOMEM for the kernel's EPERM.
    same = {("mmap to execute", "ENOMEM"), ("32 bits", "no such path on this kernel")}
    return {what: "EPERM" if (what, said) in same else said for what, said in results.items()}
