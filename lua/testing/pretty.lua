-- Results for a person.

local bench = require "testing.bench"

local pretty = {}
pretty.__index = pretty

local COLOURS = { pass = "\27[32m", fail = "\27[31m", error = "\27[31m", skip = "\27[33m" }
local MARKS = { pass = "ok   ", fail = "FAIL ", error = "ERROR", skip = "skip " }

-- `quiet`: only of what does not pass.
function pretty.new(write, colour, quiet)
    return setmetatable({ write = write, colour = colour, quiet = quiet }, pretty)
end

function pretty:paint(status, text)
    if self.colour then
        return COLOURS[status] .. text .. "\27[0m"
    end
    return text
end

local function indent(text, by)
    return (text:gsub("\n", "\n" .. by))
end

-- As `moonboot explain` marks them: what it ended with, and what had no opinion.
local STEPS = { ["no match"] = "  ", ["no opinion"] = "~ " }

local function why(rules)
    local lines = {}
    for _, step in ipairs(rules) do
        lines[#lines + 1] = ("      %s %s:%d, \"%s\": %s\n"):format(
            STEPS[step.outcome] or "->", step.file, step.line, step.rule,
            step.why and step.why ~= "" and step.why or step.matched and "matched" or "did not match")
    end
    return table.concat(lines)
end

-- What a failure has to say, as text.
function pretty.details(result)
    local out = { ("      %s:%d\n"):format(result.file, result.line) }
    if result.given then
        out[#out + 1] = ("      for %s\n      the simplest found, in run %d; --seed %d finds it again\n"):format(
            indent(result.given, "      "), result.runs, result.seed)
    end
    for _, difference in ipairs(result.differences) do
        out[#out + 1] = ("      %s\n        expected  %s\n        found     %s\n"):format(
            difference.key, indent(difference.expected, "          "), indent(difference.found, "          "))
    end
    for _, event in ipairs(result.timeline or {}) do
        out[#out + 1] = ("      %s\n"):format(event)
    end
    if result.rules and #result.rules > 0 then
        out[#out + 1] = "      the rules that were tried:\n" .. why(result.rules)
    end
    if result.error then
        out[#out + 1] = "      the policy failed: " .. indent(result.error, "      ") .. "\n"
    end
    return table.concat(out)
end

function pretty:result(result)
    if self.quiet and (result.status == "pass" or result.status == "skip") then
        return
    end
    if self.path ~= result.file then
        self.path = result.file
        self.write(result.file .. "\n")
    end
    self.write(("  %s %s\n"):format(self:paint(result.status, MARKS[result.status]), result.name))
    if result.status == "skip" and result.message then
        self.write("      " .. result.message .. "\n")
    elseif result.status == "error" then
        self.write("      " .. indent(result.message, "      ") .. "\n")
        if result.given then
            self.write(("      for %s\n      in run %d; --seed %d finds it again\n"):format(
                indent(result.given, "      "), result.runs, result.seed))
        end
    elseif result.status == "fail" then
        self.write(pretty.details(result))
    end
    for _, cost in ipairs(result.bench or {}) do
        self.write("      " .. bench.line(cost) .. "\n")
    end
    for _, file in ipairs(result.updated or {}) do
        self.write("      wrote " .. file .. "\n")
    end
end

-- The line that CI systems read comes last and alone.
function pretty:finish(count)
    local line = ("%d passed, %d failed"):format(count.pass, count.fail)
    if count.error > 0 then
        line = line .. (", %d error%s"):format(count.error, count.error == 1 and "" or "s")
    end
    if count.skip > 0 then
        line = line .. (", %d skipped"):format(count.skip)
    end
    local bad = count.fail + count.error > 0
    if self.quiet and not bad then
        return
    end
    self.write("\n" .. self:paint(bad and "fail" or "pass", line) .. "\n")
end

return pretty
