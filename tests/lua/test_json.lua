local json = require "json"

local tests = {}

local function throws_none(text)
    local value, message = json.decode(text)
    assert(value == nil and type(message) == "string" and not message:find "json.lua", text)
end

function tests.decoding()
    local value = json.decode ' { "a": [1, 2.5, null, true], "b": {"c": "\\u00e9\\n"}, "d": [] } '
    assert(value.a[2] == 2.5 and value.a[3] == json.null and value.a[4] == true and value.b.c == "é\n")
    assert(json.decode "null" == json.null and json.decode '"x"' == "x" and json.decode "false" == false)
end

function tests.what_is_no_json()
    for _, text in ipairs {
        "", " ", "{", "[1,]", "{a:1}", "nan", "Infinity", "0x10", "01", "1 2", "'x'", '{"a":1}x', "[",
        ("["):rep(5000), '"\\x"', "tru",
    } do
        throws_none(text)
    end
    local words = require("json").words()
    assert(words.json.decode(nil) == nil and words.yaml.decode {} == nil)
end

function tests.encoding()
    assert(json.encode { b = { 1, 2, 3 }, a = "x\"\\\n\0é", c = json.null, d = {}, e = json.array {} }
           == '{"a":"x\\"\\\\\\n\\u0000é","b":[1,2,3],"c":null,"d":{},"e":[]}')
    assert(json.encode(0.1) == "0.1" and json.encode(1e15) == "1000000000000000" and json.encode(-0.5) == "-0.5")
    assert(json.encode(1 / 3) == "0.33333333333333331" and json.encode "x" == '"x"' and json.encode(true) == "true")
    assert(json.encode(json.array { "a" }) == '["a"]')
end

function tests.what_json_cannot_say()
    local loop = {}
    loop.loop = loop
    for _, value in ipairs {
        print, 0 / 0, 1 / 0, { 1, nil, 3 }, { 1, x = 2 }, { [true] = 1 }, loop, json.array { x = 1 },
        { [1.5] = 1 }, setmetatable({}, { __metatable = "machine" }),
    } do
        local text, message = json.encode(value)
        assert(text == nil and type(message) == "string", tostring(text))
    end
    assert(json.encode(nil) == nil)
end

return tests
