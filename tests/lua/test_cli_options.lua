local json = require "cli.json"
local options = require "cli.options"
local path = require "path"

local tests = {}

local KNOWN = { ["--json"] = "flag", ["--format"] = "value", ["-h"] = "flag", ["-f"] = "value" }

function tests.gnu_habits()
    local v, o = options.parse({ "a", "--json", "--format=tap", "b", "--", "--json" }, KNOWN)
    assert(v["--json"] and v["--format"] == "tap" and table.concat(o, ",") == "a,b,--json")
    v, o = options.parse({ "--format", "x y", "-fz", "-h", "-" }, KNOWN)
    assert(v["--format"] == "x y" and v["-f"] == "z" and v["-h"] and o[1] == "-")
    assert(options.parse({ "--format=" }, KNOWN)["--format"] == "")
end

function tests.bad_usage_is_said()
    for args, problem in pairs {
        [{ "--jsn" }] = "there is no option --jsn",
        [{ "--format" }] = "option --format wants a value",
        [{ "--json=x" }] = "option --json takes no value",
        [{ "-x" }] = "there is no option -x",
    } do
        local values, said = options.parse(args, KNOWN)
        assert(values == nil and said == problem, said)
    end
end

function tests.paths()
    local function split(name, d, f)
        local directory, file = path.split(name)
        assert(directory == d and file == f and path.join(d, f) == name, name)
    end
    split("a.lua", ".", "a.lua")
    split("x/y/a.lua", "x/y", "a.lua")
    split("/a.lua", "/", "a.lua")
end

function tests.json_keeps_order_and_lists()
    assert(json.encode({ b = 1, a = json.list(), c = { x = 'q"\n\1' } }, { "c", "b" })
        == '{\n  "c": {\n    "x": "q\\"\\n\\u0001"\n  },\n  "b": 1,\n  "a": []\n}')
    assert(json.encode({ "a", true }) == '[\n  "a",\n  true\n]')
    assert(json.encode({}) == "{}")
end

return tests
