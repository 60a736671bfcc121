-- Results as TAP 13 (testanything.org), with what failed in YAML blocks.

local tap = {}
tap.__index = tap

function tap.new(write)
    write("TAP version 13\n")
    return setmetatable({ write = write, n = 0, path = "" }, tap)
end

function tap:file(path)
    self.path = path
    self.write("# " .. path .. "\n")
end

-- "#" begins a directive, and a line is a test.
local function name_of(result)
    return (result.name:gsub("[\r\n]", " "):gsub("[\\#]", "\\%0"))
end

local function yaml(text)
    return '"' .. text:gsub('[%c"\\\127]', function(c)
        return c == "\n" and "\\n" or c == '"' and '\\"' or c == "\\" and "\\\\" or ("\\x%02x"):format(c:byte())
    end) .. '"'
end

function tap:block(lines)
    self.write("  ---\n  " .. table.concat(lines, "\n  ") .. "\n  ...\n")
end

function tap:result(result)
    self.n = self.n + 1
    local good = result.status == "pass" or result.status == "skip"
    local directive = result.status == "skip" and " # SKIP " .. (result.message or "") or ""
    self.write(("%s %d - %s%s\n"):format(good and "ok" or "not ok", self.n, name_of(result), directive))
    if result.status == "error" then
        self:block { "severity: error", "message: " .. yaml(result.message) }
    elseif result.status == "fail" then
        local lines = { "severity: fail", "at: " .. yaml(("%s:%d"):format(result.file, result.line)), "differences:" }
        for _, difference in ipairs(result.differences) do
            lines[#lines + 1] = "  - key: " .. difference.key
            lines[#lines + 1] = "    expected: " .. yaml(difference.expected)
            lines[#lines + 1] = "    found: " .. yaml(difference.found)
        end
        lines[#lines + 1] = result.trace and "rules:"
        for _, step in ipairs(result.trace or {}) do
            lines[#lines + 1] = ("  - { file: %s, line: %d, rule: %s, matched: %s, why: %s }"):format(
                yaml(step.file), step.line, yaml(step.rule), tostring(step.matched), yaml(step.why or ""))
        end
        self:block(lines)
    end
end

function tap:finish()
    self.write(("1..%d\n"):format(self.n))
end

return tap
