#include "policy.h"

#include <arpa/inet.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "bridge.h"
#include "facts.h"
#include "http_cache.h"
#include "log.h"
#include "metrics.h"
#include "policy_stages.h"
#include "policy_state.h"
#include "task.h"

#define ERROR_MAX 1024
#define WORD_MAX  256

#define COMPLAINT_SECONDS 10

static void decisions_free(struct policy *policy);

void policy_free(struct policy *policy)
{
    if (!policy)
        return;
    decisions_free(policy);
    policy_stages_close(policy);
    http_cache_close(policy->courses.waits.http);
    wait_dns_close(policy->courses.waits.dns);
    vm_free(policy->vm);
    log_hide(NULL);
    mask_clear(&policy->mask);
    free(policy->fixed_url);
    problems_clear(&policy->files);
    free(policy);
}

const char *policy_hash(const struct policy *policy)
{
    return policy->hash;
}

int policy_log_to(struct policy *policy, int fd)
{
    int before = policy->log.fd;
    policy->log.fd = fd;
    policy->log.torn = false;
    return before;
}

const char *const *policy_files(const struct policy *policy, size_t *n)
{
    *n = policy->files.n;
    return (const char *const *)policy->files.lines;
}

size_t policy_memory(const struct policy *policy)
{
    return vm_memory(policy->vm);
}

unsigned policy_waiting(const struct policy *policy)
{
    return policy->courses.n_suspended;
}

/* Protected. Argument: struct policy. */
static int attach_store(lua_State *L)
{
    struct policy *policy = lua_touserdata(L, 1);
    api_store_open(L, policy->courses.waits.store);
    vm_require(L, "store");
    lua_getfield(L, -1, "attach");
    lua_rawgeti(L, LUA_REGISTRYINDEX, policy->loaded);
    lua_call(L, 1, 0);
    if (policy->stages.wanted && policy->courses.waits.base)
        policy_stages_open(L, policy);
    return 0;
}

bool policy_start(struct policy *policy, struct metrics *metrics, struct event_base *base,
                  struct store *store)
{
    policy->courses.metrics = policy->courses.waits.metrics = metrics;
    policy->courses.waits.base = base;
    policy->courses.waits.store = store;
    if (base && !policy->courses.waits.http)
        policy->courses.waits.http = http_cache_open(base);
    if (policy->courses.waits.http)
        http_cache_measure(policy->courses.waits.http, metrics);
    if (base && policy->share && policy->courses.waits.http &&
        !http_cache_share(policy->courses.waits.http, policy->share))
        log_warn("no memory to share the answers of other servers: this worker asks for itself");
    if (base && !policy->courses.waits.dns)
        policy->courses.waits.dns = wait_dns_open(base);
    if (store && lua_cpcall(vm_state(policy->vm), attach_store, policy) != 0) {
        log_error("%s", lua_tostring(vm_state(policy->vm), -1));
        return false;
    }
    return task_clock_start();
}

void policy_share(struct policy *policy, const int *fds)
{
    policy->share = fds;
}

void policy_retire(struct policy *policy, void (*idle)(void *arg), void *arg)
{
    policy->courses.quiet = true;
    policy_stages_hurry(policy, idle, arg);
}

bool policy_idle(const struct policy *policy)
{
    return policy_stages_idle(policy);
}

/* --- deciding ----------------------------------------------------------------------- */

/* One decision, and what it came to, for the log. Idle ones keep what the next one needs. */
struct decision {
    struct course course;      /* first: they are cast */
    LIST_ENTRY(decision) link; /* in its policy's list while it is idle */
    struct policy *policy;
    const struct request *request; /* while policy_decide has not returned */
    struct request asked;          /* what is left of it afterwards; no views */
    policy_done *done;
    void *arg;
    struct reply *reply;
    bool decided; /* a decision was made: there is something to log */
    char machine[WORD_MAX];
    char rule[WORD_MAX];
    char verdict[WORD_MAX];
    char stage[32];
    char profile[WORD_MAX];
    char error[ERROR_MAX];
};

