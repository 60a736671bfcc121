-- Where in a policy's text a key of a table stands.
--
-- Lua says on which line a word was called, not on which line the third argument of
-- the call's `args` is. So the text is read once more, as tokens; only for policies
-- that have problems to report or {{…}} to place.

local source = {}

local function long_bracket(text, at)
    local level = text:match("^%[(=*)%[", at)
    if not level then
        return nil
    end
    local close = "]" .. level .. "]"
    local _, to = text:find(close, at + #level + 2, true)
    return (to or #text) + 1, text:sub(at + #level + 2, (to or #text) - #close)
end

local function quoted(text, at)
    local quote, to = text:sub(at, at), at + 1
    while to <= #text do
        local c = text:sub(to, to)
        if c == quote then
            break
        end
        to = to + (c == "\\" and 2 or 1)
    end
    return to + 1, text:sub(at + 1, to - 1)
end

-- `=` must not be seen in `==`.
local function operator(text, at)
    return text:match("^%.%.%.?", at) or text:match("^[=~<>]=", at) or text:sub(at, at)
end

local function count_lines(text, from, to)
    local lines = 0
    local at = text:find("\n", from, true)
    while at and at <= to do
        lines = lines + 1
        at = text:find("\n", at + 1, true)
    end
    return lines
end

-- The tokens of a text of Lua: { kind = "name", "string", "number" or "op", text =,
-- line =, from = its place in the text }. Wrong Lua gives wrong tokens, never an error.
function source.tokens(text, line)
    local tokens, at = {}, 1
    line = line or 1
    while at <= #text do
        local kind, word, to
        local c = text:sub(at, at)
        if c:find("%s") then
            to = text:find("%S", at) or #text + 1
        elseif text:sub(at, at + 1) == "--" then
            to = long_bracket(text, at + 2) or text:find("\n", at, true) or #text + 1
        elseif c:find("[%a_\128-\255]") then
            word = text:match("^[%w_\128-\255]+", at)
            kind, to = "name", at + #word
        elseif c:find("%d") or text:find("^%.%d", at) then
            word = text:match("^[%w.]+", at)
            kind, to = "number", at + #word
        elseif c == '"' or c == "'" then
            to, word = quoted(text, at)
            kind = "string"
        else
            to, word = long_bracket(text, at)
            kind = "string"
            if not to then
                kind, word = "op", operator(text, at)
                to = at + #word
            end
        end
        if kind then
            table.insert(tokens, { kind = kind, text = word, line = line, from = at })
        end
        if not kind or kind == "string" then
            line = line + count_lines(text, at, to - 1)
        end
        at = to
    end
    return tokens
end

-- Where a piece of Lua inside another text ends: at the first `close` that is in none of
-- its strings and braces -> place of `close`, end of the Lua; nil when there is none. A
-- comment ends with its line, or with the piece, and is left out at the end.
function source.closing(text, from, close)
    local depth, at = 0, from
    while at and at <= #text do
        local c = text:sub(at, at)
        if depth == 0 and text:sub(at, at + #close - 1) == close then
            return at, at - 1
        elseif text:sub(at, at + 1) == "--" and not long_bracket(text, at + 2) then
            local line_end = text:find("\n", at, true) or #text + 1
            local found = depth == 0 and text:find(close, at, true)
            if found and found < line_end then
                return found, at - 1
            end
            at = line_end
        elseif c == '"' or c == "'" then
            at = quoted(text, at)
        else
            depth = depth + (c == "{" and 1 or c == "}" and -1 or 0)
            at = long_bracket(text, c == "-" and at + 2 or at) or at + 1
            at = text:find("[\"'%-%[{}%%]", at)
        end
    end
end

local openers = { ["{"] = 1, ["("] = 1, ["["] = 1, ["}"] = -1, [")"] = -1, ["]"] = -1 }
local blocks = { ["function"] = 1, ["if"] = 1, ["do"] = 1, ["repeat"] = 1,
                 ["end"] = -1, ["until"] = -1 }

-- How much deeper the text is nested after this token than before.
local function step(token)
    if token.kind == "op" then
        return openers[token.text] or 0
    elseif token.kind == "name" then
        return blocks[token.text] or 0
    end
    return 0
end

local function is_op(token, text)
    return token ~= nil and token.kind == "op" and token.text == text
end

-- The entry that starts at token `at`: its key (nil: positional) and the place of its value.
local function entry(tokens, at)
    local first, second = tokens[at], tokens[at + 1]
    if first.kind == "name" and is_op(second, "=") then
        return first.text, at + 2
    elseif is_op(first, "[") and is_op(tokens[at + 2], "]") and is_op(tokens[at + 3], "=") then
        local key = second.text
        if second.kind == "number" then
            key = tonumber(key)
        end
        return key, at + 4
    end
    return nil, at
end

-- In the table that opens at token `open`: the places of the entry for `key` and of its value.
local function find(tokens, open, key)
    local at, index = open + 1, 0
    while tokens[at] and not is_op(tokens[at], "}") do
        local name, value = entry(tokens, at)
        if name == nil then
            index = index + 1
            name = index
        end
        if name == key then
            return at, value
        end
        at = value
        local depth = 0
        while tokens[at] do
            local token = tokens[at]
            if depth == 0 and (is_op(token, ",") or is_op(token, ";")) then
                at = at + 1
                break
            elseif depth == 0 and is_op(token, "}") then
                break
            end
            depth = depth + step(token)
            at = at + 1
        end
    end
end

local Source = {}
Source.__index = Source

function source.new(text)
    return setmetatable({ text = text }, Source)
end

function Source:read()
    if not self.tokens then
        self.tokens, self.first = source.tokens(self.text), {}
        for i, token in ipairs(self.tokens) do
            self.first[token.line] = self.first[token.line] or i
        end
    end
    return self.tokens
end

-- The token that opens the table of the call at this line: `word "name" {`, or `word {`.
function Source:call(line, word, name)
    local tokens = self:read()
    local at, any = self.first[line], nil
    while at and tokens[at] and tokens[at].line == line do
        if is_op(tokens[at], "{") then
            local before = tokens[at - 1]
            any = any or at
            if before and (before.kind == "string" and before.text == name
                           or before.kind == "name" and before.text == word) then
                return at
            end
        end
        at = at + 1
    end
    return any
end

-- The line of the key that `path` names, from the table that opens at token `open`;
-- of the last part of the path that the text shows, or else `line`.
function Source:line(open, path, line)
    local tokens = self:read()
    for _, key in ipairs(path) do
        if not is_op(tokens[open], "{") then
            break
        end
        local at, value = find(tokens, open, key)
        if not at then
            break
        end
        line, open = tokens[at].line, value
    end
    return line
end

return source
