#include "descriptors.h"

#include <stdlib.h>
#include <unistd.h>

static int compare(const void *a, const void *b)
{
    int left = *(const int *)a, right = *(const int *)b;
    return left < right ? -1 : left > right;
}

static void close_from_to(unsigned first, unsigned last)
{
    if (first > last || close_range(first, last, 0) == 0)
        return;
    /* A kernel before 5.9. */
    long open_max = sysconf(_SC_OPEN_MAX);
    for (unsigned fd = first; fd <= last && (long)fd < open_max; fd++)
        close((int)fd);
}

void descriptors_keep(int *fds, size_t n)
{
    unsigned next = STDERR_FILENO + 1;
    qsort(fds, n, sizeof *fds, compare);
    for (size_t i = 0; i < n; i++) {
        if (fds[i] < (int)next)
            continue;
        close_from_to(next, (unsigned)fds[i] - 1);
        next = (unsigned)fds[i] + 1;
    }
    close_from_to(next, ~0u);
}
