-- Commands of the control socket that are the policy's to answer: events, machines. Who can open the
-- socket may do all of it. Each gives JSON, or a value to be made JSON | nil, problem, and info.

local events = require "events"
local json = require "json"
local known = require "known"
local machine = require "machine"
local once = require "once"
local stages = require "stages"
local timeline = require "timeline"
local unicode = require "unicode"

local host = host

local controlled = {}

local commands = {}

-- event NAME MACHINE
function commands.event(policy, arguments)
    local name, who = arguments:match "^(%S+) (.+)$"
    if not name then
        return nil, "expected an event and a machine"
    end
    local unknown = once.is_event(name) and events.unknown(policy, name)
    if unknown then
        return nil, unknown
    end
    local m, problem = timeline.machine(policy.state.store, who)
    if not m then
        return nil, problem
    end
    local info = { machine = machine.name(m), verdict = "event " .. name, stage = "control" }
    local taken
    taken, problem = events.fire(policy, m, { name = name, time = host.time(), operator = true })
    info.error = problem
    return taken and { result = "taken", machine = machine.name(m) }, problem, info
end

local NO_STORE = "this site remembers nothing: `state` in site.yaml names where it is kept"

-- machine MACHINE
function commands.machine(policy, arguments)
    local record, problem, none = known.one(policy, arguments)
    if not policy.state.store.lasts and (record or none) then
        return nil, NO_STORE
    end
    return record, problem
end

-- machines [after=ID] [limit=N] [stuck=SECONDS], or machines MACHINE
function commands.machines(policy, arguments)
    if arguments ~= "" and not (arguments:find "^%a+=" and not arguments:find "^serial=") then
        return commands.machine(policy, arguments)
    elseif not policy.state.store.lasts then
        return nil, NO_STORE
    end
    local page, problem = known.list(policy, arguments)
    return page, problem
end

-- The core's own: writes down what has been seen of boots -> whether there is more, and how much found no
-- room, as two numbers.
local function settle(policy)
    local more, problem, dropped, who = stages.settle(policy)
    local info = problem and { machine = who or "-", verdict = "stages", stage = "boot", error = problem } or nil
    return { body = string.format("%d %d", more and 1 or 0, dropped), status = 200 }, info
end

-- request -> reply, info (core/README.md).
function controlled.answer(policy, request)
    if request.command == "settle" then
        return settle(policy)
    end
    local command = commands[request.command]
    local ok, value, problem, info = pcall(command, policy, request.arguments or "")
    if not ok then
        value, problem = nil, tostring(value)
    elseif type(value) == "string" then
        return { body = value, status = 200, type = "application/json" }, info
    end
    local body = unicode.clean(json.encode(value or { error = problem }))
    return { body = body, status = 200, type = "application/json" }, info
end

return controlled
