-- `moonboot check POLICY.LUA…`: what is wrong with policies, all of it.
-- Options and site.yaml are read before this runs.

local engine = require "engine"
local path = require "path"

local function check(name)
    local directory, file = path.split(name)
    local dir, message = host.cli.opendir(directory)
    if not dir then
        return { ("%s: %s"):format(name, message) }
    end
    local policy, problems = engine.load { dir = dir, file = file, display = name }
    return not policy and problems or nil
end

return function(paths)
    local code = 0
    for _, name in ipairs(paths) do
        local problems = check(name)
        if problems then
            host.cli.warn(table.concat(problems, "\n") .. "\n")
            code = 1
        else
            host.cli.write(name .. ": ok\n")
        end
    end
    return code
end
