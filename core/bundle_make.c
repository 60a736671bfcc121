#include "bundle_make.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

#define DEPTH_MAX 32

struct making {
    const char *directory;
    int root;
    struct problems *problems;
    struct problems names; /* a list of strings is what that is */
};

static void complain(struct making *m, const char *name, const char *why)
{
    problems_add(m->problems, "%s/%s: %s", m->directory, name, why);
}

static void gather(struct making *m, int dir, const char *prefix, int depth);

static void take(struct making *m, int dir, const char *prefix, const char *entry, int depth)
{
    char name[BUNDLE_NAME_MAX + NAME_MAX];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", prefix, entry);
    const char *problem = bundle_name_problem(name);
    if (fstatat(dir, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
        problem = strerror(errno);
    else if (S_ISLNK(st.st_mode))
        problem = "a symbolic link, which bundles do not have: put the file itself there";
    else if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        problem = "neither a file nor a directory";
    else if (S_ISDIR(st.st_mode) && depth >= DEPTH_MAX)
        problem = "too many directories in one another";
    if (problem) {
        complain(m, name, problem);
    } else if (S_ISREG(st.st_mode)) {
        if (m->names.n <= BUNDLE_FILES_MAX)
            problems_add(&m->names, "%s", name);
    } else {
        int below = openat(dir, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        strcat(name, "/"); /* entries have at most NAME_MAX bytes, and the rest has room */
        if (below < 0)
            complain(m, name, strerror(errno));
        else
            gather(m, below, name, depth + 1);
    }
}

/* Closes `dir`. */
static void gather(struct making *m, int dir, const char *prefix, int depth)
{
    DIR *entries = fdopendir(dir);
    if (!entries) {
        complain(m, prefix, strerror(errno));
        close(dir);
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_name[0] != '.')
            take(m, dir, prefix, entry->d_name, depth);
    }
    closedir(entries);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add(struct making *m, struct bundle_writer *writer, const char *name)
{
    char *text;
    size_t len;
    int error = files_read_beneath(m->root, name, BUNDLE_FILE_MAX, &text, &len);
    const char *problem = error ? strerror(-error) : bundle_add(writer, name, text, len);
    if (problem)
        complain(m, name, problem);
    free(text);
}

bool bundle_make(const char *directory, uint64_t version, const char *policy,
                 struct bundle_writer *writer, struct problems *problems)
{
    struct making m = {.directory = directory, .problems = problems};
    size_t before = problems->n;
    bool has_policy = false;
    const char *problem = bundle_begin(writer, version, policy);
    if (problem) {
        problems_add(problems, "%s: %s", policy, problem);
        return false;
    }
    m.root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int top = m.root < 0 ? -1 : fcntl(m.root, F_DUPFD_CLOEXEC, 0);
    if (top < 0) {
        problems_add(problems, "%s: %s", directory, strerror(errno));
    } else {
        gather(&m, top, "", 0);
        if (m.names.n > 0)
            qsort(m.names.lines, m.names.n, sizeof *m.names.lines, by_name);
    }
    for (size_t i = 0; problems->n == before && i < m.names.n; i++) {
        add(&m, writer, m.names.lines[i]);
        has_policy = has_policy || !strcmp(m.names.lines[i], policy);
    }
    if (problems->n == before && !has_policy)
        complain(&m, policy,
                 "there is no such file, and it is to be the policy: --policy names it");
    if (problems->n == before && (problem = bundle_end(writer)))
        problems_add(problems, "%s: %s", directory, problem);
    problems_clear(&m.names);
    if (m.root >= 0)
        close(m.root);
    return problems->n == before;
}
