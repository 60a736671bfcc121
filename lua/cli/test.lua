-- `moonboot test`: the tests that stand beside policies.

local bundled = require "cli.bundled"
local options = require "cli.options"
local problems = require "problems"
local session = require "testing.session"
local watch = require "testing.watch"

local host = host

local HELP = [[
Usage: moonboot test [OPTION]… [PATH…]
Runs policy tests: the files named, and every *_test.lua below the directories named
(default: the current directory). X_test.lua tests X.lua beside it.

  --filter PATTERN      only tests whose name matches this Lua pattern
  --format FORMAT       pretty (default), tap, junit or json
  -j, --jobs N          spread the files over N processes; "auto": one a core
  --fail-fast           stop after the first failure or error
  --seed N              what property tests draw their machines from; a failure prints it
  --update-golden       write golden files anew where something else was found
  --coverage            which lines of policies and templates ran, which rules never decided,
                        which documents were never rendered
  --lcov FILE           coverage as an lcov tracefile
  --html FILE           coverage as a page of HTML
  --fail-under PERCENT  fail when fewer of the lines ran
  --bench               what the decision and the renderings of each test that passes cost
  --watch               run again whenever something changes that was read, until SIGINT
  -q, --quiet           print only tests that do not pass; nothing when all do
  -h, --help            print this

Exit codes: 0 all passed, 1 a test failed or too little was covered, 2 something could not run
or there was no test.
]]

local OPTIONS = {
    ["--filter"] = "value", ["--format"] = "value", ["--jobs"] = "value", ["-j"] = "value", ["--fail-fast"] = "flag",
    ["--seed"] = "value", ["--update-golden"] = "flag", ["--coverage"] = "flag", ["--lcov"] = "value",
    ["--html"] = "value", ["--fail-under"] = "value", ["--bench"] = "flag", ["--watch"] = "flag",
    ["--quiet"] = "flag", ["-q"] = "flag", ["--help"] = "flag", ["-h"] = "flag",
}

local JOBS_MAX = 64

local function usage(problem)
    host.cli.warn("moonboot test: " .. problem .. "\nTry: moonboot test --help\n")
    return 2
end

-- The test files at and below the paths, each once, and all files there | nil, problem.
local function find(paths)
    local tests, all, seen = {}, {}, {}
    for _, path in ipairs(paths) do
        local found, message = host.cli.find(path)
        if not found then
            return nil, ("%s: %s"):format(path, message)
        end
        found = bundled.files(path) or found
        for _, file in ipairs(found) do
            if not seen[file] then
                seen[file] = true
                all[#all + 1] = file
                tests[#tests + 1] = (file == path or file:find("_test%.lua$")) and file or nil
            end
        end
    end
    return tests, all
end

-- A number of an option, or nil and what is wrong with it.
local function number(name, text, pattern, least, most)
    local value = text:find(pattern) and tonumber(text)
    if not value or value < least or value > most then
        return nil, ("%s is followed by a number from %d to %d, not by %s"):format(name, least, most,
                                                                                  problems.show(text))
    end
    return value
end

-- The options' meaning | nil, what is wrong.
local function read(values)
    local settings = {
        filter = values["--filter"], format = values["--format"] or "pretty", jobs = 1,
        fail_fast = values["--fail-fast"], update_golden = values["--update-golden"],
        bench = values["--bench"], seed = math.floor(host.clock() % 2 ^ 31), lcov = values["--lcov"],
        html = values["--html"], quiet = values["--quiet"] or values["-q"],
    }
    settings.coverage_wanted = values["--coverage"] or settings.lcov or settings.html or values["--fail-under"]
    local wanted_jobs, problem = values["--jobs"] or values["-j"], nil
    if settings.filter and not pcall(string.find, "", settings.filter) then
        problem = ("\"%s\" is no Lua pattern"):format(settings.filter)
    elseif not session.formats[settings.format] then
        problem = ("there is no format \"%s\"%s"):format(settings.format,
                                                         problems.hint(settings.format, session.formats))
    end
    if not problem and wanted_jobs == "auto" then
        settings.jobs = math.min(host.cli.cores, JOBS_MAX)
    elseif not problem and wanted_jobs then
        settings.jobs, problem = number("--jobs", wanted_jobs, "^%d+$", 1, JOBS_MAX)
    end
    if not problem and values["--seed"] then
        settings.seed, problem = number("--seed", values["--seed"], "^%d+$", 0, 2 ^ 31 - 1)
    end
    if not problem and values["--fail-under"] then
        settings.fail_under, problem = number("--fail-under", values["--fail-under"], "^%d+%.?%d*$", 0, 100)
    end
    if not problem and settings.bench and (settings.jobs > 1 or settings.coverage_wanted) then
        problem = "--bench measures alone: neither with --jobs nor with coverage"
    end
    return not problem and settings or nil, problem
end

-- One run: what there is to test may have changed since the last.
local function run(paths, settings)
    local files, found = find(paths)
    if not files then
        return usage(found)
    end
    settings.found = found
    return session.run(files, settings)
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
    local paths = #operands > 0 and operands or { "." }
    if values["--watch"] then
        return watch.loop(paths, function()
            return run(paths, settings)
        end)
    end
    return run(paths, settings)
end