/* Without secrets before it is cut: a part of one would not be known. */
static void keep_text(const struct decision *d, const char *text, char *out, size_t size)
{
    const struct mask *mask = &d->policy->mask;
    size_t len = mask->n ? strlen(text) : strnlen(text, size - 1);
    if (mask_has(mask, text, len)) {
        mask_secrets(mask, text, len, out, size);
        return;
    }
    len = len < size ? len : size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

static void take_text(lua_State *L, const struct decision *d, int index, char *out, size_t size)
{
    keep_text(d, lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "", out, size);
}

/* Who it was, for whoever wants to decide again. */
static void note_facts(lua_State *L, int who, struct decision *d)
{
    struct policy *policy = d->policy;
    if (!decision_log_on(&policy->log) || !lua_istable(L, who))
        return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, policy->field_names);
    facts_write(L, who, lua_gettop(L), &policy->mask, decision_log_facts(&policy->log));
    lua_pop(L, 1);
}

/* From argument 3 on, as waits.decider passes it. */
static void read_info(lua_State *L, struct decision *d)
{
    d->decided = true;
    take_text(L, d, 4, d->machine, sizeof d->machine);
    take_text(L, d, 5, d->rule, sizeof d->rule);
    take_text(L, d, 6, d->verdict, sizeof d->verdict);
    take_text(L, d, 7, d->stage, sizeof d->stage);
    take_text(L, d, 8, d->profile, sizeof d->profile);
    take_text(L, d, 9, d->error, sizeof d->error);
    note_facts(L, 3, d);
}

/* Notes for whom a body was made. */
static void name_body(struct reply *reply, const char *machine)
{
    if (reply && reply->kind == REPLY_FILE)
        reply = reply->file.otherwise;
    if (reply && reply->kind == REPLY_BODY && *machine)
        reply->body.machine = strdup(machine);
}

/* Lua: take(decision) -> the request */
int policy_take(lua_State *L)
{
    struct decision *d = lua_touserdata(L, 1);
    char base[BASE_URL_MAX];
    base_url(&d->policy->base_url, d->request, base);
    bridge_push_request(L, d->request, base);
    return 1;
}

/* Lua: give(decision, reply), and when something was decided who, machine, rule, verdict, stage,
 * profile, error */
int policy_give(lua_State *L)
{
    struct decision *d = lua_touserdata(L, 1);
    if (lua_gettop(L) > 2)
        read_info(L, d);
    if (!bridge_read_reply(L, 2, &d->asked, &d->reply, d->error, sizeof d->error)) {
        reply_free(d->reply);
        d->reply = NULL;
    }
    name_body(d->reply, d->machine);
    return 0;
}

/* Who asked, where the engine did not get as far as to say so. */
static void name_machine(struct decision *d)
{
    const struct request *request = &d->asked;
    if (request->protocol == REQUEST_DHCP && request->dhcp.has_mac)
        addr_mac_text(request->dhcp.mac, d->machine);
    else
        inet_ntop(AF_INET, &request->client, d->machine, sizeof d->machine);
}

static void hide_secrets(const struct mask *mask, char *text, size_t size)
{
    char whole[ERROR_MAX];
    size_t len = strlen(text);
    if (!mask_may_find(mask, text, len))
        return;
    memcpy(whole, text, len);
    mask_text(mask, whole, len, text, size);
}

static void log_line_of(const struct decision *d, enum log_level level)
{
    char ran[32], waited[32];
    snprintf(ran, sizeof ran, "%llu", (unsigned long long)d->course.ran);
    snprintf(waited, sizeof waited, "%llu",
             (unsigned long long)course_suspended(&d->course) / 1000);
    const struct log_field fields[] = {
        {"machine", d->machine},
        {"rule", *d->rule ? d->rule : NULL},
        {"verdict", *d->verdict ? d->verdict : NULL},
        {"stage", *d->stage ? d->stage : NULL},
        {"us", ran},
        {"waited_ms", d->course.waited ? waited : NULL},
        {"error", *d->error ? d->error : NULL},
    };
    log_event(level, fields, sizeof fields / sizeof *fields, "decision");
}

