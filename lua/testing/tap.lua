-- Results as TAP 13 (testanything.org), with what failed in YAML blocks.

local bench = require "testing.bench"

local tap = {}
tap.__index = tap

function tap.new(write)
    write("TAP version 13\n")
    return setmetatable({ write = write, n = 0 }, tap)
end

-- "#" begins a directive, and a line is a test.
local function on_a_line(text)
    return (text:gsub("[\r\n]", " "):gsub("[\\#]", "\\%0"))
end

local function yaml(text)
    return '"' .. text:gsub('[%c"\\\127]', function(c)
        return c == "\n" and "\\n" or c == '"' and '\\"' or c == "\\" and "\\\\" or ("\\x%02x"):format(c:byte())
    end) .. '"'
end

function tap:block(lines)
    self.write("  ---\n  " .. table.concat(lines, "\n  ") .. "\n  ...\n")
end

local function counterexample(result, lines)
    if result.given then
        lines[#lines + 1] = "counterexample: " .. yaml(result.given)
        lines[#lines + 1] = ("run: %d"):format(result.runs)
        lines[#lines + 1] = ("seed: %d"):format(result.seed)
    end
    return lines
end

local function failure(result)
    local lines = counterexample(result, {
        "severity: fail", "at: " .. yaml(("%s:%d"):format(result.file, result.line)),
    })
    lines[#lines + 1] = "differences:"
    for _, difference in ipairs(result.differences) do
        lines[#lines + 1] = "  - key: " .. yaml(difference.key)
        lines[#lines + 1] = "    expected: " .. yaml(difference.expected)
        lines[#lines + 1] = "    found: " .. yaml(difference.found)
    end
    lines[#lines + 1] = result.rules and #result.rules > 0 and "rules:" or nil
    for _, step in ipairs(result.rules or {}) do
        lines[#lines + 1] = ("  - { file: %s, line: %d, rule: %s, matched: %s, decided: %s, why: %s }"):format(
            yaml(step.file), step.line, yaml(step.rule), tostring(step.matched), tostring(step.decided or false),
            yaml(step.why or ""))
    end
    lines[#lines + 1] = result.error and "error: " .. yaml(result.error) or nil
    return lines
end

function tap:result(result)
    if self.path ~= result.file then
        self.path = result.file
        self.write("# " .. on_a_line(result.file) .. "\n")
    end
    self.n = self.n + 1
    local good = result.status == "pass" or result.status == "skip"
    local directive = result.status == "skip" and " # SKIP " .. on_a_line(result.message or "") or ""
    self.write(("%s %d - %s%s\n"):format(good and "ok" or "not ok", self.n, on_a_line(result.name), directive))
    if result.status == "error" then
        self:block(counterexample(result, { "severity: error", "message: " .. yaml(result.message) }))
    elseif result.status == "fail" then
        self:block(failure(result))
    end
    for _, cost in ipairs(result.bench or {}) do
        self.write("# " .. bench.line(cost) .. "\n")
    end
    for _, file in ipairs(result.updated or {}) do
        self.write("# wrote " .. on_a_line(file) .. "\n")
    end
end

function tap:finish(count)
    self.write(("1..%d\n"):format(self.n))
    if count.stopped then
        self.write("# stopped after the first failure\n")
    end
end

return tap
