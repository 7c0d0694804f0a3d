/* selfswap EVIL: asks to run itself again, the very same command line; while that is being asked another
   thread puts EVIL in place of the path, and goes on making held calls, so that the gate looks at the process
   between its consent and the new program. With "leader" as first word it is the other thread that execs. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char path[4096], **args;
static int word;

static void *run(void *unused) {
    extern char **environ;
    execve(path, args, environ);
    perror("execve");
    return 0;
}

static void *disturb(void *unused) {
    struct stat status;
    while (stat("go", &status)) usleep(1000);
    strcpy(path, args[2]);
    for (;;) {
        mkdir("/nonexistent/x", 0700);
        syscall(SYS_set_tid_address, &word);
    }
}

int main(int argc, char **argv) {
    pthread_t thread;
    if (!access("second", F_OK)) return 3; /* did run itself again */
    args = argv;
    strcpy(path, argv[0]);
    if (!strcmp(argv[1], "leader")) {
        pthread_create(&thread, 0, run, 0);
        disturb(0);
    } else {
        pthread_create(&thread, 0, disturb, 0);
        run(0);
    }
    return 1;
}
