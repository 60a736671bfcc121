-- Decisions at the command line that wait. Time is virtual, and nobody is asked, unless the person
-- who is there says so (--network).

local waits = require "waits"

local live = {}

live.help = [[
      --network            ask those that the policy's functions ask, and wait for them;
                           without it such a question fails, and sleep takes no time
]]

live.options = { ["--network"] = "flag" }

local LIMIT = 5 -- seconds: what a decision may wait when site.yaml says nothing

local function not_asked()
    return 0, nil, "not asked without --network"
end

-- Runs f(…), one decision, to its end -> what it returns.
function live.run(network, f, ...)
    if not network then
        return waits.run(waits.virtual(LIMIT, not_asked).serve, f, ...)
    end
    local deadline = host.cli.clock() + LIMIT
    return waits.run(function(wait)
        return host.cli.wait(wait, deadline - host.cli.clock(), LIMIT * 1000)
    end, f, ...)
end

return live
