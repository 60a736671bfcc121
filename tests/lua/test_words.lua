-- words.lua says all there is, and nothing else.

local cli = require "fake_cli"
local dsl = require "dsl"
local interpolate = require "interpolate"
local policies = require "policies"
local reference = require "reference"
local sandbox = require "sandbox"
local stubs = require "stubs"
local words = require "words"

local tests = {}

local function read(path)
    local file = assert(io.open(path))
    local text = file:read "*a"
    file:close()
    return text
end

local function names(set)
    local list = {}
    for name in pairs(set) do
        list[#list + 1] = name
    end
    table.sort(list)
    return table.concat(list, " ")
end

local function named(list)
    local set = {}
    for _, word in ipairs(list) do
        assert(not set[word[1]] and word.usage and word.doc, word[1])
        set[word[1]] = word
    end
    return set
end

-- What is Lua's; the rest of a policy's world are words.
local LUA = "assert bit error getmetatable ipairs math next pairs pcall print select setmetatable "
    .. "string table tonumber tostring type unpack xpcall"

function tests.the_words_are_those_of_a_policys_world()
    local env = sandbox.basics()
    for name, word in pairs(dsl.words { scope = interpolate.scope() }) do
        env[name] = word
    end
    for name in LUA:gmatch "%S+" do
        assert(env[name] ~= nil, name)
        env[name] = nil
    end
    local known = named(words.list)
    assert(names(env) == names(known), names(env) .. "\n" .. names(known))
    for name, word in pairs(known) do
        if word.members then
            local members = named(word.members)
            assert(names(env[name]) == names(members), name)
            for member, about in pairs(members) do
                assert((type(env[name][member]) == "function") == (about.params ~= nil), member)
            end
        else
            assert((type(env[name]) == "function") == (word.params ~= nil), name)
        end
    end
end

function tests.the_helpers_are_those_of_expressions()
    local helpers = { config = true, event = true }
    for name in pairs(require "escape") do
        helpers[name] = true
    end
    assert(names(helpers) == names(named(words.helpers)), names(helpers))
end

function tests.each_table_is_described_once()
    local set = {}
    for _, name in ipairs(words.table_order) do
        assert(words.tables[name] and not set[name], name)
        set[name] = true
    end
    assert(names(set) == names(words.tables))
end

function tests.the_reference_has_every_word_and_key()
    local text = read "lua/README.md"
    for _, row in ipairs(reference.words()) do
        assert(text:find("\n" .. row .. "\n", 1, true), "lua/README.md lacks the row " .. row)
    end
    for _, name in ipairs(words.table_order) do
        local rows = table.concat(reference.keys(name), "\n")
        local own = name == "Machine" or name == "Match" or name == "Document" or name == "Hosts"
        assert(own or text:find("\n|---|---|\n" .. rows .. "\n\n", 1, true),
               "lua/README.md lacks, for " .. name .. ":\n" .. rows)
    end
end

-- Each word stands in an example of the reference.
function tests.every_word_has_an_example()
    local examples = {}
    for example in read("lua/README.md"):gmatch "```lua\n(.-)```" do
        examples[#examples + 1] = example:gsub("%-%-[^\n]*", "")
    end
    examples = table.concat(examples, "\n")
    local function shown(list, path)
        for _, word in ipairs(list) do
            local name = path .. word[1]
            if word.members and name ~= "log" then
                shown(word.members, name .. ".")
            else
                assert(examples:find("%f[%w_.]" .. name:gsub("%.", "%%.") .. "%f[^%w_]"), name .. " has no example")
            end
        end
    end
    shown(words.list, "")
end

function tests.the_stubs_are_up_to_date()
    local text = stubs.text()
    assert(text == read "examples/.luals/moonboot.lua", "run: build/moonboot stubs examples/.luals")
    assert(loadstring(text))
    for _, list in ipairs { words.list, words.tests } do
        for name in pairs(named(list)) do
            assert(text:find("\nfunction " .. name .. "(", 1, true) or text:find("\n" .. name .. " = ", 1, true), name)
        end
    end
    -- Types are ours or Lua's.
    for name in text:gmatch "moonboot%.(%u%w*)" do
        assert(text:find("---@class moonboot." .. name .. "\n", 1, true)
               or text:find("---@alias moonboot." .. name .. " ", 1, true), name)
    end
    assert(read "examples/.luarc.json" == stubs.settings ".luals")
    assert(read "examples/quickstart/.luarc.json" == stubs.settings "../.luals")
end

function tests.the_command()
    local saved = {}
    local function run(...)
        return cli.run("stubs", { ... }, {}, function(path, text, replace)
            if path:find "full" then
                return nil, "No space left on device"
            elseif saved[path] and not replace then
                return false
            end
            saved[path] = text
            return true
        end)
    end
    local code, out = run()
    assert(code == 0 and out == ".luals/moonboot.lua\n.luarc.json\n")
    assert(saved[".luals/moonboot.lua"] == stubs.text() and host.json.decode(saved[".luarc.json"])["workspace.library"][1] == ".luals")
    code, out = run()
    assert(code == 0 and out == ".luals/moonboot.lua\n")
    code, out = run "a/b/"
    assert(code == 0 and out == "a/b/moonboot.lua\na/.luarc.json\n" and saved["a/.luarc.json"]:find '"b"')
    local err
    code, out, err = run "full"
    assert(code == 1 and out == "" and err == "moonboot stubs: full/moonboot.lua: No space left on device\n")
    assert(run("a", "b") == 2 and run "--nope" == 2)
    code, out = run "--help"
    assert(code == 0 and out:find "^Usage:")
end

-- Ten mistakes, ten problems, each with its line and what was meant.
function tests.ten_mistakes()
    policies.refuses(read "tests/lua/ten_mistakes.lua", {
        'policy.lua:5: unknown key "inird" in profile "compute" (did you mean "initrd"?)',
        'policy.lua:6: in {{serail}}: unknown name "serail" (did you mean "serial"?)',
        'policy.lua:9: match: a machine has no field "manufcturer" (did you mean "manufacturer"?)',
        'policy.lua:10: match.arch[2]: found "efi-x65", expected an architecture, such as bios or efi-x64 (did you mean "efi-x64"?)',
        'policy.lua:11: boot: there is no profile "comptue" (did you mean "compute"?)',
        'policy.lua:14: unknown word "prefx" (did you mean "prefix"?)',
        'policy.lua:16: unknown key "on_eror" in rule "two" (did you mean "on_error"?)',
        'policy.lua:20: menu.default: there is no entry "Lokal disk" (did you mean "Local disk"?)',
        'policy.lua:24: unknown word "string.lowr" (did you mean "lower"?)',
        'policy.lua:28: unknown word "ignroe" (did you mean "ignore"?)',
    })
end

return tests
