-- The tables of lua/README.md, as words.lua has them.

local words = require "words"

local reference = {}

local function rows(list, into)
    for _, word in ipairs(list) do
        if word.members then
            rows(word.members, into)
        else
            into[#into + 1] = ("| `%s` | %s |"):format(word.usage, word.doc)
        end
    end
    return into
end

-- The row of each word and helper.
function reference.words()
    return rows(words.helpers, rows(words.list, {}))
end

-- The rows of a table's keys.
function reference.keys(name)
    local list = {}
    for i, field in ipairs(words.tables[name].fields) do
        local key = field[1]:gsub("%?$", "")
        key = key == "[integer]" and "{…}" or key == "[1]" and "a first value" or "`" .. key .. "`"
        list[i] = ("| %s | %s |"):format(key, field[3])
    end
    return list
end

return reference
