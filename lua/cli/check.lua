-- `moonboot check`: what is wrong with a site and its policies, all of it.

local engine = require "engine"
local options = require "cli.options"
local path = require "path"

local HELP = [[
Usage: moonboot check [-c SITE.YAML] [POLICY.LUA…]
Loads a site's configuration and policies and reports everything that is wrong with
them, as FILE:LINE: MESSAGE. Without arguments it checks ./site.yaml.

  -c, --config FILE  check this site.yaml and the policy that it names
  -h, --help         print this

Exit codes: 0 all is well, 1 there are problems, 2 bad usage.
]]

local OPTIONS = { ["--config"] = "value", ["-c"] = "value", ["--help"] = "flag", ["-h"] = "flag" }

local function usage(problem)
    host.cli.warn("moonboot check: " .. problem .. "\nTry: moonboot check --help\n")
    return 2
end

local function check_policy(name)
    local directory, file = path.split(name)
    local dir, message = host.cli.opendir(directory)
    if not dir then
        return { ("%s: %s"):format(name, message) }
    end
    local policy, problems = engine.load { dir = dir, file = file, display = name }
    return not policy and problems or nil
end

return function(args)
    local values, policies = options.parse(args, OPTIONS)
    if not values then
        return usage(policies)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    end
    local code = 0
    local function report(name, problems)
        if problems then
            host.cli.warn(table.concat(problems, "\n") .. "\n")
            code = 1
        else
            host.cli.write(name .. ": ok\n")
        end
    end
    local config = values["--config"] or values["-c"] or #policies == 0 and "site.yaml"
    if config then
        local site, problems = host.cli.site(config)
        report(config, problems)
        if site then
            table.insert(policies, 1, site.policy)
        end
    end
    for _, name in ipairs(policies) do
        report(name, check_policy(name))
    end
    return code
end
