#include "policy_stages.h"

#include <event2/event.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "metrics.h"
#include "policy_state.h"

/* What comes in a burst is one commit; a storm leaves most of the time to decisions. */
#define SOON_MS 50
#define NEXT_MS 10

static void arm(struct policy *policy, int ms)
{
    struct timeval after = {.tv_usec = ms * 1000};
    evtimer_add(policy->stages.timer, &after);
}

/* "more dropped": whether more waits, and how many notes found no room. */
static void on_settled(struct reply *reply, void *arg)
{
    struct policy *policy = arg;
    char text[64] = "";
    unsigned more = 0, dropped = 0;
    bool refused = reply->kind != REPLY_BODY; /* too many wait, or the engine failed */
    if (!refused && reply->body.len < sizeof text)
        memcpy(text, reply->body.data, reply->body.len);
    sscanf(text, "%u %u", &more, &dropped);
    reply_free(reply);
    metrics_add(policy->courses.metrics, METRICS_STAGES_DROPPED, dropped);
    policy->stages.settling = false;
    if (refused)
        arm(policy, SOON_MS);
    else if (more || policy->stages.woken)
        arm(policy, policy->stages.hurried ? 0 : more ? NEXT_MS : SOON_MS);
    policy->stages.woken = false;
    if (policy->stages.idle && policy_stages_idle(policy))
        policy->stages.idle(policy->stages.arg);
}

static void settle(struct policy *policy)
{
    const struct request request = {.protocol = REQUEST_CONTROL,
                                    .control = {.command = "settle", .arguments = ""}};
    if (!policy->stages.timer || policy->stages.settling)
        return;
    policy->stages.settling = true;
    policy_decide(policy, &request, on_settled, policy);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    settle(arg);
}

void policy_stages_hurry(struct policy *policy, void (*idle)(void *arg), void *arg)
{
    policy->stages.hurried = true;
    policy->stages.idle = idle;
    policy->stages.arg = arg;
    if (policy->stages.timer && evtimer_pending(policy->stages.timer, NULL))
        arm(policy, 0);
}

/* Notes wait from their first, which sets the timer, to the answer after the last. */
bool policy_stages_idle(const struct policy *policy)
{
    return !policy->stages.timer ||
           !(policy->stages.settling || evtimer_pending(policy->stages.timer, NULL));
}

/* Lua: wake(): there is something to be settled. */
static int wake(lua_State *L)
{
    struct policy *policy = lua_touserdata(L, lua_upvalueindex(1));
    if (policy->stages.settling)
        policy->stages.woken = true;
    else if (policy->stages.timer && !evtimer_pending(policy->stages.timer, NULL))
        arm(policy, policy->stages.hurried ? 0 : SOON_MS);
    return 0;
}

void policy_stages_open(lua_State *L, struct policy *policy)
{
    policy->stages.timer = evtimer_new(policy->courses.waits.base, on_timer, policy);
    if (!policy->stages.timer)
        luaL_error(L, "no memory to see stages of boots");
    vm_require(L, "stages");
    lua_getfield(L, -1, "attach");
    lua_rawgeti(L, LUA_REGISTRYINDEX, policy->loaded);
    lua_pushlightuserdata(L, policy);
    lua_pushcclosure(L, wake, 1);
    lua_call(L, 2, 0);
}

static unsigned number(lua_State *L, const char *field)
{
    lua_getfield(L, -1, field);
    unsigned n = (unsigned)lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

/* Reads tables alone: no Lua runs. */
static unsigned left(struct policy *policy)
{
    lua_State *L = vm_state(policy->vm);
    lua_rawgeti(L, LUA_REGISTRYINDEX, policy->loaded);
    lua_getfield(L, -1, "seen");
    unsigned n = 0;
    if (lua_istable(L, -1))
        n = number(L, "last") + 1 - number(L, "first") + number(L, "writing") +
            number(L, "dropped");
    lua_pop(L, 2);
    return n;
}

void policy_stages_close(struct policy *policy)
{
    unsigned n = policy->stages.timer ? left(policy) : 0;
    if (n) {
        metrics_add(policy->courses.metrics, METRICS_STAGES_DROPPED, n);
        log_warn("%u stages of boots are not recorded: the store was not there in time", n);
    }
    if (policy->stages.timer)
        event_free(policy->stages.timer);
    policy->stages.timer = NULL;
}
