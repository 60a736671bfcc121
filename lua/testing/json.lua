-- Results as one JSON document (testing/README.md says what is in it), written at the end.

local json = require "cli.json"
local utf8 = require "testing.utf8"

local document = {}
document.__index = document

function document.new(write)
    return setmetatable({ write = write, tests = json.list {} }, document)
end

-- Lists that may be empty stay lists.
local function lists_of(result)
    local copy = utf8.deep(result)
    for _, name in ipairs { "differences", "rules", "updated", "timeline", "bench" } do
        copy[name] = copy[name] and json.list(copy[name])
    end
    for _, step in ipairs(copy.rules or {}) do
        step.matched = step.matched or false
    end
    copy.us = math.floor(copy.us + 0.5)
    return copy
end

function document:result(result)
    self.tests[#self.tests + 1] = lists_of(result)
end

local ORDER = { "version", "seed", "passed", "failed", "errors", "skipped", "stopped", "us", "coverage", "tests" }

function document:finish(count, about)
    self.write(json.encode({
        version = 1, seed = about.seed, passed = count.pass, failed = count.fail, errors = count.error,
        skipped = count.skip, stopped = count.stopped or false, us = math.floor(about.us + 0.5), tests = self.tests,
        coverage = about.coverage and utf8.deep(about.coverage),
    }, ORDER) .. "\n")
end

return document
