local escape = require "escape"
local json = require "json"

local tests = {}

local function fails(f, value, expected)
    local ok, message = pcall(f, value)
    assert(not ok and message:find(expected, 1, true), tostring(message))
end

local function all_bytes()
    local bytes = {}
    for i = 0, 255 do
        bytes[i + 1] = string.char(i)
    end
    return table.concat(bytes)
end

function tests.json_values()
    for value, text in pairs {
        [1] = "1", [-0.5] = "-0.5", [0.1] = "0.1", [2 ^ 53] = "9007199254740992", [1e300] = "1e+300",
        [true] = "true", [""] = '""', ['a"\\\n\r\t/'] = [["a\"\\\n\r\t/"]], ["\0\127"] = [["\u0000\u007f"]],
        ["é€𝄞"] = '"é€𝄞"',
    } do
        assert(escape.json(value) == text, escape.json(value))
    end
    assert(escape.json {} == "[]")
    assert(escape.json { 1, { "x", {} }, false } == '[1, ["x", []], false]')
    assert(escape.json { b = 1, a = { c = {} }, [3] = "x" } == '{"3": "x", "a": {"c": []}, "b": 1}')
end

function tests.json_refuses()
    fails(escape.json, nil, "json: found nothing")
    fails(escape.json, print, "json: found a function")
    fails(escape.json, 0 / 0, "is no number")
    fails(escape.json, -math.huge, "is no number")
    fails(escape.json, { [{}] = 1 }, "json: found a key that is a table")
    local loop = {}
    loop.loop = loop
    fails(escape.json, loop, "nested too deeply")
end

-- What firmware has for a serial number may be anything.
function tests.json_is_utf8()
    for bad, good in pairs {
        ["\255"] = "\239\191\189", ["\192\128"] = ("\239\191\189"):rep(2), ["a\237\160\128b"] = "a" .. ("\239\191\189"):rep(3) .. "b",
        ["\244\144\128\128"] = ("\239\191\189"):rep(4), ["\195"] = "\239\191\189", ["é\195é"] = "é\239\191\189é",
    } do
        assert(escape.json(bad) == '"' .. good .. '"', escape.json(bad))
    end
    assert(json.decode(escape.json(all_bytes())):sub(1, 128) == all_bytes():sub(1, 128))
end

-- YAML breaks lines at more than JSON does, and takes no control characters.
function tests.yaml()
    assert(escape.yaml "\194\133\226\128\168\226\128\169\239\187\191\194\159" == [["\u0085\u2028\u2029\ufeff\u009f"]])
    assert(escape.yaml { a = { "x: y", "#" } } == '{"a": ["x: y", "#"]}')
end

function tests.sh()
    for value, text in pairs {
        ["a-b_c.d/e:f=g,h@i%j+k"] = "a-b_c.d/e:f=g,h@i%j+k", [""] = "''", ["it's"] = [['it'\''s']], ["$x `y`"] = "'$x `y`'",
        ["~"] = "'~'", ["a\nb"] = "'a\nb'", [7] = "7", [true] = "true",
    } do
        assert(escape.sh(value) == text, escape.sh(value))
    end
    assert(escape.sh { "a b", "c" } == "'a b' c")
    fails(escape.sh, "\0", "NUL")
    fails(escape.sh, nil, "sh: found nothing, expected text")
end

-- A shell gives back what went in.
function tests.sh_in_a_shell()
    local bytes = all_bytes():sub(2)
    local pipe = assert(io.popen("printf %s " .. escape.sh(bytes), "r"))
    local found = pipe:read "*a"
    pipe:close()
    assert(found == bytes)
end

function tests.the_others()
    assert(escape.url "a b/é?&" == "a%20b%2F%C3%A9%3F%26")
    assert(escape.xml "<a b=\"c\" d='e'>&\1" == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;\239\191\189")
    for text, encoded in pairs { [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foobar = "Zm9vYmFy", ["\0\255\254"] = "AP/+" } do
        assert(escape.b64(text) == encoded)
    end
end

return tests
