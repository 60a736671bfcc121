-- Firmware writes what it likes into a serial number: what is no UTF-8 becomes U+FFFD.

local unicode = {}

-- Lengths of the well-formed UTF-8 sequences by their first two bytes (Unicode, table 3-7).
local SEQUENCES = {
    { "^[\194-\223][\128-\191]", 2 },
    { "^\224[\160-\191][\128-\191]", 3 },
    { "^[\225-\236\238\239][\128-\191][\128-\191]", 3 },
    { "^\237[\128-\159][\128-\191]", 3 },
    { "^\240[\144-\191][\128-\191][\128-\191]", 4 },
    { "^[\241-\243][\128-\191][\128-\191][\128-\191]", 4 },
    { "^\244[\128-\143][\128-\191][\128-\191]", 4 },
}

-- The text with U+FFFD for each byte that belongs to no character.
function unicode.clean(text)
    if not text:find("[\128-\255]") then
        return text
    end
    local out, at = {}, 1
    while at <= #text do
        local to = text:match("^[%z\1-\127]+()", at)
        if not to then
            for _, sequence in ipairs(SEQUENCES) do
                to = to or text:find(sequence[1], at) and at + sequence[2]
            end
        end
        out[#out + 1] = to and text:sub(at, to - 1) or "\239\191\189"
        at = to or at + 1
    end
    return table.concat(out)
end

return unicode
