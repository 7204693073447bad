/* Preloaded into a process that writes a store: notes in LOG, in order, what it writes to the
 * store's two files, when it flushes them, and when it says that something is acknowledged (by
 * writing to a file called `acks`). See power.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;

static int ends(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

/* Which file it is: 0 the database, 1 its log, 2 the acknowledgements, -1 another. */
static int which(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return -1;
    path[n] = 0;
    if (ends(path, "runs.db")) return 0;
    if (ends(path, "runs.db-wal")) return 1;
    if (ends(path, "/acks")) return 2;
    return -1;
}

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size > 0) {
        long n = syscall(SYS_write, out, at, size);
        if (n <= 0) abort();
        at += n;
        size -= (size_t)n;
    }
}

static void note(char what, int file, int64_t offset, const void *data, int64_t size) {
    if (out < 0) {
        const char *path = getenv("LOG");
        if (!path) return;
        out = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (out < 0) abort();
    }
    char head[18];
    head[0] = what;
    head[1] = (char)file;
    memcpy(head + 2, &offset, 8);
    memcpy(head + 10, &size, 8);
    put(head, sizeof head);
    if (data) put(data, (size_t)size);
}

static ssize_t written(int fd, const void *data, int64_t offset, ssize_t size) {
    int file = size > 0 ? which(fd) : -1;
    if (file >= 0) {
        pthread_mutex_lock(&order);
        note(file == 2 ? 'A' : 'W', file, offset, data, size);
        pthread_mutex_unlock(&order);
    }
    return size;
}

ssize_t write(int fd, const void *data, size_t size) {
    int64_t offset = (int64_t)lseek(fd, 0, SEEK_CUR);
    return written(fd, data, offset, syscall(SYS_write, fd, data, size));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return written(fd, data, offset, syscall(SYS_pwrite64, fd, data, size, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    return written(fd, data, offset, syscall(SYS_pwrite64, fd, data, size, offset));
}

static int done(int fd, char what, int64_t offset, int result) {
    int file = result == 0 ? which(fd) : -1;
    if (file >= 0) {
        pthread_mutex_lock(&order);
        note(what, file, offset, 0, 0);
        pthread_mutex_unlock(&order);
    }
    return result;
}

int fsync(int fd) { return done(fd, 'S', 0, (int)syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { return done(fd, 'S', 0, (int)syscall(SYS_fdatasync, fd)); }
int ftruncate(int fd, off_t size) { return done(fd, 'T', size, (int)syscall(SYS_ftruncate, fd, size)); }
int ftruncate64(int fd, off64_t size) { return done(fd, 'T', size, (int)syscall(SYS_ftruncate, fd, size)); }
