-- Results as JUnit's XML, as Jenkins, GitLab and the like read it: a suite for each file, written
-- when all is known.

local pretty = require "testing.pretty"
local utf8 = require "testing.utf8"

local junit = {}
junit.__index = junit

function junit.new(write)
    return setmetatable({ write = write, suites = {} }, junit)
end

function junit:result(result)
    local suite = self.suites[#self.suites]
    if not suite or suite.name ~= result.file then
        suite = { name = result.file, results = {} }
        self.suites[#self.suites + 1] = suite
    end
    suite.results[#suite.results + 1] = result
end

local function seconds(us)
    return ("%.6f"):format(us / 1e6)
end

-- `name="value"` of each pair, in order.
local function attributes(...)
    local out = {}
    for i = 1, select("#", ...), 2 do
        local name, value = select(i, ...)
        out[#out + 1] = ('%s="%s"'):format(name, utf8.xml(tostring(value)))
    end
    return table.concat(out, " ")
end

-- Of a suite, or of all: there no schema has room for those that were skipped.
local function totals(results, all)
    local count, us = { pass = 0, fail = 0, error = 0, skip = 0 }, 0
    for _, result in ipairs(results) do
        count[result.status] = count[result.status] + 1
        us = us + result.us
    end
    return attributes("tests", #results, "failures", count.fail, "errors", count.error)
           .. (all and " " or " " .. attributes("skipped", count.skip) .. " ") .. attributes("time", seconds(us))
end

-- What differs, in a few words.
local function summary(result)
    local keys = {}
    for i, difference in ipairs(result.differences) do
        keys[i] = difference.key
    end
    return "not as expected: " .. table.concat(keys, ", ")
end

function junit:case(result)
    local class = result.file:gsub("%.lua$", ""):gsub("/", ".")
    local head = attributes("classname", class, "name", result.name, "file", result.file, "line", result.line,
                            "time", seconds(result.us))
    if result.status == "pass" then
        self.write(("    <testcase %s/>\n"):format(head))
        return
    end
    self.write(("    <testcase %s>\n"):format(head))
    if result.status == "skip" then
        self.write(("      <skipped %s/>\n"):format(attributes("message", result.message or "")))
    elseif result.status == "error" then
        self.write(("      <error %s>%s</error>\n"):format(
            attributes("message", result.message:match "^[^\n]*", "type", "error"),
            utf8.xml(result.message .. (result.given and "\nfor " .. result.given or ""), true)))
    else
        self.write(("      <failure %s>%s</failure>\n"):format(
            attributes("message", summary(result), "type", "failure"),
            utf8.xml(pretty.details(result), true)))
    end
    self.write("    </testcase>\n")
end

function junit:finish()
    local all = {}
    for _, suite in ipairs(self.suites) do
        for _, result in ipairs(suite.results) do
            all[#all + 1] = result
        end
    end
    self.write('<?xml version="1.0" encoding="UTF-8"?>\n')
    self.write(("<testsuites %s %s>\n"):format(attributes("name", "moonboot"), totals(all, true)))
    for _, suite in ipairs(self.suites) do
        self.write(("  <testsuite %s %s>\n"):format(attributes("name", suite.name), totals(suite.results)))
        for _, result in ipairs(suite.results) do
            self:case(result)
        end
        self.write("  </testsuite>\n")
    end
    self.write("</testsuites>\n")
end

return junit
