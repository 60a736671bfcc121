-- Where in a policy a word of the language was called, and what is wrong there.

local void = require "void"

local host = host

local blame = {}

-- The file and line of the policy that called the word that called this, and whether that
-- is certain.
function blame.caller(l)
    local name, line = host.where(3)
    local file = l.by_name[name]
    if not file then
        return l.running[#l.running] or l, 1, false -- a tail call: nothing is left of the caller
    end
    return file, line, true
end

-- A word is used wrongly: a problem of the file, or, in a function of the policy, an error.
-- What the word then returns is as good as unknown.
function blame.wrong(file, line, text, ...)
    if not file.loading then
        error(string.format(text, ...), 3)
    end
    file.problems:add(line, text, ...)
    return void.value
end

-- Where a name was given first, for a message about `file`.
function blame.place(first, file)
    if first.file == file then
        return string.format("on line %d", first.line)
    end
    return string.format("in %s:%d", first.file.display, first.line)
end

-- For words that define something: not in a function that runs later.
function blame.loading(l, word)
    if not l.loading then
        error(word .. ": only while the policy loads, not in a function", 3)
    end
end

return blame
