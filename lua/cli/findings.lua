-- What is wrong or odd with files, as `moonboot check` prints it. A finding is { file =, line =,
-- column =, severity = "error", "warning" or "note", text =, kind = }; of an error that names no place, text
-- and file alone.

local json = require "cli.json"

local findings = {}

-- "file:line:column: message", "file:line: message" or "file: message" as an error.
function findings.parse(message, file)
    local finding = { severity = "error", file = file, text = message, said = message }
    for _, shape in ipairs { "^(.-):(%d+):(%d+): (.*)$", "^(.-):(%d+): (.*)$" } do
        local name, line, third, fourth = message:match(shape)
        if name then
            finding.file, finding.line = name, tonumber(line)
            finding.column, finding.text = fourth and tonumber(third), fourth or third
            return finding
        end
    end
    if message:sub(1, #file + 2) == file .. ": " then
        finding.text = message:sub(#file + 3)
    end
    return finding
end

-- The same as a warning of a kind.
function findings.warning(message, file, kind)
    local finding = findings.parse(message, file)
    finding.line = finding.line or 1
    finding.severity, finding.kind, finding.said = "warning", kind, nil
    return finding
end

local formats = {}

function formats.text(list)
    for _, finding in ipairs(list) do
        if finding.said then
            host.cli.warn(finding.said .. "\n")
        else
            local lead = finding.severity ~= "error" and finding.severity .. ": " or ""
            local column = finding.column and ":" .. finding.column or ""
            host.cli.warn(("%s:%d%s: %s%s [%s]\n"):format(finding.file, finding.line, column, lead, finding.text,
                                                        finding.kind))
        end
    end
end

function formats.json(list)
    local count = { error = 0, warning = 0, note = 0 }
    local problems = json.list {}
    for i, finding in ipairs(list) do
        count[finding.severity] = count[finding.severity] + 1
        problems[i] = {
            file = finding.file, line = finding.line, column = finding.column, severity = finding.severity,
            kind = finding.kind, message = finding.text,
        }
    end
    host.cli.write(json.encode({
        ok = count.error == 0, errors = count.error, warnings = count.warning, notes = count.note,
        problems = problems,
    }, { "ok", "errors", "warnings", "notes", "problems" }) .. "\n")
end

-- Of a message, and of a property of it.
local function escaped(text, more)
    return (tostring(text):gsub("[%%\r\n" .. more .. "]", function(c)
        return ("%%%02X"):format(c:byte())
    end))
end

-- Commands of GitHub's workflow runner, which marks the lines of a change with them.
function formats.github(list)
    for _, finding in ipairs(list) do
        local properties = { "file=" .. escaped(finding.file, ":,") }
        for _, pair in ipairs { { "line", finding.line }, { "col", finding.column }, { "title", finding.kind } } do
            if pair[2] then
                properties[#properties + 1] = pair[1] .. "=" .. escaped(pair[2], ":,")
            end
        end
        local severity = finding.severity == "note" and "notice" or finding.severity
        host.cli.write(("::%s %s::%s\n"):format(severity, table.concat(properties, ","), escaped(finding.text, "")))
    end
end

-- Prints all of them: functions by the format's name.
findings.formats = formats

return findings
