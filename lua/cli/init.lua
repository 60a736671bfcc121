-- `moonboot init`: a site to begin with. Its files are examples/starter, carried in the program.

local options = require "cli.options"
local stubs = require "stubs"

local HELP = [[
Usage: moonboot init [OPTION] [DIR]
Writes a site to begin with into DIR (the current directory if none is named): a policy, an
inventory, tests, site.yaml, a workflow for GitHub Actions, and what editors need to know
of the language. It passes `moonboot check --strict` and `moonboot test` as it is.
Nothing that is there is overwritten: when one of the files is, nothing is written.

  -q, --quiet  do not print what was written
  -h, --help   print this

Exit codes: 0 written, 1 a file is there already or cannot be written, 2 bad usage.
]]

local OPTIONS = { ["--quiet"] = "flag", ["-q"] = "flag", ["--help"] = "flag", ["-h"] = "flag" }

local function usage(problem)
    host.cli.warn("moonboot init: " .. problem .. "\nTry: moonboot init --help\n")
    return 2
end

local function files()
    local list = host.cli.starter()
    list[#list + 1] = { name = ".luarc.json", text = stubs.settings ".luals" }
    list[#list + 1] = { name = ".luals/moonboot.lua", text = stubs.text() }
    return list
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
    local directory = operands[1] or "."
    if directory == "" then
        return usage("a directory's name has at least one character")
    end
    local prefix = directory == "." and "" or directory:gsub("/+$", "") .. "/"
    local quiet = values["--quiet"] or values["-q"]
    local there = 0
    for _, file in ipairs(files()) do
        if host.cli.find(prefix .. file.name) then
            host.cli.warn(("moonboot init: %s is there already\n"):format(prefix .. file.name))
            there = there + 1
        end
    end
    if there > 0 then
        host.cli.warn("moonboot init: nothing was written\n")
        return 1
    end
    for _, file in ipairs(files()) do
        local written, message = host.cli.save(prefix .. file.name, file.text, false)
        if not written then
            host.cli.warn(("moonboot init: %s: %s\n"):format(prefix .. file.name, message or "it is there already"))
            return 1
        end
        if not quiet then
            host.cli.write(prefix .. file.name .. "\n")
        end
    end
    if quiet then
        return 0
    end
    host.cli.write(([[

Now:%s
  moonboot check --strict
  moonboot test
  moonboot eval policy.lua --mac 52:54:00:00:00:01 --arch efi-x64
]]):format(prefix ~= "" and "\n  cd " .. directory or ""))
    return 0
end
