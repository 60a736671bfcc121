-- What lua/testing/README.md says is so: its tests pass against its policy, its tables are whole.

local cli = require "fake_cli"
local subject = require "testing.subject"
local words = require "words"

local tests = {}

local function readme()
    local file = assert(io.open "lua/testing/README.md")
    local text = file:read "*a"
    file:close()
    return text
end

local function examples()
    local list = {}
    for example in readme():gmatch "```lua\n(.-)```" do
        list[#list + 1] = example
    end
    return list
end

function tests.every_example_passes()
    local list = examples()
    local files = { ["p.lua"] = table.remove(list, 1), ["p_test.lua"] = table.concat(list, "\n") }
    local function save(path, text)
        files[path] = text
        return true
    end
    assert(#list >= 7)
    local code, out = cli.run("test", { "--update-golden" }, files, save)
    assert(code == 0, out)
    code, out = cli.run("test", {}, files)
    assert(code == 0 and files["rack12.golden"] and files["rack12.ipxe"] and files["rack12.user-data"], out)
end

function tests.tables_are_whole()
    local text = readme()
    for _, key in ipairs(subject.order) do
        assert(text:find("`" .. key .. "`", 1, true), key)
    end
    for _, word in ipairs(words.tests) do
        assert(text:find(word[1], 1, true), word[1])
        for _, member in ipairs(word.members or {}) do
            assert(text:find("`" .. word[1] .. "." .. member[1], 1, true), member[1])
        end
    end
    local _, help = cli.run("test", { "--help" }, {})
    for option in help:gmatch "%-%-[%a-]+" do
        assert(option == "--help" or text:find("`" .. option, 1, true) or text:find("`[^`]*" .. option:gsub("%-", "%%-")), option)
    end
    for module in io.popen("ls lua/testing/*.lua"):lines() do
        assert(text:find("`" .. module:match "([%w_]+)%.lua$" .. "`", 1, true), module)
    end
end

return tests
