-- The lines of each file named on which something can run: a line for each file, like lines.c.
util = require "jit.util" -- luacheck: globals util
local lines = dofile "lua/lines.lua"
for _, name in ipairs(arg) do
    local file = assert(io.open(name))
    local list = assert(lines(file:read "*a", "@" .. name))
    file:close()
    print(name .. " " .. table.concat(list, " "))
end
