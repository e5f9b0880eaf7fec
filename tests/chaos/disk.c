/* What of a journal is on the disk, put before the C library by LD_PRELOAD.
 *
 * In the folder $CHAOS_DISK there is for each segment a file, named for its inode, with the bytes
 * that were there when a sync of it began that did not fail: what is left after the power failed.
 * Written by the relay's process, read by tests/chaos/power.py. The first sync of a file in a
 * process takes all of it, for a process before may have written it; others what was written since.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A disk takes its time, and that is when the power fails. */
enum { FILES = 256, RANGES = 4096, SLOW_US = 4000 };

struct range {
    off64_t begin, end;
};

static struct file {
    ino_t inode;
    int known, count;
    struct range ranges[RANGES];
} files[FILES]; /* untouched memory is free */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_segment(int fd)
{
    char link[64], path[4096];
    ssize_t size;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof path);
    return getenv("CHAOS_DISK") && size > 8 && !memcmp(path + size - 8, ".segment", 8);
}

static struct file *file_of(ino_t inode)
{
    for (int n = 0; n < FILES; n++) {
        if (!files[n].inode)
            files[n].inode = inode;
        if (files[n].inode == inode)
            return &files[n];
    }
    abort(); /* more segments than a run has */
}

static void wrote(int fd, off64_t offset, ssize_t size)
{
    struct stat found;
    struct file *file;
    if (size <= 0 || fstat(fd, &found))
        return;
    pthread_mutex_lock(&lock);
    file = file_of(found.st_ino);
    if (file->count == RANGES) /* too many to remember: as if nothing were known of it */
        file->known = file->count = 0;
    file->ranges[file->count++] = (struct range){offset, offset + size};
    pthread_mutex_unlock(&lock);
}

/* What is to be on the disk when the sync that begins now is over: a copy of each range. */
static int synced(int fd, int (*sync)(int))
{
    struct stat found;
    struct range ranges[RANGES];
    char name[4200], *copies[RANGES];
    int count, failed, disk;
    if (!is_segment(fd) || fstat(fd, &found))
        return sync(fd);
    pthread_mutex_lock(&lock);
    struct file *file = file_of(found.st_ino);
    if (!file->known)
        file->ranges[0] = (struct range){0, found.st_size};
    count = file->known ? file->count : 1;
    memcpy(ranges, file->ranges, count * sizeof *ranges);
    file->known = 1;
    file->count = 0;
    pthread_mutex_unlock(&lock);
    for (int n = 0; n < count; n++) {
        size_t size = ranges[n].end - ranges[n].begin;
        copies[n] = malloc(size);
        if (!copies[n] || pread64(fd, copies[n], size, ranges[n].begin) < 0)
            abort();
    }
    usleep(SLOW_US);
    failed = sync(fd);
    snprintf(name, sizeof name, "%s/%lu", getenv("CHAOS_DISK"), (unsigned long)found.st_ino);
    disk = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int n = 0; n < count; n++) {
        size_t size = ranges[n].end - ranges[n].begin;
        ssize_t (*write_at)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
        if (!failed && write_at(disk, copies[n], size, ranges[n].begin) != (ssize_t)size)
            abort();
        free(copies[n]);
    }
    close(disk);
    return failed;
}

int fdatasync(int fd)
{
    return synced(fd, (int (*)(int))dlsym(RTLD_NEXT, "fdatasync"));
}

int fsync(int fd)
{
    return synced(fd, (int (*)(int))dlsym(RTLD_NEXT, "fsync"));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    ssize_t done = real(fd, data, size, offset);
    if (is_segment(fd))
        wrote(fd, offset, done);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}
