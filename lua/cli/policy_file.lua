-- A policy that a command is given by its file's name.

local bundled = require "cli.bundled"
local engine = require "engine"
local path = require "path"
local simulate = require "simulate"

local policy_file = {}

-- The policy, as its examples' server has it -> policy | nil, what is wrong, in lines; false instead
-- of nil when there is no such directory, which is the user's mistake and not the policy's.
function policy_file.load(name)
    name = bundled.policy(name)
    local directory, file = path.split(name)
    local dir, message = host.cli.opendir(directory)
    if not dir then
        return false, ("%s: %s"):format(name, message)
    end
    local policy, problems = engine.load { dir = dir, file = file, display = name }
    if not policy then
        return nil, table.concat(problems, "\n")
    end
    policy.base = simulate.base
    return policy
end

return policy_file
