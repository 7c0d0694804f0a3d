/* twoexec: two threads run a program each at the same time. One wins. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *go(void *name) {
    char *args[] = {"sh", "-c", name, 0};
    extern char **environ;
    execve("/bin/sh", args, environ);
    perror("execve");
    return 0;
}

int main(void) {
    pthread_t one, two;
    pthread_create(&one, 0, go, "echo ran a");
    pthread_create(&two, 0, go, "echo ran b");
    pthread_join(one, 0);
    pthread_join(two, 0);
    return 1;
}
