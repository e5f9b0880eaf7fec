/* A disk that fails or is slow, put before the C library by LD_PRELOAD. $FAULTY_DISK is a file of
 * 64-bit words that the test writes and reads while the relay runs; tests/journal/faulty.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct words {
    int64_t sync_errors, write_errors, space_errors; /* how many fail; below 0: all */
    int64_t sync_delay_us, held;                     /* held: syncs wait while it is 1 */
    int64_t syncs, writes;                           /* calls that came */
};

static struct words *words;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTY_DISK");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        words = memory == MAP_FAILED ? NULL : memory;
        close(fd);
    }
}

static int is_segment(int fd)
{
    char link[64], path[4096];
    ssize_t size;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof path);
    return size > 8 && !memcmp(path + size - 8, ".segment", 8);
}

static int fails(int64_t *left)
{
    int64_t now = __atomic_load_n(left, __ATOMIC_SEQ_CST);
    if (now > 0)
        __atomic_store_n(left, now - 1, __ATOMIC_SEQ_CST);
    return now != 0;
}

int fdatasync(int fd)
{
    static int (*real)(int);
    if (!real)
        real = dlsym(RTLD_NEXT, "fdatasync");
    if (words && is_segment(fd)) {
        __atomic_add_fetch(&words->syncs, 1, __ATOMIC_SEQ_CST);
        if (words->sync_delay_us)
            usleep(words->sync_delay_us);
        while (__atomic_load_n(&words->held, __ATOMIC_SEQ_CST))
            usleep(1000);
        if (fails(&words->sync_errors)) {
            errno = EIO;
            return -1;
        }
    }
    return real(fd);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "pwrite64");
    if (words && offset && is_segment(fd)) {
        __atomic_add_fetch(&words->writes, 1, __ATOMIC_SEQ_CST);
        if (fails(&words->write_errors)) {
            errno = EIO;
            return -1;
        }
    }
    return real(fd, data, size, offset);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return pwrite64(fd, data, size, offset);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    static int (*real)(int, off64_t, off64_t);
    if (!real)
        real = dlsym(RTLD_NEXT, "posix_fallocate64");
    if (words && is_segment(fd) && fails(&words->space_errors))
        return ENOSPC;
    return real(fd, offset, size);
}
