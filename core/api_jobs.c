#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"
#include "task.h"

#define JOBS_METATABLE "moonboot.jobs"
#define JOBS_MAX       64
#define MESSAGE_MAX    (256u << 20)
#define CHUNK          65536

/* A process that works for this one, and what has come from it. A message is its length,
 * four bytes in this machine's order, and so many bytes. */
struct job {
    pid_t pid; /* 0: it has ended, and was waited for */
    int fd;
    char *buffer;
    size_t used, size;
};

struct jobs {
    int n;
    struct job jobs[JOBS_MAX];
    const char *problem; /* what became of one that did not end well; NULL: nothing */
};

/* What a child takes its work from. Shared by all. */
struct counter {
    atomic_int taken;
};

static void job_close(struct job *job)
{
    if (job->fd >= 0)
        close(job->fd);
    job->fd = -1;
    free(job->buffer);
    job->buffer = NULL;
}

/* Waits for a child; false: it did not end well. */
static bool job_reap(struct job *job)
{
    int status = 0;
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
        ;
    job->pid = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void jobs_end(struct jobs *jobs)
{
    for (int i = 0; i < jobs->n; i++) {
        struct job *job = &jobs->jobs[i];
        if (job->pid > 0)
            kill(job->pid, SIGKILL);
        job_close(job);
        if (job->pid > 0)
            job_reap(job);
    }
}

static int jobs_gc(lua_State *L)
{
    jobs_end(lua_touserdata(L, 1));
    return 0;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* send(text), in a child. Upvalue: where to. */
static int job_send(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    int fd = (int)lua_tointeger(L, lua_upvalueindex(1));
    uint32_t head = (uint32_t)len;
    if (len > MESSAGE_MAX || !write_all(fd, (const char *)&head, sizeof head) ||
        !write_all(fd, text, len))
        return luaL_error(L, "cannot report: %s", strerror(errno));
    return 0;
}

/* next() -> the number of the next piece of work, or nil. Upvalues: counter, how many. */
static int job_next(lua_State *L)
{
    struct counter *counter = lua_touserdata(L, lua_upvalueindex(1));
    int number = atomic_fetch_add(&counter->taken, 1) + 1;
    if (number > lua_tointeger(L, lua_upvalueindex(2)))
        return 0;
    lua_pushinteger(L, number);
    return 1;
}

/* The child: calls the function at index 3 as f(next, send), and ends. */
static _Noreturn void job_run(lua_State *L, struct counter *counter, int total, int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (!task_clock_start()) /* timers are not inherited */
        _exit(2);
    lua_pushvalue(L, 3);
    lua_pushlightuserdata(L, counter);
    lua_pushinteger(L, total);
    lua_pushcclosure(L, job_next, 2);
    lua_pushinteger(L, fd);
    lua_pushcclosure(L, job_send, 1);
    int status = lua_pcall(L, 2, 0, 0);
    if (status != 0)
        fprintf(stderr, "moonboot: %s\n", lua_tostring(L, -1));
    fflush(NULL);
    _exit(status == 0 ? 0 : 2);
}

/* host.cli.jobs(n, total, f) -> jobs: n processes, each of which calls f(next, send) and ends.
 * next() gives each of the numbers 1 to total to one of them. */
static int api_jobs(lua_State *L)
{
    int n = (int)luaL_checkinteger(L, 1), total = (int)luaL_checkinteger(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    luaL_argcheck(L, n >= 1 && n <= JOBS_MAX, 1, "too many processes");
    struct counter *counter =
        mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counter == MAP_FAILED)
        return luaL_error(L, "no memory for processes: %s", strerror(errno));
    struct jobs *jobs = lua_newuserdata(L, sizeof *jobs);
    memset(jobs, 0, sizeof *jobs);
    luaL_getmetatable(L, JOBS_METATABLE);
    lua_setmetatable(L, -2);
    fflush(NULL);
    for (int i = 0; i < n; i++) {
        int ends[2];
        if (pipe(ends) < 0)
            break;
        pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            for (int k = 0; k < jobs->n; k++)
                close(jobs->jobs[k].fd);
            job_run(L, counter, total, ends[1]);
        }
        close(ends[1]);
        if (pid < 0) {
            close(ends[0]);
            break;
        }
        jobs->jobs[jobs->n++] = (struct job){.pid = pid, .fd = ends[0]};
    }
    munmap(counter, sizeof *counter); /* the children have theirs */
    if (jobs->n == 0)
        return luaL_error(L, "cannot start a process: %s", strerror(errno));
    return 1;
}

/* Reads what there is; false: there will be no more. */
static bool job_read(struct job *job)
{
    if (job->size - job->used < CHUNK) {
        char *larger = realloc(job->buffer, job->size + 2 * CHUNK + job->size / 2);
        if (!larger)
            return false;
        job->buffer = larger;
        job->size += 2 * CHUNK + job->size / 2;
    }
    ssize_t n = read(job->fd, job->buffer + job->used, job->size - job->used);
    if (n > 0)
        job->used += (size_t)n;
    return n > 0 || (n < 0 && errno == EINTR);
}

/* Pushes the first whole message, and takes it out of the buffer. */
static bool job_message(lua_State *L, struct job *job)
{
    uint32_t len;
    if (job->used < sizeof len)
        return false;
    memcpy(&len, job->buffer, sizeof len);
    if (job->used - sizeof len < len)
        return false;
    lua_pushlstring(L, job->buffer + sizeof len, len);
    job->used -= sizeof len + len;
    memmove(job->buffer, job->buffer + sizeof len + len, job->used);
    return true;
}

static void job_finish(struct jobs *jobs, struct job *job)
{
    bool whole = job->used == 0;
    job_close(job);
    if (!job_reap(job) || !whole)
        jobs->problem = "a process that ran tests died";
}

/* jobs:read() -> a message | nil when all have ended | nil, what went wrong */
static int jobs_read(lua_State *L)
{
    struct jobs *jobs = luaL_checkudata(L, 1, JOBS_METATABLE);
    for (;;) {
        struct pollfd fds[JOBS_MAX];
        int open = 0;
        for (int i = 0; i < jobs->n; i++) {
            struct job *job = &jobs->jobs[i];
            fds[i] = (struct pollfd){.fd = job->fd, .events = POLLIN};
            if (job->fd < 0)
                continue;
            open++;
            if (job_message(L, job))
                return 1;
        }
        if (open == 0) {
            lua_pushnil(L);
            lua_pushstring(L, jobs->problem);
            return 2;
        }
        if (poll(fds, (nfds_t)jobs->n, -1) < 0) {
            if (errno == EINTR)
                continue;
            return luaL_error(L, "cannot wait for processes: %s", strerror(errno));
        }
        for (int i = 0; i < jobs->n; i++) {
            if (fds[i].revents && jobs->jobs[i].fd >= 0 && !job_read(&jobs->jobs[i]))
                job_finish(jobs, &jobs->jobs[i]);
        }
    }
}

/* jobs:stop(): ends them all, whatever they do. */
static int jobs_stop(lua_State *L)
{
    jobs_end(luaL_checkudata(L, 1, JOBS_METATABLE));
    return 0;
}

void api_jobs_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"read", jobs_read}, {"stop", jobs_stop}, {NULL, NULL}};
    luaL_newmetatable(L, JOBS_METATABLE);
    lua_pushcfunction(L, jobs_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_register(L, NULL, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, api_jobs);
    lua_setfield(L, -2, "jobs");
    lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
    lua_setfield(L, -2, "cores");
}
