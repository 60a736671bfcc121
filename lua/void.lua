-- What an unknown word stands for while a policy loads. The word is reported already;
-- this value lets the rest of the file run, so that all its problems come at once.

local endless = "unknown words are called without end"

local calls_left

local meta = { __metatable = "unknown" }

local void = setmetatable({}, meta)

local function itself()
    return void
end

for _, event in ipairs { "index", "concat", "add", "sub", "mul", "div", "mod", "pow", "unm" } do
    meta["__" .. event] = itself
end

-- A loop over an unknown iterator would never end.
function meta.__call()
    calls_left = calls_left - 1
    if calls_left < 0 then
        error(endless, 2)
    end
    return void
end

function meta.__newindex()
end

function meta.__lt()
    return false
end

meta.__le = meta.__lt

function meta.__tostring()
    return "an unknown word"
end

return {
    value = void,
    -- The message of what ends such a loop.
    endless = endless,
    -- To be called before a policy runs for the first time.
    reset = function()
        calls_left = 1000
    end,
}
