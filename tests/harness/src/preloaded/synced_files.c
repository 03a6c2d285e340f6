// Keeps a copy of each file as of its last fsync or fdatasync, and counts the calls. What a file
// lacks in its copy is what a power cut may lose.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;

static void append_mark(const char *folder) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/calls", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || write(fd, ".", 1) != 1) abort();
    close(fd);
}

static void keep_copy(int synced) {
    const char *folder = getenv("HARNESS_SYNCED_FILES");
    char link[64], path[PATH_MAX], draft[PATH_MAX], copy[PATH_MAX], buffer[1 << 16];
    struct stat status;
    if (!folder || fstat(synced, &status) != 0 || !S_ISREG(status.st_mode)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", synced);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) abort();
    path[length] = 0;
    const char *name = strrchr(path, '/') + 1;
    if (snprintf(draft, sizeof draft, "%s/draft", folder) >= PATH_MAX) abort();
    if (snprintf(copy, sizeof copy, "%s/file-%s", folder, name) >= PATH_MAX) abort();

    pthread_mutex_lock(&copying);
    int from = open(link, O_RDONLY), to = open(draft, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (from < 0 || to < 0) abort();
    while ((length = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, length) != length) abort();
    close(from), close(to);
    if (rename(draft, copy) != 0) abort();
    append_mark(folder);
    pthread_mutex_unlock(&copying);
}

static int call(const char *name, int fd) {
    int (*original)(int) = dlsym(RTLD_NEXT, name);
    int result = original(fd);
    if (result == 0) keep_copy(fd);
    return result;
}

int fsync(int fd) { return call("fsync", fd); }

int fdatasync(int fd) { return call("fdatasync", fd); }
