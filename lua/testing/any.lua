-- Generators of values for property tests: `any.mac`, `any.mac "52:54:00"`, `any.one_of {…}`.
--
-- A generator makes a value of numbers that it draws: draw(n) -> 0 to n-1. Drawing zeros makes
-- the simplest value, so that smaller numbers are simpler counterexamples.

local arch = require "arch"
local problems = require "problems"

local host = host

local any = {}

local makers = setmetatable({}, { __mode = "k" })

-- `narrow(…)`: the generator that calling it gives.
local function generator(make, narrow)
    local new = setmetatable({}, {
        __metatable = "generator",
        __call = function(_, ...)
            if not narrow then
                error("this generator takes no arguments", 2)
            end
            return narrow(...)
        end,
    })
    makers[new] = make
    return new
end

-- Makes a value, or gives back what is no generator.
function any.make(value, draw)
    local make = makers[value]
    if make then
        return make(draw)
    end
    return value
end

function any.is(value)
    return makers[value] ~= nil
end

local function wrong(word, found, expected)
    error(("any.%s: found %s, expected %s"):format(word, problems.show(found), expected), 3)
end

local function octet(draw)
    return ("%02x"):format(draw(256))
end

-- Hexadecimal digits grouped as `shape` shows ("x" for one), beginning with `start`.
local function digits(shape, start)
    return function(draw)
        local text = start
        while #text < #shape do
            local at = shape:sub(#text + 1, #text + 1)
            if at ~= "x" then
                text = text .. at
            elseif shape:sub(#text + 2, #text + 2) == "x" then
                text = text .. octet(draw)
            else
                text = text .. ("%x"):format(draw(16))
            end
        end
        return text
    end
end

-- A beginning in any case, with dashes or colons, as `shape` has it.
local function beginning(word, shape, text, expected)
    local plain = type(text) == "string" and text:lower():gsub("[:-]", "")
    if not plain or plain:find "%X" or #plain > #shape:gsub("[^x]", "") then
        wrong(word, text, expected)
    end
    local start, at = "", 1
    for i = 1, #shape do
        if at > #plain then
            break
        elseif shape:sub(i, i) == "x" then
            start, at = start .. plain:sub(at, at), at + 1
        else
            start = start .. shape:sub(i, i)
        end
    end
    return start
end

local MAC = "xx:xx:xx:xx:xx:xx"
local UUID = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

any.mac = generator(digits(MAC, ""), function(text)
    return generator(digits(MAC, beginning("mac", MAC, text, 'the beginning of a MAC address: any.mac "52:54:00"')))
end)

-- All zeros and all ones stand for none: the last digit is never such a one.
local function uuid(start)
    local make = digits(UUID, start)
    return function(draw)
        local text = make(draw)
        return #start < #UUID and host.uuid(text) == nil and text:gsub(".$", "1") or text
    end
end

any.uuid = generator(uuid "", function(text)
    return generator(uuid(beginning("uuid", UUID, text, 'the beginning of a UUID: any.uuid "4c4c4544"')))
end)

local function dotted(number)
    return ("%d.%d.%d.%d"):format(math.floor(number / 2 ^ 24) % 256, math.floor(number / 2 ^ 16) % 256,
                                  math.floor(number / 2 ^ 8) % 256, number % 256)
end

any.ip = generator(function(draw)
    return dotted(1 + draw(2 ^ 32 - 2)) -- 0.0.0.0 stands for none
end, function(text)
    local ip, mask = nil, nil
    if type(text) == "string" then
        ip, mask = host.subnet(text)
    end
    if not ip then
        wrong("ip", text, 'a network: any.ip "10.0.0.0/8"')
    end
    return generator(function(draw)
        return dotted(ip + draw(2 ^ 32 - mask))
    end)
end)

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

-- What vendors write: capitals and digits.
any.serial = generator(function(draw)
    local text = {}
    for i = 1, 1 + draw(12) do
        local at = 1 + draw(#LETTERS)
        text[i] = LETTERS:sub(at, at)
    end
    return table.concat(text)
end)

-- What someone who means ill, or a bad BIOS, has written into the board. The simplest come first.
local HOSTILE = {
    "a", "A", "0", " ", "-", ".", "_", "/", ":", ",", "=", "&", "?", "#", "%", "+", "*", "|", ";", "<", ">", "(", ")",
    "[", "]", "{", "}", "'", '"', "`", "\\", "$", "!", "~", "^", "@", "\n", "\r", "\t", "\0", "\127", "\195\164",
    "\226\130\172", "\255", "{{", "}}", "{%", "%}", "${mac}", "$(id)", "%s", "%00", "../", "../../etc/passwd", "--",
    "||", "&&", "\n#!ipxe\n", "<script>", "0x7f", "1e999", "null", "true", "~", "'; reboot; '", ": |\n  ",
}

local function text(most)
    return generator(function(draw)
        local parts = {}
        for i = 1, draw(most + 1) do
            parts[i] = HOSTILE[1 + draw(#HOSTILE)]
        end
        return table.concat(parts)
    end)
end

any.text = generator(makers[text(12)], function(most)
    if type(most) ~= "number" or most < 1 or most % 1 ~= 0 then
        wrong("text", most, "how many pieces it has at most: any.text(4)")
    end
    return text(most)
end)

local function integer(first, last)
    return generator(function(draw)
        return first + draw(last - first + 1)
    end)
end

any.integer = generator(makers[integer(0, 4095)], function(first, last)
    if type(first) ~= "number" or type(last) ~= "number" or first % 1 ~= 0 or last % 1 ~= 0 or last < first
        or last - first >= 2 ^ 32 then
        wrong("integer", last, "the first and the last: any.integer(1, 4094)")
    end
    return integer(first, last)
end)

local function one_of(values)
    return generator(function(draw)
        return any.make(values[1 + draw(#values)], draw)
    end)
end

-- One of these values, or of what these generators make.
any.one_of = function(values)
    if type(values) ~= "table" or #values == 0 then
        wrong("one_of", values, 'a list: any.one_of { "bios", any.text }')
    end
    return one_of(values)
end

-- Nothing (the field is absent), or what the generator makes.
any.maybe = function(value)
    if value == nil then
        wrong("maybe", value, "a value or a generator: any.maybe(any.serial)")
    end
    return generator(function(draw)
        return draw(4) > 0 and any.make(value, draw) or nil
    end)
end

local ARCHS = { "bios", "efi-x64" } -- the plainest first
for name in pairs(arch.names) do
    ARCHS[#ARCHS + 1] = name
end
table.sort(ARCHS, function(a, b)
    local plain_a, plain_b = a == "bios" or a == "efi-x64", b == "bios" or b == "efi-x64"
    if plain_a ~= plain_b then
        return plain_a
    end
    return a < b
end)

any.arch = one_of(ARCHS)

-- The words under `any` as a test file sees them.
function any.words()
    local words = {}
    for _, name in ipairs { "mac", "uuid", "ip", "serial", "text", "integer", "one_of", "maybe", "arch" } do
        words[name] = any[name]
    end
    return words
end

return any
