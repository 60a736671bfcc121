-- `moonboot check POLICY.LUA…`: what is wrong with policies, all of it.
-- Options and site.yaml are read before this runs.

local engine = require "engine"
local options = require "cli.options"

local function check(path)
    local directory, file = options.split_path(path)
    local dir, message = host.cli.opendir(directory)
    if not dir then
        return { ("%s: %s"):format(path, message) }
    end
    local policy, problems = engine.load { dir = dir, file = file, display = path }
    return not policy and problems or nil
end

return function(paths)
    local code = 0
    for _, path in ipairs(paths) do
        local problems = check(path)
        if problems then
            host.cli.warn(table.concat(problems, "\n") .. "\n")
            code = 1
        else
            host.cli.write(path .. ": ok\n")
        end
    end
    return code
end
