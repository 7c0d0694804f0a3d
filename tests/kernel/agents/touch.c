/* touch FILE: makes FILE with its own name in it. No shell, no interpreter. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0) return 1;
    write(fd, argv[0], strlen(argv[0]));
    return 0;
}
