-- The policy that a command is asked about, and what stands for its server.

local policies = require "cli.policies"
local simulate = require "simulate"

local policy_file = {}

-- What the commands' help says of it.
policy_file.help = [[
The policy is a file, a directory with policy.lua in it, a site.yaml, or REV:PATH of one of
these in git. URLs begin with what its site.yaml says of advertise and http.listen, and
where it says nothing, with http://10.0.0.2:8080.

  -c, --config FILE        the policy that this site.yaml names
]]

policy_file.options = { ["--config"] = "value", ["-c"] = "value" }

-- The policy of that name (policies.lua) -> policy | nil, what is wrong, in lines; false instead of nil when
-- there is no such directory, which is the user's mistake and not the policy's.
function policy_file.load(name, is_site)
    local policy, site = policies.open(name, is_site)
    if not policy then
        return policy, table.concat(site, "\n")
    end
    policy.told = site and simulate.of_site(site)
    policy.base = policy.told and policy.told.base or simulate.base
    return policy
end

-- The one policy of a command line -> policy | nil or false, what is wrong: as above, false also when none
-- is named, or two are.
function policy_file.named(values, operands)
    local config = values["--config"] or values["-c"]
    if #operands + (config and 1 or 0) ~= 1 then
        return false, config and "name one policy, or a site.yaml with -c" or "name one policy"
    end
    return policy_file.load(config or operands[1], config ~= nil)
end

return policy_file
