-- Is a text a pattern of Lua? string.find finds out what is wrong with one only when it comes
-- to it, on some machine's serial number.

local pattern = {}

-- Where the item at `at` ends, and what is wrong with it: a character, %a, [set].
local function item_end(text, at)
    local c = text:sub(at, at)
    if c == "%" then
        if at == #text then
            return nil, "which ends in %: write %% for a percent sign"
        end
        return at + 2
    elseif c ~= "[" then
        return at + 1
    end
    local i = at + 1
    if text:sub(i, i) == "^" then
        i = i + 1
    end
    repeat -- a "]" that comes first is a member
        if i > #text then
            return nil, 'which lacks a "]"'
        end
        i = i + (text:sub(i, i) == "%" and 2 or 1)
    until text:sub(i, i) == "]"
    return i + 1
end

-- What is wrong with a pattern; nil when nothing is.
function pattern.problem(text)
    local at, open, captures, closed = 1, {}, 0, {}
    if text:sub(1, 1) == "^" then
        at = 2
    end
    while at <= #text do
        local c, two = text:sub(at, at), text:sub(at, at + 1)
        local digit = text:match("^%%(%d)", at)
        local problem
        if c == "(" then
            captures = captures + 1
            if captures > 32 then
                return "which has more than 32 captures"
            end
            if two == "()" then
                closed[captures] = true
                at = at + 2
            else
                table.insert(open, captures)
                at = at + 1
            end
        elseif c == ")" then
            local last = table.remove(open)
            if not last then
                return 'which has a ")" without "("'
            end
            closed[last] = true
            at = at + 1
        elseif two == "%b" then
            if at + 3 > #text then
                return "which lacks two characters behind %b"
            end
            at = at + 4
        elseif two == "%f" and text:sub(at + 2, at + 2) ~= "[" then
            return "which lacks a [set] behind %f"
        elseif two == "%f" then
            at, problem = item_end(text, at + 2)
        elseif digit then
            if not closed[tonumber(digit)] then
                return "in which there is no capture %" .. digit
            end
            at = at + 2
        else
            at, problem = item_end(text, at)
        end
        if problem then
            return problem
        end
    end
    return #open > 0 and 'which has a "(" without ")"' or nil
end

return pattern
