-- Handlers of stages (stages.lua) that are to be called. A handler that hangs, or waits long, costs its
-- own machine's: the others' are another decision's.

local events = require "events"
local machine = require "machine"

local host = host

local due = {}

local MOST = 512  -- while there are more, nothing new is written
local TURN = 0.05 -- seconds after which the next handler is another decision's

function due.is_full(list)
    return #list >= MOST
end

-- Calls the handlers of a stage -> true | nil, what is wrong, whose.
local function tell(policy, each)
    local record, note = each.record, each.note
    local m = machine.new({ mac = record.mac, uuid = record.uuid, serial = record.serial }, "ipxe")
    if not m then
        return true
    end
    m.base, m.client = policy.base, note.client
    local called, problem = events.call(policy, m, { name = note.name, time = note.time, client = note.client,
                                                     params = { what = note.what } })
    return called, problem, machine.name(m)
end

-- Calls handlers of a list of { record =, note = }, from its first on, until one fails or the turn that
-- began then is over -> what went wrong, whose. May wait.
function due.call(policy, list, began)
    while list[1] and host.time() - began < TURN do
        local called, problem, who = tell(policy, table.remove(list, 1))
        if not called then
            return problem, who
        end
    end
end

return due
