-- Text that survives iPXE's script reader.
--
-- iPXE has no quotes and no escapes. It joins a line that ends in a backslash with the
-- next, splits at white space, ends the command at a token that is "||", "&&" or ";" or
-- starts with "#", then expands ${setting} in each token until none is left, and joins
-- what it needs as one text with single spaces (src/core/exec.c, settings.c, script.c).
--
-- So a byte that would be misread is written as a setting that holds it: x23 holds "#",
-- "${x23:string}" is expanded when the line has long been split.

local host = host
local byte, find = string.byte, string.find

local ipxe_text = {}

local function setting(char)
    return ("${x%02x:string}"):format(char:byte())
end

-- Nearly all texts are harmless, and have no bytes but these.
local is_harmless = host.only "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\z
    !\"%'()*+,-./:<=>?@[]^_`{}~ "

-- Whether iPXE reads the text back as it stands.
function ipxe_text.is_plain(text)
    return is_harmless(text) and byte(text) ~= 32 and byte(text, -1) ~= 32
        and not find(text, "  ", 1, true)
end

-- Text as script tokens which iPXE reads back, joined by spaces, as this very text.
-- The bytes that need a setting are added to the set `used`. Nil and a message when
-- iPXE has no way to say it.
function ipxe_text.tokens(text, used)
    if ipxe_text.is_plain(text) then
        return text
    end
    if text:find("[%z\r\n]") then
        return nil, "a line break or a NUL cannot stand in an iPXE script"
    end
    for token in text:gmatch("[^ ]+") do
        if token:find("%${.*}") then
            return nil, ("'%s': iPXE would expand the ${...}, and cannot be told not to"):format(token)
        end
    end

    local function hold(char)
        used[char] = true
        return setting(char)
    end
    local function hold_spaces(n)
        return n > 0 and hold(" "):rep(n) or ""
    end
    local function hold_token(token)
        token = token:gsub("%c", hold)
        if token:find("^#") or token == ";" or token == "||" or token == "&&" then
            return hold(token:sub(1, 1)) .. token:sub(2)
        end
        return token
    end

    -- Of the spaces between two tokens one separates them, the others belong to the first.
    local lead, body, trail = text:match("^( *)(.-)( *)$")
    local tokens = body:gsub("([^ ]+)( *)", function(token, gap)
        return hold_token(token) .. hold_spaces(#gap - 1) .. (gap ~= "" and " " or "")
    end)
    tokens = tokens:gsub("\\$", hold)
    return hold_spaces(#lead) .. tokens .. hold_spaces(#trail)
end

-- The lines that must come before the tokens.
function ipxe_text.settings(used)
    local bytes = {}
    if next(used) == nil then
        return bytes
    end
    for char in pairs(used) do
        bytes[#bytes + 1] = char:byte()
    end
    table.sort(bytes)
    for i, code in ipairs(bytes) do
        bytes[i] = ("set x%02x:hex %02x"):format(code, code)
    end
    return bytes
end

-- A message for a person as a text that `tokens` takes: what iPXE could not show becomes
-- "?".
function ipxe_text.message(text)
    if is_harmless(text) then
        return text
    end
    return (text:gsub("[^\32-\126]+", "?"):gsub("%${", "$ {"))
end

-- Under EFI iPXE hands each byte over as a character of its own: text of Unicode's first 256
-- characters, as one byte each, is what the kernel is to read. Nil and why for any other.
function ipxe_text.latin1(line)
    if not find(line, "[\128-\255]") then
        return line
    end
    local plain = line:gsub("([\194\195])([\128-\191])", function(lead, last)
        return lead == "\194" and last .. "\0" or string.char(byte(last) + 64) .. "\0"
    end)
    -- What was a character is marked by a NUL, which no line has; any other byte above 127 was none.
    if plain:gsub("[\128-\255]%z", ""):find("[\128-\255]") then
        return nil, ("'%s': iPXE under EFI can pass on only characters up to U+00FF"):format(line)
    end
    return (plain:gsub("%z", ""))
end

return ipxe_text
