-- The tags of a template: {{ expr }}, {% statement %} and {# comment #} in its text.

local source = require "source"

local tags = {}

tags.CLOSERS = { ["{{"] = "}}", ["{%"] = "%}", ["{#"] = "#}" }

-- The next tag from `at` on: { open = (its first byte), close = (the byte after it), kind =,
-- code =, trim_left =, trim_right = }; nil when there is none, or nil and the place of one
-- without end.
function tags.next(text, at)
    local open, _, kind = text:find("({[{%%#])", at)
    if not open then
        return nil
    end
    local from = open + 2
    local tag = { open = open, kind = kind, trim_left = text:sub(from, from) == "-" }
    from = tag.trim_left and from + 1 or from
    local close, last
    if kind == "{#" then
        close = text:find("#}", from, true)
        last = close and close - 1
    else
        close, last = source.closing(text, from, tags.CLOSERS[kind])
    end
    if not close then
        return nil, open
    end
    tag.trim_right = close > from and text:sub(close - 1, close - 1) == "-"
    if tag.trim_right and last == close - 1 then
        last = last - 1
    end
    tag.code, tag.close = text:sub(from, last), close + 2
    return tag
end

function tags.lines(text)
    return select(2, text:gsub("\n", ""))
end

-- Is what stands from `open` to before `close` alone on its line? Then the blanks before it,
-- and the place after the line's end.
function tags.alone(text, open, close)
    local at = open - 1
    while at > 0 and text:find("^[ \t]", at) do
        at = at - 1
    end
    local after = text:match("^[ \t]*\r?\n()", close) or text:match("^[ \t]*()$", close)
    if after and (at == 0 or text:sub(at, at) == "\n") then
        return text:sub(at + 1, open - 1), after
    end
end

-- `{% raw %}` … `{% endraw %}`: the text between is taken as it is, from `at` on. Returns it and
-- the place after the block.
function tags.raw(text, at)
    local open, close = text:find("{%%%s*endraw%s*%%}", at)
    if not open then
        return nil
    end
    local indent, after = tags.alone(text, open, close + 1)
    return text:sub(at, open - 1 - #(indent or "")), after or close + 1
end

return tags
