-- `on("installed", function (machine, event) … end)`: what a policy does when a machine, or a
-- person on its behalf, says that something has happened.

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

local fields = words.keys "Event"

local Event = { __metatable = "event" }

function Event.__index(_, key)
    if not fields[key] then
        error(string.format("an event has no field %s%s", problems.show(key), problems.hint(key, fields)), 2)
    end
end

local function call(handler, m, event)
    sandbox.reset()
    state.allow(true)
    handler.call(machine.view(m), event)
    state.allow(false)
end

local function note(policy, m, event)
    local written, problem = timeline.note(policy.state.store, m, event)
    if not written then
        return nil, problem
    end
    return once.note(policy.onces, policy.state.store, event.name, m, event.time)
end

-- Something has happened: writes it down, and what `once` wants to know of it, then calls the handlers of
-- that name, in the order of the files -> true | nil, problem. All of them are called, whatever
-- becomes of one; what is wrong is the first. `event` has what words.lua says of Event; it waits,
-- like a decision.
function events.fire(policy, m, event)
    if not once.is_event(event.name) then
        return nil, string.format("found %s, expected an event's name: up to 64 letters, digits and _ . -",
                                  problems.show(event.name))
    end
    local given = setmetatable({ params = {} }, Event)
    for key, value in pairs(event) do
        given[key] = value
    end
    local ok, noted, problem = waits.guard(note, policy, m, event)
    if not ok or not noted then
        return nil, ok and problem or noted
    end
    local first
    for _, handler in ipairs(policy.handlers) do
        if handler.event == event.name then
            ok, problem = waits.guard(call, handler, m, given)
            first = first or not ok and decision.locate(policy, handler, problem) or nil
        end
    end
    return first == nil or nil, first
end

function events.words(l)
    return {
        on = function(name, f)
            local file, line = blame.caller(l)
            blame.loading(l, "on")
            if name == void.value or f == void.value then
                return nil
            elseif not once.is_event(name) then
                return blame.wrong(file, line, 'on: found %s, expected an event\'s name: on("installed", function…)',
                                   reader.show(name))
            elseif type(f) ~= "function" then
                return blame.wrong(file, line, "on %s: found %s, expected a function of the machine and the event",
                                   problems.show(name), reader.show(f))
            end
            table.insert(l.handlers, { event = name, call = f, display = file.display, line = line,
                                       name = "on " .. problems.show(name) })
            return nil
        end,
    }
end

return events