static void log_decision(struct decision *d)
{
    enum log_level level = *d->error ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
    if (!decision_log_on(&d->policy->log) && !log_enabled(level))
        return;
    if (!*d->machine)
        name_machine(d);
    hide_secrets(&d->policy->mask, d->verdict, sizeof d->verdict);
    hide_secrets(&d->policy->mask, d->error, sizeof d->error);
    if (decision_log_on(&d->policy->log)) {
        const struct decision_log_entry entry = {
            .machine = d->machine,
            .stage = d->stage,
            .verdict = d->verdict,
            .rule = d->rule,
            .profile = d->profile,
            .error = d->error,
            .microseconds = d->course.ran,
            .waited_ms = d->course.waited ? course_suspended(&d->course) / 1000 : 0,
        };
        decision_log_write(&d->policy->log, &entry, d->policy->courses.metrics);
    }
    if (log_enabled(level))
        log_line_of(d, level);
}

/* When the engine itself failed: no answer by DHCP, so that the firmware goes on to
 * the next boot device or server; a refusal elsewhere. */
static struct reply *fallback(enum request_protocol protocol)
{
    struct reply *reply = NULL;
    if (protocol != REQUEST_DHCP)
        reply = reply_error(REPLY_FAILED, "the policy failed: see the log");
    return reply ? reply : reply_silence();
}

/* Whether who asks is told what the service knows, not what he is to boot. */
static bool is_told_the_service(const struct request *asked)
{
    return asked->protocol == REQUEST_CONTROL ||
           (asked->protocol == REQUEST_HTTP && asked->http.admin);
}

/* What is no machine's answer but one to who runs the service tells no secret. An error that is
 * told to a client does not either: it has what he sent, and to hide a secret in that would tell
 * him that he has guessed it. */
static void hide_in_reply(const struct decision *d, struct reply *reply)
{
    const struct mask *mask = &d->policy->mask;
    if (!is_told_the_service(&d->asked) || reply->kind != REPLY_BODY ||
        !mask_has(mask, (const char *)reply->body.data, reply->body.len))
        return;
    char *copy = mask_copy(mask, (const char *)reply->body.data, reply->body.len);
    reply->body.len = copy ? strlen(copy) : 0;
    if (!copy)
        return;
    free(reply->body.data);
    reply->body.data = (uint8_t *)copy;
}

static void decision_free(struct decision *d)
{
    course_clear(&d->course);
    free(d);
}

/* An idle decision, or a new one, in no list; NULL when memory is out. */
static struct decision *decision_take(struct policy *policy)
{
    struct decision *d = LIST_FIRST(&policy->idle);
    if (d) {
        LIST_REMOVE(d, link);
    } else {
        d = calloc(1, sizeof *d);
        if (!d || !course_init(&d->course, &policy->courses)) {
            free(d);
            return NULL;
        }
        d->policy = policy;
    }
    if (!course_open(&d->course)) {
        decision_free(d);
        return NULL;
    }
    d->reply = NULL;
    d->decided = false;
    *d->machine = *d->rule = *d->verdict = *d->stage = *d->profile = *d->error = '\0';
    return d;
}

/* What is asked for later of a request whose buffers may be gone then. */
static void remember(struct decision *d, const struct request *request)
{
    d->asked = (struct request){
        .protocol = request->protocol, .client = request->client, .server = request->server};
    if (request->protocol == REQUEST_DHCP) {
        d->asked.dhcp.has_mac = request->dhcp.has_mac;
        memcpy(d->asked.dhcp.mac, request->dhcp.mac, sizeof d->asked.dhcp.mac);
    } else if (request->protocol == REQUEST_HTTP) {
        d->asked.http.admin = request->http.admin;
    }
}

static unsigned wait_limit(const struct policy *policy, enum request_protocol protocol)
{
    bool soon = protocol == REQUEST_DHCP && policy->wait_ms > POLICY_DHCP_WAIT_MS;
    return soon ? POLICY_DHCP_WAIT_MS : policy->wait_ms;
}

