-- What a test's policy lives in: a time that stands still until somebody waits, a store of its own,
-- and nobody outside but those that the test says.
--
-- A world is { began = seconds since 1970, passed = seconds since then, store = (store.lua), elapsed =
-- what the last decision waited }.

local events = require "events"
local json = require "json"
local network = require "testing.network"
local problems = require "problems"
local store = require "store"
local timeline = require "timeline"
local waits = require "waits"

local host = host

local world = {}

local World = {}
World.__index = World

-- The limits of a site that says nothing of them (core/config.c, core/policy.h), in seconds.
local LIMIT, DHCP_LIMIT = 5, 0.4

-- Where policies' own keys are in a store (state.lua).
local SPACE = "state/"

-- What time it is where nothing is said.
local BEGINNING = 1767225600 -- 2026-01-01 00:00:00 UTC

local function days(year, month, day)
    year = month <= 2 and year - 1 or year
    local era = math.floor(year / 400)
    local of_era = year - era * 400
    local of_year = math.floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5) + day - 1
    return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + of_year - 719468
end

-- Seconds since 1970 of a number, or of "2026-11-26T14:00:00Z" in full or as far as the day | nil.
function world.seconds(value)
    if type(value) == "number" then
        return value >= 0 and value < 2 ^ 40 and value or nil
    end
    local year, month, day, rest = tostring(value):match "^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$"
    local hour, minute, second = "0", "0", "0"
    if rest and rest ~= "" then
        hour, minute, second = rest:match "^[T ](%d%d):(%d%d):(%d%d)Z?$"
    end
    year, month, day = tonumber(year), tonumber(month), tonumber(day)
    hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
    if not day or not hour or month < 1 or month > 12 or day < 1 or day > 31 or hour > 23 or minute > 59
        or second > 60 then
        return nil
    end
    return days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

-- What is wrong with what a test says of its world; nil when nothing is.
function world.problem(body)
    if body.now ~= nil and not world.seconds(body.now) then
        return ("`now` is %s, and must be seconds since 1970, or such as \"2026-11-26T14:00:00Z\""):format(
            problems.show(body.now))
    end
    for key, value in pairs(body.state or {}) do
        local text, problem = json.encode(value)
        if type(key) ~= "string" or not text then
            return ("`state` has %s behind %s%s"):format(problems.show(value), problems.show(key),
                                                        problem and ": " .. problem or ", which is no key")
        end
    end
    return network.problem(body)
end

-- The world of a test of this policy. Until `leave`, it is the policy's. `used`: set of the stubs
-- that were asked, in all worlds of the test.
function world.enter(policy, body, used)
    local self = setmetatable({
        began = world.seconds(body.now or BEGINNING), passed = 0, elapsed = 0, policy = policy,
    }, World)
    self.network = network.new(body, used)
    local function now()
        return self.began + self.passed + (self.clock and self.clock.elapsed or 0)
    end
    self.store = store.memory(now)
    for key, value in pairs(body.state or {}) do
        self.store:write { key = SPACE .. key, text = json.encode(value) }
    end
    self.before = { store = policy.state.store, time = host.time }
    policy.state.store = self.store
    host.time = now
    return self
end

function World:leave()
    self.policy.state.store, host.time = self.before.store, self.before.time
end

-- Runs f(…), which may wait, as one decision -> what it returns. `soon`: DHCP is to be answered.
function World:run(soon, f, ...)
    local limit = soon and DHCP_LIMIT or LIMIT
    self.before_run = self.network.stubs:positions()
    local clock
    clock = waits.virtual(limit, function(wait)
        return self.network:answer(wait, self.passed + clock.elapsed, limit - clock.elapsed)
    end)
    local function finish(...)
        self.elapsed, self.clock = clock.elapsed, nil
        return ...
    end
    self.clock = clock
    return finish(waits.run(clock.serve, f, ...))
end

-- The same for a rendering of the last decision, which is made anew: whoever was asked is where he
-- was before it, and nothing comes of it.
function World:again(soon, f, ...)
    local stubs_of, elapsed, before = self.network.stubs, self.elapsed, self.before_run
    local after = stubs_of:positions()
    stubs_of:go_back(before)
    local function finish(...)
        stubs_of:go_back(after)
        self.elapsed, self.before_run = elapsed, before
        return ...
    end
    return finish(self:run(soon, f, ...))
end

-- Something has happened to the machine -> true | nil, problem.
function World:fire(who, event)
    local names, stage = events.known(self.policy), timeline.stages[event.name]
    if not names[event.name] and not stage then
        return nil, ("neither `on` nor `once` of the policy knows the event %s%s"):format(
            problems.show(event.name), problems.hint(event.name, names))
    end
    local ok, problem = self:run(false, stage and events.stage or events.fire, self.policy, who, {
        name = event.name, time = self.began + self.passed, params = event.params, body = event.body,
        client = event.client,
    })
    self.passed = self.passed + self.elapsed
    return ok, problem
end

-- What the store has for a key of the policy's; nil: nothing.
function World:remembers(key)
    local text = self.store:get(SPACE .. key)
    return text and json.decode(text)
end

-- What is wrong with how the test's world was used, as differences.
function World:complaints()
    return self.network.stubs:complaints()
end

return world
