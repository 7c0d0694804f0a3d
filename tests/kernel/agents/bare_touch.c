/* The same without any libc: its first system call is the effect. */
static long call(long n, long a, long b, long c, long d) {
    long r;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return r;
}

void start(long *stack) {
    char **argv = (char **)(stack + 1);
    long fd = call(257, -100, (long)argv[1], 0101, 0644);
    call(231, fd < 0, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");
