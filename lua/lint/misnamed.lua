-- Events that machines are given the URL of, and that nothing in the policy knows: what is told so is
-- recorded, and no more. A policy that reads records may look for any event there.

local events = require "events"
local once = require "once"
local problems = require "problems"

local misnamed = {}

-- Calls warn(kind, file, line, text).
function misnamed.find(l, policy, warn)
    local names = events.known(policy)
    if policy.reads_records or l.scope.known_vars.event then -- a var of that name goes before the helper
        return
    end
    for _, told in ipairs(l.scope.told_events) do
        if once.is_event(told.name) and not names[told.name] then
            warn("unknown-event", told.report.display, told.line, "no on, done_on or again_on names the event %s%s",
                 problems.show(told.name), problems.hint(told.name, names))
        end
    end
end

return misnamed
