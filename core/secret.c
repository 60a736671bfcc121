#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check(int fd, size_t max, bool guarded, size_t *size)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EISDIR;
    if (guarded && st.st_mode & (S_IROTH | S_IWOTH))
        return -EPERM;
    if ((size_t)st.st_size > max)
        return -EFBIG;
    *size = (size_t)st.st_size;
    return 0;
}

static int read_file(const char *path, size_t max, bool guarded, struct secret *secret)
{
    *secret = (struct secret){0};
    if (sodium_init() < 0)
        return -ENOSYS;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    size_t size = 0;
    int error = check(fd, max, guarded, &size);
    if (error == 0 && !(secret->data = sodium_malloc(size + 1)))
        error = -ENOMEM;
    while (error == 0 && secret->len < size) {
        ssize_t n = read(fd, secret->data + secret->len, size - secret->len);
        if (n < 0 && errno != EINTR)
            error = -errno;
        else if (n == 0)
            break;
        else if (n > 0)
            secret->len += (size_t)n;
    }
    close(fd);
    if (error)
        secret_clear(secret);
    else
        secret->data[secret->len] = '\0';
    return error;
}

int secret_read(const char *path, size_t max, struct secret *secret)
{
    return read_file(path, max, true, secret);
}

int secret_read_unguarded(const char *path, size_t max, struct secret *secret)
{
    return read_file(path, max, false, secret);
}

const char *secret_problem(int error)
{
    if (error == -EPERM)
        return "everyone on this host can read or change it: chmod o= is wanted";
    if (error == -EFBIG)
        return "it is too large for what it should be";
    return strerror(-error);
}

void secret_clear(struct secret *secret)
{
    sodium_free(secret->data);
    *secret = (struct secret){0};
}
