/* peekswap path|link PLAIN SECRET TIMES: opens what a second thread keeps swapping between the two - the
   path in memory, or a symbolic link on disk - and prints whatever it read but for "plain". PLAIN is SECRET
   with something behind it, so that one byte makes the difference. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[4096], *one, *two;
static volatile int over;

static void *swap_path(void *nothing) {
    for (int turn = 0; !over; turn++) path[strlen(two)] = turn % 2 ? one[strlen(two)] : 0;
    return 0;
}

static void *swap_link(void *nothing) {
    char next[4200];
    snprintf(next, sizeof next, "%s.next", path);
    unlink(next); /* a run before may have ended between the two calls, and no link could be made again */
    for (int turn = 0; !over; turn++)
        if (!symlink(turn % 2 ? one : two, next)) {
            rename(next, path);
            usleep(rand() % 300); /* or the two would keep step */
        }
    return 0;
}

int main(int argc, char **argv) {
    int by_path = !strcmp(argv[1], "path"), tries = atoi(argv[4]), plain = 0, refused = 0;
    pthread_t thread;
    one = argv[2], two = argv[3];
    snprintf(path, sizeof path, "%s", by_path ? one : "swapped");
    pthread_create(&thread, 0, by_path ? swap_path : swap_link, 0);
    while (!by_path && access(path, F_OK)) usleep(100);
    for (int i = 0; i < tries; i++) {
        char text[64] = "";
        sched_yield();
        int fd = open(path, O_RDONLY);
        if (fd < 0) {
            refused++;
            continue;
        }
        if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
        close(fd);
        if (!strcmp(text, "plain")) plain++;
        else if (text[0]) puts(text);
    }
    over = 1;
    printf("%d plain %d refused\n", plain, refused);
    return 0;
}
