-- `moonboot test`: the tests that stand beside policies.

local jobs = require "testing.jobs"
local json = require "testing.json"
local junit = require "testing.junit"
local options = require "cli.options"
local pretty = require "testing.pretty"
local problems = require "problems"
local tap = require "testing.tap"
local testing = require "testing"

local host = host

local HELP = [[
Usage: moonboot test [OPTION]… [PATH…]
Runs policy tests: the files named, and every *_test.lua below the directories named
(default: the current directory). X_test.lua tests X.lua beside it.

  --filter PATTERN   only tests whose name matches this Lua pattern
  --format FORMAT    pretty (default), tap, junit or json
  -j, --jobs N       spread the files over N processes; "auto": one a core
  --fail-fast        stop after the first failure or error
  --seed N           what property tests draw their machines from; a failure prints it
  --update-golden    write golden files anew where something else was found
  -h, --help         print this

Exit codes: 0 all passed, 1 a test failed, 2 something could not run or there was no test.
]]

local OPTIONS = {
    ["--filter"] = "value", ["--format"] = "value", ["--jobs"] = "value", ["-j"] = "value", ["--fail-fast"] = "flag",
    ["--seed"] = "value", ["--update-golden"] = "flag", ["--help"] = "flag", ["-h"] = "flag",
}

local JOBS_MAX = 64

local FORMATS = { pretty = pretty, tap = tap, junit = junit, json = json }

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

-- A whole number of an option, or nil and what is wrong with it.
local function number(name, text, least, most)
    local value = text:find "^%d+$" and tonumber(text)
    if not value or value < least or value > most then
        return nil, ("%s is followed by a number from %d to %d, not by %s"):format(name, least, most,
                                                                                  problems.show(text))
    end
    return value
end

-- The options' meaning | nil, what is wrong.
local function read(values)
    local read_as = {
        filter = values["--filter"], format = values["--format"] or "pretty", jobs = 1,
        fail_fast = values["--fail-fast"], update_golden = values["--update-golden"],
        seed = host.clock() % 2 ^ 31,
    }
    read_as.seed = math.floor(read_as.seed)
    local wanted_jobs, problem = values["--jobs"] or values["-j"], nil
    if read_as.filter and not pcall(string.find, "", read_as.filter) then
        problem = ("\"%s\" is no Lua pattern"):format(read_as.filter)
    elseif not FORMATS[read_as.format] then
        problem = ("there is no format \"%s\"%s"):format(read_as.format, problems.hint(read_as.format, FORMATS))
    end
    if not problem and wanted_jobs == "auto" then
        read_as.jobs = math.min(host.cli.cores, JOBS_MAX)
    elseif not problem and wanted_jobs then
        read_as.jobs, problem = number("--jobs", wanted_jobs, 1, JOBS_MAX)
    end
    if not problem and values["--seed"] then
        read_as.seed, problem = number("--seed", values["--seed"], 0, 2 ^ 31 - 1)
    end
    return not problem and read_as or nil, problem
end

-- Runs the files and reports -> exit code.
local function run(files, settings)
    local report = FORMATS[settings.format].new(host.cli.write, host.cli.tty)
    local count, began, died = testing.count(), host.clock(), nil
    local function tell(result)
        count[result.status] = count[result.status] + 1
        report:result(result)
        count.stopped = settings.fail_fast and (result.status == "fail" or result.status == "error") or nil
        return count.stopped
    end
    if settings.jobs > 1 and #files > 1 then
        died = jobs.run(files, settings, settings.jobs, tell)
    else
        for _, file in ipairs(files) do
            if testing.run(file, settings, tell) then
                break
            end
        end
    end
    report:finish(count, { seed = settings.seed, us = host.clock() - began })
    if died then
        host.cli.warn("moonboot test: " .. died .. "\n")
        return 2
    elseif count.pass + count.fail + count.error + count.skip == 0 then
        host.cli.warn("moonboot test: no tests found\n")
        return 2
    end
    return count.error > 0 and 2 or count.fail > 0 and 1 or 0
end

return function(args)
    local values, operands = options.parse(args, OPTIONS)
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    end
    local settings, problem = read(values)
    if not settings then
        return usage(problem)
    end
    local files
    files, problem = find(#operands > 0 and operands or { "." })
    if not files then
        return usage(problem)
    end
    return run(files, settings)
end