/* Too many decisions wait. Who asks by datagrams asks again by himself. */
static struct reply *turn_away(struct decision *d)
{
    static const enum metrics_counter counters[] = {
        [REQUEST_DHCP] = METRICS_REFUSED_DHCP,
        [REQUEST_TFTP] = METRICS_REFUSED_TFTP,
        [REQUEST_HTTP] = METRICS_REFUSED_HTTP,
        [REQUEST_CONTROL] = METRICS_REFUSED_CONTROL,
    };
    struct policy *policy = d->policy;
    enum request_protocol protocol = d->asked.protocol;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    metrics_inc(policy->courses.metrics, counters[protocol]);
    if (!policy->complained || (uint64_t)now.tv_sec >= policy->complained + COMPLAINT_SECONDS) {
        policy->complained = (uint64_t)now.tv_sec;
        log_warn("%u decisions wait (`limits.waiting`): more are refused",
                 policy->courses.n_suspended);
    }
    struct reply *reply = NULL;
    if (protocol == REQUEST_HTTP || protocol == REQUEST_CONTROL)
        reply = reply_error(REPLY_BUSY, "too many decisions wait: ask again");
    return reply ? reply : reply_silence();
}

static void count(const struct decision *d)
{
    struct metrics *metrics = d->policy->courses.metrics;
    const struct course *course = &d->course;
    metrics_inc(metrics, METRICS_DECISIONS);
    metrics_add(metrics, METRICS_DECISION_MICROSECONDS, course->ran);
    metrics_observe(metrics, METRICS_DECISION_TIME, course->ran);
    metrics_observe(metrics, METRICS_REPLY_TIME, course->ran + course_suspended(course));
    if (d->decided)
        metrics_decision(metrics, d->stage, *d->verdict ? d->verdict : "failed");
    if (*d->error)
        metrics_inc(metrics, METRICS_DECISION_ERRORS);
    if (course->task.timed_out)
        metrics_inc(metrics, METRICS_DECISION_DEADLINES);
}

static void on_ended(struct course *course, const char *error)
{
    struct decision *d = (struct decision *)course;
    struct policy *policy = d->policy;
    if (course->refused) {
        LIST_INSERT_HEAD(&policy->idle, d, link);
        d->done(turn_away(d), d->arg);
        return;
    }
    if (error) {
        keep_text(d, error, d->error, sizeof d->error);
        reply_free(d->reply);
        d->reply = NULL;
    }
    if (d->arg != policy) /* what the core asks for itself (policy_stages.h) is no decision */
        count(d);
    if (d->decided || *d->error)
        log_decision(d);
    struct reply *reply = d->reply ? d->reply : fallback(d->asked.protocol);
    d->reply = NULL;
    hide_in_reply(d, reply);
    LIST_INSERT_HEAD(&policy->idle, d, link);
    d->done(reply, d->arg);
}

void policy_decide(struct policy *policy, const struct request *request, policy_done *done,
                   void *arg)
{
    struct decision *d = decision_take(policy);
    if (!d) {
        log_error("no memory for a decision");
        done(fallback(request->protocol), arg);
        return;
    }
    d->done = done;
    d->arg = arg;
    d->request = request;
    remember(d, request);
    d->course.wait_ms = wait_limit(policy, request->protocol);
    d->course.ended = on_ended;
    d->course.always_waits = arg == policy;
    lua_State *L = d->course.task.L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, policy->decide);
    lua_rawgeti(L, LUA_REGISTRYINDEX, policy->loaded);
    lua_pushlightuserdata(L, d);
    course_start(&d->course, 2);
}

bool policy_cancel(struct policy *policy, const void *arg)
{
    struct course *course;
    LIST_FOREACH(course, &policy->courses.suspended, link)
    {
        struct decision *d = (struct decision *)course;
        if (d->arg != arg)
            continue;
        metrics_inc(policy->courses.metrics, METRICS_DECISION_WAITS_CANCELLED);
        course_cancel(course);
        LIST_INSERT_HEAD(&policy->idle, d, link);
        return true;
    }
    return false;
}

static void decisions_free(struct policy *policy)
{
    struct course *course, *next_course;
    struct decision *d, *next;
    for (course = LIST_FIRST(&policy->courses.suspended); course; course = next_course) {
        next_course = LIST_NEXT(course, link);
        decision_free((struct decision *)course);
    }
    for (d = LIST_FIRST(&policy->idle); d; d = next) {
        next = LIST_NEXT(d, link);
        decision_free(d);
    }
}
