-- `moonboot test`: the tests that stand beside policies.

local options = require "cli.options"
local pretty = require "testing.pretty"
local tap = require "testing.tap"
local testing = require "testing"

local HELP = [[
Usage: moonboot test [OPTION]… [PATH…]
Runs policy tests: the files named, and every *_test.lua below the directories named
(default: the current directory). X_test.lua tests X.lua beside it.

  --filter PATTERN  only tests whose name matches this Lua pattern
  --format FORMAT   pretty (default) or tap
  -h, --help        print this

Exit codes: 0 all passed, 1 a test failed, 2 something could not run or there was no test.
]]

local OPTIONS = { ["--filter"] = "value", ["--format"] = "value", ["--help"] = "flag", ["-h"] = "flag" }

local function usage(problem)
    host.cli.warn("moonboot test: " .. problem .. "\nTry: moonboot test --help\n")
    return 2
end

-- The test files at and below the paths, each once | nil, problem.
local function find(paths)
    local files, seen = {}, {}
    for _, path in ipairs(paths) do
        local found, message = host.cli.find(path)
        if not found then
            return nil, ("%s: %s"):format(path, message)
        end
        for _, file in ipairs(found) do
            if (file == path or file:find("_test%.lua$")) and not seen[file] then
                seen[file] = true
                files[#files + 1] = file
            end
        end
    end
    return files
end

local function reporter(format)
    if format == "tap" then
        return tap.new(host.cli.write)
    elseif format == nil or format == "pretty" then
        return pretty.new(host.cli.write, host.cli.tty)
    end
end

return function(args)
    local values, operands = options.parse(args, OPTIONS)
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    end
    local filter = values["--filter"]
    if filter and not pcall(string.find, "", filter) then
        return usage(("\"%s\" is no Lua pattern"):format(filter))
    end
    local files, problem = find(#operands > 0 and operands or { "." })
    if not files then
        return usage(problem)
    end
    local report = reporter(values["--format"])
    if not report then
        return usage(("there is no format \"%s\""):format(values["--format"]))
    end

    local count = { pass = 0, fail = 0, error = 0, skip = 0 }
    for _, file in ipairs(files) do
        testing.run(file, filter, report, count)
    end
    report:finish(count)
    if count.pass + count.fail + count.error + count.skip == 0 then
        host.cli.warn("moonboot test: no tests found\n")
        return 2
    end
    return count.error > 0 and 2 or count.fail > 0 and 1 or 0
end
