-- `moonboot stubs`: what editors need to know of the language.

local options = require "cli.options"
local stubs = require "stubs"

local HELP = [[
Usage: moonboot stubs [OPTION] [DIR]
Writes the words of the policy language, with their types, to DIR/moonboot.lua for editors that
speak LuaLS, and .luarc.json beside DIR, which tells them so, unless there is one.
DIR is .luals when none is named.

  -q, --quiet  do not print what was written
  -h, --help   print this

Exit codes: 0 written, 1 could not write, 2 bad usage.
]]

local OPTIONS = { ["--quiet"] = "flag", ["-q"] = "flag", ["--help"] = "flag", ["-h"] = "flag" }

local function usage(problem)
    host.cli.warn("moonboot stubs: " .. problem .. "\nTry: moonboot stubs --help\n")
    return 2
end

return function(args)
    local values, operands = options.parse(args, OPTIONS)
    if not values then
        return usage(operands)
    elseif values["--help"] or values["-h"] then
        host.cli.write(HELP)
        return 0
    elseif #operands > 1 then
        return usage("name one directory")
    end
    local directory = (operands[1] or ".luals"):gsub("(.)/+$", "%1")
    local above, name = directory:match "^(.*/)([^/]+)$"
    local wanted = {
        { path = directory .. "/moonboot.lua", text = stubs.text(), replace = true },
        { path = (above or "") .. ".luarc.json", text = stubs.settings(name or directory) },
    }
    for _, file in ipairs(wanted) do
        local written, message = host.cli.save(file.path, file.text, file.replace or false)
        if written == nil then
            host.cli.warn(("moonboot stubs: %s: %s\n"):format(file.path, message))
            return 1
        elseif written and not (values["--quiet"] or values["-q"]) then
            host.cli.write(file.path .. "\n")
        end
    end
    return 0
end
