"""The seccomp profile of a container that runs nested containers.

The engine's default profile forbids what nesting needs: new namespaces, and mounts in them. This
profile allows them, and forbids calls into the kernel or other processes that no build needs.
BuildKit applies the engine's default profile to the nested containers again.
https://docs.docker.com/engine/security/seccomp/
"""

import json
from typing import Final

_REFUSED: Final = (
    "acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "delete_module", "finit_module",
    "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl",
    "kcmp", "kexec_file_load", "kexec_load", "lookup_dcookie", "nfsservctl", "open_by_handle_at",
    "perf_event_open", "process_vm_readv", "process_vm_writev", "ptrace", "quotactl",
    "quotactl_fd", "reboot", "request_key", "settimeofday", "swapoff", "swapon", "syslog",
    "userfaultfd", "vhangup", "vm86", "vm86old",
)  # fmt: skip

NESTING_PROFILE: Final = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": list(_REFUSED), "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
    }
)
