-- `on("installed", function (machine, event) … end)`: what a policy does when a machine, or a
-- person on its behalf, says that something has happened; and `emit`, by which a policy says so.

local blame = require "blame"
local decision = require "decision"
local machine = require "machine"
local once = require "once"
local problems = require "problems"
local reader = require "reader"
local sandbox = require "sandbox"
local state = require "state"
local timeline = require "timeline"
local void = require "void"
local waits = require "waits"
local words = require "words"

local events = {}

local host = host

local fields = words.keys "Event"

-- Stages of a boot (stages.lua), which handlers can be for. No event that is told has such a name.
local stages = timeline.stages

local Event = { __metatable = "event" }

function Event.__index(_, key)
    if not fields[key] then
        error(string.format("an event has no field %s%s", problems.show(key), problems.hint(key, fields)), 2)
    end
end

-- What a policy's own function may cause, in all, when it has ended.
local MOST_EMITTED = 100

-- What a function emits is taken in when it has ended well -> list of events, each with `machine`.
local function call(handler, m, event)
    local emitted = {}
    sandbox.reset()
    state.allow(emitted)
    handler.call(machine.view(m), event)
    state.allow(false)
    return emitted
end

local function note(policy, m, event)
    local written, problem = timeline.note(policy.state.store, m, event)
    if not written then
        return nil, problem
    end
    return once.note(policy.onces, policy.state.store, event.name, m, event.time)
end

local function given_of(event)
    local given = setmetatable({ params = {} }, Event)
    for key, value in pairs(event) do
        given[key] = value
    end
    return given
end

-- Takes in what functions have emitted, in its order -> true | nil, problem. `budget` has how many
-- there may be in all. May wait.
local function take_in(policy, emitted, budget)
    local first
    for _, event in ipairs(emitted) do
        budget.left = budget.left - 1
        if budget.left < 0 then
            return nil, string.format("emit: more than %d events come of one", MOST_EMITTED)
        end
        local ok, problem = events.fire(policy, event.machine, event, budget)
        first = first or not ok and problem or nil
    end
    return first == nil or nil, first
end

-- The same, of a function that was called for another reason than an event.
function events.take_in(policy, emitted)
    return take_in(policy, emitted, { left = MOST_EMITTED })
end

-- Calls the handlers of an event, in the order of the files -> true | nil, problem. All of them are
-- called, whatever becomes of one; what is wrong is the first. May wait.
function events.call(policy, m, event, budget)
    local given, first = given_of(event), nil
    budget = budget or { left = MOST_EMITTED }
    for _, handler in ipairs(policy.handlers) do
        if handler.event == event.name then
            local ok, result = waits.guard(call, handler, m, given)
            local problem
            if ok then
                ok, problem = take_in(policy, result, budget)
            else
                problem = decision.locate(policy, handler, result)
            end
            first = first or not ok and problem or nil
        end
    end
    return first == nil or nil, first
end

-- The events that a policy wants to know of, as a set.
function events.known(policy)
    if not policy.known_events then
        local names = {}
        for _, handler in ipairs(policy.handlers) do
            names[handler.event] = true
        end
        for _, which in ipairs(policy.onces) do
            names[which.done], names[which.again] = true, true
        end
        policy.known_events = names
    end
    return policy.known_events
end

-- What is odd about an event of that name: nothing in the policy knows it. nil when something does, or may: a
-- policy whose functions read machines' records can look for any event there.
function events.unknown(policy, name)
    local names = events.known(policy)
    if policy.reads_records or names[name] then
        return nil
    end
    return string.format("nothing in the policy knows the event %s%s", problems.show(name),
                         problems.hint(name, names))
end

-- Something has happened: writes it down, and what `once` wants to know of it, then calls the handlers
-- of that name -> true | nil, problem. `event` has what words.lua says of Event, and operator or from
-- (timeline.lua); it waits, like a decision.
function events.fire(policy, m, event, budget)
    if not once.is_event(event.name) then
        return nil, string.format("found %s, expected an event's name: up to 64 letters, digits and _ . -",
                                  problems.show(event.name))
    end
    local ok, noted, problem = waits.guard(note, policy, m, event)
    if not ok or not noted then
        return nil, ok and problem or noted
    end
    return events.call(policy, m, event, budget)
end

-- A stage of the machine's boot, as a test says it (stages.lua sees those of the service) -> true | nil,
-- problem.
function events.stage(policy, m, event)
    local stage = { name = event.name, time = event.time, client = event.client, from = "boot",
                    what = event.params and event.params.what }
    local ok, noted, problem = waits.guard(timeline.note, policy.state.store, m, stage)
    if not ok or not noted then
        return nil, ok and problem or noted
    end
    return events.call(policy, m, event)
end

local function text_params(params)
    local copy = {}
    for key, value in pairs(params or {}) do
        if type(key) ~= "string" or type(value) ~= "string" and type(value) ~= "number" then
            error("emit: params: found " .. reader.show(value) .. ", expected names and texts", 0)
        end
        copy[key] = tostring(value)
    end
    return copy
end

-- `emit("name", machine, params)`.
local function emit(l, name, who, params)
    local emitted = state.allowed()
    if l.loading or not emitted then
        error("emit: deciding changes nothing; emit in on, or in serve when request.method is POST", 0)
    elseif not once.is_event(name) then
        error(string.format("emit: found %s, expected an event's name: up to 64 letters, digits and _ . -",
                            reader.show(name)), 0)
    elseif params ~= nil and type(params) ~= "table" then
        error(string.format("emit: found %s, expected params: names and texts", reader.show(params)), 0)
    end
    local m, problem = machine.behind(who), nil
    if not m and type(who) == "string" then
        m, problem = timeline.machine(l.state.store, who)
    elseif not m then
        problem = string.format("found %s, expected a machine, or its MAC address", reader.show(who))
    end
    if not m then
        error("emit: " .. problem, 0)
    elseif #emitted >= MOST_EMITTED then
        error(string.format("emit: %d events are the most", MOST_EMITTED), 0)
    end
    emitted[#emitted + 1] = { name = name, time = host.time(), params = text_params(params), machine = m,
                              from = "policy" }
end

function events.words(l)
    return {
        emit = sandbox.placed(function(...)
            return emit(l, ...)
        end),
        on = function(name, f)
            local file, line = blame.caller(l)
            blame.loading(l, "on")
            if name == void.value or f == void.value then
                return nil
            elseif not once.is_event(name) and not stages[name] then
                return blame.wrong(file, line, 'on: found %s, expected an event\'s name: on("installed", function…)%s',
                                   reader.show(name), type(name) == "string" and problems.hint(name, stages) or "")
            elseif type(f) ~= "function" then
                return blame.wrong(file, line, "on %s: found %s, expected a function of the machine and the event",
                                   problems.show(name), reader.show(f))
            end
            l.state.used = l.state.used or stages[name]
            table.insert(l.handlers, { event = name, call = f, display = file.display, line = line,
                                       name = "on " .. problems.show(name) })
            return nil
        end,
    }
end

return events
