/* foreign WAY FILE: creates FILE by a call of another ABI: "i386" (int 0x80) or "x32". Prints what the call
   returned. The path lies below 4 GB so that a 32-bit call can name it. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    long r;
    strcpy(low, argv[2]);
    if (!strcmp(argv[1], "i386")) {
        int r32;
        __asm__ volatile("int $0x80" : "=a"(r32) : "a"(8 /* creat */), "b"(low), "c"(0644) : "memory", "r8", "r9", "r10", "r11");
        r = r32;
    } else {
        __asm__ volatile("syscall" : "=a"(r) : "a"(0x40000000L | 85), "D"(low), "S"(0644) : "rcx", "r11", "memory");
    }
    printf("%ld\n", r);
    return 0;
}
