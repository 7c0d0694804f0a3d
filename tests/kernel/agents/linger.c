/* linger FILE...: prints its process ids and makes a tree that does not want to end: a child in its own
   session, a grandchild whose parent is gone, one that ignores every signal it can, one made with
   CLONE_PARENT. Then asks for FILE and waits. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void stay(void) {
    int n;
    for (n = 1; n < 65; n++) signal(n, SIG_IGN);
    printf("pid %d\n", getpid());
    fflush(stdout);
    for (;;) pause();
}

int main(int argc, char **argv) {
    printf("pid %d\n", getpid());
    fflush(stdout);
    if (!fork()) { setsid(); stay(); }
    if (!fork()) {
        if (!fork()) { setsid(); usleep(100000); stay(); }
        _exit(0);
    }
    if (!syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0)) stay();
    wait(0);
    usleep(200000);
    printf("ready\n");
    fflush(stdout);
    if (argc > 1 && open(argv[1], O_WRONLY | O_CREAT, 0600) >= 0) printf("done\n");
    fflush(stdout);
    if (argc > 2) return 0;
    for (;;) pause();
}
