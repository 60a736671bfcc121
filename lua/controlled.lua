-- Commands of the control socket that are the policy's to answer: events, machines. Who can open the
-- socket may do all of it.

local events = require "events"
local json = require "json"
local machine = require "machine"
local timeline = require "timeline"

local host = host

local controlled = {}

-- "52:54:00:12:34:56", a UUID, or "serial=R5" -> machine | nil, problem. What is recorded of the
-- machine is known too.
local function machine_of(policy, text)
    local fields = {}
    local serial = text:match "^serial=(.+)$"
    if serial then
        fields.serial = serial
    elseif host.mac(text) then
        fields.mac = text
    elseif host.uuid(text) then
        fields.uuid = text
    else
        return nil, string.format('"%s" is neither a MAC address nor a UUID, nor serial=…', text)
    end
    local m = machine.new(fields, "ipxe")
    local record = timeline.get(policy.state.store, m)
    for _, name in ipairs { "mac", "uuid", "serial" } do
        m[name] = m[name] or record and record[name] or nil
    end
    return m
end

local commands = {}

-- event NAME MACHINE
function commands.event(policy, arguments)
    local name, who = arguments:match "^(%S+) (.+)$"
    if not name then
        return nil, "expected an event and a machine"
    end
    local m, problem = machine_of(policy, who)
    if not m then
        return nil, problem
    end
    local info = { machine = machine.name(m), verdict = "event " .. name, stage = "control" }
    local taken
    taken, problem = events.fire(policy, m, { name = name, time = host.time(), operator = true })
    info.error = problem
    return taken and { result = "taken", machine = machine.name(m) }, problem, info
end

-- machines [MACHINE]
function commands.machines(policy, arguments)
    if arguments == "" then
        return { machines = json.array(timeline.all(policy.state.store)) }
    end
    local m, problem = machine_of(policy, arguments)
    if not m then
        return nil, problem
    end
    local record = timeline.get(policy.state.store, m)
    if not record then
        return nil, "nothing is known of " .. machine.name(m)
    end
    return record
end

-- request -> reply, info (core/README.md).
function controlled.answer(policy, request)
    local command = commands[request.command]
    local ok, value, problem, info = pcall(command, policy, request.arguments or "")
    if not ok then
        value, problem = nil, tostring(value)
    end
    return { body = json.encode(value or { error = problem }), status = 200, type = "application/json" }, info
end

return controlled
