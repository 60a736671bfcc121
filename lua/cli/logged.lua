-- Facts of the decision log (core/decision_log.md) as a machine's fields.

local logged = {}

local function bytes_of(hex)
    return (tostring(hex):gsub("%x%x", function(pair)
        return string.char(tonumber(pair, 16))
    end))
end

function logged.fields(facts)
    local fields = {}
    local function labels(of, read)
        fields.label = fields.label or {}
        for label, text in pairs(type(of) == "table" and of or {}) do
            fields.label[read(label)] = type(text) == "string" and read(text) or text
        end
    end
    for name, value in pairs(facts) do
        local plain = tostring(name):match "^(.+)%-hex$"
        if name == "label-hex" then
            labels(value, bytes_of)
        elseif name == "label" then
            labels(value, tostring)
        elseif plain and type(value) == "string" then
            fields[plain] = bytes_of(value)
        else
            fields[name] = value
        end
    end
    return fields
end

return logged
