"""Which system call is what to the gate, by name, and the numbers of this machine's architecture.

Four classes. ALLOW: reads, or acts on what the process already holds. HOLD: the warden decides and does
it on the caller's behalf. REFUSE: never useful to an agent and dangerous to the host; answered with an
errno in the filter. Everything else - numbers newer than this list, other ABIs - gets ENOSYS, which
programs take as "an old kernel" and fall back from. ``filter.py`` adds the calls whose class depends on
their arguments.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Final

from agentgate.intercept.kernel import numbers

__all__ = ["ALLOW", "HOLD", "REFUSE", "SIGNALS", "Abi", "native", "number_of"]

# Reads, waits, memory, own descriptors, own threads and signals. A write(2) is here because the
# descriptor it writes to was given by the gate.
ALLOW: Final = frozenset(
    """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close close_range
    stat fstat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getcwd
    getdents getdents64 statfs fstatfs ustat getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    getxattrat listxattrat file_getattr name_to_handle_at statmount listmount
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old
    epoll_pwait epoll_pwait2 lseek flock fcntl fsync fdatasync sync syncfs sync_file_range ftruncate
    fallocate fadvise64 readahead sendfile splice tee vmsplice copy_file_range cachestat
    io_setup io_destroy io_getevents io_submit io_cancel io_pgetevents
    mmap mprotect munmap mremap msync mincore madvise brk mlock mlock2 munlock mlockall munlockall
    remap_file_pages mbind set_mempolicy get_mempolicy set_mempolicy_home_node membarrier memfd_create
    memfd_secret pkey_mprotect pkey_alloc pkey_free mseal map_shadow_stack process_madvise process_mrelease
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause
    restart_syscall signalfd signalfd4 eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime
    inotify_init inotify_init1 inotify_add_watch inotify_rm_watch pipe pipe2 dup dup2 dup3
    nanosleep clock_nanosleep getitimer setitimer alarm timer_create timer_settime timer_gettime
    timer_getoverrun timer_delete clock_gettime clock_getres time gettimeofday times adjtimex clock_adjtime
    fork vfork clone3 exit exit_group wait4 waitid
    futex futex_waitv futex_wake futex_wait futex_requeue set_robust_list get_robust_list rseq
    set_thread_area get_thread_area arch_prctl modify_ldt getcpu sched_yield
    sched_getparam sched_getscheduler sched_getaffinity sched_getattr sched_get_priority_max
    sched_get_priority_min sched_rr_get_interval getpriority ioprio_get
    getpid gettid getppid getpgrp getpgid setpgid getsid setsid getuid geteuid getgid getegid getresuid
    getresgid getgroups setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups
    capget capset personality getrlimit setrlimit getrusage sysinfo uname sysfs syslog
    pidfd_open pidfd_getfd process_vm_readv process_vm_writev ptrace kcmp getrandom seccomp
    lsm_get_self_attr lsm_set_self_attr lsm_list_modules
    accept accept4 recvfrom recvmsg recvmmsg shutdown getsockname getpeername getsockopt
    shmdt
    """.split()
)

# Held and done by the warden on the resolved object (opens.py, files.py, sockets.py), or let go after a
# decision (execs.py). The last five are no actions. Every libc calls set_tid_address once, first thing, in
# a new program, which makes it the moment to compare the image that runs with the one that was approved;
# chdir and umask are noted, so that they need not be read again for every file that is made; chroot is
# noted, because what has another root is refused every path from then on (Caller.check_root).
HOLD: Final = frozenset(
    """
    creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
    mknod mknodat truncate chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat
    utime utimes utimensat futimesat setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    connect bind listen execve execveat set_tid_address chdir fchdir umask chroot
    shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl
    """.split()
)

# Signals stay inside the Landlock domain from ABI 6 on; on older kernels they are held.
SIGNALS: Final = frozenset("kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal".split())

_EPERM = (
    "pivot_root mount umount2 setns move_mount open_tree open_tree_attr fsopen fsconfig fsmount "
    "fspick mount_setattr swapon swapoff reboot init_module finit_module delete_module create_module "
    "kexec_load kexec_file_load bpf perf_event_open userfaultfd iopl ioperm settimeofday clock_settime "
    "sethostname setdomainname acct quotactl quotactl_fd vhangup fanotify_init fanotify_mark "
    "open_by_handle_at add_key keyctl request_key file_setattr setxattrat removexattrat "
    "migrate_pages move_pages"
)
# The warden stands outside every domain, so one that is made inside would not hold what the warden does on
# behalf. A sandbox that does not hold must not look as if it did: Landlock is "not enabled" here.
_EOPNOTSUPP = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
REFUSE: Final = dict.fromkeys(_EPERM.split(), errno.EPERM) | dict.fromkeys(
    _EOPNOTSUPP.split(), errno.EOPNOTSUPP
)


@dataclass(frozen=True)
class Abi:
    """``audit`` is the AUDIT_ARCH_* value of linux/audit.h that seccomp_data.arch must have; ``x32``
    says that numbers with bit 30 belong to another ABI of the same arch value."""

    machine: str
    audit: int
    numbers: dict[str, int]
    x32: bool = False

    def known(self, names: frozenset[str]) -> set[int]:
        """The numbers of those of ``names`` that this architecture has."""
        return {self.numbers[name] for name in names if name in self.numbers}


ABIS: Final = {
    "x86_64": Abi("x86_64", 0xC000003E, numbers.X86_64, x32=True),
    "aarch64": Abi("aarch64", 0xC00000B7, numbers.AARCH64),
}


def native() -> Abi | None:
    """This machine's ABI, None when the gate has no table for it."""
    return ABIS.get(os.uname().machine)


_NATIVE: Final = native()


def number_of(name: str) -> int:
    """This machine's number of a call that the gate itself makes; one that no kernel knows (ENOSYS) where
    there is no table."""
    return _NATIVE.numbers[name] if _NATIVE else -1
