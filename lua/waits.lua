-- Waiting: what a policy's function asks the world suspends its decision, and no other.
--
-- Three coroutines deep: C (policy.c), or `waits.run` offline, resumes a decision; in it a guard
-- runs the policy's function; that yields a wait, a table (core/README.md has the shapes), which
-- goes out to whoever serves it, and the answers go back in.

local sandbox = require "sandbox"

local host = host

local waits = {}

-- The answer to a wait when the decision's time to wait is over: the guard ends there.
waits.expired = host.expired

-- A decision in C: `take` gives the request, `give` takes the reply (core/policy.c).
function waits.decider(handle, take, give)
    return function(policy, decision)
        local reply, info = handle(policy, take(decision))
        if info then
            give(decision, reply, info.who, info.machine, info.rule, info.verdict, info.stage, info.profile,
                 info.error)
        else
            give(decision, reply)
        end
    end
end

local function late(guard, ms)
    local why = ms > 0 and string.format("no answer within %g s", ms / 1000) or "no memory for the answer"
    return false, host.guard_where(guard) .. why
end

local proceed

local function answered(guard, used, answer, ...)
    if answer == host.expired then
        return late(guard, ...)
    end
    return proceed(host.guard_resume(guard, used, answer, ...))
end

function proceed(state, ...)
    if type(state) == "boolean" then
        return state, ...
    end
    local used, wait = ...
    if not coroutine.running() then
        return answered(state, used, nil, "nothing can be waited for here")
    end
    return answered(state, used, coroutine.yield(wait))
end

-- As host.guard, for functions that may wait -> true, results (at most three) | false, message.
-- Whatever the engine keeps for one decision at a time is another's afterwards.
function waits.guard(f, ...)
    return proceed(host.guard_open(f, ...))
end

local function restored(depth, ...)
    sandbox.enter(depth)
    return ...
end

-- Coroutines of `parallel`, which waits for them.
local branches = setmetatable({}, { __mode = "k" })

-- A coroutine inside a guard, whose waits are its maker's to ask.
function waits.branch(f)
    local thread = coroutine.create(f)
    branches[thread] = true
    return thread
end

local function may_wait()
    if branches[coroutine.running()] then
        return coroutine.isyieldable() or nil
    end
    return host.may_wait()
end

-- Whether something can be waited for here.
function waits.may()
    return may_wait() or false
end

-- Throws where nothing can be waited for. `word` for messages.
function waits.check(word)
    local may = may_wait()
    if may == false then
        error(word .. " can be asked only in the function of a rule's boot, of serve or of on: everything else"
              .. " is decided at once", 0)
    elseif not may then
        error(word .. " cannot be asked in a function that gsub, sort or the like calls", 0)
    end
end

-- Called by words, in a policy's function: waits, and gives the answers.
function waits.ask(word, wait)
    waits.check(word)
    local ask = branches[coroutine.running()] and coroutine.yield or host.wait
    return restored(sandbox.depth(), ask(wait))
end

local function pass(serve, thread, ok, ...)
    if not ok then
        error((...), 0)
    elseif coroutine.status(thread) == "dead" then
        return ...
    end
    return pass(serve, thread, coroutine.resume(thread, serve(...)))
end

local function in_time(answer, ...)
    if answer == host.expired then
        return nil, string.format("no answer within %g s", (...) / 1000)
    end
    return answer, ...
end

-- Waits in a policy's function or, as one of the engine's own, between them -> the answers.
function waits.fetch(wait)
    if may_wait() or not coroutine.isyieldable() then
        return waits.ask("state", wait)
    end
    return in_time(restored(sandbox.depth(), coroutine.yield(wait)))
end

-- Offline: runs f(…) to its end -> what it returns. Its waits are answered by serve(wait) ->
-- values | nil, message | waits.expired, how long the decision had, in ms.
function waits.run(serve, f, ...)
    local thread = coroutine.create(f)
    return pass(serve, thread, coroutine.resume(thread, ...))
end

-- How long an answer takes, and its values as a table.
local function split(after, ...)
    return after, { n = select("#", ...), ... }
end

-- Virtual time for `waits.run`: a server of waits that takes none. `limit`: what a decision may
-- wait, in seconds. `answer(wait)` -> how long it takes, in seconds, and the answer's values.
-- Its `elapsed` is what the decision has waited so far.
function waits.virtual(limit, answer)
    local clock = { elapsed = 0 }
    local function finish(after, ...)
        clock.elapsed = math.min(clock.elapsed + after, limit)
        if clock.elapsed >= limit then
            return host.expired, limit * 1000
        end
        return ...
    end
    local function ask(wait)
        if wait.kind == "sleep" then
            return wait.seconds, true
        elseif wait.kind ~= "all" then
            return answer(wait)
        end
        local longest, list = 0, {}
        for i, each in ipairs(wait.waits) do
            local after
            after, list[i] = split(ask(each))
            longest = math.max(longest, after)
        end
        return longest, list
    end
    function clock.serve(wait)
        if clock.elapsed >= limit then
            return host.expired, limit * 1000
        end
        return finish(ask(wait))
    end
    return clock
end

local function check_name(word, name, expected)
    if type(name) ~= "string" or name == "" or #name > 255 or name:find "[%c ]" then
        error(string.format("%s: expected %s", word, expected), 0)
    end
end

-- The words of waiting.
function waits.words()
    return {
        sleep = sandbox.placed(function(seconds)
            if type(seconds) ~= "number" or not (seconds >= 0 and seconds <= 3600) then
                error("sleep: expected seconds, 0 to 3600", 0)
            end
            return waits.ask("sleep", { kind = "sleep", seconds = seconds })
        end),
        dns = {
            lookup = sandbox.placed(function(name)
                check_name("dns.lookup", name, "a name")
                return waits.ask("dns.lookup", { kind = "dns", query = "lookup", name = name })
            end),
            ptr = sandbox.placed(function(address)
                if type(address) ~= "string" or not host.ip(address) then
                    error("dns.ptr: expected an IPv4 address", 0)
                end
                return waits.ask("dns.ptr", { kind = "dns", query = "ptr", name = address })
            end),
        },
    }
end

return waits
