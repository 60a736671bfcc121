-- Runs the tests of the Lua half under plain LuaJIT: `luajit tests/lua/run.lua [NAME…]`,
-- from the top of the tree. A test file returns a table of functions; one that throws
-- has failed. What the C half gives the engine is host.lua's here.

jit.off() -- as in the program, so that deadlines hold
package.path = "lua/?.lua;tests/lua/?.lua;" .. package.path
host = require "host" -- luacheck: globals host

local function files(names)
    if #names > 0 then
        return names
    end
    local list = {}
    local pipe = assert(io.popen "ls tests/lua/test_*.lua")
    for path in pipe:lines() do
        table.insert(list, path:match("([^/]+)%.lua$"))
    end
    pipe:close()
    return list
end

local function sorted(tests)
    local names = {}
    for name in pairs(tests) do
        table.insert(names, name)
    end
    table.sort(names)
    return names
end

local passed, failed = 0, 0

for _, file in ipairs(files { ... }) do
    local tests = require(file)
    for _, name in ipairs(sorted(tests)) do
        local ok, message = xpcall(tests[name], debug.traceback)
        if ok then
            passed = passed + 1
        else
            failed = failed + 1
            print(string.format("not ok - %s: %s: %s", file, (name:gsub("_", " ")), message))
        end
    end
end

print(string.format("%d passed, %d failed", passed, failed))
os.exit(failed == 0 and passed > 0 and 0 or 1)
