/* peek FILE: prints its content. Without a C library's help: the system call as it is. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char text[100];
    long fd = syscall(SYS_openat, AT_FDCWD, argv[1], O_RDONLY);
    if (fd < 0) return 1;
    long count = read(fd, text, sizeof text);
    return write(1, text, count) != count;
}
