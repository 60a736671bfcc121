-- Which tag of a template is no Lua: the compiler sees what the template becomes, and would tell
-- of the first thing behind it that does not fit.

local problems = require "problems"

local host = host

local template_syntax = {}

-- Compiles what the template becomes up to that mark -> nil | line, message. Blocks that are
-- still open are not wrong.
local function fault(code, mark, display)
    local chunk, message = host.load(table.concat(code, "", 1, mark.n), "@" .. display, {})
    if chunk then
        return nil
    end
    local line, text = problems.split(message, display)
    if text:find "^'end' expected.*near '<eof>'$" or text:find "^'until' expected.*near '<eof>'$" then
        return nil
    end
    return line or mark.line, text
end

-- An expression by itself -> nil | line, message.
local function of_expression(tag, line, display)
    for _, form in ipairs { "return %s", "return (%s\n)" } do
        local chunk, message = host.load(("\n"):rep(line - 1) .. form:gsub("%%s", function()
            return tag.code
        end), "@" .. display, {})
        if not chunk then
            local at, text = problems.split(message, display)
            return at, text
        end
    end
end

-- What is wrong with pieces of Lua that do not compile together, as the compiler's `message` says:
-- line, text. `marks`: where each tag and text ends, { n = of the pieces, line =, tag = or nil }.
function template_syntax.problem(code, marks, display, message)
    local good, bad = 0, #marks + 1 -- between: the first mark up to which it is wrong
    local at, text
    while bad - good > 1 do
        local middle = math.floor((good + bad) / 2)
        local line, found = fault(code, marks[middle], display)
        if line then
            bad, at, text = middle, line, found
        else
            good = middle
        end
    end
    if not at then -- all fits: a block is open at the end
        at, text = problems.split(message, display)
        local closer, opener, line = text:match "^('%a+') expected %(to close ('%a+') at line (%d+)%)"
        if closer then
            return tonumber(line), string.format("%s without %s", opener, closer)
        end
        return at or 1, (text:gsub(" near '<eof>'$", ""))
    end
    local tag = marks[bad].tag
    if tag and tag.kind == "{{" then
        local line, found = of_expression(tag, marks[bad].line, display)
        if line then
            return line, (found:gsub("'<eof>'$", "'}}'"))
        end
    elseif tag then
        text = text:gsub("'<eof>'$", "'%%}'"):gsub("^'<eof>' expected near '(%a+)'$", "'%1' without what it ends")
        return at, text
    end
    for i = bad - 1, 1, -1 do -- what stands behind a return
        if marks[i].tag and marks[i].tag.kind == "{%" then
            return marks[i].line, "nothing can follow a return in its block: write do return end"
        end
    end
    return at, text
end

return template_syntax
