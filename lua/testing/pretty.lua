-- Results for a person.

local pretty = {}
pretty.__index = pretty

local COLOURS = { pass = "\27[32m", fail = "\27[31m", error = "\27[31m", skip = "\27[33m" }
local MARKS = { pass = "ok   ", fail = "FAIL ", error = "ERROR", skip = "skip " }

function pretty.new(write, colour)
    return setmetatable({ write = write, colour = colour }, pretty)
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

function pretty:file(path)
    self.write(path .. "\n")
end

local function why(trace)
    local lines = {}
    for _, step in ipairs(trace) do
        lines[#lines + 1] = ("      %s %s:%d, \"%s\": %s\n"):format(
            step.matched and "->" or "  ", step.file, step.line, step.rule,
            step.why and step.why ~= "" and step.why or step.matched and "matched" or "did not match")
    end
    return table.concat(lines)
end

function pretty:result(result)
    self.write(("  %s %s\n"):format(self:paint(result.status, MARKS[result.status]), result.name))
    if result.status == "skip" and result.message then
        self.write("      " .. result.message .. "\n")
    elseif result.status == "error" then
        self.write("      " .. indent(result.message, "      ") .. "\n")
    elseif result.status == "fail" then
        self.write(("      %s:%d\n"):format(result.file, result.line))
        for _, difference in ipairs(result.differences) do
            self.write(("      %s\n        expected  %s\n        found     %s\n"):format(
                difference.key, indent(difference.expected, "          "),
                indent(difference.found, "          ")))
        end
        if result.trace then
            self.write("      the rules that were tried:\n" .. why(result.trace))
        end
        if result.decision_error then
            self.write("      the policy failed: " .. result.decision_error .. "\n")
        end
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
    self.write("\n" .. self:paint(bad and "fail" or "pass", line) .. "\n")
end

return pretty
