-- Runs test files, in one process or several, and reports: what `moonboot test` does once.

local coverage = require "testing.coverage"
local covered = require "testing.covered"
local covered_html = require "testing.covered_html"
local jobs = require "testing.jobs"
local json = require "testing.json"
local junit = require "testing.junit"
local path = require "path"
local pretty = require "testing.pretty"
local tap = require "testing.tap"
local testing = require "testing"

local host = host

local session = {}

-- What results can be written as.
session.formats = { pretty = pretty, tap = tap, junit = junit, json = json }

local function read(name)
    local directory, file = path.split(name)
    local dir = host.cli.opendir(directory)
    return dir and host.read(dir, file) or nil
end

local function set_of(list)
    local set = {}
    for _, each in ipairs(list) do
        set[each] = true
    end
    return set
end

-- Runs the files -> coverage's data, if it is wanted; and why not all could be run.
local function run_files(files, settings, tell)
    local data = { files = {}, rules = {}, documents = {} }
    local measured = settings.coverage_wanted and coverage.start(files)
    settings.coverage = measured or nil
    local died
    if settings.jobs > 1 and #files > 1 then
        settings.finish = measured and function()
            return measured:data()
        end
        died = jobs.run(files, settings, settings.jobs, tell, function(about)
            coverage.merge(data, about)
        end)
    else
        for _, file in ipairs(files) do
            if testing.run(file, settings, tell) then
                break
            end
        end
    end
    if measured then
        measured:stop()
        coverage.merge(data, measured:data())
    end
    return measured and data or nil, died
end

local function save(name, text)
    local saved, message = host.cli.save(name, text, true)
    if saved == nil then
        return ("%s: %s"):format(name, message)
    end
end

-- Writes the reports of coverage, but for JSON -> the report, why it cannot be written.
local function report_coverage(data, settings, files)
    local report = covered.report(data, settings.found, set_of(files), read)
    local text = covered.text(report)
    if settings.format == "pretty" then
        host.cli.write(settings.quiet and "" or "\n" .. text)
    elseif settings.format == "tap" then
        host.cli.write((text:gsub("[^\n]+", "# %0")))
    elseif settings.format == "junit" then
        host.cli.warn(text)
    end
    return report, settings.lcov and save(settings.lcov, covered.lcov(report))
                   or settings.html and save(settings.html, covered_html(report)) or nil
end

-- Runs the test files by these settings (cli/test.lua) -> exit code.
function session.run(files, settings)
    local report = session.formats[settings.format].new(host.cli.write, host.cli.tty, settings.quiet)
    local count, began = testing.count(), host.clock()
    local function tell(result)
        count[result.status] = count[result.status] + 1
        report:result(result)
        count.stopped = settings.fail_fast and (result.status == "fail" or result.status == "error") or nil
        return count.stopped
    end
    local data, problem = run_files(files, settings, tell)
    local seen
    if data then
        local unwritten
        seen, unwritten = report_coverage(data, settings, files)
        problem = problem or unwritten
    end
    report:finish(count, { seed = settings.seed, us = host.clock() - began, coverage = seen and covered.plain(seen) })
    local function warn(text)
        host.cli.warn("moonboot test: " .. text .. "\n")
    end
    if problem then
        warn(problem)
        return 2
    elseif count.pass + count.fail + count.error + count.skip == 0 then
        warn "no tests found"
        return 2
    end
    local low = settings.fail_under and seen.percent < settings.fail_under
    if low then
        warn(("coverage is %.2f %%, under %s %%"):format(seen.percent, settings.fail_under))
    end
    return count.error > 0 and 2 or (count.fail > 0 or low) and 1 or 0
end

return session
