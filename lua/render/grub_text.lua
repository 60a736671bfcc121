-- Text that survives GRUB: its script reader, and what its `linux` command makes of words.
--
-- Between single quotes a script means what stands there. `linux` then joins its words by spaces,
-- puts one that has a space between double quotes, and writes a backslash before each quote and
-- backslash (lib/cmdline.c), which Linux does not take out again.

local cmdline = require "render.cmdline"

local grub_text = {}

-- Text as one word of a script, or nil and why not.
function grub_text.word(text)
    if text:find("[%z\r\n]") then
        return nil, ("'%s': a line break or a NUL cannot stand in a GRUB script"):format(text)
    end
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- A message for a person.
function grub_text.message(text)
    return grub_text.word((text:gsub("[^\32-\126]+", "?")))
end

-- An argument of the kernel's as the word for `linux` from which it makes that argument.
local function argument(arg)
    local text, problem = cmdline.word(arg)
    if not text then
        return nil, problem
    end
    -- Quotes around an argument or its value are what GRUB puts there itself, around the whole,
    -- when they are needed; Linux reads both as the same.
    local key, value = text:match('^([^"]*=)"([^"]*)"$')
    text = key and key .. value or text:match('^"([^"]*)"$') or text
    if text:find("[\\'\"]") then
        return nil, ("argument '%s': GRUB would write a backslash before each quote and backslash"):format(arg)
    elseif text:find("[\t\v\f\160]") and not text:find(" ", 1, true) then
        return nil, ("argument '%s' has white space that GRUB does not quote"):format(arg)
    end
    return grub_text.word(text)
end

-- The words for `linux`, joined by spaces; or nil and why there is no way to say it.
function grub_text.arguments(args)
    local whole, problem = cmdline.line(args) -- what Linux would not take anyway
    local words = {}
    for _, arg in ipairs(whole and args or {}) do
        if arg ~= "" then
            words[#words + 1], problem = argument(arg)
            if not words[#words] or problem then
                return nil, problem
            end
        end
    end
    if not whole then
        return nil, problem
    end
    return table.concat(words, " ")
end

return grub_text
