/* swap WHAT PROGRAM WORD INSTEAD: execs PROGRAM with WORD; once the file "go" is there, another thread puts
   INSTEAD in place of the path ("path") or of the argument ("word") in memory. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[4096], word[4096];
static char *what, *instead;

static void *swap(void *unused) {
    struct stat status;
    while (stat("go", &status)) usleep(1000);
    strcpy(strcmp(what, "path") ? word : path, instead);
    return 0;
}

int main(int argc, char **argv) {
    pthread_t thread;
    char *args[] = {"touch", word, 0}, *env[] = {0};
    what = argv[1], instead = argv[4];
    strcpy(path, argv[2]), strcpy(word, argv[3]);
    pthread_create(&thread, 0, swap, 0);
    execve(path, args, env);
    perror("execve");
    return 126;
}
