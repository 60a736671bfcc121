#include "policy_stages.h"

#include <event2/event.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

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
    bool settled = reply->kind == REPLY_BODY; /* else the engine failed: what is left still waits */
    if (settled && reply->body.len < sizeof text)
        memcpy(text, reply->body.data, reply->body.len);
    sscanf(text, "%u %u", &more, &dropped);
    reply_free(reply);
    metrics_add(policy->courses.metrics, METRICS_STAGES_DROPPED, dropped);
    policy->stages.settling = false;
    if (more || policy->stages.woken || !settled)
        arm(policy, more ? NEXT_MS : SOON_MS);
    policy->stages.woken = false;
}

void policy_stages_flush(struct policy *policy)
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
    policy_stages_flush(arg);
}

/* Lua: wake(): there is something to be settled. */
static int wake(lua_State *L)
{
    struct policy *policy = lua_touserdata(L, lua_upvalueindex(1));
    if (policy->stages.settling)
        policy->stages.woken = true;
    else if (policy->stages.timer && !evtimer_pending(policy->stages.timer, NULL))
        arm(policy, SOON_MS);
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

void policy_stages_close(struct policy *policy)
{
    if (policy->stages.timer)
        event_free(policy->stages.timer);
    policy->stages.timer = NULL;
}
